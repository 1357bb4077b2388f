"""Processes that run trials: they import what this one would, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["end_with", "same_imports"]

_SECONDS_A_LOOK = 1.0
_watched: set[int] = set()


@contextmanager
def same_imports() -> Iterator[None]:
    """Keep the current folder out of what processes that the block starts import.

    Python puts it first for the modules that joblib starts them by, so that a file such
    as ``statistics.py`` beside the data would run. What this process imports from, they
    are told afterwards.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONSAFEPATH", None)
        else:
            os.environ["PYTHONSAFEPATH"] = before


def end_with(parent: int) -> None:
    """End this process when the one that started it ends, however that ends.

    Parameters
    ----------
    parent : int
        Id of the process that gave the work. Another process may have started this one,
        as that of a cluster: then nothing is done.
    """
    is_lokys = multiprocessing.current_process().name.startswith("Loky")
    if os.getpid() == parent or parent in _watched:
        return
    if os.getppid() == parent:
        _watched.add(parent)
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    elif is_lokys:  # it ended before this began
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_A_LOOK)
    os._exit(1)
