"""Labels, probabilities and participants: checked, and ready to be weighted.

A bootstrap replicate, a jackknife replicate and the data as they are differ only in how
much each participant counts: in weights of shape ``(n_replicates, n_groups)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ScoreError
from .participant_numbers import caution_of
from .weighted_logistic import WeightedLogistic, clipped_logits

FloatArray = NDArray[np.float64]

N_BINS = 10  # of the reliability and the expected calibration error
_CELLS = 2_000_000  # weights (replicates times rows) held at once, to bound memory


@dataclass(frozen=True)
class Predictions:
    """Labels and probabilities by participant, to be counted under any weights.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,), dtype int
        Labels, 0 or 1.

    y_score : ndarray of shape (n_samples,), dtype float64
        Probabilities of class 1, in [0, 1].

    codes : ndarray of shape (n_samples,), dtype int
        The group (participant) of each row, in [0, n_groups).

    threshold : float or ndarray of shape (n_samples,), default=0.5
        A row is predicted 1 if its probability is at least this.

    is_known : bool, default=True
        Whether the groups are participants, and not just rows.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.predictions import Predictions
    >>> rows = Predictions.checked([0, 1, 1], [0.2, 0.4, 0.9], list("aab"))
    >>> rows.strata
    array([2, 1])
    >>> tps, fps = rows.cumulated(np.array([[1.0, 1.0], [2.0, 0.0]]))
    >>> tps
    array([[1., 2., 2.],
           [0., 2., 2.]])
    """

    y_true: NDArray[np.intp]
    y_score: FloatArray
    codes: NDArray[np.intp]
    threshold: Any = 0.5
    is_known: bool = True

    @classmethod
    def checked(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        groups: ArrayLike | None,
        threshold: ArrayLike = 0.5,
        *,
        faults: Sequence[str] = (),
    ) -> Predictions:
        """Check all that is to be scored, and list all that is wrong."""
        faults = [*faults, *threshold_faults(threshold, y_score)]
        columns = check_scores(y_true, y_score, groups, faults=faults)
        cuts = np.asarray(threshold, dtype=np.float64)
        return cls(*columns, cuts, groups is not None)

    def part(self, inside: NDArray[np.bool_]) -> tuple[Predictions, NDArray[np.intp]]:
        """Return some of the rows, and which participants they are of."""
        kept, codes = np.unique(self.codes[inside], return_inverse=True)
        y_true, y_score, cut = self.y_true[inside], self.y_score[inside], self.threshold
        cut = cut[inside] if np.ndim(cut) else cut
        part = replace(self, y_true=y_true, y_score=y_score, codes=codes, threshold=cut)
        return part, kept

    @cached_property
    def n_groups(self) -> int:
        """Number of participants."""
        return int(self.codes.max()) + 1

    @cached_property
    def strata(self) -> NDArray[np.intp]:
        """Which classes each participant has: 0 for class 0 only, 1 only, 2 both."""
        zeros, ones = (self.sizes(label) > 0 for label in (0, 1))
        return ones.astype(np.intp) + (ones & zeros)

    def sizes(self, label: int) -> FloatArray:
        """Count each participant's rows of one class: (n_groups,)."""
        return self.sum_by_group(self.y_true == label)

    @cached_property
    def counts(self) -> FloatArray:
        """Rows of each participant that are tn, fp, fn, tp: (n_groups, 4)."""
        cell = 2 * self.y_true + (self.y_score >= self.threshold)
        return self.sum_by_group(cell[:, None] == np.arange(4))

    @cached_property
    def in_bins(self) -> NDArray[np.bool_]:
        """Which bin of equal width has each probability: (n_samples, N_BINS)."""
        bins = np.minimum((self.y_score * N_BINS).astype(np.intp), N_BINS - 1)
        return bins[:, None] == np.arange(N_BINS)

    @cached_property
    def recalibrations(self) -> tuple[WeightedLogistic, WeightedLogistic]:
        """Models of labels on logits: intercept at slope one; intercept and slope."""
        logits = clipped_logits(self.y_score)
        ones = np.ones_like(logits)
        shift = WeightedLogistic(self.y_true, ones[:, None], logits)
        both = np.column_stack([ones, logits])
        return shift, WeightedLogistic(self.y_true, both, 0 * logits)

    @property
    def caution(self) -> str:
        """Say why intervals are not to be trusted; empty if they are."""
        of_classes = {f"class {label}": self.sizes(label) for label in (0, 1)}
        return caution_of(of_classes, known=self.is_known)

    def sum_by_group(self, values: NDArray[Any]) -> FloatArray:
        """Sum values of rows by participant: (n_samples, ...) to (n_groups, ...)."""
        return sum_by_group(values, self.codes)

    def chunks(self, weights: NDArray[np.generic]) -> Iterator[FloatArray]:
        """Yield as many replicates at a time as memory is meant to hold."""
        step = max(1, _CELLS // len(self.codes))
        for start in range(0, len(weights), step):
            yield weights[start : start + step].astype(np.float64)

    @cached_property
    def falling(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows in falling order of probability, and where each run of ties ends."""
        order = np.argsort(-self.y_score, kind="stable")
        return order, np.flatnonzero(np.diff(self.y_score[order], append=-1.0))

    def cumulated(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Count true and false positives at each threshold, from the highest.

        Takes weights (n_replicates, n_groups), returns (n_replicates, n_thresholds).
        """
        order, ends = self.falling
        by_row, positive = weights[:, self.codes[order]], self.y_true[order] == 1
        tps = np.cumsum(by_row * positive, axis=1)[:, ends]
        return tps, np.cumsum(by_row * ~positive, axis=1)[:, ends]


def sum_by_group(values: NDArray[Any], codes: NDArray[np.intp]) -> FloatArray:
    """Sum values of rows by group: (n_samples, ...) to (n_groups, ...)."""
    columns = np.reshape(values, (len(codes), -1)).T
    sums = np.stack([np.bincount(codes, column) for column in columns], axis=-1)
    return sums.reshape(-1, *np.shape(values)[1:]).astype(np.float64)


def range_faults(allowed: str, **numbers: ArrayLike) -> list[str]:
    """Say which numbers lie outside a range.

    Parameters
    ----------
    allowed : str
        Such as "(0, 1]": above 0, and at most 1.

    **numbers : float or array-like
        By their names.

    Returns
    -------
    faults : list of str
        Empty if nothing is wrong.

    Examples
    --------
    >>> from glomclf.evaluation.predictions import range_faults
    >>> range_faults("(0, 1]", recall=1, precision=0)
    ['precision must be in (0, 1], got 0']
    """
    low, high = map(float, allowed[1:-1].split(","))
    faults = []
    for name, given in numbers.items():
        values = np.asarray(given, dtype=np.float64)
        is_above = values >= low if allowed[0] == "[" else values > low
        is_below = values <= high if allowed[-1] == "]" else values < high
        strange = values[~(is_above & is_below)]
        if strange.size:
            faults.append(f"{name} must be in {allowed}, got {strange.flat[0]:g}")
    return faults


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
    >>> from glomclf.evaluation.predictions import check_scores
    >>> check_scores([0, 1, 1], [0.2, 0.7, 0.4], ["b", "a", "a"])
    (array([0, 1, 1]), array([0.2, 0.7, 0.4]), array([1, 0, 0]))
    """
    faults = list(faults)
    scores = _check_probabilities(y_score, faults)
    labels, codes = np.empty(0, dtype=np.intp), np.arange(len(scores))
    if y_true is not None:
        labels = _check_labels(y_true, len(scores), faults)
    if groups is not None:
        codes = group_codes(groups, len(scores), faults)
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
    >>> from glomclf.evaluation.predictions import threshold_faults
    >>> threshold_faults(1.5, [0.2, 0.7])
    ['threshold must be in [0, 1], got 1.5']
    """
    cuts = np.asarray(threshold, dtype=np.float64)
    if cuts.shape not in ((), np.shape(y_score)):
        return [
            "threshold must be one number or one a row, shape "
            f"{np.shape(y_score)}, got shape {cuts.shape}"
        ]
    return range_faults("[0, 1]", threshold=cuts)


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


def group_codes(
    groups: ArrayLike, n_samples: int, faults: list[str]
) -> NDArray[np.intp]:
    """Count participants from 0 in sorted order of their names.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)

    n_samples : int

    faults : list of str
        What is wrong with them is added to it.

    Returns
    -------
    codes : ndarray of shape (n_samples,), dtype int

    Examples
    --------
    >>> from glomclf.evaluation.predictions import group_codes
    >>> group_codes(["b", "a"], 2, [])
    array([1, 0])
    """
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
