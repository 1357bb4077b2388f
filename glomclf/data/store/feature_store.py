"""What an encoder has computed, kept on disk by the content of the pixels.

One SQLite file under the cache folder holds the features of every image an encoder has
seen, so that folds, trials, processes and later runs compute each image once. The file
is shared: any number of processes and threads may read and write it at once, any of
them may be killed at any moment, and every entry carries a checksum. What cannot be
read whole is reported as missing, with a `CacheWarning`, and computed again: a damaged
cache costs time, never a wrong feature and never a running training.

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

import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import CacheError
from .cache_folder import resolve_cache_dir
from .database import LOCK, database_of, transaction, warn
from .space import bytes_on_pages, make_room, shrink
from .tables import (
    KEYS_PER_QUERY,
    Lookup,
    Namespace,
    find_namespace,
    insert_entries,
    now,
    present_keys,
    settle_namespace,
)

DEFAULT_MAX_BYTES = 10 * 1024**3
_MIN_MAX_BYTES = 1024**2
_TRANSACTION_BYTES = 8 * 1024**2
_A_DAY_S = 86_400
_LIMIT_VARIABLE = "GLOMCLF_CACHE_MAX_BYTES"
_told_full: set[Path] = set()
_DTYPES = ("float16", "float32", "uint8")

_T = TypeVar("_T")


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
    ValueError
        If `max_bytes` is too small.

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
        if max_bytes is not None and max_bytes < _MIN_MAX_BYTES:
            raise ValueError(
                f"max_bytes must be at least {_MIN_MAX_BYTES} (1 MiB); got {max_bytes}."
            )
        self.cache_dir = resolve_cache_dir(cache_dir)
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
        with LOCK:
            namespace = self._attempt(self._find, None)
            if namespace is None:
                return np.zeros((len(keys), 0), np.float32), np.zeros(len(keys), bool)
            values = np.zeros((len(keys), *namespace.shape), namespace.dtype)
            found = np.zeros(len(keys), bool)
            for start in range(0, len(keys), KEYS_PER_QUERY):
                part = slice(start, start + KEYS_PER_QUERY)
                rows = keys[part], values[part], found[part]
                lookup = Lookup(namespace, *rows, self.max_bytes)
                n_damaged = self._attempt(lookup.run, None)
                if n_damaged is None:
                    break
                if n_damaged:
                    warn(
                        f"{n_damaged} damaged entries of the feature cache in"
                        f" {self.cache_dir} were removed and are computed again."
                    )
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

    def close(self) -> None:
        """Close this process's connection to the file; the next use opens another."""
        with LOCK:
            database_of(self.cache_dir).close()

    def _attempt(
        self, operation: Callable[[sqlite3.Connection], _T], otherwise: _T
    ) -> _T:
        """Run an operation; whatever befalls the file, the caller's work goes on."""
        return database_of(self.cache_dir).attempt(operation, otherwise)

    def _find(self, connection: sqlite3.Connection) -> Namespace | None:
        return find_namespace(connection, self.fingerprint)

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
        if values[:1].nbytes > self.max_bytes // 2:
            raise ValueError(
                f"max_bytes={self.max_bytes} has no room for values of"
                f" {values[:1].nbytes} bytes; it must be at least twice that."
            )

    def _insert(
        self,
        connection: sqlite3.Connection,
        keys: Sequence[bytes],
        values: NDArray[Any],
    ) -> bool:
        with transaction(connection):
            namespace = settle_namespace(connection, self.fingerprint, values)
            as_bytes = values.reshape(len(values), -1).view(np.uint8)
            rows = dict(zip(keys, as_bytes, strict=True))
            for key in present_keys(connection, namespace, list(rows)):
                rows.pop(key, None)
            n_bytes = namespace.n_bytes
            evicted = make_room(connection, self.max_bytes, len(rows), n_bytes)
            insert_entries(connection, namespace, rows)
        shrink(connection, self.max_bytes)
        if evicted is not None and now() - evicted < _A_DAY_S and not self._is_limited:
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
