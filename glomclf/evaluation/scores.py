"""The scores: one table, computed for many weightings of the participants at once.

To add a score, write its function under `_score`, which enters it in `SCORES`. The
table says how a score is called and what it tells, how to compute it, its range and, of
a proportion, the cells that it counts; `evaluate`, the comparison of models and reports
take all of that from there. The command line prints the few that it lists itself, in
`cli/tables.py`, and the docstring of `evaluate` explains every score.

An undefined score is NaN, never a number made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intervals import Scale, Statistic
from .predictions import FloatArray, Predictions

_SHARE = Scale(0, 1)


class Weighted:
    """Predictions under some weights; what several scores need is computed once.

    Parameters
    ----------
    rows : Predictions

    weights : ndarray of shape (n_replicates, n_groups), dtype float64
        How much each participant counts in each replicate, not negative.

    Attributes
    ----------
    tn, fp, fn, tp : ndarray of shape (n_replicates,)
        The confusion matrix: weighted numbers of rows.

    n_rows : ndarray of shape (n_replicates,)
    """

    def __init__(self, rows: Predictions, weights: FloatArray):
        self.rows = rows
        self.weights = weights
        self.tn, self.fp, self.fn, self.tp = (weights @ rows.counts).T
        self.n_rows = self.tn + self.fp + self.fn + self.tp

    @cached_property
    def at_thresholds(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """True and false positive rate and precision, from the highest threshold.

        Each has the shape (n_replicates, n_thresholds).
        """
        tps, fps = self.rows.cumulated(self.weights)
        precision = np.where(tps > 0, tps / (tps + fps), 0.0)
        return tps / tps[:, -1:], fps / fps[:, -1:], precision


@dataclass(frozen=True)
class Score:
    """What there is to know of a score.

    Parameters
    ----------
    title : str
        As it is shown.

    meaning : str
        What it tells, and which value is best where that is not 1.

    compute : callable
        Takes `Weighted` rows, returns an ndarray of shape (n_replicates,).

    scale : Scale, default=Scale(0, 1)
        Its range.

    cells : tuple of int, default=()
        Of a proportion: the cells of tn, fp, fn, tp that its denominator counts.

    undefined : str, default=""
        Why it is undefined, where that does not hang on a class that is missing.
    """

    title: str
    meaning: str
    compute: Callable[[Weighted], FloatArray]
    scale: Scale = _SHARE
    cells: tuple[int, ...] = ()
    undefined: str = ""


SCORES: dict[str, Score] = {}
"""All scores by name, in the order in which they are shown."""


def _score(title: str, meaning: str, scale: Scale = _SHARE, **known: Any) -> Any:
    """Enter a function in `SCORES`, by its name without the line before it."""

    def enter(compute: Callable[[Weighted], FloatArray]) -> Any:
        name = compute.__name__.removeprefix("_")
        SCORES[name] = Score(title, meaning, compute, scale, **known)
        return compute

    return enter


@_score("Recall", "share of sclerotic glomeruli that are found", cells=(2, 3))
def _recall(of: Weighted) -> FloatArray:
    return of.tp / (of.tp + of.fn)


@_score(
    "Precision",
    "share of those called sclerotic that are",
    cells=(1, 3),
    undefined="no row is predicted 1",
)
def _precision(of: Weighted) -> FloatArray:
    return of.tp / (of.tp + of.fp)


@_score("F1", "harmonic mean of recall and precision")
def _f1(of: Weighted) -> FloatArray:
    return np.where(of.tp + of.fn > 0, 2 * of.tp / (2 * of.tp + of.fp + of.fn), np.nan)


@_score(
    "Specificity",
    "share of other glomeruli that are called not sclerotic",
    cells=(0, 1),
)
def _specificity(of: Weighted) -> FloatArray:
    return of.tn / (of.tn + of.fp)


@_score("Accuracy", "share of patches called right", cells=(0, 1, 2, 3))
def _accuracy(of: Weighted) -> FloatArray:
    return (of.tp + of.tn) / of.n_rows


@_score("Balanced accuracy", "mean of recall and specificity")
def _balanced_accuracy(of: Weighted) -> FloatArray:
    return (of.tp / (of.tp + of.fn) + of.tn / (of.tn + of.fp)) / 2


@_score(
    "Matthews' coefficient",
    "correlation; 0 is chance",
    Scale(-1, 1),
    undefined="all rows have, or are predicted, the same class",
)
def _matthews_corrcoef(of: Weighted) -> FloatArray:
    tn, fp, fn, tp = of.tn, of.fp, of.fn, of.tp
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / np.sqrt(margins)


@_score("ROC AUC", "over all thresholds; 0.5 is chance")
def _roc_auc(of: Weighted) -> FloatArray:
    tpr, fpr, _ = of.at_thresholds
    height = tpr - np.diff(tpr, axis=1, prepend=0.0) / 2
    return np.sum(np.diff(fpr, axis=1, prepend=0.0) * height, axis=1)


@_score("Average precision", "over all thresholds; the prevalence is chance")
def _average_precision(of: Weighted) -> FloatArray:
    tpr, _, precision = of.at_thresholds
    return np.sum(np.diff(tpr, axis=1, prepend=0.0) * precision, axis=1)


@_score("Recall at specificity 0.9", "at the best threshold that reaches it")
def _sensitivity_at_specificity(of: Weighted) -> FloatArray:
    tpr, fpr, _ = of.at_thresholds
    highest = np.max(tpr * (fpr <= 1 - 0.9 + 1e-12), axis=1)
    return np.where(np.isnan(fpr[:, -1]), np.nan, highest)


@_score("Negative Brier score", "mean squared error; 0 is best", Scale(-1, 0))
def _neg_brier_score(of: Weighted) -> FloatArray:
    squared_errors = (of.rows.y_score - of.rows.y_true) ** 2
    return -(of.weights @ of.rows.sum_by_group(squared_errors)) / of.n_rows


@_score(
    "Calibration intercept", "0 is best; below, probabilities are too high", Scale()
)
def _calibration_intercept(of: Weighted) -> FloatArray:
    return of.rows.recalibrations[0].fit(of.weights[:, of.rows.codes])[:, 0]


@_score("Calibration slope", "1 is best; below, they are too bold", Scale())
def _calibration_slope(of: Weighted) -> FloatArray:
    return of.rows.recalibrations[1].fit(of.weights[:, of.rows.codes])[:, 1]


@_score(
    "Expected calibration error",
    "mean gap of probability and frequency; 0 is best. Noise inflates this value; the "
    "interval is corrected for it.",
    Scale(0, 1, biased=True),
)
def _expected_calibration_error(of: Weighted) -> FloatArray:
    residuals = (of.rows.y_true - of.rows.y_score)[:, None] * of.rows.in_bins
    gaps = of.weights @ of.rows.sum_by_group(residuals)
    return np.abs(gaps).sum(axis=1) / of.n_rows


def score_rows(
    rows: Predictions,
    weights: NDArray[np.generic],
    names: Iterable[str] | None = None,
) -> dict[str, Statistic]:
    """Compute scores for each row of weights.

    Parameters
    ----------
    rows : Predictions

    weights : ndarray of shape (n_replicates, n_groups)
        How much each participant counts in each replicate, not negative.

    names : iterable of str, default=None
        Of scores; None: all in `SCORES`.

    Returns
    -------
    scores : dict of str to Statistic
        NaN where a score is undefined.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.predictions import Predictions
    >>> from glomclf.evaluation.scores import score_rows
    >>> rows = Predictions.checked([0, 1, 1], [0.2, 0.4, 0.9], list("aab"))
    >>> score_rows(rows, np.array([[1, 1], [2, 0]]))["recall"].values
    array([0.5, 0. ])
    """
    wanted = {name: SCORES[name] for name in (names or SCORES)}
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [
            [one.compute(weighted) for one in wanted.values()]
            for weighted in (Weighted(rows, chunk) for chunk in rows.chunks(weights))
        ]
    lacking = [label for label in (0, 1) if not (rows.y_true == label).any()]
    why = "the probabilities separate the classes, or are all equal"
    if lacking:
        why = f"no row has class {lacking[0]}"
    return {
        name: Statistic(
            np.concatenate(values),
            one.scale,
            rows.counts[:, list(one.cells)].sum(axis=1) if one.cells else None,
            one.undefined or why,
        )
        for (name, one), *values in zip(wanted.items(), *parts, strict=True)
    }
