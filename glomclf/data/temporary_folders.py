"""Temporary folders that are gone after the block, or once another is made."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .._runtime import take_lock

_PREFIX = "glomclf-"
_LOCK = ".lock"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make an empty folder for the block; remove those that killed processes left.

    Each lies beside a file that is locked for as long as its process lives.

    Yields
    ------
    Path

    Examples
    --------
    >>> from glomclf.data.temporary_folders import temporary_folder
    >>> with temporary_folder() as folder:
    ...     _ = (folder / "a.txt").write_text("a")
    >>> folder.exists()
    False
    """
    _remove_left()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    handle = os.open(folder / f"{_LOCK}.new", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if take_lock(handle):  # others must not find the file before it is locked
            os.rename(folder / f"{_LOCK}.new", folder / _LOCK)
        files = folder / "files"
        files.mkdir()
        yield files  # empty
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):
            handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
            is_left = take_lock(handle) and os.fstat(handle).st_uid == os.geteuid()
            os.close(handle)
            if is_left:
                shutil.rmtree(lock.parent, ignore_errors=True)
