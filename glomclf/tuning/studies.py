"""Open a study, make it, or join it: only if it is the one that is meant."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import StudyError
from .fingerprints import differences
from .storages import open_storage, readable_errors, shown

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["StudyPlan", "copy_to_memory", "find_study", "open_study", "quiet_optuna"]

FINGERPRINT = "glomclf"
"""User attribute of a study that holds its fingerprint."""

_PATIENCE = 10.0  # seconds for another worker to sign the study that it has just made


@dataclass
class StudyPlan:
    """What a study is to be.

    Parameters
    ----------
    storage : None, str, path or optuna.storages.BaseStorage
        See :func:`open_storage`.
    study_name : str
        Name of the study in the storage.
    objectives : sequence of str
        Names of the objectives.
    fingerprint : dict
        See `glomclf.tuning.fingerprints`.
    attributes : dict
        Further user attributes for the study, set when it is made.
    resume : bool
        Whether a study of that name is joined.
    """

    storage: Any
    study_name: str
    objectives: tuple[str, ...]
    fingerprint: dict[str, Any]
    attributes: dict[str, Any]
    resume: bool = True


def find_study(storage: Any, study_name: str) -> Study | None:
    """Return the study of a name, None where the storage has none."""
    from optuna import load_study

    with readable_errors(storage), quiet_optuna():
        try:
            return load_study(study_name=study_name, storage=open_storage(storage))
        except KeyError:
            return None


def open_study(plan: StudyPlan, *, sampler: Any, pruner: Any) -> Study:
    """Make a study or join it.

    Parameters
    ----------
    plan : StudyPlan
    sampler : optuna.samplers.BaseSampler
    pruner : optuna.pruners.BasePruner

    Returns
    -------
    optuna.Study

    Raises
    ------
    StudyError
        If the storage cannot be used, or the study of that name is another, or is not
        to be joined.
    """
    from optuna import create_study, load_study
    from optuna.exceptions import DuplicatedStudyError

    with readable_errors(plan.storage), quiet_optuna():
        storage = open_storage(plan.storage)
        options = {"storage": storage, "sampler": sampler, "pruner": pruner}
        try:
            study = create_study(
                study_name=plan.study_name,
                directions=["maximize"] * len(plan.objectives),
                **options,
            )
        except DuplicatedStudyError:
            study = load_study(study_name=plan.study_name, **options)
            _check_joined(study, plan)
            return study
        for name, value in plan.attributes.items():
            study.set_user_attr(name, value)
        study.set_metric_names(list(plan.objectives))
        study.set_user_attr(FINGERPRINT, plan.fingerprint)
        return study


def _check_joined(study: Study, plan: StudyPlan) -> None:
    """Refuse a study that is another, or that is not to be joined."""
    where = f"The study {plan.study_name!r} in {shown(plan.storage)}"
    if not plan.resume:
        raise StudyError(
            f"{where} exists already, with {len(study.get_trials(deepcopy=False))} "
            "trials. Give resume=True to go on with it, or another study_name."
        )
    found = _signature(study)
    if found is None:
        raise StudyError(
            f"{where} was not made by glomclf, so that nobody can tell whether its "
            "trials belong here. Give another study_name."
        )
    if (directions := {d.name.lower() for d in study.directions}) != {"maximize"}:
        raise StudyError(
            f"{where} has the directions {', '.join(sorted(directions))}; scores are "
            "maximized. Give another study_name."
        )
    # Through JSON, as the storage has it.
    own = json.loads(json.dumps(plan.fingerprint))
    if lines := differences(own, found):
        listed = "\n  ".join(lines)
        raise StudyError(
            f"{where} is another study. It differs in\n  {listed}\n"
            "Give another study_name, or what it was made with."
        )


def _signature(study: Study) -> Mapping[str, Any] | None:
    """Return the fingerprint, which another worker may be about to write."""
    until = time.monotonic() + _PATIENCE
    while (found := study.user_attrs.get(FINGERPRINT)) is None:
        if time.monotonic() > until or study.get_trials(deepcopy=False):
            return study.user_attrs.get(FINGERPRINT)
        time.sleep(0.2)
    return found


def copy_to_memory(study: Study) -> Study:
    """Return the study as it is now, free of its storage and of any password there."""
    from optuna import create_study
    from optuna.storages import InMemoryStorage

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


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hold back Optuna's log and its remarks on what is experimental."""
    from optuna import logging
    from optuna.exceptions import ExperimentalWarning

    level = logging.get_verbosity()
    logging.set_verbosity(max(level, logging.ERROR))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(level)
