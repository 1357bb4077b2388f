"""Files of studies that are damaged or locked are refused, and soon."""

import sqlite3

import optuna
import pytest

from glomclf.errors import StudyError
from glomclf.tuning import files, open_storage


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "study.journal"
    study = optuna.create_study(storage=open_storage(path), study_name="a")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    return path


@pytest.mark.parametrize(
    "tail",
    [
        *(b"\0" * 100, b"\0" * 100 + b"\n", b'{"op_', b"garbage\n", b"\xff\n", b"1\n"),
        *(b"null\n", b"{}\n", b"[1]\n", b'"a"\n', b'{"op_code":99}\n', b"\n"),
        *(b'{"op_code":0}', b"[" * 100_000 + b"\n", b"{}\n" + b'{"op_code":0}\n'),
    ],
    ids=lambda tail: repr(tail[:12]),
)
def test_a_journal_with_lines_that_are_no_records_is_refused(
    journal, tail, monkeypatch
):
    """Optuna passes over the last line, and loses what is added behind it."""
    monkeypatch.setattr(files, "_WRITING_SECONDS", 0)
    whole = journal.read_bytes()
    journal.write_bytes(whole + tail)
    with pytest.raises(
        StudyError, match="as a kill or a full disk leaves it"
    ) as caught:
        open_storage(journal)
    assert f"truncate -s {len(whole)} {journal}" in str(caught.value)
    assert journal.read_bytes() == whole + tail
    journal.write_bytes(whole)
    assert len(optuna.load_study(storage=open_storage(journal), study_name="a").trials)


def test_a_line_that_another_process_is_writing_is_waited_for(journal, monkeypatch):
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-5])
    monkeypatch.setattr(files.time, "sleep", lambda _: journal.write_bytes(whole))
    open_storage(journal)


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A file of SQLite's that somebody else has locked, and their connection."""
    monkeypatch.setattr(files, "_PROBE_SECONDS", 0.01)
    monkeypatch.setattr(files, "LOCK_SECONDS", 3)
    path = tmp_path / "study.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE a (b)")
    other.execute("BEGIN EXCLUSIVE")
    yield path, other
    other.close()


def test_a_locked_file_is_waited_for_in_words_and_not_for_ever(locked, capsys):
    path, _ = locked
    with pytest.raises(StudyError, match="another process has kept it locked for 3"):
        open_storage(f"sqlite:///{path}")
    waited = " ".join(capsys.readouterr().err.split())
    assert "waiting for" in waited


def test_a_file_that_is_unlocked_is_opened(locked, monkeypatch):
    path, other = locked
    probe = files._is_locked

    def unlocked(name):
        found = probe(name)
        if found:
            other.execute("COMMIT")
        return found

    monkeypatch.setattr(files, "_is_locked", unlocked)
    files.wait_for_lock(f"sqlite:///{path}")
    assert not other.in_transaction


@pytest.mark.parametrize("target", ["study.journal", "moved/elsewhere.journal"])
def test_a_lock_that_a_kill_left_is_waited_for_in_words_and_removed(
    journal, capsys, monkeypatch, target
):
    monkeypatch.setattr(files.time, "sleep", lambda _: None)
    lock = journal.with_name("study.journal.lock")
    lock.symlink_to(target)
    study = optuna.load_study(storage=open_storage(journal), study_name="a")
    study.add_trial(optuna.trial.create_trial(value=2.0))
    assert len(study.trials) == 2
    assert not lock.is_symlink()
    waited = " ".join(capsys.readouterr().err.split())
    assert "waiting for the lock" in waited


def test_a_lock_that_others_give_back_is_not_removed(journal, capsys, monkeypatch):
    lock = journal.with_name("study.journal.lock")
    lock.symlink_to(journal)
    monkeypatch.setattr(files.time, "sleep", lambda _: lock.unlink())
    open_storage(journal)._backend.append_logs([])
    assert "waiting" not in capsys.readouterr().err
