"""The file of the feature store: connections, transactions, room, and damage.

One connection a folder and process; what goes wrong with the file is mended here, so
that the callers' work goes on.
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import platformdirs

from ..errors import CacheError, CacheWarning

__all__ = [
    "ALL_FOLDERS",
    "LOCK",
    "DamagedError",
    "bytes_on_pages",
    "database_of",
    "default_cache_dir",
    "delete",
    "discard",
    "make_room",
    "resolve",
    "shrink",
    "touch",
    "transaction",
    "warn",
]

_SCHEMA_VERSION = 1
_APPLICATION_ID = 0x676C6F6D  # "glom", at a fixed place in the file's header
_FOLDER = f"glomclf-features-v{_SCHEMA_VERSION}"
ALL_FOLDERS = "glomclf-features-v[0-9]*"
_DISCARDED_FOLDERS = f"{ALL_FOLDERS}.discarded"
_FILE_NAME = "features.sqlite"
# Small pages: an evicted entry frees its own pages, and little is lost at their ends.
_PAGE_BYTES = 4096
_PAGE_PAYLOAD_BYTES = 4080  # what a page holds of a long value, or a little less
_SETTINGS = (
    f"page_size = {_PAGE_BYTES}",
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
_TOUCH_WAIT_S = 0.1
# Room made at each eviction, so that the search for old entries is rare.
_EVICTED_FRACTION = 0.05
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


def default_cache_dir() -> Path:
    """Return the folder where glomclf keeps computed features.

    Returns
    -------
    pathlib.Path
        The environment variable ``GLOMCLF_CACHE_DIR`` where it is set, else the
        platform's cache folder: ``~/.cache/glomclf`` on Linux,
        ``~/Library/Caches/glomclf`` on macOS.
    """
    chosen = os.environ.get("GLOMCLF_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("glomclf"))


def resolve(cache_dir: str | os.PathLike[str] | None) -> Path:
    """Return the absolute folder that a ``cache_dir`` means."""
    folder = default_cache_dir() if cache_dir is None else Path(cache_dir)
    return folder.expanduser().absolute()


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


def touch(connection: sqlite3.Connection, ids: Sequence[int], now: int) -> None:
    """Renew access times, unless another process writes: it is not worth a wait."""
    if not ids:
        return
    connection.execute(f"PRAGMA busy_timeout = {int(_TOUCH_WAIT_S * 1000)}")
    try:
        with transaction(connection):
            connection.executemany(
                "UPDATE entries SET used = ? WHERE id = ?", [(now, id_) for id_ in ids]
            )
    except sqlite3.OperationalError as error:
        if not _hinders(error):
            raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_S * 1000}")


def delete(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Remove entries and their values."""
    for table in ("entries", "payloads"):
        connection.executemany(
            f"DELETE FROM {table} WHERE id = ?", [(id_,) for id_ in ids]
        )


def make_room(
    connection: sqlite3.Connection, max_bytes: int, n_values: int, n_bytes: int
) -> int | None:
    """Evict the least recently used entries until the new ones fit the limit.

    Returns the time at which the last of them was used; None if none had to go.
    """
    last_used = None
    allowed = max_bytes // _PAGE_BYTES
    needed = n_values * bytes_on_pages(n_bytes) // _PAGE_BYTES
    if _pages_in_use(connection) + needed > allowed:
        target = max(0, int(allowed * (1 - _EVICTED_FRACTION)) - needed)
        while (excess := _pages_in_use(connection) - target) > 0:
            victims = _least_recently_used(connection, excess * _PAGE_BYTES)
            if not victims:
                break
            delete(connection, [id_ for id_, _ in victims])
            last_used = victims[-1][1]
    return last_used


def fullness(connection: sqlite3.Connection, max_bytes: int) -> float:
    """Return the share of the limit that is taken."""
    return _pages_in_use(connection) * _PAGE_BYTES / max_bytes


def bytes_on_pages(n_bytes: int) -> int:
    """Return the most that a value takes up: its pages, and two for ends and key."""
    return (n_bytes // _PAGE_PAYLOAD_BYTES + 2) * _PAGE_BYTES


def shrink(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Give free pages beyond the limit back to the disk."""
    surplus = _pragma(connection, "page_count") - max_bytes // _PAGE_BYTES
    if surplus > 0:
        # Only a script runs to its end: each page is a row, and `execute` takes one.
        connection.executescript(f"PRAGMA incremental_vacuum({surplus})")


def _least_recently_used(
    connection: sqlite3.Connection, n_bytes: int
) -> list[tuple[int, int]]:
    """Return the ids of entries, and when each was used, the least recent first."""
    victims = []
    cursor = connection.execute(
        "SELECT entries.id, coalesce(CAST(used AS INTEGER), 0),"
        f" coalesce(n_bytes, {_PAGE_BYTES}) FROM entries"
        " LEFT JOIN namespaces ON namespaces.id = namespace ORDER BY used, entries.id"
    )
    with contextlib.closing(cursor):
        for id_, used, freed in cursor:
            if n_bytes <= 0:
                break
            victims.append((id_, used))
            n_bytes -= freed
    return victims


def _pages_in_use(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "page_count") - _pragma(connection, "freelist_count")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


class DamagedError(sqlite3.DatabaseError):
    """The file is a sound database that does not hold what it should."""


def _hinders(error: sqlite3.Error) -> bool:
    return any(text in str(error) for text in _HINDRANCES)


class _Database:
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
                if not _hinders(error):
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
        connection, self._connection = self._connection, None
        if connection is not None:
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
    stamp = (_pragma(connection, "application_id"), _pragma(connection, "user_version"))
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
_databases: dict[Path, _Database] = {}
_inherited: list[sqlite3.Connection | None] = []


def database_of(cache_dir: Path) -> _Database:
    """Return this process's one connection to the file of a folder."""
    if cache_dir not in _databases:
        for abandoned in [of for of in _databases.values() if not of.file.exists()]:
            abandoned.close()  # or the space of a removed file stays taken
    return _databases.setdefault(cache_dir, _Database(cache_dir))


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
