"""Run trials in this process until as many of the study count as were planned."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .studies import quiet_optuna
from .trials import (
    Tally,
    claim,
    counted_trials,
    fail_and_requeue,
    requeue_dead,
    requeue_interrupted,
    runs_here,
    worker_name,
)

if TYPE_CHECKING:
    from optuna import Study, Trial

__all__ = ["Deadline", "TrialLoop"]

_UNSIGNED_SECONDS = 30.0
_POLL_SECONDS = 0.3
# Trials that loops of this process are at, by the name of their study.
_at_work: set[tuple[str, int]] = set()


class Deadline:
    """A moment after which no trial is begun.

    Parameters
    ----------
    timeout : float or None
        Seconds from now; None: never.
    """

    def __init__(self, timeout: float | None):
        self._until = None if timeout is None else time.monotonic() + timeout

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return self._until is not None and time.monotonic() >= self._until

    @property
    def seconds_left(self) -> float | None:
        """Seconds from now, at least 0; None: any number."""
        if self._until is None:
            return None
        return max(0.0, self._until - time.monotonic())


class TrialLoop:
    """Ask, evaluate and tell, one trial at a time.

    Parameters
    ----------
    study : optuna.Study
    objective : callable
    n_trials : int or None
        Trials of the study that are to count, whoever runs them. None: any number.
    deadline : Deadline
    """

    def __init__(
        self,
        study: Study,
        objective: Callable[[Trial], Any],
        n_trials: int | None,
        deadline: Deadline,
    ):
        self.study, self.objective = study, objective
        self.n_trials, self.deadline = n_trials, deadline
        self._unsigned: dict[int, float] = {}
        self._interrupts: list[int] = []

    def run(
        self,
        *,
        on_trial: Callable[[], None] | None = None,
        is_enough: Callable[[], bool] | None = None,
    ) -> None:
        """Work until enough trials count, or time is up.

        Parameters
        ----------
        on_trial : callable, default=None
            Called after each trial.
        is_enough : callable, default=None
            Asked after each trial; True ends the loop.

        Raises
        ------
        KeyboardInterrupt
            Once the interrupted trial is back in the queue.
        """
        with _noted_interrupts(self._interrupts):
            self._run(on_trial, is_enough)

    def _run(
        self,
        on_trial: Callable[[], None] | None,
        is_enough: Callable[[], bool] | None,
    ) -> None:
        try:
            # What an earlier loop left when it lost the storage.
            self._give_up_own()
            while not self.deadline.is_over:
                requeue_dead(self.study)
                if not self._is_work_left():
                    if self._is_done():
                        return
                    time.sleep(_POLL_SECONDS)
                    continue
                self._run_one()
                if on_trial is not None:
                    on_trial()
                if is_enough is not None and is_enough():
                    return
        except BaseException as error:
            # Ctrl-C may fall into a library's clean-up, whose error hides it.
            if not self._interrupts and not isinstance(error, KeyboardInterrupt):
                raise
            self._give_up_own()
            requeue_interrupted(self.study)
            raise KeyboardInterrupt from error

    def _give_up_own(self) -> None:
        """Give up what this process was at, if it was stopped outside the objective."""
        for trial in _running(self.study):
            is_left = (self.study.study_name, trial.number) not in _at_work
            if is_left and trial.user_attrs.get("worker") == worker_name():
                fail_and_requeue(self.study, trial.number)

    def _is_work_left(self) -> bool:
        """Whether a trial waits, or one more is to be made."""
        if self.n_trials is None:
            return True
        tally = Tally.of(self.study)
        return tally.finished < self.n_trials and (
            tally.waiting > 0 or tally.planned < self.n_trials
        )

    def _is_done(self) -> bool:
        """Whether there is nothing to wait for: others' last trials may be lost yet."""
        from optuna.storages import fail_stale_trials
        from optuna.storages._heartbeat import is_heartbeat_enabled

        if len(counted_trials(self.study)) >= (self.n_trials or 0):
            return True
        self._fail_unsigned()
        if self._is_work_left():  # what was given up waits for a worker: this one
            return False
        if is_heartbeat_enabled(self.study._storage):
            with quiet_optuna():
                fail_stale_trials(self.study)
            return False
        return not self._is_any_watched()

    def _is_any_watched(self) -> bool:
        """Whether a running trial's end, or its worker's, will be noticed here."""
        return any(runs_here(trial) for trial in _running(self.study))

    def _fail_unsigned(self) -> None:
        """Give up trials whose worker died before it signed them."""
        now = time.monotonic()
        running = _running(self.study)
        unsigned = {t.number for t in running if "worker" not in t.user_attrs}
        self._unsigned = {n: self._unsigned.get(n, now) for n in unsigned}
        for number, since in self._unsigned.items():
            if now - since > _UNSIGNED_SECONDS:
                fail_and_requeue(self.study, number)

    def _run_one(self) -> None:
        with quiet_optuna():
            self.study.optimize(self._claimed, n_trials=1, catch=(Exception,))
        if self._interrupts:
            raise KeyboardInterrupt

    def _claimed(self, trial: Trial) -> Any:
        """Evaluate a trial, or give it up where it is one too many."""
        if not claim(trial, self.n_trials):
            raise _SurplusError
        place = (self.study.study_name, trial.number)
        _at_work.add(place)
        try:
            return self.objective(trial)
        except BaseException as error:
            if self._interrupts or isinstance(error, KeyboardInterrupt):
                trial.set_user_attr("lost", "interrupted")
                raise KeyboardInterrupt from error
            raise
        finally:
            _at_work.discard(place)


@contextmanager
def _noted_interrupts(noted: list[int]) -> Iterator[None]:
    """Note Ctrl-C beside raising it: a library may turn it into an error of its own."""
    handler = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or handler is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


class _SurplusError(Exception):
    """A trial that others have made unnecessary."""


def _running(study: Study) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
