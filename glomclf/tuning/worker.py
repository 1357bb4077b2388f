"""A process that joins a study and runs its trials, as `glomclf.tuning.workers` starts.

It reads what to do from standard input, and takes the end of that for the end of the
process that started it: then it puts its trial back and ends as well.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from .running import Deadline, TrialLoop
from .storages import open_storage, readable_errors
from .studies import quiet_optuna

__all__ = ["main"]

RECYCLE = 75
"""Exit code that asks for a fresh process."""

_GROWTH_BYTES = 2 * 1024**3


def main() -> None:
    """Run trials until the study is done, or this process has grown too large."""
    source = sys.stdin.buffer
    size, left = source.readline().decode().rstrip("\n").split(" ")
    # It comes from the process that started this one, and from nowhere else.
    work = pickle.loads(source.read(int(size)))
    threading.Thread(target=_end_with, args=(source.fileno(),), daemon=True).start()
    loop = TrialLoop(
        _join(work),
        _objective(work),
        work["n_trials"],
        Deadline(float(left) if left else None),
    )
    memory = _Memory()
    try:
        loop.run(on_trial=memory.note, is_enough=lambda: memory.has_grown)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    sys.exit(RECYCLE if memory.has_grown else 0)


def _end_with(source: int) -> None:
    """Interrupt the trial when the process that started this one is gone."""
    while os.read(source, 1024):  # unbuffered: the buffer's lock would outlive main
        pass
    os.kill(os.getpid(), signal.SIGINT)


def _objective(work: dict[str, Any]) -> Any:
    objective = work["objective"]
    if work["rows_file"]:
        objective.X = np.load(work["rows_file"], mmap_mode="r")
    return objective


def _join(work: dict[str, Any]) -> Any:
    from optuna import load_study

    with readable_errors(work["storage"]), quiet_optuna():
        return load_study(
            study_name=work["study_name"],
            storage=open_storage(work["storage"]),
            sampler=work["sampler"],
            pruner=work["pruner"],
        )


class _Memory:
    """How far the process has grown since its first trial, which loads everything."""

    def __init__(self) -> None:
        self._first: int | None = None
        self.has_grown = False

    def note(self) -> None:
        """Look at the size after a trial."""
        now = _resident_bytes()
        if self._first is None:
            self._first = now
        self.has_grown = now - self._first > _GROWTH_BYTES


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource  # not on Windows

        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest * 1024
