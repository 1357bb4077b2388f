"""The threshold of a fit, chosen on training participants alone.

Nothing here meets a row that the fitted classifier will be judged on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from .._runtime import progress
from ..evaluation.thresholds import choose_threshold
from .checks import chooses_threshold
from .inner_folds import inner_folds
from .validation import ValidationRows, are_enough, rows_of

__all__ = [
    "ChosenThreshold",
    "choose_inside",
    "class_counts",
    "out_of_fold",
    "training_record",
]


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, and how it was found.

    Parameters
    ----------
    value : float
        In [0, 1].
    chosen_on : str
        The rows that it was chosen on: "given" where it was not chosen, else
        "validation participants", "validation rows" (whose participants are not
        known), "inner folds" or "out-of-fold predictions".
    n_samples : int
        How many; 0 where it was given.
    """

    value: float
    chosen_on: str = "given"
    n_samples: int = 0


def choose_inside(
    classifier: Any,
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    weight: NDArray[Any] | None,
    validation: ValidationRows,
    given: dict[str, Any],
    seed: int,
) -> ChosenThreshold:
    """Choose the threshold of a classifier whose pipeline is fitted.

    Parameters
    ----------
    classifier : GlomeruliClassifier
    X : DataFrame, array-like of paths, or ndarray
        All rows of the fit.
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
        Participants.
    weight : ndarray of shape (n_samples,) or None
        Weights of rows, for the fits of inner folds.
    validation : ValidationRows
        It is chosen on them if they are enough, else on predictions of inner folds.
    given : dict
        ``X_val`` and ``y_val`` of the fit.
    seed : int
        Seeds the inner folds.

    Returns
    -------
    ChosenThreshold
        The given one, where none is to be chosen.
    """
    if not chooses_threshold(classifier):
        return ChosenThreshold(classifier.threshold)
    positive = classifier._positive
    if validation.y is not None and are_enough(validation.y, validation.groups):
        labels, known = validation.y, validation.groups is not None
        probability = classifier._probability(validation.X)[:, positive]
        chosen_on = f"validation {'participants' if known else 'rows'}"
    else:
        labels, chosen_on = y, "inner folds"
        probability = _out_of_inner_folds(classifier, X, y, groups, weight, given, seed)
    is_positive = labels == classifier.pos_label_
    value = choose_threshold(is_positive, probability, classifier.threshold)
    return ChosenThreshold(value, chosen_on, len(labels))


def _out_of_inner_folds(
    classifier: Any,
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    weight: NDArray[Any] | None,
    given: dict[str, Any],
    seed: int,
) -> NDArray[np.float64]:
    """Predict each row by a classifier that did not see its participant."""

    def fit(X: Any, y: Any, groups: Any, **weights: Any) -> Any:
        model = clone(classifier)
        model.set_params(threshold=0.5, random_state=seed, verbose=0)
        label = {"pos_label": classifier.pos_label_}
        return model.fit(X, y, groups, **given, **label, **weights)

    return out_of_fold(
        fit,
        X,
        y,
        groups,
        positive=classifier._positive,
        random_state=seed,
        weight=weight,
        verbose=classifier.verbose,
    )


def class_counts(y: NDArray[Any]) -> dict[str, int]:
    """Count the rows of each class."""
    labels, counts = np.unique(y, return_counts=True)
    return dict(zip(map(str, labels), counts.tolist(), strict=True))


def training_record(
    pipeline: Pipeline,
    y: NDArray[Any],
    y_val: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    chosen: ChosenThreshold,
) -> dict[str, Any]:
    """Say what a pipeline was fitted on, and how its threshold was found.

    Parameters
    ----------
    pipeline : imblearn.pipeline.Pipeline
        Fitted.
    y, y_val : ndarray of shape (n_samples,)
        Labels trained on, and of the validation rows (None where there are none).
    groups : ndarray or None
        Participants of all rows.
    chosen : ChosenThreshold

    Returns
    -------
    dict
        Plain values; ``labels`` and ``patches`` are None, for ``fit`` knows neither how
        labels were made nor how patches were cut out of slides;
        ``class_counts_resampled`` is None where it is not known, and
        ``weights`` where no step started from any.
    """
    counts = class_counts(y)
    resampled: dict[str, int] | None = counts
    if "sample" in pipeline.named_steps:
        # Classifiers of other libraries do not count what they are given.
        found = getattr(pipeline["classify"], "class_count_", None)
        if found is not None:
            found = dict(zip(counts, map(int, found), strict=True))
        resampled = found
    steps = pipeline.named_steps.values()
    weights = (getattr(step, "weights_record_", None) for step in steps)
    return {
        "labels": None,
        "weights": next(filter(None, weights), None),
        "patches": None,
        "n_samples": len(y),
        "n_validation_samples": 0 if y_val is None else _num_samples(y_val),
        "n_participants": None if groups is None else len(np.unique(groups)),
        "class_counts": counts,
        "class_counts_resampled": resampled,
        "threshold": float(chosen.value),
        "threshold_chosen_on": chosen.chosen_on,
        "threshold_n_samples": chosen.n_samples,
    }


def out_of_fold(
    fit: Callable[..., Any],
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    *,
    positive: int,
    random_state: int,
    weight: NDArray[Any] | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Predict each row by a classifier that saw no row of its participant.

    Parameters
    ----------
    fit : callable
        ``fit(X, y, groups)`` returns a fitted classifier; where there are weights it
        is given those of its rows as ``sample_weight``.
    X : DataFrame, array-like of paths, or ndarray
        Rows.
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    groups : ndarray of shape (n_samples,) or None
        Participants; without them folds are by row.
    positive : int
        Column of the positive class in ``predict_proba``.
    random_state : int
        Seeds the folds.
    weight : ndarray of shape (n_samples,) or None, default=None
        Weights of the rows.
    verbose : int, default=0
        1 shows a bar on standard error.

    Returns
    -------
    ndarray of shape (n_samples,), float64 in [0, 1]
        Probability of the positive class.

    Raises
    ------
    SplitError
        If there are too few participants for two folds with both classes.
    """
    folds = list(inner_folds(y, groups, random_state, chosen="threshold"))
    probability = np.empty(len(y))
    with progress("threshold: inner folds", len(folds), enabled=verbose > 0) as advance:
        for train, held_out in folds:
            weights = {} if weight is None else {"sample_weight": weight[train]}
            owners = rows_of(groups, train)
            model = fit(_safe_indexing(X, train), y[train], owners, **weights)
            rows = _safe_indexing(X, held_out)
            probability[held_out] = model.predict_proba(rows)[:, positive]
            advance()
    return probability
