"""What the trunk has computed, kept on disk by the content of the pixels.

One SQLite file under the cache folder holds the features of every image a trunk has
seen, so that folds, trials, processes and later runs compute each image once. The file
is shared: any number of processes and threads may read and write it at once, any of
them may be killed at any moment, and every entry carries a checksum. What cannot be
read whole is reported as missing, with a `CacheWarning`, and computed again: a damaged
cache costs time, never a wrong feature and never a running training.

Why SQLite, with a rollback journal (``examples/benchmarks/store_comparison.py`` puts it
beside SQLite's write-ahead log and LMDB):

- LMDB is several times as fast, where all of them are far faster than a trunk. But it
  maps its file into memory, and a truncated or damaged file ends the process with
  SIGBUS or SIGSEGV, which no caller can catch. SQLite raises an exception.
- The write-ahead log keeps locks and shared memory between transactions, which a
  forked child inherits without holding them; it needs all processes on one host, and
  writes each value twice. Up to SQLite 3.51.2 it can damage the file when two
  processes reset the log at once. The rollback journal has none of this.
- SQLite grows and shrinks its file by itself and comes with Python.

The folder belongs on a local disk: on a network file system the store is as safe as
that system's file locks.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import platformdirs
from numpy.typing import NDArray

from ..errors import CacheError, CacheWarning

__all__ = [
    "DEFAULT_MAX_BYTES",
    "CacheInfo",
    "FeatureStore",
    "NamespaceInfo",
    "cache_info",
    "clear_cache",
    "content_keys",
    "default_cache_dir",
]

DEFAULT_MAX_BYTES = 10 * 1024**3

_SCHEMA_VERSION = 1
_APPLICATION_ID = 0x676C6F6D  # "glom", at a fixed place in the file's header
_FOLDER = f"glomclf-features-v{_SCHEMA_VERSION}"
_ALL_FOLDERS = "glomclf-features-v[0-9]*"
_DISCARDED_FOLDERS = f"{_ALL_FOLDERS}.discarded"
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
_MIN_MAX_BYTES = 1024**2
_TRANSACTION_BYTES = 8 * 1024**2
_KEYS_PER_QUERY = 128
_LOCK_WAIT_S = 30
_TOUCH_WAIT_S = 0.1
# An access time is renewed once it is this old: a second reading writes nothing.
_ACCESS_GRANULARITY_S = 3600
# Room made at each eviction, so that the search for old entries is rare.
_EVICTED_FRACTION = 0.05
_DTYPES = ("float16", "float32", "uint8")
_MAX_HASH_THREADS = 4
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


def content_keys(images: NDArray[np.uint8]) -> list[bytes]:
    """Return a key per image, made of its pixels and nothing else.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3), dtype uint8
        RGB images as they enter the trunk.

    Returns
    -------
    list of bytes
        The first 16 bytes of the SHA-256 of height, width and pixels.

    Raises
    ------
    ValueError
        If `images` is not such an array.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.network.store import content_keys
    >>> images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    >>> images[1, 0, 0, 0] = 255
    >>> first, second = content_keys(images)
    >>> len(first), first == second
    (16, False)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(
            "images must be uint8 of shape (n_samples, height, width, 3);"
            f" got {images.dtype} of shape {images.shape}."
        )
    n_threads = min(_MAX_HASH_THREADS, os.cpu_count() or 1, max(1, len(images)))
    with ThreadPoolExecutor(n_threads) as pool:
        parts = list(pool.map(_hash_images, np.array_split(images, n_threads)))
    return [key for part in parts for key in part]


def _hash_images(images: NDArray[np.uint8]) -> list[bytes]:
    size = repr(images.shape[1:]).encode()
    return [_digest(size, np.ascontiguousarray(image)) for image in images]


def _as_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    return values.reshape(len(values), -1).view(np.uint8)


def _digest(*parts: Any) -> bytes:
    """Return 128 bits of SHA-256, which processors of the last years have built in."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part)
    return hasher.digest()[:16]


def _now() -> int:
    return int(time.time())


class _Layout(NamedTuple):
    """The one dtype and shape that all values of a namespace have."""

    id: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    n_bytes: int


class FeatureStore:
    """Arrays of one dtype and shape on disk, found again by key.

    Parameters
    ----------
    cache_dir : str, path-like or None
        The folder of the cache, created where absent, readable by its owner alone.
        None takes `default_cache_dir`.
    fingerprint : str
        All that decides a value beside the image: architecture, cut, weights, image
        size, precision, engine. Stores with different fingerprints share a file and its
        size limit, and nothing else.
    max_bytes : int, default=DEFAULT_MAX_BYTES
        Largest size of the file in bytes, at least 1 MiB. Before a value is added that
        would exceed it, the least recently used values of any fingerprint go. Access
        times are exact to an hour. Processes with different limits each keep their own.

    Raises
    ------
    CacheError
        On first use, if the folder cannot be created or written to.
    ValueError, TypeError
        If `fingerprint` is empty or no string, or `max_bytes` is too small.

    Warns
    -----
    CacheWarning
        If entries or the file are damaged (they are removed and reported missing), or
        if values cannot be kept because the disk is full or the file stays locked.

    Notes
    -----
    The object holds its three parameters. Connections belong to the process: they are
    opened on first use, shared by threads and by all stores in one folder, and never
    cross a fork or a pickle. Values are raw bytes, never pickles.

    Killed processes lose the batch they were writing; a power cut may lose the last
    few. An entry, once found, is returned bit by bit as it was put.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from glomclf.network.store import FeatureStore
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = FeatureStore(folder.name, "resnet50, all frozen")
    >>> store.put_many([b"one", b"two"], np.array([[1, 2], [3, 4]], "float32"))
    >>> values, found = store.get_many([b"two", b"three"])
    >>> values
    array([[3., 4.],
           [0., 0.]], dtype=float32)
    >>> found
    array([ True, False])
    >>> store.close()
    >>> folder.cleanup()
    """

    def __init__(
        self,
        cache_dir: str | os.PathLike[str] | None,
        fingerprint: str,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ):
        if not isinstance(fingerprint, str):
            raise TypeError(f"fingerprint must be a string; got {fingerprint!r}.")
        if not fingerprint:
            raise ValueError("fingerprint must not be empty.")
        if max_bytes < _MIN_MAX_BYTES:
            raise ValueError(
                f"max_bytes must be at least {_MIN_MAX_BYTES} (1 MiB); got {max_bytes}."
            )
        self.cache_dir = _resolve(cache_dir)
        self.fingerprint = fingerprint
        self.max_bytes = int(max_bytes)

    def __repr__(self) -> str:
        return (
            f"FeatureStore({str(self.cache_dir)!r}, {self.fingerprint!r},"
            f" max_bytes={self.max_bytes})"
        )

    def get_many(self, keys: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Look up values.

        Parameters
        ----------
        keys : sequence of bytes, length n_keys
            As `content_keys` returns them. A key may occur more than once.

        Returns
        -------
        values : ndarray of shape (n_keys, ...)
            The dtype and shape are those of the values put. Rows not found are zero.
            While nothing was put under this fingerprint the shape is (n_keys, 0).
        found : ndarray of shape (n_keys,), dtype bool
            Which rows of `values` were found, whole.
        """
        _check_keys(keys)
        with _LOCK:
            layout = self._attempt(self._layout, None)
            if layout is None:
                return np.zeros((len(keys), 0), np.float32), np.zeros(len(keys), bool)
            values = np.zeros((len(keys), *layout.shape), layout.dtype)
            found = np.zeros(len(keys), bool)
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                part = slice(start, start + _KEYS_PER_QUERY)
                reading = _Reading(self, layout, keys[part], values[part], found[part])
                if not self._attempt(reading.run, False):
                    break
            return values, found

    def put_many(self, keys: Sequence[bytes], values: NDArray[Any]) -> None:
        """Keep values, replacing none that is there already.

        Each call is flushed to the disk, once every 8 MiB: a few large calls take less
        time than many small ones.

        Parameters
        ----------
        keys : sequence of bytes, length n_keys
            As `content_keys` returns them.
        values : ndarray of shape (n_keys, ...), dtype float16, float32 or uint8
            The first call under a fingerprint settles dtype and shape.

        Raises
        ------
        ValueError
            If dtype or shape differ from those settled, if there is not one value a
            key, or if one value alone exceeds `max_bytes`.
        """
        _check_keys(keys)
        values = np.asarray(values, order="C")
        self._check_values(keys, values)
        if not len(keys):
            return
        room = min(_TRANSACTION_BYTES, self.max_bytes // 8)
        step = max(1, room // _bytes_on_pages(values[:1].nbytes))
        with _LOCK:
            for start in range(0, len(keys), step):
                part = slice(start, start + step)
                insert = partial(self._insert, keys=keys[part], values=values[part])
                if not self._attempt(insert, False):
                    break

    def __len__(self) -> int:
        """Return the number of entries under this fingerprint."""
        with _LOCK:
            return self._attempt(
                lambda connection: connection.execute(
                    "SELECT count(*) FROM entries JOIN namespaces"
                    " ON namespaces.id = namespace WHERE fingerprint = ?",
                    [self.fingerprint],
                ).fetchone()[0],
                0,
            )

    @property
    def size(self) -> int:
        """Bytes of all values under this fingerprint."""
        with _LOCK:
            layout = self._attempt(self._layout, None)
        return 0 if layout is None else len(self) * layout.n_bytes

    def clear(self) -> None:
        """Remove what this fingerprint holds, and give its space back to the disk."""
        with _LOCK:
            self._attempt(self._remove_namespace, None)

    def close(self) -> None:
        """Close this process's connection to the file; the next use opens another."""
        with _LOCK:
            _database(self.cache_dir).close()

    def _attempt(
        self, operation: Callable[[sqlite3.Connection], _T], otherwise: _T
    ) -> _T:
        """Run an operation; whatever befalls the file, the caller's work goes on."""
        return _database(self.cache_dir).attempt(operation, otherwise)

    def _layout(self, connection: sqlite3.Connection) -> _Layout | None:
        row = connection.execute(
            "SELECT id, dtype, shape, n_bytes, checksum FROM namespaces"
            " WHERE fingerprint = ?",
            [self.fingerprint],
        ).fetchone()
        if row is None:
            return None
        *described, checksum = row
        if checksum != self._layout_checksum(*described):
            raise _DamagedError("the description of its values is damaged")
        identity, dtype, shape, n_bytes = described
        return _Layout(identity, np.dtype(dtype), tuple(json.loads(shape)), n_bytes)

    def _layout_checksum(self, *described: Any) -> bytes:
        return _digest(repr((self.fingerprint, *described)).encode())

    def _settle_layout(
        self, connection: sqlite3.Connection, values: NDArray[Any]
    ) -> _Layout:
        layout = self._layout(connection)
        if layout is None:
            identity = connection.execute(
                "SELECT coalesce(max(id), 0) + 1 FROM namespaces"
            ).fetchone()[0]
            n_bytes = values[:1].nbytes
            shape = json.dumps(values.shape[1:])
            described = (identity, values.dtype.str, shape, n_bytes)
            connection.execute(
                "INSERT INTO namespaces"
                " (id, dtype, shape, n_bytes, fingerprint, checksum)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [*described, self.fingerprint, self._layout_checksum(*described)],
            )
            return _Layout(identity, values.dtype, values.shape[1:], n_bytes)
        if (layout.dtype, layout.shape) != (values.dtype, values.shape[1:]):
            raise ValueError(
                f"Values under the fingerprint {self.fingerprint!r} are"
                f" {layout.dtype} of shape {layout.shape}; got {values.dtype} of shape"
                f" {values.shape[1:]}. Another layout needs another fingerprint."
            )
        return layout

    def _check_values(self, keys: Sequence[bytes], values: NDArray[Any]) -> None:
        if values.dtype.name not in _DTYPES:
            raise ValueError(
                f"values must be one of {', '.join(_DTYPES)}; got {values.dtype}."
            )
        if values.ndim == 0 or len(values) != len(keys):
            raise ValueError(
                f"values must have one row a key; got shape {values.shape} for"
                f" {len(keys)} keys."
            )
        if len(keys) and not values[0].size:
            raise ValueError(f"values must not be empty; got shape {values.shape}.")
        if values[:1].nbytes > self.max_bytes // 2:
            raise ValueError(
                f"max_bytes={self.max_bytes} has no room for values of"
                f" {values[:1].nbytes} bytes; it must be at least twice that."
            )

    def _checksum(self, key: bytes, value: Any) -> bytes:
        # Fingerprint and key are summed too: an index that went astray is damage.
        return _digest(self.fingerprint.encode(), key, value)

    def _insert(
        self,
        connection: sqlite3.Connection,
        keys: Sequence[bytes],
        values: NDArray[Any],
    ) -> bool:
        with _transaction(connection):
            layout = self._settle_layout(connection, values)
            rows = dict(zip(keys, _as_bytes(values), strict=True))
            for key in self._present(connection, layout, list(rows)):
                rows.pop(key, None)
            _make_room(connection, self.max_bytes, len(rows), layout.n_bytes)
            first = connection.execute(
                "SELECT 1 + max(coalesce((SELECT max(id) FROM entries), 0),"
                " coalesce((SELECT max(id) FROM payloads), 0))"
            ).fetchone()[0]
            now = _now()
            connection.executemany(
                "INSERT INTO entries (id, namespace, key, checksum, used)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    (id_, layout.id, key, self._checksum(key, value), now)
                    for id_, (key, value) in enumerate(rows.items(), first)
                ),
            )
            connection.executemany(
                "INSERT INTO payloads (id, value) VALUES (?, ?)",
                ((id_, value.data) for id_, value in enumerate(rows.values(), first)),
            )
        _shrink(connection, self.max_bytes)
        return True

    def _present(
        self, connection: sqlite3.Connection, layout: _Layout, keys: Sequence[bytes]
    ) -> list[bytes]:
        present: list[bytes] = []
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            rows = connection.execute(
                "SELECT key FROM entries"
                f" WHERE namespace = ? AND key IN ({_marks(part)})",
                [layout.id, *part],
            )
            present += [key for (key,) in rows.fetchall()]
        return present

    def _remove_namespace(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection):
            layout = self._layout(connection)
            if layout is None:
                return
            connection.execute(
                "DELETE FROM payloads WHERE id IN"
                " (SELECT id FROM entries WHERE namespace = ?)",
                [layout.id],
            )
            connection.execute("DELETE FROM entries WHERE namespace = ?", [layout.id])
            connection.execute("DELETE FROM namespaces WHERE id = ?", [layout.id])
        _shrink(connection, 0)


class _Reading:
    """One query: fill the rows whose values are whole, note the others."""

    def __init__(
        self,
        store: FeatureStore,
        layout: _Layout,
        keys: Sequence[bytes],
        values: NDArray[Any],
        found: NDArray[np.bool_],
    ):
        self.store, self.layout, self.keys = store, layout, keys
        self.values, self.found = values, found
        self.rows_of: dict[bytes, list[int]] = {}
        for row, key in enumerate(keys):
            self.rows_of.setdefault(key, []).append(row)

    def run(self, connection: sqlite3.Connection) -> bool:
        stale_ids: list[int] = []
        damaged_ids: list[int] = []
        now = _now()
        cursor = connection.execute(
            "SELECT entries.id, key, checksum, value, abs(? - used) >= ?"
            " FROM entries LEFT JOIN payloads ON payloads.id = entries.id"
            " WHERE namespace = (SELECT id FROM namespaces WHERE fingerprint = ?)"
            f" AND key IN ({_marks(self.rows_of)})",
            [now, _ACCESS_GRANULARITY_S, self.store.fingerprint, *self.rows_of],
        )
        # An open cursor holds a lock on the file, so it must not outlive an exception.
        with contextlib.closing(cursor):
            for id_, key, checksum, value, stale in cursor:
                if not self._take(key, checksum, value):
                    damaged_ids.append(id_)
                elif stale:
                    stale_ids.append(id_)
        _touch(connection, stale_ids, now)
        self._remove_damaged(connection, damaged_ids)
        return True

    def _take(self, key: Any, checksum: Any, value: Any) -> bool:
        rows = self.rows_of.get(key)
        if (
            rows is None
            or not isinstance(value, bytes)
            or len(value) != self.layout.n_bytes
            or self.store._checksum(key, value) != checksum
        ):
            return False
        array = np.frombuffer(value, self.layout.dtype).reshape(self.layout.shape)
        self.values[rows] = array
        self.found[rows] = True
        return True

    def _remove_damaged(self, connection: sqlite3.Connection, ids: list[int]) -> None:
        if not ids:
            return
        with _transaction(connection):
            _delete(connection, ids)
        _warn(
            f"{len(ids)} damaged entries of the feature cache in"
            f" {self.store.cache_dir} were removed and are computed again."
        )


@dataclass(frozen=True)
class NamespaceInfo:
    """What one fingerprint holds in the cache.

    Attributes
    ----------
    fingerprint : str
        The trunk the values belong to.
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

    Raises
    ------
    CacheError
        If the folder cannot be written to.

    Examples
    --------
    >>> from glomclf.network.store import cache_info
    >>> cache_info("no-such-folder").n_entries
    0
    """
    folder = _resolve(cache_dir)
    with _LOCK:
        database = _database(folder)
        namespaces: tuple[NamespaceInfo, ...] = ()
        if database.file.exists():
            namespaces = database.attempt(_describe, namespaces)
    return CacheInfo(folder, _bytes_on_disk(folder), namespaces)


def clear_cache(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Remove the cache of a folder, sound or damaged, and nothing else in that folder.

    Processes that use it meanwhile start a new one.

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
    >>> from glomclf.network.store import clear_cache
    >>> clear_cache("no-such-folder")
    0
    """
    folder = _resolve(cache_dir)
    before = _bytes_on_disk(folder)
    with _LOCK:
        _database(folder).close()
        try:
            for versioned in folder.glob(_ALL_FOLDERS):
                _discard(versioned)
        except OSError as error:
            raise CacheError(
                f"The feature cache in {folder} cannot be removed: {error}. Remove the"
                f" folders {_ALL_FOLDERS} in it when no other process uses them."
            ) from error
    return before - _bytes_on_disk(folder)


def _describe(connection: sqlite3.Connection) -> tuple[NamespaceInfo, ...]:
    rows = connection.execute(
        "SELECT fingerprint, count(*), count(*) * n_bytes, CAST(max(used) AS INTEGER)"
        " FROM entries JOIN namespaces ON namespaces.id = namespace"
        " GROUP BY namespaces.id ORDER BY max(used) DESC, fingerprint"
    )
    return tuple(NamespaceInfo(*row) for row in rows.fetchall())


def _bytes_on_disk(folder: Path) -> int:
    total = 0
    for path in folder.glob(f"{_ALL_FOLDERS}/*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _resolve(cache_dir: str | os.PathLike[str] | None) -> Path:
    folder = default_cache_dir() if cache_dir is None else Path(cache_dir)
    return folder.expanduser().absolute()


def _check_keys(keys: Sequence[bytes]) -> None:
    wrong = [i for i, key in enumerate(keys) if not isinstance(key, bytes)]
    if wrong:
        raise TypeError(
            "keys must be bytes, as content_keys returns them; those at positions"
            f" {wrong[:10]} are not ({len(wrong)} in all)."
        )


def _marks(items: Any) -> str:
    return ",".join("?" * len(items))


def _warn(message: str) -> None:
    warnings.warn(message, CacheWarning, stacklevel=2)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing, holding the only write lock from the start."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _touch(connection: sqlite3.Connection, ids: Sequence[int], now: int) -> None:
    """Renew access times, unless another process writes: it is not worth a wait."""
    if not ids:
        return
    connection.execute(f"PRAGMA busy_timeout = {int(_TOUCH_WAIT_S * 1000)}")
    try:
        with _transaction(connection):
            connection.executemany(
                "UPDATE entries SET used = ? WHERE id = ?", [(now, id_) for id_ in ids]
            )
    except sqlite3.OperationalError as error:
        if not _hinders(error):
            raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_S * 1000}")


def _delete(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    for table in ("entries", "payloads"):
        connection.executemany(
            f"DELETE FROM {table} WHERE id = ?", [(id_,) for id_ in ids]
        )


def _make_room(
    connection: sqlite3.Connection, max_bytes: int, n_values: int, n_bytes: int
) -> None:
    """Evict the least recently used entries until the new ones fit the limit."""
    allowed = max_bytes // _PAGE_BYTES
    needed = n_values * _bytes_on_pages(n_bytes) // _PAGE_BYTES
    if _pages_in_use(connection) + needed > allowed:
        target = max(0, int(allowed * (1 - _EVICTED_FRACTION)) - needed)
        while (excess := _pages_in_use(connection) - target) > 0:
            victims = _least_recently_used(connection, excess * _PAGE_BYTES)
            if not victims:
                break
            _delete(connection, victims)


def _bytes_on_pages(n_bytes: int) -> int:
    """Return the most that a value takes up: its pages, and two for ends and key."""
    return (n_bytes // _PAGE_PAYLOAD_BYTES + 2) * _PAGE_BYTES


def _shrink(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Give free pages beyond the limit back to the disk."""
    surplus = _pragma(connection, "page_count") - max_bytes // _PAGE_BYTES
    if surplus > 0:
        # Only a script runs to its end: each page is a row, and `execute` takes one.
        connection.executescript(f"PRAGMA incremental_vacuum({surplus})")


def _least_recently_used(connection: sqlite3.Connection, n_bytes: int) -> list[int]:
    victims = []
    cursor = connection.execute(
        f"SELECT entries.id, coalesce(n_bytes, {_PAGE_BYTES}) FROM entries"
        " LEFT JOIN namespaces ON namespaces.id = namespace ORDER BY used, entries.id"
    )
    with contextlib.closing(cursor):
        for id_, freed in cursor:
            if n_bytes <= 0:
                break
            victims.append(id_)
            n_bytes -= freed
    return victims


def _pages_in_use(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "page_count") - _pragma(connection, "freelist_count")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


class _DamagedError(sqlite3.DatabaseError):
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
                    _warn(
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
            _discard(self.folder)
        except OSError as failure:
            _warn(f"{message} and cannot be removed ({failure}). {_REMEDY}")
        else:
            _warn(f"{message}. It was removed, and its values are computed again.")


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
    with _transaction(connection):
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    stamp = (_pragma(connection, "application_id"), _pragma(connection, "user_version"))
    if stamp != (_APPLICATION_ID, _SCHEMA_VERSION):
        raise _DamagedError(f"it is no feature cache of version {_SCHEMA_VERSION}")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _discard(folder: Path) -> None:
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
_LOCK = threading.RLock()
_databases: dict[Path, _Database] = {}
_inherited: list[sqlite3.Connection | None] = []


def _database(cache_dir: Path) -> _Database:
    return _databases.setdefault(cache_dir, _Database(cache_dir))


def _after_fork_in_child() -> None:
    _inherited.extend(database.abandon() for database in _databases.values())
    _LOCK.release()


@atexit.register
def _close_all() -> None:
    with _LOCK:
        for database in _databases.values():
            database.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_LOCK.acquire,
        after_in_parent=_LOCK.release,
        after_in_child=_after_fork_in_child,
    )
