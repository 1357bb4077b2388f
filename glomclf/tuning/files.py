"""Files of studies that a kill left damaged, or that another process keeps locked."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path

from .._runtime import progress
from ..errors import StudyError

__all__ = ["LOCK_SECONDS", "refuse_damaged", "wait_for_lock"]

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
