"""What is seen of a study while it runs: trials, folds, the best so far, time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study
    from rich.progress import Progress

__all__ = ["Snapshot", "time_left", "watch_studies"]

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Snapshot:
    """How far a study is, as its storage has it; whoever runs its trials.

    Parameters
    ----------
    n_finished : int
        Trials that count.
    n_pruned, n_failed : int
        Of these.
    running : dict of int to int
        Folds done by number of the trial.
    best : str
        The best so far, in words; empty before the first.
    """

    n_finished: int
    n_pruned: int
    n_failed: int
    running: dict[int, int] = field(default_factory=dict)
    best: str = ""

    @classmethod
    def of(cls, study: Study) -> Snapshot:
        """Look at a study.

        Parameters
        ----------
        study : optuna.Study

        Returns
        -------
        snapshot : Snapshot
        """
        from ..tuning.reading import trials_in, trials_over

        states = [trial.state.name for trial in trials_over(study)]
        return cls(
            len(states),
            states.count("PRUNED"),
            states.count("FAIL"),
            {one.number: _folds_done(one) for one in trials_in(study, "RUNNING")},
            _best(study),
        )

    @classmethod
    def total(cls, snapshots: Iterable[Snapshot]) -> Snapshot:
        """Add snapshots of studies; of several there is no best."""
        parts = list(snapshots)
        if len(parts) == 1:
            return parts[0]
        return cls(
            sum(one.n_finished for one in parts),
            sum(one.n_pruned for one in parts),
            sum(one.n_failed for one in parts),
            dict(enumerate(n for one in parts for n in one.running.values())),
        )

    @property
    def note(self) -> str:
        """What is told behind the bar."""
        counts = {"pruned": self.n_pruned, "failed": self.n_failed}
        told = [f"{n} {state}" for state, n in counts.items() if n]
        return ", ".join([*([self.best] if self.best else []), *told])


def _folds_done(trial: Any) -> int:
    return len(trial.intermediate_values)


def _best(study: Study) -> str:
    from ..tuning.reading import best_trials

    best = best_trials(study)
    if not best:
        return ""
    if len(study.directions) > 1:
        return f"{len(best)} on the Pareto front"
    return f"best {best[0].value:.3f} (trial {best[0].number})"


def time_left(
    snapshot: Snapshot, first: Snapshot, seconds: float, n_trials: int, n_folds: int
) -> float | None:
    """Estimate how long the other trials take, at the pace so far.

    Parameters
    ----------
    snapshot, first : Snapshot
        Now, and as it was `seconds` ago.
    seconds : float
    n_trials, n_folds : int
        As planned.

    Returns
    -------
    seconds : float or None
        None before there is a pace.

    Examples
    --------
    >>> from glomclf.cli.study_watch import Snapshot, time_left
    >>> first, now = Snapshot(10, 0, 0), Snapshot(19, 0, 0, {19: 5})
    >>> time_left(now, first, 100, n_trials=50, n_folds=5)
    300.0
    """
    done = _work(snapshot, n_folds) - _work(first, n_folds)
    if done <= 0:
        return None
    return max(0.0, n_trials - _work(snapshot, n_folds)) * seconds / done


def _work(snapshot: Snapshot, n_folds: int) -> float:
    return snapshot.n_finished + sum(snapshot.running.values()) / n_folds


@contextmanager
def watch_studies(
    storage: str,
    names: Sequence[str],
    *,
    n_trials: int,
    n_folds: int,
    timeout: float | None = None,
    enabled: bool = True,
) -> Iterator[None]:
    """Show on standard error how studies go on, while the block runs.

    It looks into the storage now and then, so that trials of other processes and other
    machines are seen as well.

    Parameters
    ----------
    storage : str
    names : sequence of str
        Of the studies, in their order; they need not exist yet.
    n_trials, n_folds : int
        As planned for each.
    timeout : float, default=None
        Seconds after which no trial is begun in a study.
    enabled : bool, default=True
        Without it nothing is shown.
    """
    if not enabled:
        yield
        return
    from rich import progress as bars
    from rich.console import Console

    from ..tuning import open_storage

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=24),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[note]}"),
    )
    opened = open_storage(storage)
    with bars.Progress(*columns, console=Console(stderr=True)) as display:
        watch = _Watch(display, opened, names, n_trials, n_folds, timeout)
        watch.start()
        try:
            yield
        finally:
            watch.stop()


class _Watch:
    """A thread that keeps a display up to date with a study."""

    def __init__(
        self,
        display: Progress,
        storage: Any,
        names: Sequence[str],
        n_trials: int,
        n_folds: int,
        timeout: float | None,
    ):
        self.display = display
        self.storage, self.names = storage, names
        self.n_trials, self.n_folds = n_trials * len(names), n_folds
        self.timeout = None if timeout is None else timeout * len(names)
        self.all_trials = display.add_task(
            "trials", total=self.n_trials, note="looking for leaks in the folds"
        )
        self.rows: dict[str, Any] = {}
        self.studies: dict[str, Study] = {}
        self.first: Snapshot | None = None
        self.began = time.monotonic()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and leave the bar of all trials on the screen."""
        self._is_over.set()
        self._thread.join()
        for row in self.rows.values():
            self.display.remove_task(row)

    def _run(self) -> None:
        while True:
            is_last = self._is_over.wait(_POLL_SECONDS)
            # What is wrong with a storage, the run itself says best.
            with suppress(Exception):
                self._look(is_last)
            if is_last:
                return

    def _look(self, is_last: bool) -> None:
        """Look at all studies that are there by now."""
        from optuna import load_study

        for name in self.names:
            if name not in self.studies:
                try:
                    study = load_study(study_name=name, storage=self.storage)
                except KeyError:
                    break  # they begin in their order
                self.studies[name] = study
        if self.studies:
            self._show(
                {name: Snapshot.of(study) for name, study in self.studies.items()},
                is_last,
            )

    def _show(self, by_study: Mapping[str, Snapshot], is_last: bool) -> None:
        now = Snapshot.total(by_study.values())
        if self.first is None:
            self.first, self.began = now, time.monotonic()
        running = {
            self._title(place, number): n_done
            for place, one in enumerate(by_study.values(), 1)
            for number, n_done in sorted(one.running.items())
        }
        for title in set(self.rows) - set(running):
            self.display.remove_task(self.rows.pop(title))
        for title, n_done in running.items():
            if title not in self.rows:
                self.rows[title] = self.display.add_task(
                    title, total=self.n_folds, note=""
                )
            self.display.update(self.rows[title], completed=n_done)
        told = [now.note, "" if is_last else self._to_do(now)]
        note = ", ".join(part for part in told if part)
        done = min(now.n_finished, self.n_trials)
        self.display.update(self.all_trials, completed=done, note=note)

    def _title(self, place: int, number: int) -> str:
        if len(self.names) == 1:
            return f"  trial {number}, folds"
        return f"  outer fold {place} of {len(self.names)}, trial {number}, folds"

    def _to_do(self, now: Snapshot) -> str:
        """Say what is still to come."""
        if now.n_finished >= self.n_trials:
            return "training with the best settings"
        assert self.first is not None
        spent = time.monotonic() - self.began
        left = time_left(now, self.first, spent, self.n_trials, self.n_folds)
        if self.timeout is not None:
            until = max(0.0, self.timeout - spent)
            left = until if left is None else min(left, until)
        return "" if left is None else f"{_shortly(left)} left"


def _shortly(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
