"""The rows of the file: namespaces, one a fingerprint, and their entries."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .database import DamagedError, hinders, pragma, transaction
from .keys import digest
from .space import delete, fullness

KEYS_PER_QUERY = 128
# An access time is renewed once it is this old: a second reading writes nothing.
_ACCESS_GRANULARITY_S = 3600
# Where entries must go soon, the order in which they were read today counts.
_NEARLY_FULL, _FULL_GRANULARITY_S = 0.8, 60
_TOUCH_WAIT_S = 0.1


def now() -> int:
    """Return the seconds since 1970."""
    return int(time.time())


class Namespace(NamedTuple):
    """The values of one fingerprint, all of one dtype and shape."""

    id: int
    fingerprint: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    n_bytes: int

    def checksum(self, key: bytes, value: Any) -> bytes:
        """Sum up an entry: fingerprint and key too, for an index may go astray."""
        return digest(self.fingerprint.encode(), key, value)


def find_namespace(
    connection: sqlite3.Connection, fingerprint: str
) -> Namespace | None:
    """Return what is under a fingerprint; None where nothing was put."""
    row = connection.execute(
        "SELECT id, dtype, shape, n_bytes, checksum FROM namespaces"
        " WHERE fingerprint = ?",
        [fingerprint],
    ).fetchone()
    if row is None:
        return None
    *described, checksum = row
    if checksum != _description_checksum(fingerprint, *described):
        raise DamagedError("the description of its values is damaged")
    id_, dtype, shape, n_bytes = described
    shape = tuple(json.loads(shape))
    return Namespace(id_, fingerprint, np.dtype(dtype), shape, n_bytes)


def settle_namespace(
    connection: sqlite3.Connection, fingerprint: str, values: NDArray[Any]
) -> Namespace:
    """Return the namespace of a fingerprint, made where it is not, fit for values."""
    known = find_namespace(connection, fingerprint)
    if known is None:
        return _insert_namespace(connection, fingerprint, values)
    if (known.dtype, known.shape) != (values.dtype, values.shape[1:]):
        raise ValueError(
            f"Values under the fingerprint {fingerprint!r} are {known.dtype} of shape"
            f" {known.shape}; got {values.dtype} of shape {values.shape[1:]}. Another"
            " layout needs another fingerprint."
        )
    return known


def _insert_namespace(
    connection: sqlite3.Connection, fingerprint: str, values: NDArray[Any]
) -> Namespace:
    (id_,) = connection.execute(
        "SELECT coalesce(max(id), 0) + 1 FROM namespaces"
    ).fetchone()
    shape, n_bytes = values.shape[1:], values[:1].nbytes
    described = (id_, values.dtype.str, json.dumps(shape), n_bytes)
    connection.execute(
        "INSERT INTO namespaces (id, dtype, shape, n_bytes, fingerprint, checksum)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [*described, fingerprint, _description_checksum(fingerprint, *described)],
    )
    return Namespace(id_, fingerprint, values.dtype, shape, n_bytes)


def _description_checksum(*described: Any) -> bytes:
    return digest(repr(described).encode())


def present_keys(
    connection: sqlite3.Connection, namespace: Namespace, keys: Sequence[bytes]
) -> list[bytes]:
    """Return those of the keys that have an entry."""
    present: list[bytes] = []
    for start in range(0, len(keys), KEYS_PER_QUERY):
        part = keys[start : start + KEYS_PER_QUERY]
        rows = connection.execute(
            f"SELECT key FROM entries WHERE namespace = ? AND key IN ({_marks(part)})",
            [namespace.id, *part],
        )
        present += [key for (key,) in rows.fetchall()]
    return present


def insert_entries(
    connection: sqlite3.Connection,
    namespace: Namespace,
    values: dict[bytes, NDArray[np.uint8]],
) -> None:
    """Add entries, each with the bytes of its value, that have no other under a key."""
    (first,) = connection.execute(
        "SELECT 1 + max(coalesce((SELECT max(id) FROM entries), 0),"
        " coalesce((SELECT max(id) FROM payloads), 0))"
    ).fetchone()
    used = now()
    connection.executemany(
        "INSERT INTO entries (id, namespace, key, checksum, used)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            (id_, namespace.id, key, namespace.checksum(key, value), used)
            for id_, (key, value) in enumerate(values.items(), first)
        ),
    )
    connection.executemany(
        "INSERT INTO payloads (id, value) VALUES (?, ?)",
        ((id_, value.data) for id_, value in enumerate(values.values(), first)),
    )


class Lookup:
    """One query: fill the rows whose values are whole, note the others.

    Parameters
    ----------
    namespace : Namespace
    keys : sequence of bytes, length n_keys
    values : ndarray of shape (n_keys, ...)
        Filled where a value is found.
    found : ndarray of shape (n_keys,), dtype bool
        Becomes True there.
    max_bytes : int
        Limit of the file.
    """

    def __init__(
        self,
        namespace: Namespace,
        keys: Sequence[bytes],
        values: NDArray[Any],
        found: NDArray[np.bool_],
        max_bytes: int,
    ):
        self.namespace, self.max_bytes = namespace, max_bytes
        self.values, self.found = values, found
        self.rows_of: dict[bytes, list[int]] = {}
        for row, key in enumerate(keys):
            self.rows_of.setdefault(key, []).append(row)

    def run(self, connection: sqlite3.Connection) -> int:
        """Read; renew access times; remove entries that are damaged, and count them."""
        stale_ids: list[int] = []
        damaged_ids: list[int] = []
        read_at = now()
        is_full = fullness(connection, self.max_bytes) > _NEARLY_FULL
        exact_to = _FULL_GRANULARITY_S if is_full else _ACCESS_GRANULARITY_S
        cursor = connection.execute(
            "SELECT entries.id, key, checksum, value, abs(? - used) >= ?"
            " FROM entries LEFT JOIN payloads ON payloads.id = entries.id"
            " WHERE namespace = (SELECT id FROM namespaces WHERE fingerprint = ?)"
            f" AND key IN ({_marks(self.rows_of)})",
            [read_at, exact_to, self.namespace.fingerprint, *self.rows_of],
        )
        # An open cursor holds a lock on the file, so it must not outlive an exception.
        with contextlib.closing(cursor):
            for id_, key, checksum, value, stale in cursor:
                if not self._take(key, checksum, value):
                    damaged_ids.append(id_)
                elif stale:
                    stale_ids.append(id_)
        _touch(connection, stale_ids, read_at)
        if damaged_ids:
            with transaction(connection):
                delete(connection, damaged_ids)
        return len(damaged_ids)

    def _take(self, key: Any, checksum: Any, value: Any) -> bool:
        rows = self.rows_of.get(key)
        if (
            rows is None
            or not isinstance(value, bytes)
            or len(value) != self.namespace.n_bytes
            or self.namespace.checksum(key, value) != checksum
        ):
            return False
        array = np.frombuffer(value, self.namespace.dtype)
        self.values[rows] = array.reshape(self.namespace.shape)
        self.found[rows] = True
        return True


def _touch(connection: sqlite3.Connection, ids: list[int], used: int) -> None:
    """Renew access times, unless another process writes: it is not worth a wait."""
    if not ids:
        return
    usual_wait = pragma(connection, "busy_timeout")
    connection.execute(f"PRAGMA busy_timeout = {int(_TOUCH_WAIT_S * 1000)}")
    try:
        with transaction(connection):
            connection.executemany(
                "UPDATE entries SET used = ? WHERE id = ?", [(used, id_) for id_ in ids]
            )
    except sqlite3.OperationalError as error:
        if not hinders(error):
            raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {usual_wait}")


def _marks(items: Iterable[Any]) -> str:
    return ",".join("?" for _ in items)
