"""Files of studies that a kill left damaged, or that another process keeps locked."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path

from optuna.storages.journal import JournalFileSymlinkLock

from .._runtime import progress
from ..errors import StudyError

__all__ = ["LOCK_SECONDS", "JournalLock", "refuse_damaged", "wait_for_lock"]

LOCK_SECONDS = 30
_PROBE_SECONDS = 1.0
_WRITING_SECONDS = 0.5  # for another process to end the line that it writes


def refuse_damaged(path: str) -> None:
    """Refuse a journal with lines that are no records: what is added would be lost.

    Raises
    ------
    StudyError
        It says where the damage begins, and how to cut it off.
    """
    damage = _first_damage(path)
    if damage is not None and not damage[1].endswith(b"\n"):
        time.sleep(_WRITING_SECONDS)
        damage = _first_damage(path)
    if damage is None:
        return
    n_bytes, rest = damage
    raise StudyError(
        f"The storage {path} cannot be used: it is not a journal of Optuna's, or is "
        f"damaged from byte {n_bytes} on ({rest[:40]!r}), as a kill or a full disk "
        "leaves it. The records before that are whole. To keep these alone: "
        f"truncate -s {n_bytes} {path}. Or name another file."
    )


def _first_damage(path: str) -> tuple[int, bytes] | None:
    """Return where a line begins that is no record, and what it is."""
    from optuna.storages.journal._storage import JournalOperation

    n_bytes = 0
    for line in (
        Path(path).read_bytes().splitlines(True) if os.path.exists(path) else ()
    ):
        try:
            JournalOperation(json.loads(line.decode())["op_code"])
            is_record = line.endswith(b"\n")
        except (ValueError, KeyError, TypeError, RecursionError):
            is_record = False
        if not is_record:
            return n_bytes, line
        n_bytes += len(line)
    return None


def wait_for_lock(url: str) -> None:
    """Wait a while for a process that keeps a file of SQLite's locked, and say so.

    Raises
    ------
    StudyError
        If it stays locked.
    """
    name = url.partition(":///")[2].partition("?")[0]
    if not (url.startswith("sqlite") and os.path.isfile(name) and _is_locked(name)):
        return
    told = f"waiting for {name}, which another process has locked"
    with progress(told, LOCK_SECONDS) as advance:
        for _ in range(LOCK_SECONDS):
            if not _is_locked(name):
                return
            advance()
    raise StudyError(
        f"The storage {url} cannot be used: another process has kept it locked for "
        f"{LOCK_SECONDS} seconds. End that process, wait for it, or name another file."
    )


class JournalLock(JournalFileSymlinkLock):
    """The lock of a journal; a wait for one that a kill left is told, and ends."""

    def acquire(self) -> bool:
        """Take the lock, after others who write; remove one that nobody gives back."""
        if _is_left(self._lock_file, _PROBE_SECONDS, 100):
            self._outwait()
        return bool(super().acquire())

    def _outwait(self) -> None:
        told = f"waiting for the lock {self._lock_file}, left by a kill?"
        with progress(told, LOCK_SECONDS) as advance:
            for _ in range(LOCK_SECONDS):
                if not _is_left(self._lock_file, 1, 1):
                    return
                advance()
        with contextlib.suppress(RuntimeError):  # another process has removed it
            self.release()


def _is_left(lock: str, seconds: float, n_looks: int) -> bool:
    """Tell whether a lock stays the same for so long."""
    first = _lock_identity(lock)
    for _ in range(n_looks):
        if first is None or _lock_identity(lock) != first:
            return False
        time.sleep(seconds / n_looks)
    return _lock_identity(lock) == first


def _lock_identity(lock: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(lock)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _is_locked(name: str) -> bool:
    with contextlib.closing(
        sqlite3.connect(name, timeout=_PROBE_SECONDS)
    ) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
        except sqlite3.DatabaseError:  # no database: said by what opens it
            return False
    return False
