"""The file of the store: opened for one operation at a time, and mended where damaged.

What goes wrong with the file is a warning here, so that the callers' work goes on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ...errors import CacheWarning

_FOLDER = "glomclf-features-v2"
ALL_FOLDERS = "glomclf-features-v[0-9]*"
_FILE_NAME = "features.sqlite"
_SETTINGS = (
    "journal_mode = TRUNCATE",
    "synchronous = NORMAL",
    "cache_size = -16384",  # KiB; holds a whole transaction
    "cell_size_check = ON",
    "mmap_size = 0",  # a truncated file must raise, not end the process
)
# Values lie apart from the entries: the search for old ones need not read them.
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS namespaces ("
    " id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS entries ("
    " id INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, key BLOB NOT NULL,"
    " layout BLOB NOT NULL, n_bytes INTEGER NOT NULL, checksum BLOB NOT NULL,"
    " used INTEGER NOT NULL, UNIQUE (namespace, key))",
    "CREATE TABLE IF NOT EXISTS payloads (id INTEGER PRIMARY KEY, value BLOB NOT NULL)",
)
_DAMAGE_CODES = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_ERROR,  # a table is missing, or another
)
_LOCK_WAIT_S = 30
_REMEDY = (
    "Give a folder on a local disk that you may write to and that has space (cache_dir,"
    " or the environment variable GLOMCLF_CACHE_DIR), or keep nothing on disk with"
    " cache_dir=False."
)
_T = TypeVar("_T")

# SQLite keeps locks and mutexes for the whole process. One thread at a time uses it,
# and a fork waits until none does, so that a child inherits nothing that is in use.
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_LOCK.acquire,
        after_in_parent=_LOCK.release,
        after_in_child=_LOCK.release,
    )


class DamagedError(sqlite3.DatabaseError):
    """The file does not hold what was put."""


def store_file(cache_dir: Path) -> Path:
    """Return the file of a cache folder's store, which need not be there."""
    return cache_dir / _FOLDER / _FILE_NAME


def attempt(
    cache_dir: Path, operation: Callable[[sqlite3.Connection], _T], otherwise: _T
) -> _T:
    """Run an operation on the store; where the file is damaged, again on a new one."""
    for _ in range(2):
        try:
            with _LOCK, contextlib.closing(_open(cache_dir)) as connection:
                return operation(connection)
        except (sqlite3.Error, OSError) as error:
            if _is_damage(error):
                _rebuild(cache_dir, error)
                continue
            _warn(
                f"The feature cache in {cache_dir} was passed over ({error}): values"
                f" are computed and not kept. {_REMEDY}"
            )
            break
    return otherwise


def discard(folder: Path) -> None:
    """Remove a store's folder; the rename makes it vanish whole, journal included."""
    target = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.discarded")
    with contextlib.suppress(FileNotFoundError):  # another process was quicker
        folder.rename(target)
        shutil.rmtree(target)


def _open(cache_dir: Path) -> sqlite3.Connection:
    file = store_file(cache_dir)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=_LOCK_WAIT_S, isolation_level=None)
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:
                    connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damage(error: Exception) -> bool:
    """Tell damage to the file from what hinders its use, such as a full disk."""
    if isinstance(error, OSError):
        return False
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in _DAMAGE_CODES


def _rebuild(cache_dir: Path, error: Exception) -> None:
    message = f"The feature cache in {cache_dir} is damaged ({error})"
    try:
        discard(store_file(cache_dir).parent)
    except OSError as failure:
        _warn(f"{message} and cannot be removed ({failure}). {_REMEDY}")
    else:
        _warn(f"{message}. It was removed, and its values are computed again.")


def _warn(message: str) -> None:
    """Say that time is lost, and nothing else."""
    warnings.warn(message, CacheWarning, stacklevel=3)
