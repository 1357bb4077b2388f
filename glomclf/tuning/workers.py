"""Run the trials of a study: here, or in processes that join it by name.

Workers are fresh interpreters, not forks, which TensorFlow does not survive. Each keeps
its own, since starting TensorFlow takes seconds, until its memory has grown too much.
They know of each other through the storage alone, as workers on other machines do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime import n_threads, progress, threads_for
from ..errors import ParameterError, TuningError
from .running import Deadline, TrialLoop
from .storages import shown
from .trials import counted_trials, requeue_dead, requeue_interrupted
from .worker import RECYCLE

if TYPE_CHECKING:
    from optuna import Study

    from .objective import Objective

__all__ = ["run_trials"]

_MOST_FAILED_STARTS = 2
_POLL_SECONDS = 0.3
_GRACE_SECONDS = 15.0  # for workers to put their trials back, at Ctrl-C
_LARGE_BYTES = 2**20
# What numerical libraries take their number of threads from, when they are loaded.
_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def run_trials(
    study: Study,
    objective: Objective,
    *,
    storage: Any = None,
    n_trials: int | None = 50,
    timeout: float | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    is_kept: bool = True,
) -> None:
    """Run trials until as many of the study count as are planned.

    Trials that were lost before, with their worker or at Ctrl-C, go first.

    Parameters
    ----------
    study : optuna.Study
    objective : Objective
    storage : None, str, path or optuna.storages.BaseStorage, default=None
        What the study is in, as processes are to open it. None: memory.
    n_trials : int or None, default=50
        Trials that count in the end, whoever runs them; see :func:`counted_trials`.
    timeout : float or None, default=None
        Seconds after which no trial is begun.
    n_jobs : int or None, default=None
        Processes; None and 1 run the trials in this one, -1 takes one for each core.
    verbose : int, default=0
        1 shows a bar on standard error.
    is_kept : bool, default=True
        Whether `storage` is there afterwards, to go on from.

    Raises
    ------
    KeyboardInterrupt
        At Ctrl-C, with a word on how to go on.
    TuningError
        If no worker can be started.
    """
    deadline = Deadline(timeout)
    n_workers = threads_for(n_jobs)
    requeue_interrupted(study)
    shower = _Shower(study, objective, n_trials)
    try:
        with shower.shown(verbose):
            if n_workers == 1:
                objective.on_fold = shower.show
                TrialLoop(study, objective, n_trials, deadline).run(
                    on_trial=shower.show
                )
            else:
                _Team(study, objective, storage, n_trials, deadline, n_workers).run(
                    shower
                )
    except KeyboardInterrupt:
        place = storage if is_kept else None
        raise KeyboardInterrupt(_how_to_go_on(study, place, n_trials)) from None
    finally:
        objective.on_fold = None


def _how_to_go_on(study: Study, storage: Any, n_trials: int | None) -> str:
    n_done = len(counted_trials(study))
    planned = "" if n_trials is None else f" of {n_trials}"
    kept = f"Stopped. {n_done}{planned} trials are finished"
    if storage is None:
        return (
            f"{kept}, and are in study_ only: the study is in memory. Name a storage, "
            "as storage='sqlite:///study.db', to be able to go on."
        )
    return (
        f"{kept} and kept in {shown(storage)}, study {study.study_name!r}. Run the "
        "same again to go on."
    )


class _Shower:
    """Shows trials that are done, those under way, and the best score so far."""

    def __init__(self, study: Study, objective: Objective, n_trials: int | None):
        self.study, self.n_folds = study, len(objective.folds)
        self.n_trials = n_trials
        self._advance: Any = None
        self._n_shown = 0

    @contextmanager
    def shown(self, verbose: int) -> Iterator[None]:
        """Show a bar while the block runs."""
        with progress("trials", self.n_trials or 0, enabled=verbose > 0) as advance:
            if verbose > 0:
                self._advance = advance
            self.show()
            yield
            self.show()

    def show(self, trial: Any = None, n_done: int | None = None) -> None:
        """Count again, and name the fold that has just ended, where one has."""
        if self._advance is None:
            return
        trials = counted_trials(self.study)
        under_way = (
            [f"trial {trial.number}, fold {n_done} of {self.n_folds}"]
            if trial is not None
            else self._under_way()
        )
        note = "; ".join([*under_way, *_best_so_far(self.study, trials)])
        self._advance(len(trials) - self._n_shown, note)
        self._n_shown = len(trials)

    def _under_way(self) -> list[str]:
        from optuna.trial import TrialState

        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [
            f"trial {t.number}, fold {len(t.intermediate_values)} of {self.n_folds}"
            for t in running
        ]


def _best_so_far(study: Study, trials: list[Any]) -> list[str]:
    """Say what the best trial has reached; nothing with several objectives or none."""
    from .results import is_feasible

    if len(study.directions) > 1:
        return []
    values = [t.values[0] for t in trials if is_feasible(t)]
    return [f"best {max(values):.3f}"] if values else []


class _Team:
    """Processes that work on one study, watched from here."""

    def __init__(
        self,
        study: Study,
        objective: Objective,
        storage: Any,
        n_trials: int | None,
        deadline: Deadline,
        n_workers: int,
    ):
        self.study, self.objective, self.storage = study, objective, storage
        self.n_trials, self.deadline, self.n_workers = n_trials, deadline, n_workers
        self.workers: list[subprocess.Popen] = []
        self._failed_starts = 0

    def run(self, shower: _Shower) -> None:
        """Start workers, replace those that end too early, wait for the last."""
        with (
            tempfile.TemporaryDirectory(prefix="glomclf-") as folder,
            tempfile.TemporaryFile() as self._errors,
        ):
            self._payload = self._pack(Path(folder))
            try:
                self.workers = [self._start() for _ in range(self.n_workers)]
                while self.workers:
                    time.sleep(_POLL_SECONDS)
                    shower.show()
                    self._look_after()
            except BaseException:
                self._stop()
                raise

    def _pack(self, folder: Path) -> bytes:
        """Describe the work; large arrays are put into a file that all workers map."""
        import cloudpickle

        X, rows_file = self.objective.X, None
        if (
            isinstance(X, np.ndarray)
            and X.nbytes > _LARGE_BYTES
            and not X.dtype.hasobject
        ):
            rows_file = str(folder / "rows.npy")
            np.save(rows_file, X)
        on_fold, self.objective.on_fold = self.objective.on_fold, None
        self.objective.X = None if rows_file else X
        try:
            return cloudpickle.dumps(
                {
                    "objective": self.objective,
                    "rows_file": rows_file,
                    "storage": self.storage,
                    "study_name": self.study.study_name,
                    "sampler": self.study.sampler,
                    "pruner": self.study.pruner,
                    "n_trials": self.n_trials,
                }
            )
        except Exception as error:
            raise ParameterError(
                f"The work cannot be sent to other processes: {error}. Give n_jobs=1, "
                "or an estimator, search space and scorers that can be pickled."
            ) from error
        finally:
            self.objective.X, self.objective.on_fold = X, on_fold

    def _start(self) -> subprocess.Popen:
        """Start a worker; what it needs to know goes through its standard input.

        A password in a URL so stays out of the list of processes.
        """
        worker = subprocess.Popen(
            [sys.executable, "-c", "from glomclf.tuning.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=self._environment(),
        )
        assert worker.stdin is not None  # it is a pipe
        with suppress(BrokenPipeError):
            left = self.deadline.seconds_left
            head = f"{len(self._payload)} {'' if left is None else left}\n"
            worker.stdin.write(head.encode() + self._payload)
            worker.stdin.flush()
        return worker

    def _environment(self) -> dict[str, str]:
        """Give each worker its share of the cores, and this process's import path."""
        share = str(max(1, n_threads() // self.n_workers))
        return {
            **os.environ,
            **dict.fromkeys(_THREADS, share),
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        }

    def _look_after(self) -> None:
        """Replace workers that ended before the work was done."""
        ended = [worker for worker in self.workers if worker.poll() is not None]
        self.workers = [worker for worker in self.workers if worker not in ended]
        for worker in ended:
            _close(worker)
            n_lost = requeue_dead(self.study)
            if worker.returncode == 0:
                continue
            if worker.returncode != RECYCLE and not n_lost:
                self._count_failed_start(worker.returncode)
            if not self.deadline.is_over:
                self.workers.append(self._start())

    def _count_failed_start(self, returncode: int) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MOST_FAILED_STARTS:
            self._errors.seek(0)
            text = self._errors.read().decode(errors="replace").strip()
            raise TuningError(
                f"Workers end without a trial (exit code {returncode}). The last of "
                f"what they said:\n{text[-2000:]}"
            )

    def _stop(self) -> None:
        """Let workers put their trials back; end those that do not."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGINT)
        until = time.monotonic() + _GRACE_SECONDS
        for worker in self.workers:
            with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                worker.wait(max(0.0, until - time.monotonic()))
            if worker.poll() is None:
                worker.kill()
                worker.wait()
            _close(worker)
        requeue_dead(self.study)
        requeue_interrupted(self.study)


def _close(worker: subprocess.Popen) -> None:
    if worker.stdin is not None:
        with suppress(OSError):
            worker.stdin.close()
