"""Temporary folders: gone after the block, however it ends."""

import os
import tempfile

import pytest

from glomclf.data.temporary_folders import temporary_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_removed_with_its_files(place):
    def fail():
        with temporary_folder() as folder:
            assert list(folder.iterdir()) == []
            (folder / "a").mkdir()
            (folder / "a" / "rows.npy").write_text("1")
            raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        fail()
    assert list(place.iterdir()) == []


def test_what_a_kill_left_is_removed_and_what_is_in_use_is_not(place):
    left = place / "glomclf-left"
    left.mkdir()
    (left / ".lock").touch()
    (left / "rows.npy").touch()
    others = [place / "glomclf-of-others", place / "else"]
    for other in others:  # without a lock they are not ours, or just being made
        other.mkdir()
    (place / "else" / ".lock").touch()
    with temporary_folder() as first, temporary_folder() as second:
        assert sorted(place.iterdir()) == sorted([first.parent, second.parent, *others])
    assert sorted(place.iterdir()) == sorted(others)
