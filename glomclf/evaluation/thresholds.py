"""Where to cut a probability: a row is predicted 1 from the threshold upwards.

`choose_threshold` finds the threshold that serves an aim on labelled rows, which must
be neither trained on nor judged. `cross_fitted_thresholds` does it fold by fold.
`even_odds` tells where the calibration of a model puts the threshold of fewest errors.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ..errors import ScoreError, ScoreWarning
from .estimates import Estimates
from .intervals import Statistic, draw_replicates, settings_faults
from .predictions import Predictions, check_scores, range_faults


@dataclass(frozen=True)
class RecallAtLeast:
    """The aim to find at least this share of the sclerotic glomeruli.

    Among the thresholds that reach the recall, the one with the highest precision is
    chosen. The value is checked where it is used.

    Parameters
    ----------
    recall : float, default=0.95
        Of class 1, in (0, 1].

    Examples
    --------
    >>> from glomclf.evaluation import RecallAtLeast, choose_threshold
    >>> y_true, y_score = [0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.7, 0.9]
    >>> choose_threshold(y_true, y_score, RecallAtLeast(0.6))
    0.55
    """

    recall: float = 0.95


def choose_threshold(
    y_true: ArrayLike,
    y_score: ArrayLike,
    aim: Literal["f1"] | RecallAtLeast = "f1",
) -> float:
    """Choose the threshold that serves an aim best on these rows.

    A row is then predicted 1 if its probability is at least the threshold.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1, both present.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    aim : "f1" or RecallAtLeast, default="f1"
        ``"f1"``: the highest F1. ``RecallAtLeast(r)``: the highest precision among the
        thresholds with a recall of at least r.

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
    >>> choose_threshold(y_true, y_score, RecallAtLeast(0.6))
    0.55
    """
    rows = Predictions.checked(y_true, y_score, None, faults=_aim_faults(aim))
    _refuse_one_class(rows.y_true, "a threshold is chosen between two classes")
    order, ends = rows.falling
    (tps,), (fps,) = rows.cumulated(np.ones((1, rows.n_groups)))
    if len(ends) == 1:
        warnings.warn(
            f"all {len(order)} probabilities are {rows.y_score[0]:g}, so that no "
            "threshold separates anything; everything is predicted 1",
            ScoreWarning,
            stacklevel=2,
        )
    if isinstance(aim, RecallAtLeast):
        enough = tps >= aim.recall * tps[-1] - 1e-9
        merit = np.where(enough, tps / (tps + fps), -1.0)
    else:
        merit = 2 * tps / (tps + fps + tps[-1])
    best = np.flatnonzero(merit >= merit.max() - 1e-12)[-1]
    upper, lower = np.append(rows.y_score[order][ends], 0.0)[best : best + 2]
    middle = (upper + lower) / 2
    # Comparing float32 probabilities with a Python float happens in float32, where a
    # cut in the middle of two close neighbours may fall on the lower one.
    dtype = np.asarray(y_score).dtype
    if np.issubdtype(dtype, np.floating):
        middle = float(dtype.type(middle))
    return float(middle if middle > lower else upper)


def _aim_faults(aim: Any) -> list[str]:
    if isinstance(aim, RecallAtLeast):
        return range_faults("(0, 1]", recall=aim.recall)
    if isinstance(aim, str) and aim == "f1":
        return []
    return [f"aim must be 'f1' or a RecallAtLeast, got {aim!r}"]


def _refuse_one_class(labels: NDArray[np.intp], why: str) -> None:
    for label in (0, 1):
        if not (labels == label).any():
            raise ScoreError(f"y_true has no row of class {label}; {why}")


def cross_fitted_thresholds(
    y_true: ArrayLike,
    y_score: ArrayLike,
    folds: ArrayLike,
    aim: Literal["f1"] | RecallAtLeast = "f1",
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

    aim : "f1" or RecallAtLeast, default="f1"
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
    within each training side, as ``GlomeruliClassifier(threshold="f1")`` has
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
        why = f"the threshold of fold {fold} is chosen on these, outside it: take more "
        _refuse_one_class(labels[~inside], f"{why}folds, or folds with both classes")
        thresholds[inside] = choose_threshold(labels[~inside], scores[~inside], aim)
    return thresholds


def even_odds(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
) -> Estimates:
    """Find the probability at which either class is as frequent, by calibration.

    A logistic regression of the labels on the logits of the probabilities [1]_ says
    which share of the rows with a probability is of class 1. Where that share is a
    half, a threshold makes the fewest errors. Of a calibrated model it is 0.5.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: rows count as independent.

    n_bootstrap, confidence
        As in `glomclf.evaluate`.

    Returns
    -------
    estimates : Estimates
        ``threshold``, the probability of even odds, and ``share_at_half``, the share
        of class 1 among rows with a probability of 0.5, with intervals over
        participants. NaN where a class is missing, the probabilities separate the
        classes, or higher ones do not mean more of class 1.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    References
    ----------
    .. [1] Cox DR. Two further applications of a model for binary regression.
       Biometrika 1958;45:562-565.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation import even_odds
    >>> rng = np.random.RandomState(0)
    >>> truth = rng.uniform(size=4000)
    >>> y_true = rng.binomial(1, truth)
    >>> too_high = truth / (truth + (1 - truth) / 4)  # odds four times as high
    >>> round(even_odds(y_true, too_high, n_bootstrap=100).scores["threshold"], 2)
    0.8
    """
    faults = settings_faults(n_bootstrap, confidence)
    rows = Predictions.checked(y_true, y_score, groups, faults=faults)
    replicates = draw_replicates(rows.strata, n_bootstrap, confidence)
    line = rows.recalibrations[1]
    intercept, slope = np.concatenate(
        [line.fit(chunk[:, rows.codes]) for chunk in rows.chunks(replicates.weights)]
    ).T
    # On logits, which have no bounds, an interval may be as wide as it needs to be.
    found = replicates.estimates(
        {
            "threshold": Statistic(np.where(slope > 0, -intercept / slope, np.nan)),
            "share_at_half": Statistic(np.where(slope > 0, intercept, np.nan)),
        }
    )
    scores = {name: float(expit(one)) for name, one in found.scores.items()}
    intervals = {
        name: (float(expit(low)), float(expit(high)))
        for name, (low, high) in found.intervals.items()
    }
    return replace(found, scores=scores, intervals=intervals)
