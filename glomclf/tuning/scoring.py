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
    *("average_precision", "balanced_accuracy", "f1", "matthews_corrcoef"),
    *("neg_log_loss", "precision", "recall", "roc_auc"),
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
    if isinstance(scoring, Mapping):
        scorers = dict(scoring)
    elif isinstance(scoring, list | tuple):
        scorers = {name: name for name in scoring}
    else:
        name = scoring if isinstance(scoring, str) else "score"
        scorers = {name: check_scoring(estimator, scoring=scoring)}
    if not scorers:
        raise ParameterError("scoring names no score; name at least one.")
    bounds = {name: float(least) for name, least in (constraint or {}).items()}
    every = {**{name: name for name in bounds}, **scorers}
    return Scoring(tuple(scorers), bounds, check_scoring(estimator, scoring=every))


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
    undefined = sorted(_COMPARING & {*scoring.objectives, *scoring.constraint})
    n_classes = len(np.unique(y))
    lacking = [
        str(fold)
        for fold, (_, test) in enumerate(folds)
        if len(np.unique(y[test])) < n_classes
    ]
    if undefined and lacking:
        raise SplitError(
            f"The test rows of the folds {', '.join(lacking)} lack a class, so that "
            f"{', '.join(undefined)} is undefined there. Take fewer folds: at most as "
            "many as participants with the rarer class."
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
    names, refit = scoring.objectives, search.refit
    is_ours = isinstance(search.estimator, GlomeruliClassifier)
    named = isinstance(refit, str)
    faults = {
        "search_space=None is for a GlomeruliClassifier, but estimator is "
        f"{search.estimator!r}. Give a function of the trial that returns its "
        "parameters.": search.search_space is None and not is_ours,
        "n_trials=None runs until timeout, but timeout=None.": (
            search.n_trials is None and search.timeout is None
        ),
        "a pruner compares trials by one objective alone, and cannot know a "
        "constraint: give pruner=None, or one scoring and no constraint.": (
            search.pruner is not None and not scoring.is_prunable
        ),
        f"with the objectives {', '.join(names)} refit={refit!r} does not say which "
        "decides: give one of their names, or False.": (
            len(names) > 1 and refit is True
        ),
        f"refit={refit!r} is not among the scores {names}.": (
            named and refit not in names
        ),
    }
    if any(faults.values()):
        raise ParameterError("\n".join(text for text, is_so in faults.items() if is_so))
    return scoring
