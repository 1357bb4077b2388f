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
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CacheError
from .cache_folder import resolve_cache_dir
from .database import DamagedError, attempt, store_file
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
        that would exceed it, the least recently used values of any fingerprint go;
        access times are exact to an hour. A file that is larger already does not
        shrink.

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
        found = _Found(len(keys))
        if store_file(self.cache_dir).exists():
            look_up = partial(_look_up, fingerprint=self.fingerprint, keys=keys)
            found = attempt(self.cache_dir, look_up, found)
        if found.stale:
            attempt(self.cache_dir, partial(_renew, ids=found.stale), None)
        return found.values, found.mask

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
        layout, n_bytes = _layout_of(values), values[:1].nbytes
        as_bytes = values.reshape(len(values), -1).view(np.uint8)
        needed = len(keys) * _bytes_on_pages(n_bytes)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            _make_room(connection, self.max_bytes - needed)
            namespace = _namespace_of(connection, self.fingerprint)
            for key, value in zip(keys, as_bytes, strict=True):
                checksum = _checksum(self.fingerprint, layout, key, value)
                added = connection.execute(
                    "INSERT OR IGNORE INTO entries"
                    " (namespace, key, layout, n_bytes, checksum, used)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    [namespace, key, layout, n_bytes, checksum, now()],
                )
                if added.rowcount:
                    connection.execute(
                        "INSERT INTO payloads (id, value) VALUES (?, ?)",
                        [added.lastrowid, value.data],
                    )
        return True


def now() -> int:
    """Return the seconds since 1970."""
    return int(time.time())


class _Found:
    """Values, which rows of them were found, and ids of entries not used of late."""

    def __init__(self, n_keys: int):
        self.values: NDArray[Any] = np.zeros((n_keys, 0), np.float32)
        self.mask = np.zeros(n_keys, bool)
        self.stale: list[int] = []


def _look_up(
    connection: sqlite3.Connection, fingerprint: str, keys: Sequence[bytes]
) -> _Found:
    rows_of: dict[bytes, list[int]] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    found, is_first = _Found(len(keys)), True
    for id_, key, is_stale, value in _entries(connection, fingerprint, list(rows_of)):
        if is_first:
            found.values = np.zeros((len(keys), *value.shape), value.dtype)
            is_first = False
        if found.values.shape[1:] != value.shape:
            raise DamagedError(f"values under {fingerprint!r} differ in shape")
        for row in rows_of[key]:
            found.values[row], found.mask[row] = value, True
        if is_stale:
            found.stale.append(id_)
    return found


def _entries(
    connection: sqlite3.Connection, fingerprint: str, keys: Sequence[bytes]
) -> Iterator[tuple[int, bytes, bool, NDArray[Any]]]:
    """Yield id, key, whether its time is to be renewed, and value of what is there."""
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        part = keys[start : start + _KEYS_PER_QUERY]
        rows = connection.execute(
            "SELECT entries.id, key, abs(? - used) >= ?, layout, checksum, value"
            " FROM entries LEFT JOIN payloads ON payloads.id = entries.id"
            " WHERE namespace = (SELECT id FROM namespaces WHERE fingerprint = ?)"
            f" AND key IN ({','.join('?' * len(part))})",
            [now(), _ACCESS_GRANULARITY_S, fingerprint, *part],
        )
        for id_, key, is_stale, layout, checksum, value in rows:
            whole = (
                key in part and isinstance(layout, bytes) and isinstance(value, bytes)
            )
            if not whole or _checksum(fingerprint, layout, key, value) != checksum:
                raise DamagedError("an entry is not what was put")
            dtype, shape = _parsed(layout)
            yield id_, key, is_stale, np.frombuffer(value, dtype).reshape(shape)


def _renew(connection: sqlite3.Connection, ids: list[int]) -> None:
    """Note that entries were used."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE entries SET used = ? WHERE id = ?", [(now(), id_) for id_ in ids]
        )


def _namespace_of(connection: sqlite3.Connection, fingerprint: str) -> int:
    """Return the number of a fingerprint, given to it where it has none."""
    connection.execute(
        "INSERT OR IGNORE INTO namespaces (fingerprint) VALUES (?)", [fingerprint]
    )
    found = connection.execute(
        "SELECT id FROM namespaces WHERE fingerprint = ?", [fingerprint]
    )
    return found.fetchone()[0]


def _make_room(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Evict the least recently used entries until the others take up so much."""
    while _bytes_in_use(connection) > max_bytes:
        (n_entries,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        if not n_entries:
            break
        n_evicted = int(n_entries * _EVICTED_FRACTION) + 1
        victims = connection.execute(
            "SELECT id FROM entries ORDER BY used, id LIMIT ?", [n_evicted]
        ).fetchall()
        for table in ("entries", "payloads"):
            connection.executemany(f"DELETE FROM {table} WHERE id = ?", victims)


def _bytes_in_use(connection: sqlite3.Connection) -> int:
    page_count, free, page_bytes = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (page_count - free) * page_bytes


def _bytes_on_pages(n_bytes: int) -> int:
    """Return the most that a value takes up: its pages, and two for ends and key."""
    return (n_bytes // _PAGE_PAYLOAD_BYTES + 2) * 4096


def _layout_of(values: NDArray[Any]) -> bytes:
    return json.dumps([values.dtype.str, values.shape[1:]]).encode()


@cache
def _parsed(layout: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    dtype, shape = json.loads(layout)
    return np.dtype(dtype), tuple(shape)


def _checksum(fingerprint: str, layout: bytes, key: bytes, value: Any) -> bytes:
    """Sum up an entry with all that it is found by, for an index may go astray."""
    return digest(fingerprint.encode(), layout, key, value)


def _limit_of_environment() -> int:
    text = os.environ.get(_LIMIT_VARIABLE) or str(DEFAULT_MAX_BYTES)
    if not text.isdecimal() or int(text) < _MIN_MAX_BYTES:
        raise CacheError(
            f"{_LIMIT_VARIABLE} is {text!r}; a number of bytes of at least"
            f" {_MIN_MAX_BYTES} was expected."
        )
    return int(text)
