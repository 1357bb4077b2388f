"""A study: made, or joined if it is the one that is meant; its trials run by Optuna."""

from __future__ import annotations

import itertools
import os
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from copy import deepcopy
from pickle import PicklingError
from typing import Any

from joblib import Parallel, delayed
from optuna import Study, create_study, load_study, logging
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import MaxTrialsCallback, StudyDirection
from optuna.trial import TrialState

from .._runtime import counted, progress, threads_for
from ..errors import ParameterError, StudyError, TuningError
from .digest import different_parts, study_digest
from .objective import Objective
from .storage import (
    close_storage,
    in_memory,
    is_journal,
    open_storage,
    readable_errors,
    shown,
    with_home,
)
from .trials import best_trials, finished_trials
from .workers import end_with, same_imports

__all__ = [
    "DIGEST",
    "copy_to_memory",
    "find_study",
    "fresh_sampler",
    "opened_study",
    "quiet_optuna",
    "run_trials",
    "what_is_kept",
]

DIGEST = "glomclf"
"""User attribute of a study that holds its digest."""

_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)


@contextmanager
def opened_study(
    storage: Any, study_name: str, objective: Objective, *, resume: bool = True
) -> Iterator[Study]:
    """Make a study, or join the one of that name, for as long as the block runs.

    Parameters
    ----------
    storage : None, str, path or optuna.storages.BaseStorage
        See :func:`open_storage`.
    study_name : str
    objective : Objective
    resume : bool, default=True
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
    n_objectives = len(objective.scoring.objectives)
    with readable_errors(storage), quiet_optuna():
        opened = open_storage(storage)
        try:
            study = create_study(
                storage=opened,
                study_name=study_name,
                directions=[StudyDirection.MAXIMIZE] * n_objectives,
                load_if_exists=True,
            )
            where = f"The study {study_name!r} in {shown(storage)}"
            _check_or_sign(study, objective, where, resume)
            yield study
        finally:
            close_storage(opened, storage)


def _check_or_sign(
    study: Study, objective: Objective, where: str, resume: bool
) -> None:
    """Refuse a study that is another, or is not to be joined; sign a new one."""
    own, found = study_digest(objective), study.user_attrs.get(DIGEST)
    n_trials = len(study.get_trials(deepcopy=False))
    if found is None and n_trials:
        raise StudyError(
            f"{where} was not made by glomclf, so that nobody can tell whether its "
            "trials belong here. Give another study_name."
        )
    if n_trials and not resume:
        raise StudyError(
            f"{where} exists already, with {counted(n_trials, 'trial')}. Give "
            "resume=True to go on with it, or another study_name."
        )
    if found is None:
        study.set_metric_names(list(objective.scoring.objectives))
        study.set_user_attr(DIGEST, own)
    elif parts := different_parts(own, found):
        raise StudyError(
            f"{where} is another study: it was made with another {', '.join(parts)}. "
            "Give another study_name, or what it was made with (the same random_state "
            "among it: that draws the folds)."
        )


def find_study(storage: Any, study_name: str) -> Study | None:
    """Return a copy in memory of the study of a name, None where there is none."""
    if is_journal(storage) and not os.path.exists(with_home(os.fspath(storage))):
        return None  # to open it would make it
    with readable_errors(storage), quiet_optuna():
        opened = open_storage(storage)
        try:
            return copy_to_memory(load_study(study_name=study_name, storage=opened))
        except KeyError:
            return None
        finally:
            close_storage(opened, storage)


def copy_to_memory(study: Study) -> Study:
    """Return the study as it is now, free of its storage and of any password there."""
    if isinstance(study._storage, InMemoryStorage):
        return study
    with quiet_optuna():
        copy = create_study(
            study_name=study.study_name,
            directions=study.directions,
            sampler=study.sampler,
            pruner=study.pruner,
        )
        for name, value in study.user_attrs.items():
            copy.set_user_attr(name, value)
        if study.metric_names:
            copy.set_metric_names(study.metric_names)
        copy.add_trials(study.get_trials(deepcopy=False))
    return copy


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
    """Run trials until so many of the study are complete or pruned, whoever ran them.

    As many are begun here as the study lacks of that at the start; ones that fail are
    not made up for. With several processes a few trials may be one too many.

    Parameters
    ----------
    study : optuna.Study
        With its sampler and pruner.
    objective : Objective
    storage : None, str, path or optuna.storages.BaseStorage, default=None
        What the study is in, as processes are to open it.
    n_trials : int or None, default=50
        None: until `timeout`.
    timeout : float or None, default=None
        Seconds after which no trial is begun.
    n_jobs : int or None, default=None
        Processes, as joblib has it: None is 1, or what ``joblib.parallel_config`` says,
        whose backend is taken (loky, or Dask).
    verbose : int, default=0
        1 shows a bar on standard error.

    Raises
    ------
    TuningError
        If a process is killed.
    """
    n_left = _lacking(study, n_trials)
    with quiet_optuna(), _shown(study, n_trials, verbose) as show:
        if threads_for(n_jobs) == 1:
            limits = [] if n_trials is None else [MaxTrialsCallback(n_trials, _COUNTED)]
            study.optimize(
                objective,
                n_trials=n_left,
                timeout=timeout,
                catch=(Exception,),
                callbacks=[*limits, show],
            )
        elif n_left != 0:
            _run_in_processes(
                study, objective, storage, n_trials, timeout, n_jobs, show
            )


def _lacking(study: Study, n_trials: int | None) -> int | None:
    if n_trials is None:
        return None
    n_done = len(study.get_trials(deepcopy=False, states=_COUNTED))
    return max(0, n_trials - n_done)


def _run_in_processes(
    study: Study,
    objective: Objective,
    storage: Any,
    n_trials: int | None,
    timeout: float | None,
    n_jobs: int | None,
    show: Callable[..., None],
) -> None:
    """Let processes run one trial after the other."""
    until = float("inf") if timeout is None else time.monotonic() + timeout
    place = (storage, study.study_name, study.sampler, study.pruner, n_trials)
    parent = os.getpid()
    slots = _slots(_lacking(study, n_trials), until)
    team = Parallel(
        n_jobs, batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered"
    )
    try:
        with same_imports():
            for _ in team(delayed(_run_one)(parent, objective, *place) for _ in slots):
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


def _slots(n_left: int | None, until: float) -> Iterator[int]:
    """Give one slot for each trial that may be begun, until time is up."""
    for slot in itertools.count() if n_left is None else range(n_left):
        if time.monotonic() >= until:
            return
        yield slot


def _run_one(
    parent: int,
    objective: Objective,
    storage: Any,
    study_name: str,
    sampler: Any,
    pruner: Any,
    n_trials: int | None,
) -> None:
    """Run one trial of a study in this process, unless others ran enough meanwhile."""
    end_with(parent)
    with readable_errors(storage), quiet_optuna():
        opened = open_storage(storage)
        try:
            sampler.reseed_rng()  # or all processes would draw the same
            study = load_study(
                study_name=study_name, storage=opened, sampler=sampler, pruner=pruner
            )
            if _lacking(study, n_trials) != 0:
                study.optimize(objective, n_trials=1, catch=(Exception,))
        finally:
            close_storage(opened, storage)


@contextmanager
def _shown(
    study: Study, n_trials: int | None, verbose: int
) -> Iterator[Callable[..., None]]:
    """Show a bar of the finished trials, and the best so far, while the block runs."""
    with progress("trials", n_trials or 0, enabled=verbose > 0) as advance:
        n_shown = 0

        def show(*_: Any) -> None:
            nonlocal n_shown
            if verbose > 0:
                trials = finished_trials(study)
                advance(len(trials) - n_shown, _best_so_far(study))
                n_shown = len(trials)

        show()
        yield show


def _best_so_far(study: Study) -> str:
    """Say what the best trial has reached; nothing with several objectives or none."""
    best = best_trials(study)
    return f"best {best[0].value:.3f}" if best and len(study.directions) == 1 else ""


def what_is_kept(study: Study, storage: Any, n_trials: int | None) -> str:
    """Say what Ctrl-C left, and where it is."""
    planned = "" if n_trials is None else f" of {n_trials}"
    finished = f"Stopped. Finished trials: {len(finished_trials(study))}{planned}"
    if storage is None or in_memory(storage):
        return (
            f"{finished}, in study_ only: the study is in memory. Name a storage, as "
            "storage='sqlite:///study.db', to be able to go on."
        )
    return f"{finished}, kept in {shown(storage)}, study {study.study_name!r}."


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hold back Optuna's log and its remarks on what is experimental."""
    level = logging.get_verbosity()
    logging.set_verbosity(max(level, logging.ERROR))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(level)
