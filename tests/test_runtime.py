"""Bars, files written whole, and the names of files."""

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from glomclf._runtime import counted, headed, progress, short_names, written_whole


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "scores.csv"
    with written_whole(target) as temporary:
        temporary.write_text("0.9")
        assert not target.exists()
    assert target.read_text() == "0.9"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    target = tmp_path / "scores.csv"
    target.write_text("old")
    with written_whole(str(target)) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def write_half(target, error):
    with written_whole(target) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_inside_keeps_the_old_file_and_leaves_nothing_else(tmp_path, error):
    target = tmp_path / "scores.csv"
    target.write_text("old")
    with pytest.raises(error):
        write_half(target, error)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_what_a_kill_left_is_taken_by_the_next_run(tmp_path):
    target = tmp_path / "scores.csv"
    with written_whole(target) as left:
        pass
    left.write_text("half of a long table")  # of a process that was killed
    with written_whole(target) as temporary:
        assert temporary == left
        assert temporary.read_text() == ""
        temporary.write_text("0.9")
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_text() == "0.9"


def test_two_who_write_one_file_do_not_meet(tmp_path):
    target = tmp_path / "scores.csv"
    with written_whole(target) as first:
        first.write_text("first")
        with written_whole(target) as second:
            assert second != first
            second.write_text("second")
        assert target.read_text() == "second"
        with written_whole(target) as third:
            third.write_text("third")
    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path, link):
    target, other = tmp_path / "scores.csv", tmp_path / "other"
    other.write_text("of others")
    with written_whole(target) as usual:
        pass
    link(usual, other)
    with written_whole(target) as temporary:
        temporary.write_text("0.9")
    assert other.read_text() == "of others"
    assert not target.is_symlink()
    assert target.read_text() == "0.9"


def test_missing_folders_are_made(tmp_path):
    target = tmp_path / "a" / "b" / "scores.csv"
    with written_whole(target) as temporary:
        temporary.write_text("0.9")
    assert target.read_text() == "0.9"


def test_the_temporary_file_keeps_the_suffix_that_writers_look_at(tmp_path):
    with written_whole(tmp_path / "curve.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path
    with written_whole(tmp_path / "curve") as temporary:
        assert temporary.suffix == ".part"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_others_may_read_the_file_as_the_umask_says(tmp_path):
    previous = os.umask(0o027)
    try:
        with written_whole(tmp_path / "scores.csv") as temporary:
            temporary.write_text("0.9")
        assert stat.S_IMODE((tmp_path / "scores.csv").stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027  # and the umask is as it was
    finally:
        os.umask(previous)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/d/s1/a.png", "/d/s2/b.png"], ["a.png", "b.png"]),
        (
            ["/d/s1/a.png", "/d/s2/a.png", "/d/b.png"],
            ["s1/a.png", "s2/a.png", "d/b.png"],
        ),
        (["/d/1/s/a.png", "/d/2/s/a.png"], ["1/s/a.png", "2/s/a.png"]),
        (["/a.png", "/d/a.png"], ["/a.png", "d/a.png"]),
        (["/d/a.png", "/d/a.png"], ["a.png", "a.png"]),
        ([], []),
    ],
)
def test_names_have_as_few_folders_as_tell_them_apart(paths, names):
    assert short_names(paths) == names


def test_a_bar_is_shown_on_standard_error_alone(capsys):
    with progress("training", total=3) as advance:
        advance(n_done=2, note="loss 0.250")
        advance()
    out, err = capsys.readouterr()
    assert out == ""
    assert "training" in err
    assert "3/3" in err


def test_the_last_note_stands_behind_the_bar(capsys):
    with progress("training", total=2) as advance:
        advance(note="loss 0.500")
        advance(note="loss 0.250")
    assert "loss 0.250" in capsys.readouterr().err


def test_a_bar_that_is_not_asked_for_shows_nothing(capfd):
    with progress("training", total=3, enabled=False) as advance:
        advance(n_done=2, note="loss 0.250")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("enabled", [True, False])
def test_an_error_inside_the_block_comes_out(enabled, capsys):
    with (
        pytest.raises(KeyError, match="broken"),
        progress("training", total=3, enabled=enabled),
    ):
        raise KeyError("broken")


def test_a_log_gets_plain_lines_with_the_time_left(capsys, monkeypatch):
    """A line a step, but not more than one every half minute; the last is written."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on servers that build and test
    now = {"seconds": 0}
    monkeypatch.setattr("time.monotonic", lambda: now["seconds"])
    with headed("fold 1 of 2: "), progress("training", total=6) as advance:
        for step, seconds in enumerate([60, 10, 10, 10, 30, 5], 1):
            now["seconds"] += seconds
            advance(note=f"loss 0.{step}")
    assert capsys.readouterr().err.splitlines() == [
        "fold 1 of 2: training 1/6, loss 0.1, 0:05:00 left",
        "fold 1 of 2: training 4/6, loss 0.4, 0:00:45 left",
        "fold 1 of 2: training 5/6, loss 0.5, 0:00:24 left",
        "fold 1 of 2: training 6/6, loss 0.6, 0:02:05 passed",
    ]


def fail_after_a_step():
    with progress("trials\x1b[2J", total=0) as advance:
        advance(note="best 0.9")
        raise KeyError("broken")


def test_a_log_says_how_far_work_came_that_failed(capsys):
    with pytest.raises(KeyError, match="broken"):
        fail_after_a_step()
    assert capsys.readouterr().err == "trials\\x1b[2J 1, best 0.9, 0:00:00 passed\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress("training", total=3) as advance:
        advance(n_done=2, note="loss 0.250")
    shown = sys.stderr.getvalue()
    assert "━" in shown
    assert "2/3" in shown
    assert "loss 0.250" in shown


def test_one_of_a_kind_is_no_plural():
    assert counted(1, "patch") == "1 patch"
    assert counted(1, "biopsy") == "1 biopsy"
    assert [counted(n, "trial") for n in (0, 2)] == ["0 trials", "2 trials"]
