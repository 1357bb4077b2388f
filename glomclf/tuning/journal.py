"""Journals of studies that a kill or a full disk left damaged."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ..errors import StudyError

__all__ = ["refuse_damaged"]

_WRITING_SECONDS = 0.5  # for another process to end the line that it writes


def refuse_damaged(path: Path) -> None:
    """Refuse a journal with lines that are no records: what is added would be lost.

    Raises
    ------
    StudyError
        It says where the damage begins, and how to cut it off.
    """
    n_bytes, rest = _first_damage(path)
    if rest and not rest.endswith(b"\n"):
        time.sleep(_WRITING_SECONDS)
        n_bytes, rest = _first_damage(path)
    if rest:
        raise StudyError(
            f"The storage {path} cannot be used: it is not a journal of Optuna's, or "
            f"is damaged from byte {n_bytes} on ({rest[:40]!r}), as a kill or a full "
            "disk leaves it. The records before that are whole. To keep these alone: "
            f"truncate -s {n_bytes} {path}. Or name another file."
        )


def _first_damage(path: Path) -> tuple[int, bytes]:
    """Return where a line begins that is no record, and what it is; empty if none."""
    n_bytes = 0
    for line in path.read_bytes().splitlines(True) if path.exists() else ():
        if not _is_record(line):
            return n_bytes, line
        n_bytes += len(line)
    return n_bytes, b""


def _is_record(line: bytes) -> bool:
    from optuna.storages.journal._storage import JournalOperation

    try:
        JournalOperation(json.loads(line.decode())["op_code"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return line.endswith(b"\n")
