"""Where to cut a probability: chosen for an aim, and moved to another prevalence.

A threshold belongs to an aim and to a prevalence. `choose_threshold` finds it on
labelled rows, which must be neither trained on nor judged. At a site where sclerosis is
more or less frequent, `estimate_prevalence` reads the new prevalence from predictions
alone, and `adjust_to_prevalence` and `adjust_threshold` move probabilities or the
threshold there [1]_. All three assume that sclerotic and other glomeruli look the same
at both sites and only their shares differ, and that the probabilities are calibrated
for `train_prevalence`; neither holds where stain or scanner change as well.

References
----------
.. [1] Saerens M, Latinne P, Decaestecker C. Adjusting the outputs of a classifier to
   new a priori probabilities: a simple procedure. Neural Computation 2002;14:21-41.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from ..errors import ScoreError, ScoreWarning
from .scores import check_scores

__all__ = [
    "adjust_threshold",
    "adjust_to_prevalence",
    "choose_threshold",
    "cross_fitted_thresholds",
    "estimate_prevalence",
]

_NEAR_0, _NEAR_1 = (
    1e-9,
    1 - 1e-9,
)  # where the likelihood of a prevalence is still finite


def choose_threshold(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    aim: Literal["f1", "recall"] = "f1",
    recall: float = 0.95,
) -> float:
    """Choose the threshold that serves an aim best on these rows.

    A row is then predicted 1 if its probability is at least the threshold.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1, both present.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    aim : {"f1", "recall"}, default="f1"
        ``"f1"``: the highest F1. ``"recall"``: the highest precision among the
        thresholds with at least the given `recall`.

    recall : float, default=0.95
        The recall that must be reached, in (0, 1], if `aim` is ``"recall"``.

    Returns
    -------
    threshold : float
        Midway between the lowest probability predicted 1 and the highest predicted 0.
        Of equally good thresholds the lowest, for recall matters first.

    Raises
    ------
    ScoreError
        If labels, probabilities or the aim cannot be used, or a class is missing.

    Warns
    -----
    ScoreWarning
        If all probabilities are equal, so that no threshold separates anything.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : Any scorer, by refitting.

    Examples
    --------
    >>> from glomclf.evaluation.thresholds import choose_threshold
    >>> y_true, y_score = [0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.7, 0.9]
    >>> choose_threshold(y_true, y_score)
    0.25
    >>> choose_threshold(y_true, y_score, aim="recall", recall=0.6)
    0.55
    """
    labels, scores, _ = check_scores(y_true, y_score)
    _check_aim(labels, aim, recall)
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-1.0))
    if len(ends) == 1:
        warnings.warn(
            f"all {len(scores)} probabilities are {scores[0]:g}, so that no threshold "
            "separates anything; everything is predicted 1",
            ScoreWarning,
            stacklevel=2,
        )
    true_positives = np.cumsum(labels[order])[ends]
    predicted, positives = ends + 1, labels.sum()
    if aim == "f1":
        merit = 2 * true_positives / (predicted + positives)
    else:
        enough = true_positives >= recall * positives - 1e-9
        merit = np.where(enough, true_positives / predicted, -1.0)
    best = np.flatnonzero(merit >= merit.max() - 1e-12)[-1]
    return _midway(scores[order][ends], best, np.asarray(y_score).dtype)


def cross_fitted_thresholds(
    y_true: ArrayLike,
    y_score: ArrayLike,
    folds: ArrayLike,
    *,
    aim: Literal["f1", "recall"] = "f1",
    recall: float = 0.95,
) -> NDArray[np.float64]:
    """Choose the threshold of each fold on the rows of the others.

    A score at a threshold is too good on the rows that the threshold was chosen on.
    Here no row is cut at a threshold that its own label helped to choose.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score : array-like of shape (n_samples,)
        Out-of-fold probabilities of class 1, in [0, 1].

    folds : array-like of shape (n_samples,)
        The fold of each row, at least two.

    aim, recall
        As in `choose_threshold`.

    Returns
    -------
    thresholds : ndarray of shape (n_samples,), dtype float64
        The same for all rows of a fold; :func:`glomclf.evaluate` takes them.

    Raises
    ------
    ScoreError
        If there is one fold only, the rows of the other folds lack a class, or
        `choose_threshold` refuses an input.

    Notes
    -----
    The probabilities of the other folds come from models that were trained on this
    fold's rows. What little its labels can tell a threshold that way remains; folds
    within each training side, as ``GlomeruliClassifier(threshold="validation")`` has
    them, leave nothing, and take as many fits a fold.

    Examples
    --------
    >>> from glomclf.evaluation.thresholds import cross_fitted_thresholds
    >>> y_true, y_score = [0, 1, 0, 1], [0.1, 0.3, 0.4, 0.8]
    >>> cross_fitted_thresholds(y_true, y_score, [0, 0, 1, 1])
    array([0.6, 0.6, 0.2, 0.2])
    """
    labels, scores, _ = check_scores(y_true, y_score)
    numbers = np.asarray(folds)
    if numbers.shape != labels.shape or len(np.unique(numbers)) < 2:
        raise ScoreError(
            f"folds must have shape {labels.shape} and name at least two folds, got "
            f"shape {numbers.shape} and {len(np.unique(numbers))}"
        )
    thresholds = np.empty(len(labels))
    for fold in np.unique(numbers):
        inside = numbers == fold
        if len(np.unique(labels[~inside])) < 2:
            raise ScoreError(
                f"the rows outside fold {fold} have one class only, so that no "
                "threshold can be chosen for it; take more folds, or folds with both "
                "classes"
            )
        thresholds[inside] = choose_threshold(
            labels[~inside], scores[~inside], aim=aim, recall=recall
        )
    return thresholds


def adjust_to_prevalence(
    y_score: ArrayLike, *, train_prevalence: float, prevalence: float
) -> NDArray[np.float64]:
    """Turn probabilities into what they are at another prevalence.

    Parameters
    ----------
    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1], calibrated for `train_prevalence`.

    train_prevalence : float
        Share of class 1, in (0, 1), that the probabilities assume: that of the rows
        trained on, after resampling if they were resampled.

    prevalence : float
        Share of class 1 at the new site, in [0, 1], such as `estimate_prevalence`
        finds. At 0 and 1 all adjusted probabilities are 0 or 1.

    Returns
    -------
    adjusted : ndarray of shape (n_samples,), dtype float64
        Probabilities in [0, 1]: their odds times the ratio of the prevalences' odds,
        after Saerens et al. (2002), equation 2.4.

    Raises
    ------
    ScoreError
        If a probability or a prevalence is out of range.

    Examples
    --------
    >>> from glomclf.evaluation.thresholds import adjust_to_prevalence
    >>> adjust_to_prevalence([0.5, 0.9], train_prevalence=0.5, prevalence=0.1).round(2)
    array([0.1, 0.5])
    """
    shares = {"train_prevalence": train_prevalence, "prevalence": prevalence}
    _check_shares(shares, closed="prevalence")
    _, scores, _ = check_scores(None, y_score)
    if prevalence in (0, 1):
        return np.full(scores.shape, float(prevalence))
    gain = _odds(prevalence) / _odds(train_prevalence)
    adjusted = gain * scores / (gain * scores + 1 - scores)
    # Rounding may carry a probability of 1 just past it.
    return np.clip(adjusted, 0.0, 1.0, dtype=np.float64)


def adjust_threshold(
    threshold: float, *, train_prevalence: float, prevalence: float
) -> float:
    """Move a threshold, instead of the probabilities, to another prevalence.

    Cutting unadjusted probabilities at the result is the same as cutting the adjusted
    ones at `threshold`.

    Parameters
    ----------
    threshold : float
        In (0, 1), meant for probabilities adjusted to `prevalence`.

    train_prevalence, prevalence : float
        As in `adjust_to_prevalence`, both in (0, 1).

    Returns
    -------
    threshold : float
        In (0, 1), for the probabilities as they come from the model.

    Raises
    ------
    ScoreError
        If the threshold or a prevalence is out of range.

    Examples
    --------
    >>> from glomclf.evaluation.thresholds import adjust_threshold
    >>> adjust_threshold(0.5, train_prevalence=0.5, prevalence=0.1)
    0.9
    """
    _check_shares(
        {
            "threshold": threshold,
            "train_prevalence": train_prevalence,
            "prevalence": prevalence,
        }
    )
    odds = _odds(threshold) * _odds(train_prevalence) / _odds(prevalence)
    return float(odds / (1 + odds))


def estimate_prevalence(y_score: ArrayLike, *, train_prevalence: float) -> float:
    """Estimate the prevalence of a site without labels from the probabilities there.

    Parameters
    ----------
    y_score : array-like of shape (n_samples,)
        Probabilities of class 1 at the new site, in [0, 1], calibrated for
        `train_prevalence`.

    train_prevalence : float
        Share of class 1, in (0, 1), that the probabilities assume.

    Returns
    -------
    prevalence : float
        In [0, 1]. The one that makes the probabilities most likely: where the
        expectation-maximisation of Saerens et al. (2002) comes to rest, found at once
        as the root of the likelihood's slope, which falls steadily.

    Raises
    ------
    ScoreError
        If a probability or the prevalence is out of range.

    Warns
    -----
    ScoreWarning
        If the estimate is 0 or 1, or nothing can be learned because all probabilities
        equal `train_prevalence`.

    Examples
    --------
    >>> from glomclf.evaluation.thresholds import estimate_prevalence
    >>> y_score = [0.9, 0.1, 0.1, 0.1, 0.2, 0.1, 0.3, 0.1]
    >>> round(estimate_prevalence(y_score, train_prevalence=0.5), 2)
    0.04
    """
    _check_shares({"train_prevalence": train_prevalence})
    _, scores, _ = check_scores(None, y_score)
    likely_1, likely_0 = (
        scores / train_prevalence,
        (1 - scores) / (1 - train_prevalence),
    )

    def slope(share: float) -> float:
        mixture = share * likely_1 + (1 - share) * likely_0
        return float(np.sum((likely_1 - likely_0) / mixture))

    if np.ptp(scores) == 0 and scores[0] == train_prevalence:
        share, why = train_prevalence, "all probabilities equal the old prevalence"
    elif slope(_NEAR_0) <= 0:
        share, why = 0.0, "the probabilities are lower than any mixture explains"
    elif slope(_NEAR_1) >= 0:
        share, why = 1.0, "the probabilities are higher than any mixture explains"
    else:
        return float(brentq(slope, _NEAR_0, _NEAR_1))
    warnings.warn(
        f"the prevalence is estimated as {share:g} because {why}; check that they are "
        "calibrated for train_prevalence",
        ScoreWarning,
        stacklevel=2,
    )
    return share


def _check_aim(labels: NDArray[np.intp], aim: str, recall: float) -> None:
    faults = []
    if aim not in ("f1", "recall"):
        faults.append(f"aim must be 'f1' or 'recall', got {aim!r}")
    if not 0 < recall <= 1:
        faults.append(f"recall must be in (0, 1], got {recall!r}")
    for label in (0, 1):
        if not (labels == label).any():
            faults.append(
                f"y_true has no row of class {label}; a threshold is chosen between "
                "two classes"
            )
    if faults:
        raise ScoreError("\n".join(faults))


def _midway(distinct: NDArray[np.float64], last: int, dtype: np.dtype[Any]) -> float:
    """Cut between two neighbours, in the precision of the probabilities.

    Comparing float32 probabilities with a Python float happens in float32, where a
    cut in the middle of two close neighbours may fall on the lower one.
    """
    upper = distinct[last]
    lower = distinct[last + 1] if last + 1 < len(distinct) else 0.0
    middle = (upper + lower) / 2
    if np.issubdtype(dtype, np.floating):
        middle = float(dtype.type(middle))
    return float(middle if middle > lower else upper)


def _odds(share: float) -> float:
    return share / (1 - share)


def _check_shares(shares: Mapping[str, float], closed: str | None = None) -> None:
    faults = [
        f"{name} must be in {'[0, 1]' if name == closed else '(0, 1)'}, got {share!r}"
        for name, share in shares.items()
        if not (0 < share < 1 or (name == closed and share in (0, 1)))
    ]
    if faults:
        raise ScoreError("\n".join(faults))
