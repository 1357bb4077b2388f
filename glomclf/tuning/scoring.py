"""What trials are judged by: scores to be as high as possible, and bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring

from ..errors import ParameterError, SplitError
from ..model.classifier import GlomeruliClassifier
from .folds import Fold

__all__ = ["Scoring", "checked_scoring", "make_scoring", "refuse_undefined_folds"]

# Scores of scikit-learn that mean nothing where a class is missing.
_COMPARING = {
    "average_precision",
    "balanced_accuracy",
    "f1",
    "matthews_corrcoef",
    "neg_log_loss",
    "precision",
    "recall",
    "roc_auc",
}


@dataclass(frozen=True)
class Scoring:
    """What is scored, what of it is sought, and what it must reach.

    Parameters
    ----------
    objectives : tuple of str
        Names of the scores to be as high as possible.
    constraint : dict of str to float
        Scores that must be at least so high.
    scorer : callable
        ``scorer(estimator, X, y)`` returns all scores by name.
    """

    objectives: tuple[str, ...]
    constraint: dict[str, float]
    scorer: Callable[..., dict[str, float]]

    @property
    def is_prunable(self) -> bool:
        """Whether trials can be stopped early.

        Pruners compare one objective: with several there is none, and with a
        constraint they would stop the feasible behind the infeasible.
        """
        return len(self.objectives) == 1 and not self.constraint


def make_scoring(
    estimator: Any, scoring: Any, constraint: Mapping[str, float] | None = None
) -> Scoring:
    """Make scorers of names, so that all of a fold share its predictions.

    Parameters
    ----------
    estimator : estimator
        Whose ``score`` is used where `scoring` is None.
    scoring : str, callable, sequence of str, mapping or None
    constraint : mapping of str to float, default=None
        Scorer names, and the least that each must reach.

    Returns
    -------
    Scoring
    """
    several = isinstance(scoring, list | tuple | set | Mapping)
    if isinstance(scoring, Mapping):
        scorers = dict(scoring)
    elif several:
        scorers = {name: name for name in scoring}
    else:
        one = check_scoring(estimator, scoring=scoring)
        scorers = {scoring if isinstance(scoring, str) else "score": one}
    objectives = tuple(scorers)
    if not objectives:
        raise ParameterError("scoring names no score; name at least one.")
    bounds = {name: float(least) for name, least in (constraint or {}).items()}
    scorers |= {name: name for name in bounds if name not in scorers}
    return Scoring(objectives, bounds, check_scoring(estimator, scoring=scorers))


def refuse_undefined_folds(
    folds: Sequence[Fold], y: NDArray[Any], scoring: Scoring
) -> None:
    """Refuse folds on whose test rows a score is undefined, before anything is fitted.

    Parameters
    ----------
    folds : sequence of (train, test)
    y : ndarray of shape (n_samples,)
    scoring : Scoring

    Raises
    ------
    SplitError
        If the test rows of a fold lack a class that a score compares; scikit-learn
        would give 0 for some of these scores, and no number for others.
    """
    names = [*scoring.objectives, *scoring.constraint]
    undefined = sorted(_COMPARING & set(names))
    n_classes = len(np.unique(y))
    lacking = [
        fold
        for fold, (_, test) in enumerate(folds)
        if len(np.unique(y[test])) < n_classes
    ]
    if undefined and lacking:
        raise SplitError(
            f"The test rows of the folds {', '.join(map(str, lacking))} lack a class, "
            f"so that {', '.join(undefined)} is undefined there. Take fewer folds: at "
            "most as many as participants with the rarer class."
        )


def checked_scoring(search: Any) -> Scoring:
    """Return what a search scores, unless its parameters contradict each other.

    Parameters
    ----------
    search : GlomeruliSearchCV

    Returns
    -------
    Scoring

    Raises
    ------
    ParameterError
        It names all contradictions at once.
    """
    scoring = make_scoring(search.estimator, search.scoring, search.constraint)
    faults = []
    if search.search_space is None and not isinstance(
        search.estimator, GlomeruliClassifier
    ):
        faults.append(
            "search_space=None is for a GlomeruliClassifier, but estimator is "
            f"{search.estimator!r}. Give a function of the trial that returns its "
            "parameters."
        )
    if search.n_trials is None and search.timeout is None:
        faults.append("n_trials=None runs until timeout, but timeout=None.")
    if search.pruner is not None and not scoring.is_prunable:
        faults.append(
            "a pruner compares trials by one objective alone, and cannot know a "
            "constraint: give pruner=None, or one scoring and no constraint."
        )
    several, names = len(scoring.objectives) > 1, scoring.objectives
    named = isinstance(search.refit, str)
    if several and not (search.refit is False or named or callable(search.refit)):
        faults.append(
            f"with the objectives {', '.join(names)} refit={search.refit!r} does not "
            "say which decides: give one of their names, a function of "
            "cv_results_, or False."
        )
    if named and search.refit not in names:
        faults.append(f"refit={search.refit!r} is not among the scores {names}.")
    if faults:
        raise ParameterError("\n".join(faults))
    return scoring
