"""A study: made, or joined if it is the one that is meant; its trials run by Optuna."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from copy import deepcopy
from pickle import PicklingError
from typing import Any

from joblib import Parallel, delayed
from optuna import Study, copy_study, create_study, load_study
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from .._runtime import counted, progress, threads_for
from ..errors import ParameterError, StudyError, TuningError
from .digest import study_digest
from .objective import Objective
from .storage import in_memory, open_storage, quiet_optuna, readable_errors, shown
from .trials import best_trials, finished_trials
from .workers import end_with, same_imports

__all__ = [
    "copy_to_memory",
    "fresh_sampler",
    "opened_study",
    "run_trials",
    "what_is_kept",
]

_DIGEST = "glomclf"  # user attribute of a study
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)


@contextmanager
def opened_study(
    storage: Any, study_name: str | None, objective: Objective, resume: bool
) -> Iterator[Study]:
    """Make a study, or join the one of that name; name errors while the block runs.

    Parameters
    ----------
    storage : None, str, path or optuna.storages.BaseStorage
        See :func:`open_storage`.
    study_name : str or None
        None makes one of all that decides the scores.
    objective : Objective
    resume : bool
        Whether a study that has trials is joined.

    Yields
    ------
    optuna.Study

    Raises
    ------
    StudyError
        If the storage cannot be used, or the study of that name is another, or is not
        to be joined.
    """
    with readable_errors(storage), quiet_optuna():
        digest = study_digest(objective)
        study = create_study(
            storage=open_storage(storage),
            study_name=study_name
            or f"glomclf-{''.join(one[:6] for one in digest.values())}",
            directions=[StudyDirection.MAXIMIZE] * len(objective.scoring.objectives),
            load_if_exists=True,
        )
        where = f"The study {study.study_name!r} in {shown(storage)}"
        if study.get_trials(deepcopy=False):
            _check(study, digest, where, resume)
        elif _DIGEST not in study.user_attrs:
            # What is wrapped says nothing of what is experimental: a filter of warnings
            # is of all threads, and another may end its own meanwhile.
            name_metrics: Any = type(study).set_metric_names
            name_metrics.__wrapped__(study, list(objective.scoring.objectives))
            study.set_user_attr(_DIGEST, digest)
        yield study


def _check(study: Study, own: dict[str, str], where: str, resume: bool) -> None:
    """Refuse a study that is another, or is not to be joined."""
    if not resume:
        n_trials = counted(len(study.get_trials(deepcopy=False)), "trial")
        raise StudyError(
            f"{where} exists already, with {n_trials}. Go on with it by resume=True, "
            "or give another name of a study."
        )
    found = study.user_attrs.get(_DIGEST)
    if found is None:
        raise StudyError(
            f"{where} was not made by glomclf, so that nobody can tell whether its "
            "trials belong here. Give another name of a study."
        )
    parts = [name for name, digest in own.items() if found.get(name) != digest]
    if parts:
        raise StudyError(
            f"{where} is another study: it was made with another {', '.join(parts)}. "
            "Give another name of a study, or what it was made with (the same "
            "random_state among it: that draws the folds)."
        )


def copy_to_memory(study: Study) -> Study:
    """Return the study as it is now, free of its storage and of any password there."""
    memory = InMemoryStorage()
    with quiet_optuna():
        copy_study(
            from_study_name=study.study_name,
            from_storage=study._storage,
            to_storage=memory,
        )
        return load_study(study_name=study.study_name, storage=memory)


def fresh_sampler(study: Study, given: BaseSampler | None, seed: int) -> BaseSampler:
    """Return a sampler that does not draw again what the study has drawn.

    Parameters
    ----------
    study : optuna.Study
    given : optuna.samplers.BaseSampler or None
        It is copied. None: Optuna's tree-structured Parzen estimator, seeded.
    seed : int

    Returns
    -------
    optuna.samplers.BaseSampler
    """
    n_trials = len(study.get_trials(deepcopy=False))
    if given is None:
        return TPESampler(seed=(seed + n_trials) % 2**32)
    sampler = deepcopy(given)
    if n_trials:
        sampler.reseed_rng()
    return sampler


def run_trials(search: Any, study: Study, objective: Objective) -> None:
    """Run trials until so many of the study are complete or pruned, whoever ran them.

    As many are begun here as the study lacks of that at the start; ones that fail are
    not made up for. With several processes a few trials may be one too many.

    Parameters
    ----------
    search : GlomeruliSearchCV
        Its ``n_trials``, ``timeout``, ``n_jobs`` and ``verbose`` are used. Processes
        are those of the backend that ``joblib.parallel_config`` says (loky, or Dask).
    study : optuna.Study
        With its sampler and pruner.
    objective : Objective

    Raises
    ------
    TuningError
        If a process is killed.
    """
    slots = _slots(_lacking(study, search.n_trials), search.timeout)
    run = (study, objective, os.getpid(), search.storage, search.n_trials)
    try:
        with _bar(study, search) as show:
            if threads_for(search.n_jobs) == 1:
                for _ in slots:
                    _run_one(*run)
                    show()
                return
            team = Parallel(
                search.n_jobs,
                batch_size=1,
                pre_dispatch="n_jobs",
                return_as="generator_unordered",
            )
            with same_imports():
                for _ in team(delayed(_run_one)(*run) for _ in slots):
                    show()
    except BrokenProcessPool:
        raise TuningError(
            "A process that ran a trial was killed: is the memory enough? What is "
            "finished is kept if the study has a storage. Run the same again to go on, "
            "or give a smaller n_jobs."
        ) from None
    except PicklingError as error:
        raise ParameterError(
            f"The trials cannot be sent to other processes: {error}. Give n_jobs=1, or "
            "an estimator, search space and scorers that can be pickled."
        ) from error


def _lacking(study: Study, n_trials: int | None) -> int | None:
    if n_trials is None:
        return None
    n_done = len(study.get_trials(deepcopy=False, states=_COUNTED))
    return max(0, n_trials - n_done)


def _slots(n_left: int | None, timeout: float | None) -> Iterator[int]:
    """Give one slot for each trial that may be begun, until time is up."""
    until = float("inf") if timeout is None else time.monotonic() + timeout
    for slot in itertools.count() if n_left is None else range(n_left):
        if time.monotonic() >= until:
            return
        yield slot


def _run_one(
    study: Study, objective: Objective, parent: int, storage: Any, n_trials: int | None
) -> None:
    """Run one trial of a study in this process, unless others ran enough meanwhile."""
    if os.getpid() != parent:
        end_with(parent)
        study.sampler.reseed_rng()  # or all processes would draw the same
    with readable_errors(storage), quiet_optuna():
        if _lacking(study, n_trials) != 0:
            study.optimize(objective, n_trials=1, catch=(Exception,))


@contextmanager
def _bar(study: Study, search: Any) -> Iterator[Callable[[], None]]:
    """Show a bar of the finished trials, and the best so far, while the block runs."""
    is_shown, n_shown = search.verbose > 0, 0
    with progress("trials", search.n_trials or 0, enabled=is_shown) as advance:

        def show() -> None:
            nonlocal n_shown
            if is_shown:
                n_finished, best = len(finished_trials(study)), best_trials(study)
                is_one = best and len(study.directions) == 1
                note = f"best {best[0].value:.3f}" if is_one else ""
                advance(n_finished - n_shown, note)
                n_shown = n_finished

        show()
        yield show


def what_is_kept(study: Study, storage: Any, n_trials: int | None) -> str:
    """Say what Ctrl-C left, and where it is."""
    planned = "" if n_trials is None else f" of {n_trials}"
    finished = f"Stopped. Finished trials: {len(finished_trials(study))}{planned}"
    if in_memory(storage):
        return (
            f"{finished}, in study_ only: the study is in memory. Name a storage, as "
            "storage='sqlite:///study.db', to be able to go on."
        )
    return f"{finished}, kept in {shown(storage)}, study {study.study_name!r}."
