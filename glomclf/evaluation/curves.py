"""Curves with pointwise bands over participants: ROC and precision-recall.

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

from .intervals import Replicates, Scale, draw_replicates, settings_faults
from .participant_numbers import equal_number, expanded_interval
from .predictions import Predictions, check_scores
from .reliability import ReliabilityBins, bins_of

__all__ = ["Band", "Curves", "evaluation_curves"]

FloatArray = NDArray[np.float64]

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
    rows = Predictions(*check_scores(y_true, y_score, groups, faults=faults))
    replicates = draw_replicates(rows.strata, n_bootstrap, confidence, random_state)
    roc = precision_recall = None
    if len(np.unique(rows.y_true)) == 2:
        roc, precision_recall = _bands(rows, replicates)
    return Curves(roc, precision_recall, bins_of(rows, replicates))


class _Curve(NamedTuple):
    """How one curve is read off the counts at all thresholds, from the highest.

    `points` returns x and y, `read` the values at the places of the grid and the area.
    `sizes` counts each participant's rows that a value of 0 or 1 at a place is about.
    """

    points: Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
    read: Callable[[FloatArray, FloatArray], tuple[FloatArray, float]]
    sizes: Callable[[Predictions, float], NDArray[Any]]
    is_rising: bool


def _roc_points(tps: FloatArray, fps: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.append(0, fps / fps[-1]), np.append(0, tps / tps[-1])


def _read_roc(tps: FloatArray, fps: FloatArray) -> tuple[FloatArray, float]:
    fpr, tpr = _roc_points(tps, fps)
    return np.interp(_GRID + _NEXT, fpr, tpr), float(np.trapezoid(tpr, fpr))


def _positives(rows: Predictions, place: float) -> FloatArray:
    return rows.sizes(1)


def _precision_recall_points(
    tps: FloatArray, fps: FloatArray
) -> tuple[FloatArray, FloatArray]:
    return tps / tps[-1], np.where(tps > 0, tps / (tps + fps), 0.0)


def _read_precision_recall(
    tps: FloatArray, fps: FloatArray
) -> tuple[FloatArray, float]:
    recall, precision = _precision_recall_points(tps, fps)
    area = float(np.diff(recall, prepend=0) @ precision)
    return precision[_reached(recall, _GRID)], area


def _reached(recall: FloatArray, grid: FloatArray) -> NDArray[np.intp]:
    return np.searchsorted(recall, np.maximum(grid - _NEXT, _NEXT))


def _called_positive(rows: Predictions, place: float) -> NDArray[np.intp]:
    tps, _ = rows.cumulated(np.ones((1, rows.n_groups)))
    order, ends = rows.falling
    last = ends[_reached(tps[0] / tps[0, -1], np.array([place]))][0]
    return np.bincount(rows.codes[order[: last + 1]])


_ROC = _Curve(_roc_points, _read_roc, _positives, is_rising=True)
_PRECISION_RECALL = _Curve(
    _precision_recall_points, _read_precision_recall, _called_positive, is_rising=False
)


def _bands(rows: Predictions, replicates: Replicates) -> list[Band]:
    """Read both curves in every replicate, and bound what is read."""
    kinds = (_ROC, _PRECISION_RECALL)
    with np.errstate(invalid="ignore"):  # without a participant a class may lack
        readings = [
            [curve.read(tps, fps) for curve in kinds]
            for chunk in rows.chunks(replicates.weights)
            for tps, fps in zip(*rows.cumulated(chunk), strict=True)
        ]
    tps, fps = rows.cumulated(np.ones((1, rows.n_groups)))
    bands = []
    for curve, read in zip(kinds, zip(*readings, strict=True), strict=True):
        values, areas = (np.array(part) for part in zip(*read, strict=True))
        low, high = _ends(curve, rows, replicates, values)
        area = replicates.estimates({"area": areas}, {"area": Scale(0, 1)})
        x, y = curve.points(tps[0], fps[0])
        bands.append(
            Band(
                x=x,
                y=y,
                grid=_GRID,
                low=low,
                high=high,
                area=area.scores["area"],
                area_interval=area.intervals["area"],
                confidence=replicates.confidence,
            )
        )
    return bands


def _ends(
    curve: _Curve,
    rows: Predictions,
    replicates: Replicates,
    values: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Bound a curve at each place."""
    rarer = min((rows.sizes(label) for label in (0, 1)), key=equal_number)
    drawn, confidence = replicates.resampled(values), replicates.confidence
    ends = []
    for place, value, others in zip(_GRID, values[0], drawn.T, strict=True):
        about = curve.sizes(rows, place) if value in (0, 1) else rarer
        ends.append(expanded_interval(value, others, rarer, about, confidence))
    low, high = np.array(ends).T
    if curve.is_rising:
        # It cannot fall, so what bounds it at one place bounds it further on.
        low, high = np.maximum.accumulate(low), np.minimum.accumulate(high[::-1])[::-1]
        low[-1] = high[-1] = 1.0  # where every row is called positive
    return low, high
