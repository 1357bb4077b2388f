"""The scores: one table, computed for many weightings of the participants at once.

To add a score, write its function and an entry in `SCORES`. The table says how a score
is called and what it tells, how to compute it, its range, the classes that it needs
and, of a proportion, the cells that it counts; `evaluate`, the comparison of models,
reports and the command line take all of that from there.

An undefined score is NaN, never a number made up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import Scale
from .predictions import N_BINS, Predictions, check_scores, threshold_faults
from .recalibration import WeightedLogistic, recalibrations

__all__ = [
    "SCORES",
    "SCORE_NAMES",
    "Counts",
    "Score",
    "ScoredRows",
    "accuracy",
    "check_rows",
    "recall",
    "specificity",
]

FloatArray = NDArray[np.float64]

_SHARE = Scale(0, 1)


class Counts(NamedTuple):
    """The confusion matrix of each replicate: weighted numbers of rows."""

    tn: FloatArray
    fp: FloatArray
    fn: FloatArray
    tp: FloatArray


class Rates(NamedTuple):
    """Rates at each threshold, from the highest: (n_replicates, n_thresholds)."""

    tpr: FloatArray
    fpr: FloatArray
    precision: FloatArray


@dataclass(frozen=True)
class ScoredRows(Predictions):
    """Predictions with a threshold, ready to be scored under any weights.

    Parameters
    ----------
    y_true, y_score, codes
        As in `Predictions`.

    threshold : float or ndarray of shape (n_samples,)
        A row is predicted 1 if its probability is at least this.

    specificity : float
        Where ``sensitivity_at_specificity`` is read.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.scores import ScoredRows
    >>> y_true, participants = np.array([0, 1, 1]), np.array([0, 0, 1])
    >>> rows = ScoredRows(y_true, np.array([0.2, 0.4, 0.9]), participants, 0.5, 0.9)
    >>> rows.score(np.array([[1, 1], [2, 0]]))["recall"]
    array([0.5, 0. ])
    """

    threshold: float | FloatArray
    specificity: float

    def score(self, weights: NDArray[np.generic]) -> dict[str, FloatArray]:
        """Compute all scores for each row of weights.

        Parameters
        ----------
        weights : ndarray of shape (n_replicates, n_groups)
            How much each participant counts in each replicate, not negative.

        Returns
        -------
        scores : dict of str to ndarray of shape (n_replicates,)
            By the names in `SCORE_NAMES`; NaN where a score is undefined.
        """
        parts = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for chunk in self.chunks(weights):
                weighted = _Weighted(self, chunk)
                parts.append([one.compute(weighted) for one in SCORES.values()])
        columns = map(np.concatenate, zip(*parts, strict=True))
        return dict(zip(SCORES, columns, strict=True))

    def confusion_matrix(self) -> NDArray[np.intp]:
        """Count rows as ``[[tn, fp], [fn, tp]]``.

        Returns
        -------
        counts : ndarray of shape (2, 2), dtype int
        """
        return self.counts.sum(axis=0).astype(np.intp).reshape(2, 2)

    @cached_property
    def counts(self) -> FloatArray:
        """Rows of each participant that are tn, fp, fn, tp: (n_groups, 4)."""
        cell = 2 * self.y_true + (self.y_score >= self.threshold)
        return np.column_stack([self.sum_by_group(cell == kind) for kind in range(4)])

    @cached_property
    def squared_errors(self) -> FloatArray:
        """Sum of the squared errors of each participant: (n_groups,)."""
        return self.sum_by_group((self.y_score - self.y_true) ** 2)

    @cached_property
    def bin_residuals(self) -> FloatArray:
        """Sum of label minus probability, by participant and bin of probability."""
        residual = self.y_true - self.y_score
        return np.column_stack(
            [
                self.sum_by_group(residual * (self.bins == bin_))
                for bin_ in range(N_BINS)
            ]
        )

    @cached_property
    def recalibrations(self) -> tuple[WeightedLogistic, WeightedLogistic]:
        """Models of labels on logits: intercept at slope one; intercept and slope."""
        return recalibrations(self.y_true, self.y_score)


def check_rows(
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike | None,
    threshold: float | ArrayLike,
    specificity: float,
    faults: Sequence[str] = (),
) -> ScoredRows:
    """Check all that is to be scored, and list all that is wrong."""
    faults = [*faults, *threshold_faults(threshold, y_score)]
    if not 0 < specificity < 1:
        faults.append(f"specificity must be in (0, 1), got {specificity!r}")
    columns = check_scores(y_true, y_score, groups, faults=faults)
    return ScoredRows(*columns, np.asarray(threshold, dtype=np.float64), specificity)


class _Weighted:
    """Rows under some weights; what several scores need is computed once."""

    def __init__(self, rows: ScoredRows, weights: FloatArray):
        self.rows = rows
        self.weights = weights

    @cached_property
    def counts(self) -> Counts:
        return Counts(*(self.weights @ self.rows.counts).T)

    @cached_property
    def rates(self) -> Rates:
        tps, fps = self.rows.cumulated(self.weights)
        precision = np.where(tps > 0, tps / (tps + fps), 0.0)
        return Rates(tps / tps[:, -1:], fps / fps[:, -1:], precision)

    @cached_property
    def by_row(self) -> FloatArray:
        return self.weights[:, self.rows.codes]

    def mean(self, sums: FloatArray) -> FloatArray:
        """Divide what is summed by participant by the number of rows."""
        return (self.weights @ sums) / sum(self.counts)


def recall(counts: Counts) -> FloatArray:
    """Share of class 1 that is predicted 1."""
    return counts.tp / (counts.tp + counts.fn)


def specificity(counts: Counts) -> FloatArray:
    """Share of class 0 that is predicted 0."""
    return counts.tn / (counts.tn + counts.fp)


def accuracy(counts: Counts) -> FloatArray:
    """Share of rows that is predicted right."""
    return (counts.tp + counts.tn) / sum(counts)


def _precision(of: _Weighted) -> FloatArray:
    return of.counts.tp / (of.counts.tp + of.counts.fp)


def _f1(of: _Weighted) -> FloatArray:
    _, fp, fn, tp = of.counts
    return np.where(tp + fn > 0, 2 * tp / (2 * tp + fp + fn), np.nan)


def _balanced_accuracy(of: _Weighted) -> FloatArray:
    return (recall(of.counts) + specificity(of.counts)) / 2


def _matthews_corrcoef(of: _Weighted) -> FloatArray:
    tn, fp, fn, tp = of.counts
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / np.sqrt(margins)


def _roc_auc(of: _Weighted) -> FloatArray:
    tpr, fpr, _ = of.rates
    height = tpr - np.diff(tpr, axis=1, prepend=0.0) / 2
    return np.sum(np.diff(fpr, axis=1, prepend=0.0) * height, axis=1)


def _average_precision(of: _Weighted) -> FloatArray:
    tpr, _, precision = of.rates
    return np.sum(np.diff(tpr, axis=1, prepend=0.0) * precision, axis=1)


def _sensitivity_at_specificity(of: _Weighted) -> FloatArray:
    tpr, fpr, _ = of.rates
    highest = np.max(tpr * (fpr <= 1 - of.rows.specificity + 1e-12), axis=1)
    return np.where(np.isnan(fpr[:, -1]), np.nan, highest)


def _neg_brier_score(of: _Weighted) -> FloatArray:
    return -of.mean(of.rows.squared_errors)


def _calibration_intercept(of: _Weighted) -> FloatArray:
    return of.rows.recalibrations[0].fit(of.by_row)[:, 0]


def _calibration_slope(of: _Weighted) -> FloatArray:
    return of.rows.recalibrations[1].fit(of.by_row)[:, 1]


def _expected_calibration_error(of: _Weighted) -> FloatArray:
    return np.abs(of.weights @ of.rows.bin_residuals).sum(axis=1) / sum(of.counts)


@dataclass(frozen=True, kw_only=True)
class Score:
    """What there is to know of a score.

    Parameters
    ----------
    title : str
        As it is shown; may name ``{specificity}``.

    meaning : str
        What it tells, and which value is best where that is not 1.

    compute : callable
        Takes weighted rows, returns an ndarray of shape (n_replicates,).

    classes : tuple of int, default=(0, 1)
        Those that must be there for it to be defined.

    undefined : str
        Why else it may be undefined.

    cells : tuple of int, default=()
        Of a proportion: the cells of tn, fp, fn, tp that its denominator counts.

    scale : Scale, default=Scale(0, 1)
        Its range.
    """

    title: str
    meaning: str
    compute: Callable[[_Weighted], FloatArray]
    classes: tuple[int, ...] = (0, 1)
    undefined: str = "the probabilities separate the classes, or are all equal"
    cells: tuple[int, ...] = ()
    scale: Scale = _SHARE


SCORES = {
    "recall": Score(
        title="Recall",
        meaning="share of sclerotic glomeruli that are found",
        compute=lambda of: recall(of.counts),
        classes=(1,),
        cells=(2, 3),
    ),
    "precision": Score(
        title="Precision",
        meaning="share of those called sclerotic that are",
        compute=_precision,
        classes=(),
        undefined="no row is predicted 1",
        cells=(1, 3),
    ),
    "f1": Score(
        title="F1",
        meaning="harmonic mean of recall and precision",
        compute=_f1,
        classes=(1,),
    ),
    "specificity": Score(
        title="Specificity",
        meaning="share of other glomeruli that are called not sclerotic",
        compute=lambda of: specificity(of.counts),
        classes=(0,),
        cells=(0, 1),
    ),
    "accuracy": Score(
        title="Accuracy",
        meaning="share of patches called right",
        compute=lambda of: accuracy(of.counts),
        classes=(),
        cells=(0, 1, 2, 3),
    ),
    "balanced_accuracy": Score(
        title="Balanced accuracy",
        meaning="mean of recall and specificity",
        compute=_balanced_accuracy,
    ),
    "matthews_corrcoef": Score(
        title="Matthews' coefficient",
        meaning="correlation; 0 is chance",
        compute=_matthews_corrcoef,
        undefined="all rows are predicted the same class",
        scale=Scale(-1, 1),
    ),
    "roc_auc": Score(
        title="ROC AUC",
        meaning="over all thresholds; 0.5 is chance",
        compute=_roc_auc,
    ),
    "average_precision": Score(
        title="Average precision",
        meaning="over all thresholds; the prevalence is chance",
        compute=_average_precision,
        classes=(1,),
    ),
    "sensitivity_at_specificity": Score(
        title="Recall at specificity {specificity:g}",
        meaning="at the best threshold that reaches it",
        compute=_sensitivity_at_specificity,
    ),
    "neg_brier_score": Score(
        title="Negative Brier score",
        meaning="mean squared error; 0 is best",
        compute=_neg_brier_score,
        classes=(),
        scale=Scale(-1, 0),
    ),
    "calibration_intercept": Score(
        title="Calibration intercept",
        meaning="0 is best; below, probabilities are too high",
        compute=_calibration_intercept,
        scale=Scale(),
    ),
    "calibration_slope": Score(
        title="Calibration slope",
        meaning="1 is best; below, they are too bold",
        compute=_calibration_slope,
        scale=Scale(),
    ),
    "expected_calibration_error": Score(
        title="Expected calibration error",
        meaning="mean gap of probability and frequency; 0 is best. Noise inflates "
        "this value; the interval is corrected for it.",
        compute=_expected_calibration_error,
        classes=(),
        scale=Scale(0, 1, biased=True),
    ),
}
"""All scores by name, in the order in which they are shown."""

SCORE_NAMES = tuple(SCORES)
