"""Curves with pointwise bands over participants: ROC, precision-recall, reliability.

A curve is read at fixed places, such as 101 false positive rates, again and again while
participants are resampled as in `.intervals`. At each place the band is the
expanded percentile interval [1]_: quantiles of the replicates, pushed outwards by as
much as a t quantile, of the equal participants that the rarer class is worth, exceeds a
normal one: plain percentiles are too narrow with few participants. Where the curve is
at 0 or 1 the exact bound for as many participants is kept, too. A band is pointwise: it
covers with the stated confidence at each place by itself, not at all places together.

The frequencies of a reliability diagram are scores like others, with the intervals of
`.intervals`. ``examples/benchmarks/band_coverage.py`` measures the coverage.

References
----------
.. [1] Hesterberg TC. What teachers should know about the bootstrap. The American
   Statistician 2015;69:371-386.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from scipy.stats import t as student
from sklearn.utils import check_random_state

from ..errors import ScoreError
from .intervals import (
    Scale,
    _resample,
    bootstrap_estimates,
    equal_number,
    exact_interval,
    settings_faults,
)
from .scores import check_scores

__all__ = [
    "Band",
    "ReliabilityBins",
    "precision_recall_band",
    "reliability_bins",
    "roc_band",
]

FloatArray = NDArray[np.float64]

Reader = Callable[[FloatArray, FloatArray], tuple[FloatArray, float]]

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


def roc_band(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_places: int = 101,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> Band:
    """Compute the ROC curve with a band of the true positive rate.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1; both must be there.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: rows count as independent.

    n_places : int, default=101
        Number of false positive rates, evenly from 0 to 1, with a band.

    n_bootstrap : int, default=1000
        Number of bootstrap replicates, at least 100.

    confidence : float, default=0.95
        In (0, 1).

    random_state : int, RandomState instance or None, default=0
        An int gives the same band on every call.

    Returns
    -------
    band : Band
        `x` is the false positive rate, `y` the true positive rate; `area` and its
        interval are the ``roc_auc`` of `glomclf.evaluation.evaluation.evaluate`.

    Raises
    ------
    ScoreError
        If an input cannot be used, or a class is missing; the message names every
        fault.

    Examples
    --------
    >>> from glomclf.evaluation.curves import roc_band
    >>> y_true = [0, 0, 1, 0, 1, 1, 0, 1]
    >>> y_score = [0.1, 0.3, 0.6, 0.5, 0.4, 0.9, 0.2, 0.7]
    >>> band = roc_band(y_true, y_score, groups=list("aabbccdd"))
    >>> band.area
    0.9375
    >>> bool((band.low[1:-1] <= band.high[1:-1]).all())
    True
    """
    rows = _rows(y_true, y_score, groups, n_places, n_bootstrap, confidence)
    grid = np.linspace(0, 1, n_places)

    def read(tps: FloatArray, fps: FloatArray) -> tuple[FloatArray, float]:
        with np.errstate(invalid="ignore"):  # without a participant a class may lack
            tpr, fpr = np.append(0, tps / tps[-1]), np.append(0, fps / fps[-1])
        return np.interp(grid + _NEXT, fpr, tpr), float(np.trapezoid(tpr, fpr))

    tps, fps = rows.cumulated(np.ones(rows.n_groups))
    sizes = np.bincount(rows.codes, rows.y_true)
    settings = _Settings(n_bootstrap, confidence, random_state)
    low, high = rows.band(read, lambda place: sizes, settings)
    # The rate cannot fall, so what bounds it at one place bounds it further on.
    low, high = np.maximum.accumulate(low), np.minimum.accumulate(high[::-1])[::-1]
    low[-1] = high[-1] = 1.0  # where every row is called positive
    area, area_interval = rows.area(read, settings)
    return Band(
        x=np.append(0, fps / fps[-1]),
        y=np.append(0, tps / tps[-1]),
        grid=grid,
        low=low,
        high=high,
        area=area,
        area_interval=area_interval,
        confidence=confidence,
    )


def precision_recall_band(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_places: int = 101,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> Band:
    """Compute the precision-recall curve with a band of the precision.

    Parameters
    ----------
    y_true, y_score, groups
        As in `roc_band`.

    n_places : int, default=101
        Number of recalls, evenly from 0 to 1, with a band. The precision at a recall
        is that of the highest threshold which reaches it.

    n_bootstrap, confidence, random_state
        As in `roc_band`.

    Returns
    -------
    band : Band
        `x` is the recall, `y` the precision; `area` and its interval are the
        ``average_precision`` of `glomclf.evaluation.evaluation.evaluate`.

    Raises
    ------
    ScoreError
        If an input cannot be used, or a class is missing; the message names every
        fault.

    Examples
    --------
    >>> from glomclf.evaluation.curves import precision_recall_band
    >>> y_true = [0, 0, 1, 0, 1, 1, 0, 1]
    >>> y_score = [0.1, 0.3, 0.6, 0.5, 0.4, 0.9, 0.2, 0.7]
    >>> band = precision_recall_band(y_true, y_score, groups=list("aabbccdd"))
    >>> band.y.round(2)
    array([1.  , 1.  , 1.  , 0.75, 0.8 , 0.67, 0.57, 0.5 ])
    """
    rows = _rows(y_true, y_score, groups, n_places, n_bootstrap, confidence)
    grid = np.linspace(0, 1, n_places)

    def reached(recall: FloatArray) -> NDArray[np.intp]:
        return np.searchsorted(recall, np.maximum(grid - _NEXT, _NEXT))

    def read(tps: FloatArray, fps: FloatArray) -> tuple[FloatArray, float]:
        with np.errstate(invalid="ignore"):  # without a participant a class may lack
            precision = np.where(tps > 0, tps / (tps + fps), 0.0)
            recall = tps / tps[-1]
        gained = np.diff(recall, prepend=0)
        return precision[reached(recall)], float(gained @ precision)

    tps, fps = rows.cumulated(np.ones(rows.n_groups))
    last_row = rows.ends[reached(tps / tps[-1])]
    settings = _Settings(n_bootstrap, confidence, random_state)
    low, high = rows.band(
        read, lambda place: np.bincount(rows.by_score[: last_row[place] + 1]), settings
    )
    area, area_interval = rows.area(read, settings)
    return Band(
        x=tps / tps[-1],
        y=tps / (tps + fps),
        grid=grid,
        low=low,
        high=high,
        area=area,
        area_interval=area_interval,
        confidence=confidence,
    )


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
        As in `roc_band`; one class suffices.

    n_bins : int, default=10
        Number of bins, at least 2.

    n_bootstrap, confidence, random_state
        As in `roc_band`.

    Returns
    -------
    bins : ReliabilityBins

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Examples
    --------
    >>> from glomclf.evaluation.curves import reliability_bins
    >>> bins = reliability_bins([0, 0, 1, 1], [0.1, 0.2, 0.2, 0.9], n_bins=2)
    >>> bins.frequency.round(2), bins.n_rows
    (array([0.33, 1.  ]), array([3, 1]))
    """
    faults = settings_faults(n_bootstrap, confidence)
    if n_bins < 2:
        faults.append(f"n_bins must be at least 2, got {n_bins!r}")
    labels, scores, codes = check_scores(y_true, y_score, groups, faults=faults)
    bin_of = np.minimum((scores * n_bins).astype(int), n_bins - 1)
    used, place = np.unique(bin_of, return_inverse=True)
    n_rows, n_positive, probability = np.zeros((3, codes.max() + 1, len(used)))
    for sums, values in ((n_rows, 1.0), (n_positive, labels), (probability, scores)):
        np.add.at(sums, (codes, place), values)

    def shares(weights: NDArray[Any]) -> Mapping[str, FloatArray]:
        with np.errstate(invalid="ignore"):  # a bin may be empty without a participant
            drawn = (weights @ n_positive) / (weights @ n_rows)
        return {str(bin_): drawn[:, bin_] for bin_ in range(len(used))}

    estimates = bootstrap_estimates(
        shares,
        _strata(labels, codes),
        {str(bin_): Scale(0, 1) for bin_ in range(n_rows.shape[1])},
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=random_state,
    )
    frequency = n_positive.sum(0) / n_rows.sum(0)
    ends = [
        exact_interval(share, n_rows[:, bin_], confidence)
        if share in (0, 1)
        else estimates.intervals[str(bin_)]
        for bin_, share in enumerate(frequency)
    ]
    return ReliabilityBins(
        probability=probability.sum(0) / n_rows.sum(0),
        frequency=frequency,
        low=np.array([low for low, _ in ends]),
        high=np.array([high for _, high in ends]),
        n_rows=n_rows.sum(0).astype(np.intp),
        confidence=confidence,
    )


@dataclass(frozen=True)
class _Settings:
    """Of a bootstrap, as `glomclf.evaluation.intervals` takes them."""

    n_bootstrap: int
    confidence: float
    random_state: int | np.random.RandomState | None

    def draw(self, strata: NDArray[np.intp]) -> FloatArray:
        """Draw the weights of the participants: (n_bootstrap, n_groups)."""
        rng = check_random_state(self.random_state)
        return _resample(strata, self.n_bootstrap, rng).astype(np.float64)


@dataclass(frozen=True)
class _Rows:
    """Rows in falling order of probability, to be cumulated under any weights."""

    y_true: NDArray[np.intp]
    codes: NDArray[np.intp]
    positive: NDArray[np.bool_]  # of the rows in falling order
    by_score: NDArray[np.intp]  # the participants of the rows in falling order
    ends: NDArray[np.intp]  # where each run of ties ends

    @property
    def n_groups(self) -> int:
        return int(self.codes.max()) + 1

    def cumulated(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Count true and false positives at each threshold, from the highest."""
        by_row = weights[self.by_score]
        tps = np.cumsum(by_row * self.positive)[self.ends]
        return tps, np.cumsum(by_row * ~self.positive)[self.ends]

    def band(
        self,
        read: Reader,
        sizes_at: Callable[[int], NDArray[Any]],
        settings: _Settings,
    ) -> tuple[FloatArray, FloatArray]:
        """Bound what is read off the curve at each place.

        `sizes_at` counts each participant's rows that a reading of 0 or 1 is about.
        """
        weights = settings.draw(_strata(self.y_true, self.codes))
        drawn = np.array([read(*self.cumulated(each))[0] for each in weights])
        curve, _ = read(*self.cumulated(np.ones(self.n_groups)))
        classes = [np.bincount(self.codes, self.y_true == label) for label in (0, 1)]
        rarer = min(classes, key=equal_number)
        ends = [
            _ends(
                value,
                drawn[:, place],
                rarer,
                settings.confidence,
                sizes_at(place) if value in (0, 1) else rarer,
            )
            for place, value in enumerate(curve)
        ]
        return np.array([low for low, _ in ends]), np.array([high for _, high in ends])

    def area(
        self, read: Reader, settings: _Settings
    ) -> tuple[float, tuple[float, float]]:
        """Estimate the area under the curve, with the interval of a score."""

        def statistic(weights: NDArray[Any]) -> Mapping[str, FloatArray]:
            areas = [read(*self.cumulated(each))[1] for each in weights.astype(float)]
            return {"area": np.array(areas)}

        estimates = bootstrap_estimates(
            statistic,
            _strata(self.y_true, self.codes),
            {"area": Scale(0, 1)},
            **vars(settings),
        )
        return estimates.scores["area"], estimates.intervals["area"]


def _rows(
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike | None,
    n_places: int,
    n_bootstrap: int,
    confidence: float,
) -> _Rows:
    """Check what a curve is made of, and list all that is wrong."""
    faults = settings_faults(n_bootstrap, confidence)
    if n_places < 2:
        faults.append(f"n_places must be at least 2, got {n_places!r}")
    labels, scores, codes = check_scores(y_true, y_score, groups, faults=faults)
    present = np.unique(labels)
    if len(present) < 2:
        raise ScoreError(
            f"all {len(labels)} labels are {present[0]}; a curve over all thresholds "
            "needs rows of both classes"
        )
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-1.0))
    return _Rows(labels, codes, labels[order] == 1, codes[order], ends)


def _strata(labels: NDArray[np.intp], codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Sort participants by which classes they have: 0 only, 1 only, or both."""
    ones, zeros = (np.bincount(codes, labels == label) > 0 for label in (1, 0))
    return np.asarray(ones + 2 * (ones & zeros), dtype=np.intp)


def _ends(
    value: float,
    drawn: FloatArray,
    sizes: NDArray[Any],
    confidence: float,
    sizes_at_end: NDArray[Any],
) -> tuple[float, float]:
    """Bound one reading: the expanded percentile interval, or NaN if there is none.

    `sizes` counts the rows of each participant in the rarer class, `sizes_at_end` those
    that a reading of 0 or 1 is about.
    """
    bounds = []
    n_units = equal_number(sizes)
    if n_units > 1:
        reach = student.ppf((1 + confidence) / 2, n_units - 1)
        level = norm.cdf(-reach * np.sqrt(n_units / (n_units - 1)))
        bounds.append(np.quantile(drawn, [level, 1 - level]))
    if value in (0, 1):
        bounds.append(np.asarray(exact_interval(value, sizes_at_end, confidence)))
    if not bounds:
        return np.nan, np.nan
    low, high = np.min(bounds, axis=0)[0], np.max(bounds, axis=0)[1]
    return float(min(low, value)), float(max(high, value))
