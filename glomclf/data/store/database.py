"""The file of the store: one connection a folder and process, and what damage costs.

What goes wrong with the file is mended here, so that the callers' work goes on.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ...errors import CacheError, CacheWarning

_SCHEMA_VERSION = 1
_APPLICATION_ID = 0x676C6F6D  # "glom", at a fixed place in the file's header
_FOLDER = f"glomclf-features-v{_SCHEMA_VERSION}"
ALL_FOLDERS = "glomclf-features-v[0-9]*"
_DISCARDED_FOLDERS = f"{ALL_FOLDERS}.discarded"
_FILE_NAME = "features.sqlite"
# Small pages: an evicted entry frees its own pages, and little is lost at their ends.
PAGE_BYTES = 4096
_SETTINGS = (
    f"page_size = {PAGE_BYTES}",
    "auto_vacuum = INCREMENTAL",
    "journal_mode = TRUNCATE",
    "synchronous = NORMAL",
    "cache_size = -16384",  # KiB; holds a transaction of _TRANSACTION_BYTES
    "cell_size_check = ON",
    "mmap_size = 0",  # a truncated file must raise, not end the process
)
_SCHEMA = """
CREATE TABLE namespaces (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, dtype TEXT NOT NULL,
    shape TEXT NOT NULL, n_bytes INTEGER NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, key BLOB NOT NULL,
    checksum BLOB NOT NULL, used INTEGER NOT NULL, UNIQUE (namespace, key));
CREATE TABLE payloads (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
"""
_LOCK_WAIT_S = 30
_MAX_ATTEMPTS = 3
# What SQLite says when the file is sound and something around it is not.
_HINDRANCES = (
    "locked",
    "full",
    "disk I/O error",
    "unable to open",
    "locking protocol",
    "access permission denied",
    "interrupted",
)
_REMEDY = (
    "Give a folder on a local disk that you may write to and that has space (cache_dir,"
    " or the environment variable GLOMCLF_CACHE_DIR), or keep nothing on disk with"
    " cache_dir=False."
)
_T = TypeVar("_T")


def warn(message: str) -> None:
    """Say that time is lost, and nothing else."""
    warnings.warn(message, CacheWarning, stacklevel=2)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing, holding the only write lock from the start."""
    try:
        # Within, for Ctrl-C may come when it has begun.
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Return one setting or count of the database."""
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


class DamagedError(sqlite3.DatabaseError):
    """The file is a sound database that does not hold what it should."""


def hinders(error: sqlite3.Error) -> bool:
    """Tell what stands around a sound file from damage to it."""
    return any(text in str(error) for text in _HINDRANCES)


class Database:
    """The store file of one folder, with this process's connection to it."""

    def __init__(self, cache_dir: Path):
        self.folder = cache_dir / _FOLDER
        self.file = self.folder / _FILE_NAME
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def attempt(
        self, operation: Callable[[sqlite3.Connection], _T], otherwise: _T
    ) -> _T:
        """Run an operation; where the file is damaged, again on a new one."""
        for _ in range(_MAX_ATTEMPTS):
            try:
                return operation(self._connected())
            except sqlite3.ProgrammingError:
                raise
            except sqlite3.DatabaseError as error:
                was_open, has_moved = self._connection is not None, self._has_moved()
                self.close()
                if has_moved:  # another process cleared or rebuilt the cache
                    continue
                if not hinders(error):
                    self._rebuild(error)
                elif was_open:
                    warn(
                        f"The feature cache {self.file} was passed over ({error}):"
                        f" values are computed and not kept. {_REMEDY}"
                    )
                    break
                else:
                    raise self._unusable(error) from error
        return otherwise

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        if connection := self.abandon():
            connection.close()

    def abandon(self) -> sqlite3.Connection | None:
        """Forget the connection without closing it."""
        connection, self._connection = self._connection, None
        return connection

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and self._has_moved():
            self.close()
        if self._connection is None:
            self._prepare()
            self._connection = _open_file(self.file)
        return self._connection

    def _has_moved(self) -> bool:
        return self._identity != _identity(self.file)

    def _prepare(self) -> None:
        """Make folder and file where they are not, and note which file it is."""
        for leftover in self.folder.parent.glob(_DISCARDED_FOLDERS):
            shutil.rmtree(leftover, ignore_errors=True)
        for attempts_left in reversed(range(_MAX_ATTEMPTS)):
            try:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=self.folder):
                    pass  # SQLite's journal must be creatable
                os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
                break
            except OSError as error:
                is_gone = isinstance(error, FileNotFoundError)
                if not (is_gone and attempts_left):  # another process clears it
                    raise self._unusable(error) from error
        self._identity = _identity(self.file)

    def _unusable(self, error: Exception) -> CacheError:
        return CacheError(
            f"The feature cache {self.folder} cannot be opened for writing: {error}."
            f" {_REMEDY}"
        )

    def _rebuild(self, error: sqlite3.Error) -> None:
        message = f"The feature cache {self.file} is damaged ({error})"
        try:
            discard(self.folder)
        except OSError as failure:
            warn(f"{message} and cannot be removed ({failure}). {_REMEDY}")
        else:
            warn(f"{message}. It was removed, and its values are computed again.")


def _open_file(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        file, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}").fetchall()
        _settle_schema(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _settle_schema(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    stamp = (pragma(connection, "application_id"), pragma(connection, "user_version"))
    if stamp != (_APPLICATION_ID, _SCHEMA_VERSION):
        raise DamagedError(f"it is no feature cache of version {_SCHEMA_VERSION}")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def discard(folder: Path) -> None:
    """Remove a store's folder; the rename makes it vanish whole, journal included."""
    if not folder.name.endswith(".discarded"):
        target = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.discarded")
        try:
            folder = folder.rename(target)
        except FileNotFoundError:
            return  # another process was quicker
    shutil.rmtree(folder, ignore_errors=True)


# One connection a folder and process, used by one thread at a time. A fork waits until
# no thread is inside SQLite; the child leaves its parent's connections alone, because
# using or closing them there would break the parent's locks.
LOCK = threading.RLock()
_databases: dict[Path, Database] = {}
_inherited: list[sqlite3.Connection | None] = []


def database_of(cache_dir: Path) -> Database:
    """Return this process's one connection to the file of a folder."""
    if cache_dir not in _databases:
        for abandoned in [of for of in _databases.values() if not of.file.exists()]:
            abandoned.close()  # or the space of a removed file stays taken
    return _databases.setdefault(cache_dir, Database(cache_dir))


def _after_fork_in_child() -> None:
    _inherited.extend(database.abandon() for database in _databases.values())
    LOCK.release()


@atexit.register
def _close_all() -> None:
    with LOCK:
        for database in _databases.values():
            database.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOCK.acquire,
        after_in_parent=LOCK.release,
        after_in_child=_after_fork_in_child,
    )
