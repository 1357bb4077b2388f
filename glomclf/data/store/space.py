"""Room in the file: entries go, the least recently used first, and pages go back."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence

from .database import PAGE_BYTES, pragma

_PAGE_PAYLOAD_BYTES = 4080  # what a page holds of a long value, or a little less
# Room made at each eviction, so that the search for old entries is rare.
_EVICTED_FRACTION = 0.05


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
    allowed = max_bytes // PAGE_BYTES
    needed = n_values * bytes_on_pages(n_bytes) // PAGE_BYTES
    if _pages_in_use(connection) + needed > allowed:
        target = max(0, int(allowed * (1 - _EVICTED_FRACTION)) - needed)
        while (excess := _pages_in_use(connection) - target) > 0:
            victims = _least_recently_used(connection, excess * PAGE_BYTES)
            if not victims:
                break
            delete(connection, [id_ for id_, _ in victims])
            last_used = victims[-1][1]
    return last_used


def fullness(connection: sqlite3.Connection, max_bytes: int) -> float:
    """Return the share of the limit that is taken."""
    return _pages_in_use(connection) * PAGE_BYTES / max_bytes


def bytes_on_pages(n_bytes: int) -> int:
    """Return the most that a value takes up: its pages, and two for ends and key."""
    return (n_bytes // _PAGE_PAYLOAD_BYTES + 2) * PAGE_BYTES


def shrink(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Give free pages beyond the limit back to the disk."""
    surplus = pragma(connection, "page_count") - max_bytes // PAGE_BYTES
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
        f" coalesce(n_bytes, {PAGE_BYTES}) FROM entries"
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
    return pragma(connection, "page_count") - pragma(connection, "freelist_count")
