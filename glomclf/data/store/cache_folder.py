"""The folder of the cache: where it is, what it holds, and its removal."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..._runtime import user_path
from ...errors import CacheError
from .database import attempt, discard, own_files, own_folders, store_file


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


@dataclass(frozen=True)
class NamespaceInfo:
    """What one fingerprint holds in the cache.

    Attributes
    ----------
    fingerprint : str
        What the values were computed by.
    n_entries : int
        Number of values.
    n_bytes : int
        Bytes of these values.
    last_used : int
        Seconds since 1970 when one of them was last put or read, exact to an hour.
    """

    fingerprint: str
    n_entries: int
    n_bytes: int
    last_used: int


@dataclass(frozen=True)
class CacheInfo:
    """What the cache holds.

    Attributes
    ----------
    cache_dir : pathlib.Path
        The folder of the cache.
    n_bytes : int
        Bytes on disk, of all versions of glomclf's store.
    namespaces : tuple of NamespaceInfo
        The last used first.
    """

    cache_dir: Path
    n_bytes: int
    namespaces: tuple[NamespaceInfo, ...]

    @property
    def n_entries(self) -> int:
        """Number of values under all fingerprints."""
        return sum(namespace.n_entries for namespace in self.namespaces)


def cache_info(cache_dir: str | os.PathLike[str] | None = None) -> CacheInfo:
    """Describe the cache of a folder; a folder without one holds nothing.

    Parameters
    ----------
    cache_dir : str, path-like or None, default=None
        None takes `default_cache_dir`.

    Returns
    -------
    CacheInfo
        Bytes on disk, and entries by fingerprint.

    Examples
    --------
    >>> from glomclf.data.store import cache_info
    >>> cache_info("no-such-folder").n_entries
    0
    """
    folder = resolve_cache_dir(cache_dir)
    namespaces: tuple[NamespaceInfo, ...] = ()
    if store_file(folder).exists():
        namespaces = attempt(folder, _describe, namespaces)
    return CacheInfo(folder, _bytes_on_disk(folder), namespaces)


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
    before = _bytes_on_disk(folder)
    try:
        for versioned in own_folders(folder):
            discard(versioned)
    except OSError as error:
        raise CacheError(
            f"The feature cache in {folder} cannot be removed: {error}. Remove it when"
            " no other process uses it."
        ) from error
    return before - _bytes_on_disk(folder)


def _describe(connection: sqlite3.Connection) -> tuple[NamespaceInfo, ...]:
    rows = connection.execute(
        "SELECT fingerprint, count(*), CAST(sum(n_bytes) AS INTEGER),"
        " CAST(max(used) AS INTEGER)"
        " FROM entries JOIN namespaces ON namespaces.id = namespace"
        " GROUP BY namespaces.id ORDER BY max(used) DESC, fingerprint"
    )
    return tuple(NamespaceInfo(*row) for row in rows)


def _bytes_on_disk(folder: Path) -> int:
    total = 0
    for path in (file for own in own_folders(folder) for file in own_files(own)):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total
