"""Scores of predicted probabilities, for many weightings of the participants at once.

A bootstrap replicate, a jackknife replicate and the data as they are differ only in how
much each participant counts. So every score here is computed from weights of shape
``(n_replicates, n_groups)`` in one go: counts at a threshold, Brier score and
calibration error from sums a participant, ranking scores from cumulated weights of the
sorted rows, calibration slope and intercept by Newton's method over all replicates.

An undefined score is NaN, never a number made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from ..errors import ScoreError

__all__ = [
    "SCORE_NAMES",
    "ScoredRows",
    "check_scores",
    "scores_from_counts",
    "threshold_faults",
]

FloatArray = NDArray[np.float64]

SCORE_NAMES = (
    "recall",
    "precision",
    "f1",
    "specificity",
    "accuracy",
    "balanced_accuracy",
    "matthews_corrcoef",
    "roc_auc",
    "average_precision",
    "sensitivity_at_specificity",
    "neg_brier_score",
    "calibration_intercept",
    "calibration_slope",
    "expected_calibration_error",
)

_CELLS = 2_000_000  # weights (replicates times rows) held at once, to bound memory
_LOGIT_EDGE = 1e-6  # probabilities are kept this far from 0 and 1 before the logit
_N_BINS = 10  # of the expected calibration error
_MAX_STEPS = 25  # of Newton's method
_STEP_TOLERANCE = 1e-4  # the next step would be of the order of its square
_REACH = 10.0  # logits that one step may move a prediction


def check_scores(
    y_true: ArrayLike | None,
    y_score: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    faults: Sequence[str] = (),
) -> tuple[NDArray[np.intp], FloatArray, NDArray[np.intp]]:
    """Check labels, probabilities and groups, and list all that is wrong with them.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), or None
        Labels, 0 or 1; None where there are none.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row; None: each row is its own.

    faults : sequence of str, default=()
        What was found wrong with other inputs, to be told in the same message.

    Returns
    -------
    labels : ndarray of shape (n_samples,), dtype int
        Empty where `y_true` is None.

    scores : ndarray of shape (n_samples,), dtype float64

    codes : ndarray of shape (n_samples,), dtype int
        The groups numbered from 0 in sorted order of their names.

    Raises
    ------
    ScoreError
        If anything is wrong; the message names every fault.

    Examples
    --------
    >>> from glomclf.evaluation.scores import check_scores
    >>> check_scores([0, 1, 1], [0.2, 0.7, 0.4], ["b", "a", "a"])
    (array([0, 1, 1]), array([0.2, 0.7, 0.4]), array([1, 0, 0]))
    """
    faults = list(faults)
    scores = _check_probabilities(y_score, faults)
    labels, codes = np.empty(0, dtype=np.intp), np.arange(len(scores))
    if y_true is not None:
        labels = _check_labels(y_true, len(scores), faults)
    if groups is not None:
        codes = _check_groups(groups, len(scores), faults)
    if faults:
        raise ScoreError("\n".join(faults))
    return labels, scores, codes


def threshold_faults(threshold: ArrayLike, y_score: ArrayLike) -> list[str]:
    """Say what is wrong with a threshold, or with thresholds a row.

    Parameters
    ----------
    threshold : float or array-like of shape (n_samples,)
        In [0, 1].

    y_score : array-like of shape (n_samples,)
        The probabilities it cuts.

    Returns
    -------
    faults : list of str
        Empty if nothing is wrong.

    Examples
    --------
    >>> from glomclf.evaluation.scores import threshold_faults
    >>> threshold_faults(1.5, [0.2, 0.7])
    ['threshold must be in [0, 1], got 1.5']
    """
    cuts = np.asarray(threshold, dtype=np.float64)
    if cuts.shape not in ((), np.shape(y_score)):
        return [
            "threshold must be one number or one a row, shape "
            f"{np.shape(y_score)}, got shape {cuts.shape}"
        ]
    strange = cuts[~((cuts >= 0) & (cuts <= 1))]
    if strange.size:
        return [f"threshold must be in [0, 1], got {strange.flat[0]:g}"]
    return []


@dataclass(frozen=True)
class ScoredRows:
    """Labels and probabilities by participant, ready to be scored under any weights.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,), dtype int
        Labels, 0 or 1.

    y_score : ndarray of shape (n_samples,), dtype float64
        Probabilities of class 1, in [0, 1].

    codes : ndarray of shape (n_samples,), dtype int
        The group (participant) of each row, in [0, n_groups).

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

    y_true: NDArray[np.intp]
    y_score: FloatArray
    codes: NDArray[np.intp]
    threshold: float | FloatArray
    specificity: float
    n_groups: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_groups", int(self.codes.max()) + 1)

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
        parts = [
            {
                **scores_from_counts(*(chunk @ self.counts).T),
                **self._ranking(chunk),
                **self._calibration(chunk),
            }
            for chunk in self._chunks(np.asarray(weights, dtype=np.float64))
        ]
        return {
            name: np.concatenate([part[name] for part in parts]) for name in SCORE_NAMES
        }

    def confusion_matrix(self) -> NDArray[np.intp]:
        """Count rows as ``[[tn, fp], [fn, tp]]``.

        Returns
        -------
        counts : ndarray of shape (2, 2), dtype int
        """
        return self.counts.sum(axis=0).astype(np.intp).reshape(2, 2)

    def _chunks(self, weights: FloatArray) -> Iterator[FloatArray]:
        step = max(1, _CELLS // len(self.codes))
        for start in range(0, len(weights), step):
            yield weights[start : start + step]

    def _sum_by_group(self, values: FloatArray) -> FloatArray:
        """Sum a value of each row by participant: (n_samples,) to (n_groups,)."""
        return np.bincount(self.codes, values, self.n_groups).astype(np.float64)

    @cached_property
    def counts(self) -> FloatArray:
        """Rows of each participant that are tn, fp, fn, tp: (n_groups, 4)."""
        cell = 2 * self.y_true + (self.y_score >= self.threshold)
        return np.column_stack([self._sum_by_group(cell == kind) for kind in range(4)])

    @cached_property
    def _by_score(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows in falling order of probability, and where each run of ties ends."""
        order = np.argsort(-self.y_score, kind="stable")
        ends = np.flatnonzero(np.diff(self.y_score[order], append=-1.0))
        return order, ends

    def _ranking(self, weights: FloatArray) -> dict[str, FloatArray]:
        """Compute the scores that look at all thresholds."""
        order, ends = self._by_score
        by_row, positive = weights[:, self.codes[order]], self.y_true[order] == 1
        tps = np.cumsum(by_row * positive, axis=1)[:, ends]
        fps = np.cumsum(by_row * ~positive, axis=1)[:, ends]
        with np.errstate(divide="ignore", invalid="ignore"):
            tpr, fpr = tps / tps[:, -1:], fps / fps[:, -1:]
            precision = np.where(tps > 0, tps / (tps + fps), 0.0)
        gained = np.diff(tpr, axis=1, prepend=0.0)
        height = tpr - gained / 2
        specific = fpr <= 1 - self.specificity + 1e-12
        return {
            "roc_auc": np.sum(np.diff(fpr, axis=1, prepend=0.0) * height, axis=1),
            "average_precision": np.sum(gained * precision, axis=1),
            "sensitivity_at_specificity": np.where(
                np.isnan(fpr[:, -1]), np.nan, np.max(tpr * specific, axis=1)
            ),
        }

    def _calibration(self, weights: FloatArray) -> dict[str, FloatArray]:
        """Compute the scores that compare probabilities with frequencies."""
        n_rows = weights @ self._sum_by_group(np.ones(len(self.codes)))
        squares = self._sum_by_group((self.y_score - self.y_true) ** 2)
        by_row = weights[:, self.codes]
        shift, line = (model.fit(by_row) for model in self._recalibrations)
        return {
            "neg_brier_score": -(weights @ squares) / n_rows,
            "expected_calibration_error": (
                np.abs(weights @ self._bin_residuals).sum(axis=1) / n_rows
            ),
            "calibration_intercept": shift[:, 0],
            "calibration_slope": line[:, 1],
        }

    @cached_property
    def _bin_residuals(self) -> FloatArray:
        """Sum of label minus probability, by participant and bin of probability."""
        bins = np.minimum((self.y_score * _N_BINS).astype(int), _N_BINS - 1)
        residual = self.y_true - self.y_score
        return np.column_stack(
            [self._sum_by_group(residual * (bins == bin_)) for bin_ in range(_N_BINS)]
        )

    @cached_property
    def _recalibrations(self) -> tuple[_Logistic, _Logistic]:
        """Models of labels on logits: intercept at slope one; intercept and slope."""
        logits = logit(np.clip(self.y_score, _LOGIT_EDGE, 1 - _LOGIT_EDGE))
        ones = np.ones_like(logits)
        return (
            _Logistic(self.y_true, ones[:, None], logits),
            _Logistic(self.y_true, np.column_stack([ones, logits]), 0 * logits),
        )


def scores_from_counts(
    tn: FloatArray, fp: FloatArray, fn: FloatArray, tp: FloatArray
) -> dict[str, FloatArray]:
    """Compute the scores of a confusion matrix.

    Parameters
    ----------
    tn, fp, fn, tp : ndarray of shape (n_replicates,)
        Weighted numbers of rows.

    Returns
    -------
    scores : dict of str to ndarray of shape (n_replicates,)
        NaN where the denominator of a score is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.scores import scores_from_counts
    >>> scores = scores_from_counts(*np.array([[4.0], [0.0], [1.0], [0.0]]))
    >>> float(scores["recall"][0]), float(scores["precision"][0])
    (0.0, nan)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, specificity = tp / (tp + fn), tn / (tn + fp)
        margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return {
            "recall": recall,
            "precision": tp / (tp + fp),
            "f1": np.where(tp + fn > 0, 2 * tp / (2 * tp + fp + fn), np.nan),
            "specificity": specificity,
            "accuracy": (tp + tn) / (tp + tn + fp + fn),
            "balanced_accuracy": (recall + specificity) / 2,
            "matthews_corrcoef": (tp * tn - fp * fn) / np.sqrt(margins),
        }


@dataclass(frozen=True)
class _Logistic:
    """Logistic regression of the same labels, once for each row of weights."""

    y: NDArray[np.intp]  # (n_samples,)
    X: FloatArray  # (n_samples, n_terms)
    offset: FloatArray  # (n_samples,)

    def fit(self, weights: FloatArray) -> FloatArray:
        """Fit by Newton's method, from the fit to the unweighted rows.

        Takes weights (n_fits, n_samples) and returns coefficients (n_fits, n_terms),
        NaN where the maximum does not exist because the labels are separated.
        """
        return self._climb(weights, np.repeat(self._unweighted, len(weights), axis=0))

    @cached_property
    def _unweighted(self) -> FloatArray:
        nothing = np.zeros((1, self.X.shape[1]))
        fitted = self._climb(np.ones((1, len(self.y))), nothing.copy())
        return fitted if np.isfinite(fitted).all() else nothing

    def _climb(self, weights: FloatArray, beta: FloatArray) -> FloatArray:
        observed = weights @ (self.y[:, None] * self.X)
        going = np.arange(len(weights))
        for _ in range(_MAX_STEPS):
            part = weights if len(going) == len(weights) else weights[going]
            step = self._step(part, beta[going], observed[going])
            beta[going] += step
            going = going[np.abs(step).max(axis=1) > _STEP_TOLERANCE]
            if not going.size:
                break
        beta[going] = np.nan
        return beta

    def _step(
        self, weights: FloatArray, beta: FloatArray, observed: FloatArray
    ) -> FloatArray:
        """Take one step of Newton's method, held short where it would run away."""
        n_terms = self.X.shape[1]
        products = (self.X[:, :, None] * self.X[:, None, :]).reshape(-1, n_terms**2)
        fitted = expit(beta @ self.X.T + self.offset)
        expected = weights * fitted
        gradient = observed - expected @ self.X
        curvature = (expected * (1 - fitted)) @ products
        step = _solve(curvature.reshape(-1, n_terms, n_terms), gradient)
        reach = np.abs(step) @ np.abs(self.X).max(axis=0)
        return step * np.minimum(1, _REACH / np.maximum(reach, _REACH))[:, None]


def _solve(matrices: FloatArray, vectors: FloatArray) -> FloatArray:
    """Solve small systems; a singular one has the solution NaN."""
    singular = ~(np.linalg.cond(matrices) < 1 / np.finfo(float).eps)
    matrices = np.where(singular[:, None, None], np.eye(vectors.shape[1]), matrices)
    solution = np.linalg.solve(matrices, vectors[:, :, None])[:, :, 0].astype(float)
    solution[singular] = np.nan
    return solution


def _check_probabilities(y_score: ArrayLike, faults: list[str]) -> FloatArray:
    try:
        scores = np.asarray(y_score, dtype=np.float64)
    except (TypeError, ValueError):
        faults.append("y_score must hold numbers, the probabilities of class 1")
        return np.zeros(len(np.atleast_1d(np.asarray(y_score, dtype=object))))
    if scores.ndim != 1 or not len(scores):
        faults.append(
            "y_score must have shape (n_samples,) with n_samples at least 1, got "
            f"{scores.shape}; of predict_proba pass the column of class 1"
        )
        return np.zeros(len(np.atleast_1d(scores)))
    for what, rows in (
        ("NaN", np.isnan(scores)),
        ("outside [0, 1]", (scores < 0) | (scores > 1)),
    ):
        if rows.any():
            faults.append(
                f"y_score is {what} in {rows.sum()} of {len(scores)} rows, "
                f"first in row {rows.argmax()}; pass probabilities of class 1"
            )
    return scores


def _check_labels(
    y_true: ArrayLike, n_samples: int, faults: list[str]
) -> NDArray[np.intp]:
    labels = np.asarray(y_true)
    if labels.shape != (n_samples,):
        faults.append(f"y_true must have shape ({n_samples},), got {labels.shape}")
    strange = labels[~np.isin(labels, (0, 1))]
    if strange.size:
        found = ", ".join(dict.fromkeys(repr(value) for value in strange.tolist()[:5]))
        faults.append(
            f"y_true must be 0 or 1, got {found} among {strange.size} other values"
        )
        return np.zeros(n_samples, dtype=np.intp)
    return labels.astype(np.intp)


def _check_groups(
    groups: ArrayLike, n_samples: int, faults: list[str]
) -> NDArray[np.intp]:
    names = np.asarray(groups, dtype=object)
    if names.shape != (n_samples,):
        faults.append(f"groups must have shape ({n_samples},), got {names.shape}")
        return np.zeros(n_samples, dtype=np.intp)
    codes = pd.factorize(names, sort=True)[0]
    if (codes < 0).any():
        faults.append(
            f"groups lacks the participant of {(codes < 0).sum()} of {n_samples} rows"
        )
    return codes
