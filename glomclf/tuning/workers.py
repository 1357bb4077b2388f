"""Processes that run trials: they import what this one would, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["end_with", "same_imports"]

_SAFE = "PYTHONSAFEPATH"
_SECONDS_A_LOOK = 1.0


@contextmanager
def same_imports() -> Iterator[None]:
    """Keep the current folder out of what processes that the block starts import.

    Python puts it first for the modules that joblib starts them by, so that a file such
    as ``statistics.py`` beside the data would run. What this process imports from, they
    are told afterwards.
    """
    before = {name: os.environ[name] for name in [_SAFE] if name in os.environ}
    os.environ[_SAFE] = "1"
    try:
        yield
    finally:
        os.environ.pop(_SAFE, None)
        os.environ.update(before)


@cache
def end_with(parent: int) -> None:
    """End this process when the one that started it ends, however that ends.

    Parameters
    ----------
    parent : int
        Id of the process that gave the work. Another process may have started this one,
        as that of a cluster: then nothing is done.
    """
    if os.getppid() == parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    elif multiprocessing.current_process().name.startswith("Loky"):
        os._exit(1)  # it ended before this began


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_A_LOOK)
    os._exit(1)
