"""What an encoder has computed, kept on disk by the content of the pixels.

One SQLite file under the cache folder holds the features of every image an encoder has
seen, so that folds, trials, processes and later runs compute each image once. The file
is shared: any number of processes and threads may read and write it at once, any of
them may be killed at any moment, and every entry carries a checksum. Where one is not
what was put, the file is thrown away with a `CacheWarning`, and its values are computed
again: a damaged cache costs time, never a wrong feature and never a running training.

Why SQLite, with a rollback journal (``examples/benchmarks/store_comparison.py`` puts it
beside SQLite's write-ahead log and LMDB):

- LMDB is several times as fast, where all of them are far faster than an encoder. But
  it maps its file into memory, and a truncated or damaged file ends the process with
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

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CacheError
from .database import (
    DamagedError,
    attempt,
    bytes_on_disk,
    resolve_cache_dir,
    store_file,
)
from .keys import digest

DEFAULT_MAX_BYTES = 10 * 1024**3
_MIN_MAX_BYTES = 1024**2
_TRANSACTION_BYTES = 8 * 1024**2
_LIMIT_VARIABLE = "GLOMCLF_CACHE_MAX_BYTES"
_KEYS_PER_QUERY = 128
# An access time is renewed once it is this old: a second reading writes nothing.
_ACCESS_GRANULARITY_S = 3600
_PAGE_PAYLOAD_BYTES = 4080  # what a page holds of a long value, or a little less
# Share of the entries that goes at once, so that the search for old ones is rare.
_EVICTED_FRACTION = 0.05


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

    Attributes
    ----------
    max_bytes : int
        Largest size of the file in bytes, at least 1 MiB: the environment variable
        ``GLOMCLF_CACHE_MAX_BYTES``, else `DEFAULT_MAX_BYTES`. Before a value is added
        that would exceed it, the oldest values go of the fingerprint that was not used
        for longest; times of use are exact to an hour. A file that is larger already
        does not shrink.

    Raises
    ------
    CacheError
        If ``GLOMCLF_CACHE_MAX_BYTES`` is no such number.

    Warns
    -----
    CacheWarning
        If the file is damaged (it is removed), or if values cannot be kept because the
        folder is not writable, the disk is full or the file stays locked.

    Notes
    -----
    The object holds its parameters alone: each call opens the file and closes it.
    Values are raw bytes, never pickles.

    Killed processes lose the batch they were writing; a power cut may lose the last
    few. An entry, once found, is returned bit by bit as it was put.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from glomclf.data.store import FeatureStore
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = FeatureStore(folder.name, "resnet50, all frozen")
    >>> store.put_many([b"one", b"two"], np.array([[1, 2], [3, 4]], "float32"))
    >>> values, found = store.get_many([b"two", b"three"])
    >>> values
    array([[3., 4.],
           [0., 0.]], dtype=float32)
    >>> found
    array([ True, False])
    >>> folder.cleanup()
    """

    def __init__(self, cache_dir: str | os.PathLike[str] | None, fingerprint: str):
        self.cache_dir = resolve_cache_dir(cache_dir)
        self.fingerprint = fingerprint
        self.max_bytes = _limit_of_environment()

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
            Where none was found the shape is (n_keys, 0).
        found : ndarray of shape (n_keys,), dtype bool
            Which rows of `values` were found, whole.
        """
        nothing = _Found(len(keys))
        if not keys or not store_file(self.cache_dir).exists():
            return nothing.values, nothing.mask
        found = attempt(self.cache_dir, partial(self._look_up, keys=keys), nothing)
        if found.is_stale:
            attempt(self.cache_dir, self._renew, None)
        return found.values, found.mask

    def _look_up(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> _Found:
        rows_of: dict[bytes, list[int]] = {}
        for row, key in enumerate(keys):
            rows_of.setdefault(key, []).append(row)
        found = _Found(len(keys))
        for key, layout, value, found.is_stale in self._entries(connection, [*rows_of]):
            dtype, shape = _parsed(layout)
            if not found.values.size:
                found.values = np.zeros((len(keys), *shape), dtype)
            found.values[rows_of[key]] = np.frombuffer(value, dtype).reshape(shape)
            found.mask[rows_of[key]] = True
        return found

    def _entries(
        self, connection: sqlite3.Connection, keys: Sequence[bytes]
    ) -> Iterator[tuple[bytes, bytes, bytes, bool]]:
        """Yield key, layout, value and whether its time is to be renewed."""
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            rows = connection.execute(
                "SELECT key, layout, value, abs(? - used) >= ?, checksum"
                " FROM entries JOIN makers ON maker = makers.id"
                f" WHERE fingerprint = ? AND key IN ({','.join('?' * len(part))})",
                [now(), _ACCESS_GRANULARITY_S, self.fingerprint, *part],
            )
            for key, layout, value, is_stale, checksum in rows:
                if key not in part or self._checksum(layout, key, value) != checksum:
                    raise DamagedError("an entry is not what was put")
                yield key, layout, value, is_stale

    def _renew(self, connection: sqlite3.Connection) -> None:
        """Note that values were used."""
        connection.execute(
            "UPDATE makers SET used = ? WHERE fingerprint = ?",
            [now(), self.fingerprint],
        )

    def put_many(self, keys: Sequence[bytes], values: NDArray[Any]) -> None:
        """Keep values, replacing none that is there already.

        Each call is flushed to the disk, once every 8 MiB: a few large calls take less
        time than many small ones.

        Parameters
        ----------
        keys : sequence of bytes, length n_keys
            As `content_keys` returns them.
        values : ndarray of shape (n_keys, ...), dtype float16, float32 or uint8
            Of one dtype and shape under one fingerprint.

        Raises
        ------
        ValueError
            If one value takes more than half of `max_bytes`.
        """
        values = np.asarray(values, order="C")
        if values[:1].nbytes > self.max_bytes // 2:
            raise ValueError(
                f"The limit of {self.max_bytes} bytes has no room for values of"
                f" {values[:1].nbytes}; set {_LIMIT_VARIABLE} to twice that or more."
            )
        room = min(_TRANSACTION_BYTES, self.max_bytes // 8)
        step = max(1, room // _bytes_on_pages(values[:1].nbytes))
        for start in range(0, len(keys), step):
            part = slice(start, start + step)
            insert = partial(self._insert, keys=keys[part], values=values[part])
            if not attempt(self.cache_dir, insert, False):
                break

    def _insert(
        self,
        connection: sqlite3.Connection,
        keys: Sequence[bytes],
        values: NDArray[Any],
    ) -> bool:
        layout = json.dumps([values.dtype.str, values.shape[1:]]).encode()
        as_bytes = values.reshape(len(values), -1).view(np.uint8)
        needed = len(keys) * _bytes_on_pages(values[:1].nbytes)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            _make_room(connection, self.max_bytes - needed)
            id_, known = connection.execute(
                "INSERT INTO makers (fingerprint, layout, used) VALUES (?, ?, ?)"
                " ON CONFLICT (fingerprint) DO UPDATE SET used = excluded.used"
                " RETURNING id, layout",
                [self.fingerprint, layout, now()],
            ).fetchone()
            if known != layout:
                raise DamagedError(f"values under {self.fingerprint!r} differ in shape")
            connection.executemany(
                "INSERT OR IGNORE INTO entries (maker, key, checksum, value)"
                " VALUES (?, ?, ?, ?)",
                (
                    (id_, key, self._checksum(layout, key, value), value.data)
                    for key, value in zip(keys, as_bytes, strict=True)
                ),
            )
        return True

    def _checksum(self, layout: bytes, key: bytes, value: Any) -> bytes:
        """Sum up an entry with all that it is found by, for an index may go astray."""
        try:
            return digest(self.fingerprint.encode(), layout, key, value)
        except TypeError:  # no bytes
            raise DamagedError("an entry is not what was put") from None


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
    return CacheInfo(folder, bytes_on_disk(folder), namespaces)


def now() -> int:
    """Return the seconds since 1970."""
    return int(time.time())


class _Found:
    """Values, which of them were found, and whether their time is to be renewed."""

    def __init__(self, n_keys: int):
        self.values: NDArray[Any] = np.zeros((n_keys, 0), np.float32)
        self.mask = np.zeros(n_keys, bool)
        self.is_stale = False


@cache
def _parsed(layout: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    dtype, shape = json.loads(layout)
    return np.dtype(dtype), tuple(shape)


def _describe(connection: sqlite3.Connection) -> tuple[NamespaceInfo, ...]:
    rows = connection.execute(
        "SELECT fingerprint, count(entries.id), layout, CAST(used AS INTEGER)"
        " FROM makers JOIN entries ON maker = makers.id"
        " GROUP BY makers.id ORDER BY used DESC, fingerprint"
    ).fetchall()
    return tuple(
        NamespaceInfo(fingerprint, n, n * np.zeros(*_parsed(layout)[::-1]).nbytes, used)
        for fingerprint, n, layout, used in rows
    )


def _make_room(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Evict the oldest entries of what was not used for longest, until all fits."""
    while _bytes_in_use(connection) > max_bytes:
        (n_entries,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        if not n_entries:
            break
        connection.execute(
            "DELETE FROM entries WHERE id IN (SELECT entries.id FROM entries"
            " JOIN makers ON maker = makers.id ORDER BY used, entries.id LIMIT ?)",
            [int(n_entries * _EVICTED_FRACTION) + 1],
        )


def _bytes_in_use(connection: sqlite3.Connection) -> int:
    page_count, free, page_bytes = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (page_count - free) * page_bytes


def _bytes_on_pages(n_bytes: int) -> int:
    """Return the most that a value takes up: its pages, and two for ends and key."""
    return (n_bytes // _PAGE_PAYLOAD_BYTES + 2) * 4096


def _limit_of_environment() -> int:
    text = os.environ.get(_LIMIT_VARIABLE) or str(DEFAULT_MAX_BYTES)
    if not text.isdecimal() or int(text) < _MIN_MAX_BYTES:
        raise CacheError(
            f"{_LIMIT_VARIABLE} is {text!r}; a number of bytes of at least"
            f" {_MIN_MAX_BYTES} was expected."
        )
    return int(text)
