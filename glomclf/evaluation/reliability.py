"""Reliability: predicted probabilities beside frequencies, with intervals.

The frequencies are scores like others, with the intervals of `.intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import Replicates, Scale, draw_replicates, settings_faults
from .participant_numbers import exact_interval
from .predictions import Predictions, check_scores

__all__ = ["ReliabilityBins", "bins_of", "reliability_bins"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ReliabilityBins:
    """Probability against frequency, bin by bin; empty bins are left out.

    Parameters
    ----------
    probability : ndarray of shape (n_bins,)
        Mean predicted probability of class 1.

    frequency, low, high : ndarray of shape (n_bins,)
        Share of class 1 and its interval; NaN where there is none.

    n_rows : ndarray of shape (n_bins,), dtype int
    confidence : float
        In (0, 1).
    """

    probability: FloatArray
    frequency: FloatArray
    low: FloatArray
    high: FloatArray
    n_rows: NDArray[np.intp]
    confidence: float


def reliability_bins(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_bins: int = 10,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> ReliabilityBins:
    """Compare predicted probabilities with frequencies in bins of equal width.

    Parameters
    ----------
    y_true, y_score, groups
        As in `glomclf.evaluation.curves.roc_band`; one class suffices.

    n_bins : int, default=10
        Number of bins, at least 2.

    n_bootstrap, confidence, random_state
        As in `glomclf.evaluation.curves.roc_band`.

    Returns
    -------
    bins : ReliabilityBins

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Examples
    --------
    >>> from glomclf.evaluation.reliability import reliability_bins
    >>> bins = reliability_bins([0, 0, 1, 1], [0.1, 0.2, 0.2, 0.9], n_bins=2)
    >>> bins.frequency.round(2), bins.n_rows
    (array([0.33, 1.  ]), array([3, 1]))
    """
    faults = settings_faults(n_bootstrap, confidence)
    if n_bins < 2:
        faults.append(f"n_bins must be at least 2, got {n_bins!r}")
    rows = Predictions(*check_scores(y_true, y_score, groups, faults=faults))
    replicates = draw_replicates(
        rows.strata,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=random_state,
    )
    return bins_of(rows, replicates, n_bins)


def bins_of(rows: Predictions, replicates: Replicates, n_bins: int) -> ReliabilityBins:
    """Fill the bins, and bound their frequencies under given weights.

    Parameters
    ----------
    rows : Predictions
    replicates : Replicates
        Of the participants of the rows.
    n_bins : int

    Returns
    -------
    bins : ReliabilityBins
    """
    bin_of = np.minimum((rows.y_score * n_bins).astype(int), n_bins - 1)
    in_bin = [bin_of == used for used in np.unique(bin_of)]
    n_rows, n_positive, probability = (
        np.column_stack([rows.sum_by_group(values * inside) for inside in in_bin])
        for values in (1.0, rows.y_true, rows.y_score)
    )
    with np.errstate(invalid="ignore"):  # a bin may be empty without a participant
        shares = (replicates.weights @ n_positive) / (replicates.weights @ n_rows)
    names = [str(bin_) for bin_ in range(len(in_bin))]
    estimates = replicates.estimates(
        dict(zip(names, shares.T, strict=True)), dict.fromkeys(names, Scale(0, 1))
    )
    ends = [
        exact_interval(share, n_rows[:, bin_], replicates.confidence)
        if share in (0, 1)
        else estimates.intervals[str(bin_)]
        for bin_, share in enumerate(shares[0])
    ]
    low, high = np.array(ends).T
    return ReliabilityBins(
        probability=probability.sum(0) / n_rows.sum(0),
        frequency=shares[0],
        low=low,
        high=high,
        n_rows=n_rows.sum(0).astype(np.intp),
        confidence=replicates.confidence,
    )
