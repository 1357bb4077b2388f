"""Reliability: predicted probabilities beside frequencies, with intervals.

The frequencies are scores like others, with the intervals of `.intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .intervals import Replicates, Scale
from .participant_numbers import exact_interval
from .predictions import Predictions

__all__ = ["ReliabilityBins", "bins_of"]

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


def bins_of(rows: Predictions, replicates: Replicates) -> ReliabilityBins:
    """Fill the bins, and bound their frequencies under given weights.

    Parameters
    ----------
    rows : Predictions
    replicates : Replicates
        Of the participants of the rows.

    Returns
    -------
    bins : ReliabilityBins
    """
    in_bin = [rows.bins == used for used in np.unique(rows.bins)]
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
