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

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import CacheError
from .database import (
    LOCK,
    DamagedError,
    bytes_on_pages,
    database_of,
    delete,
    fullness,
    make_room,
    resolve,
    shrink,
    touch,
    transaction,
    warn,
)

__all__ = ["DEFAULT_MAX_BYTES", "FeatureStore", "content_keys"]

DEFAULT_MAX_BYTES = 10 * 1024**3
_MIN_MAX_BYTES = 1024**2
_TRANSACTION_BYTES = 8 * 1024**2
_KEYS_PER_QUERY = 128
# An access time is renewed once it is this old: a second reading writes nothing.
_ACCESS_GRANULARITY_S = 3600
# Where entries must go soon, the order in which they were read today counts.
_NEARLY_FULL, _FULL_GRANULARITY_S, _A_DAY_S = 0.8, 60, 86_400
_LIMIT_VARIABLE = "GLOMCLF_CACHE_MAX_BYTES"
_told_full: set[Path] = set()
_DTYPES = ("float16", "float32", "uint8")
_MAX_HASH_THREADS = 4

_T = TypeVar("_T")


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
    >>> from glomclf.data.store import content_keys
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
    max_bytes : int or None, default=None
        Largest size of the file in bytes, at least 1 MiB. None takes the environment
        variable ``GLOMCLF_CACHE_MAX_BYTES``, else `DEFAULT_MAX_BYTES`. Before a value
        is added that would exceed it, the least recently used values of any fingerprint
        go. Access times are exact to an hour, and to a minute once the file is nearly
        full. Processes with different limits each keep their own.

    Raises
    ------
    CacheError
        On first use, if the folder cannot be created or written to; or if
        ``GLOMCLF_CACHE_MAX_BYTES`` is no such number.
    ValueError, TypeError
        If `fingerprint` is empty or no string, or `max_bytes` is too small.

    Warns
    -----
    CacheWarning
        If entries or the file are damaged (they are removed and reported missing), or
        if values cannot be kept because the disk is full or the file stays locked. Or
        once a process, if values that were used today go, and nobody has set a limit.

    Notes
    -----
    The object holds its parameters alone. Connections belong to the process: they are
    opened on first use, shared by threads and by all stores in one folder, and never
    cross a fork or a pickle. Values are raw bytes, never pickles.

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
    >>> store.close()
    >>> folder.cleanup()
    """

    def __init__(
        self,
        cache_dir: str | os.PathLike[str] | None,
        fingerprint: str,
        *,
        max_bytes: int | None = None,
    ):
        if not isinstance(fingerprint, str):
            raise TypeError(f"fingerprint must be a string; got {fingerprint!r}.")
        if not fingerprint:
            raise ValueError("fingerprint must not be empty.")
        if max_bytes is not None and max_bytes < _MIN_MAX_BYTES:
            raise ValueError(
                f"max_bytes must be at least {_MIN_MAX_BYTES} (1 MiB); got {max_bytes}."
            )
        self.cache_dir = resolve(cache_dir)
        self.fingerprint = fingerprint
        given = _limit_of_environment() if max_bytes is None else int(max_bytes)
        self._is_limited = given is not None
        self.max_bytes = DEFAULT_MAX_BYTES if given is None else given

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
        with LOCK:
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
        step = max(1, room // bytes_on_pages(values[:1].nbytes))
        with LOCK:
            for start in range(0, len(keys), step):
                part = slice(start, start + step)
                insert = partial(self._insert, keys=keys[part], values=values[part])
                if not self._attempt(insert, False):
                    break

    def __len__(self) -> int:
        """Return the number of entries under this fingerprint."""
        with LOCK:
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
        with LOCK:
            layout = self._attempt(self._layout, None)
        return 0 if layout is None else len(self) * layout.n_bytes

    def clear(self) -> None:
        """Remove what this fingerprint holds, and give its space back to the disk."""
        with LOCK:
            self._attempt(self._remove_namespace, None)

    def close(self) -> None:
        """Close this process's connection to the file; the next use opens another."""
        with LOCK:
            database_of(self.cache_dir).close()

    def _attempt(
        self, operation: Callable[[sqlite3.Connection], _T], otherwise: _T
    ) -> _T:
        """Run an operation; whatever befalls the file, the caller's work goes on."""
        return database_of(self.cache_dir).attempt(operation, otherwise)

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
            raise DamagedError("the description of its values is damaged")
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
        with transaction(connection):
            layout = self._settle_layout(connection, values)
            rows = dict(zip(keys, _as_bytes(values), strict=True))
            for key in self._present(connection, layout, list(rows)):
                rows.pop(key, None)
            evicted = make_room(connection, self.max_bytes, len(rows), layout.n_bytes)
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
        shrink(connection, self.max_bytes)
        if evicted is not None and now - evicted < _A_DAY_S and not self._is_limited:
            self._tell_that_it_is_full()
        return True

    def _tell_that_it_is_full(self) -> None:
        if self.cache_dir in _told_full:
            return
        _told_full.add(self.cache_dir)
        warn(
            f"The feature cache in {self.cache_dir} has reached its limit of"
            f" {self.max_bytes} bytes: values that were used today were removed, and"
            f" are computed again when they are needed. Set {_LIMIT_VARIABLE} to more"
            " bytes, or to this number to leave it at that."
        )

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
        with transaction(connection):
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
        shrink(connection, 0)


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
        is_full = fullness(connection, self.store.max_bytes) > _NEARLY_FULL
        exact_to = _FULL_GRANULARITY_S if is_full else _ACCESS_GRANULARITY_S
        cursor = connection.execute(
            "SELECT entries.id, key, checksum, value, abs(? - used) >= ?"
            " FROM entries LEFT JOIN payloads ON payloads.id = entries.id"
            " WHERE namespace = (SELECT id FROM namespaces WHERE fingerprint = ?)"
            f" AND key IN ({_marks(self.rows_of)})",
            [now, exact_to, self.store.fingerprint, *self.rows_of],
        )
        # An open cursor holds a lock on the file, so it must not outlive an exception.
        with contextlib.closing(cursor):
            for id_, key, checksum, value, stale in cursor:
                if not self._take(key, checksum, value):
                    damaged_ids.append(id_)
                elif stale:
                    stale_ids.append(id_)
        touch(connection, stale_ids, now)
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
        with transaction(connection):
            delete(connection, ids)
        warn(
            f"{len(ids)} damaged entries of the feature cache in"
            f" {self.store.cache_dir} were removed and are computed again."
        )


def _limit_of_environment() -> int | None:
    text = os.environ.get(_LIMIT_VARIABLE, "")
    if not text:
        return None
    if not text.isdecimal() or int(text) < _MIN_MAX_BYTES:
        raise CacheError(
            f"{_LIMIT_VARIABLE} is {text!r}; a number of bytes of at least"
            f" {_MIN_MAX_BYTES} was expected."
        )
    return int(text)


def _check_keys(keys: Sequence[bytes]) -> None:
    wrong = [i for i, key in enumerate(keys) if not isinstance(key, bytes)]
    if wrong:
        raise TypeError(
            "keys must be bytes, as content_keys returns them; those at positions"
            f" {wrong[:10]} are not ({len(wrong)} in all)."
        )


def _marks(items: Any) -> str:
    return ",".join("?" * len(items))
