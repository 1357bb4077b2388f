"""Reliability: predicted probabilities beside frequencies, with intervals.

The frequencies are scores like others, with the intervals of `.intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .intervals import Replicates, Scale
from .predictions import FloatArray, Predictions


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
    in_bins = rows.in_bins[:, rows.in_bins.any(axis=0)]
    n_rows, n_positive, probability = (
        rows.sum_by_group(values * in_bins)
        for values in (1.0, rows.y_true[:, None], rows.y_score[:, None])
    )
    with np.errstate(invalid="ignore"):  # a bin may be empty without a participant
        shares = (replicates.weights @ n_positive) / (replicates.weights @ n_rows)
    low, high = replicates.ends(shares, Scale(0, 1), n_rows)
    return ReliabilityBins(
        probability=probability.sum(0) / n_rows.sum(0),
        frequency=shares[0],
        low=low,
        high=high,
        n_rows=n_rows.sum(0).astype(np.intp),
        confidence=replicates.confidence,
    )
