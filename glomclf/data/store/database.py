"""The folder of the cache, and its file: opened for one operation, mended if damaged.

What goes wrong with the file is a warning here, so that the callers' work goes on.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
import threading
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import platformdirs

from ..._runtime import user_path
from ...errors import CacheError, CacheWarning

_NAME = "glomclf-features-v"
_FOLDER = f"{_NAME}3"
_OF_STORES = re.compile(rf"{_NAME}\d+(\.[0-9a-f]+\.discarded)?")
_FILE_NAME = "features.sqlite"
_HAS_OWNERS = hasattr(os, "geteuid")  # Windows keeps the user's folder from others
_SETTINGS = (
    "journal_mode = TRUNCATE",
    "synchronous = NORMAL",
    "cache_size = -16384",  # KiB; holds a whole transaction
    "cell_size_check = ON",
    "mmap_size = 0",  # a truncated file must raise, not end the process
)
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS makers ("
    " id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, layout BLOB NOT NULL,"
    " used INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS entries ("
    " id INTEGER PRIMARY KEY, maker INTEGER NOT NULL, key BLOB NOT NULL,"
    " checksum BLOB NOT NULL, value BLOB NOT NULL, UNIQUE (maker, key))",
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


def resolve_cache_dir(cache_dir: str | os.PathLike[str] | None) -> Path:
    """Return the absolute folder that a ``cache_dir`` means."""
    try:
        return user_path(cache_dir or default_cache_dir()).absolute()
    except FileNotFoundError:
        raise CacheError(
            f"The cache of features has no place: there is no home folder for "
            f"{cache_dir or default_cache_dir()}. Set HOME, or GLOMCLF_CACHE_DIR to "
            "the full name of a folder."
        ) from None


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


def own_folders(cache_dir: Path) -> list[Path]:
    """Return the folders of stores of any version, and what a killed removal left.

    A link is none of them, wherever it leads.
    """
    return sorted(
        folder
        for folder in cache_dir.glob(f"{_NAME}*")
        if _OF_STORES.fullmatch(folder.name)
        and folder.is_dir()
        and not folder.is_symlink()
    )


def own_files(folder: Path) -> list[Path]:
    """Return the files that a store has made in its folder."""
    return sorted(folder.glob(f"{_FILE_NAME}*"))


def discard(folder: Path) -> None:
    """Remove a store's folder; the rename makes it vanish whole, journal included.

    Files of others in it stay, and so does the folder then.
    """
    target = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.discarded")
    with contextlib.suppress(FileNotFoundError):  # another process was quicker
        folder.rename(target)
        for file in own_files(target):
            file.unlink()
        if any(target.iterdir()):
            target.rename(folder)
        else:
            target.rmdir()


def _open(cache_dir: Path) -> sqlite3.Connection:
    file = store_file(cache_dir)
    cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_unsafe(cache_dir.resolve(), (os.geteuid(), 0) if _HAS_OWNERS else ())
    file.parent.mkdir(mode=0o700, exist_ok=True)
    for own in (file.parent, file):
        _refuse_unsafe(own, (os.geteuid(),) if _HAS_OWNERS else ())
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


def _refuse_unsafe(place: Path, owners: tuple[int, ...]) -> None:
    """Refuse what others can write to: they would decide what is predicted."""
    if not owners or not os.path.lexists(place):
        return
    found = place.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise PermissionError(f"{place} is a link")
    if found.st_uid not in owners:
        raise PermissionError(f"{place} belongs to another user")
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise PermissionError(f"everybody can write to {place}")


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


def clear_cache(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Remove the cache of a folder, sound or damaged, and nothing else in that folder.

    No link is followed. Processes that use it meanwhile start a new one.

    Parameters
    ----------
    cache_dir : str, path-like or None, default=None
        None takes `default_cache_dir`.

    Returns
    -------
    int
        Bytes given back to the disk.

    Raises
    ------
    CacheError
        If files cannot be removed.

    Examples
    --------
    >>> from glomclf.data.store import clear_cache
    >>> clear_cache("no-such-folder")
    0
    """
    folder = resolve_cache_dir(cache_dir)
    before = bytes_on_disk(folder)
    try:
        for versioned in own_folders(folder):
            discard(versioned)
    except OSError as error:
        raise CacheError(
            f"The feature cache in {folder} cannot be removed: {error}. Remove it when"
            " no other process uses it."
        ) from error
    return before - bytes_on_disk(folder)


def bytes_on_disk(folder: Path) -> int:
    """Return the bytes of all stores in a folder."""
    total = 0
    for path in (file for own in own_folders(folder) for file in own_files(own)):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total
