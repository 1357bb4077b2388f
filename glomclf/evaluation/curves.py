"""Curves with pointwise bands over participants, and reliability with intervals.

A curve is read at fixed places, 101 false positive rates or recalls, again and again
while participants are resampled as in `.intervals`. At each place the band is the
expanded percentile interval [1]_: quantiles of the replicates, pushed outwards by as
much as a t quantile, of the equal participants that the rarer class is worth, exceeds a
normal one: plain percentiles are too narrow with few participants. Where the curve is
at 0 or 1 the exact bound for as many participants is kept, too. A band is pointwise: it
covers with the stated confidence at each place by itself, not at all places together.

``examples/benchmarks/band_coverage.py`` measures the coverage.

References
----------
.. [1] Hesterberg TC. What teachers should know about the bootstrap. The American
   Statistician 2015;69:371-386.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from scipy.stats import t as student

from .intervals import Replicates, Scale, draw_replicates, settings_faults
from .participant_numbers import equal_number, exact_interval
from .predictions import FloatArray, Predictions
from .scores import Weighted, score_rows

_GRID = np.linspace(0, 1, 101)  # where a band is computed
_NEXT = 1e-9  # a place just right of a step reads the top of it


@dataclass(frozen=True, kw_only=True)
class Band:
    """A curve, its pointwise band and the area under it.

    Parameters
    ----------
    x, y : ndarray of shape (n_points,)
        The curve; x is not falling.

    grid, low, high : ndarray of shape (n_places,)
        Where the band was computed, and its ends; NaN where there is none.

    area : float
        Area under the curve.

    area_interval : (float, float)
        NaN where there is none.

    confidence : float
        Of band and interval, in (0, 1).
    """

    x: FloatArray
    y: FloatArray
    grid: FloatArray
    low: FloatArray
    high: FloatArray
    area: float
    area_interval: tuple[float, float]
    confidence: float


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


class Curves(NamedTuple):
    """All that is drawn of predictions, from one resampling of the participants.

    Parameters
    ----------
    roc, precision_recall : Band or None
        None where a class is missing.

    reliability : ReliabilityBins
    """

    roc: Band | None
    precision_recall: Band | None
    reliability: ReliabilityBins


def evaluation_curves(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> Curves:
    """Compute ROC and precision-recall curves with bands, and reliability.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: rows count as independent.

    n_bootstrap : int, default=1000
        Number of bootstrap replicates, at least 100.

    confidence : float, default=0.95
        In (0, 1).

    random_state : int, RandomState instance or None, default=0
        An int gives the same bands on every call.

    Returns
    -------
    curves : Curves
        ``roc``: `x` is the false positive rate, `y` the true positive rate.
        ``precision_recall``: `x` is the recall, `y` the precision. Both have bands at
        101 places from 0 to 1; the precision at a recall is that of the highest
        threshold which reaches it. The areas and their intervals are ``roc_auc`` and
        ``average_precision`` of `glomclf.evaluation.evaluation.evaluate`.
        ``reliability``: ten bins of equal width.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Examples
    --------
    >>> from glomclf.evaluation.curves import evaluation_curves
    >>> y_true = [0, 0, 1, 0, 1, 1, 0, 1]
    >>> y_score = [0.1, 0.3, 0.6, 0.5, 0.4, 0.9, 0.2, 0.7]
    >>> found = evaluation_curves(y_true, y_score, groups=list("aabbccdd"))
    >>> found.roc.area
    0.9375
    >>> bool((found.roc.low <= found.roc.high).all())
    True
    >>> found.precision_recall.y.round(2)
    array([1.  , 1.  , 1.  , 0.75, 0.8 , 0.67, 0.57, 0.5 ])
    >>> found.reliability.n_rows
    array([1, 1, 1, 1, 1, 1, 1, 1])
    """
    faults = settings_faults(n_bootstrap, confidence)
    rows = Predictions.checked(y_true, y_score, groups, faults=faults)
    replicates = draw_replicates(rows.strata, n_bootstrap, confidence, random_state)
    roc = precision_recall = None
    if len(np.unique(rows.y_true)) == 2:
        roc, precision_recall = _bands(rows, replicates)
    return Curves(roc, precision_recall, _reliability(rows, replicates))


def _bands(rows: Predictions, replicates: Replicates) -> tuple[Band, Band]:
    """Read both curves in every replicate, and bound what is read."""
    tprs, precisions = _read(rows, replicates.weights)
    whole = Weighted(rows, np.ones((1, rows.n_groups)))
    tpr, fpr, precision = (one[0] for one in whole.at_thresholds)
    low, high = _ends(rows, replicates, tprs, lambda place: rows.sizes(1))
    # It cannot fall, so what bounds it at one place bounds it further on.
    low, high = np.maximum.accumulate(low), np.minimum.accumulate(high[::-1])[::-1]
    low[-1] = high[-1] = 1.0  # where every row is called positive

    def called_positive(place: float) -> NDArray[np.intp]:
        order, ends = rows.falling
        return np.bincount(rows.codes[order[: ends[_reached(tpr, place)] + 1]])

    precision_ends = _ends(rows, replicates, precisions, called_positive)
    drawn: dict[str, Any] = {
        "roc_auc": (_from_0(fpr), _from_0(tpr), low, high),
        "average_precision": (tpr, precision, *precision_ends),
    }
    areas = replicates.estimates(score_rows(rows, replicates.weights, drawn))
    roc, precision_recall = (
        Band(
            x=x,
            y=y,
            grid=_GRID,
            low=low,
            high=high,
            area=areas.scores[name],
            area_interval=areas.intervals[name],
            confidence=areas.confidence,
        )
        for name, (x, y, low, high) in drawn.items()
    )
    return roc, precision_recall


def _read(rows: Predictions, weights: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Read rates and precisions at the places of the grid, replicate by replicate."""
    tprs, precisions = [], []
    with np.errstate(invalid="ignore"):  # without a participant a class may lack
        for chunk in rows.chunks(weights):
            curves = zip(*Weighted(rows, chunk).at_thresholds, strict=True)
            for tpr, fpr, precision in curves:
                tprs.append(np.interp(_GRID + _NEXT, _from_0(fpr), _from_0(tpr)))
                precisions.append(precision[_reached(tpr, _GRID)])
    return np.array(tprs), np.array(precisions)


def _from_0(rates: FloatArray) -> FloatArray:
    return np.append(0, rates)


def _reached(recall: FloatArray, place: ArrayLike) -> Any:
    return np.searchsorted(recall, np.maximum(np.subtract(place, _NEXT), _NEXT))


def _ends(
    rows: Predictions,
    replicates: Replicates,
    read: FloatArray,
    sizes_at: Callable[[float], NDArray[Any]],
) -> FloatArray:
    """Bound what was read of a curve at each place of the grid: (2, n_places).

    `sizes_at` counts each participant's rows that a value of 0 or 1 at a place is
    about.
    """
    confidence = replicates.confidence
    n_units = min(equal_number(rows.sizes(label)) for label in (0, 1))
    ends = np.full((2, len(_GRID)), np.nan)
    if n_units > 1:
        reach = student.ppf((1 + confidence) / 2, n_units - 1)
        level = norm.cdf(-reach * np.sqrt(n_units / (n_units - 1)))
        ends = np.quantile(replicates.resampled(read), [level, 1 - level], axis=0)
    for place in np.flatnonzero(np.isin(read[0], (0, 1))):
        exact = exact_interval(read[0, place], sizes_at(_GRID[place]), confidence)
        low, high = np.column_stack([ends[:, place], exact])
        ends[:, place] = np.nanmin(low), np.nanmax(high)
    return np.stack([np.minimum(ends[0], read[0]), np.maximum(ends[1], read[0])])


def _reliability(rows: Predictions, replicates: Replicates) -> ReliabilityBins:
    """Fill the bins, and bound their frequencies under given weights."""
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
