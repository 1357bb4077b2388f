"""Run the trials of a study: here, or in processes that join it by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..progress import progress
from .running import Deadline, TrialLoop
from .storages import shown
from .trials import Tally, counted_trials, requeue_interrupted

if TYPE_CHECKING:
    from optuna import Study

    from .objective import Objective

__all__ = ["run_trials"]


def run_trials(
    study: Study,
    objective: Objective,
    *,
    storage: Any = None,
    n_trials: int | None = 50,
    timeout: float | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> None:
    """Run trials until as many of the study count as are planned."""
    deadline = Deadline(timeout)
    requeue_interrupted(study)
    try:
        with _shown_progress(study, objective, n_trials, verbose) as show:
            objective.on_fold = lambda trial, n_done: show(trial.number, n_done)
            TrialLoop(study, objective, n_trials, deadline).run(on_trial=show)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(study, storage, n_trials)) from None
    finally:
        objective.on_fold = None


@contextmanager
def _shown_progress(
    study: Study, objective: Objective, n_trials: int | None, verbose: int
) -> Iterator[Callable[..., None]]:
    """Show trials that are done, the one under way, and the best score."""
    total = n_trials or 0
    with progress("trials", total, enabled=verbose > 0) as advance:
        n_shown = 0

        def show(number: int | None = None, n_done: int = 0) -> None:
            nonlocal n_shown
            if not verbose:
                return
            n_finished = Tally.of(study).finished
            note = best_so_far(study)
            if number is not None:
                folds = f"fold {n_done} of {len(objective.folds)}"
                note = f"trial {number}, {folds}{', ' if note else ''}{note}"
            advance(n_finished - n_shown, note)
            n_shown = n_finished

        show()
        yield show


def best_so_far(study: Study) -> str:
    """Say what the best trial has reached; empty with several objectives or none."""
    if len(study.directions) > 1:
        return ""
    from .results import is_feasible

    values = [t.values[0] for t in counted_trials(study) if is_feasible(t)]
    return f"best {max(values):.3f}" if values else ""


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
