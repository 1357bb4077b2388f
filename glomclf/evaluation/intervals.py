"""Confidence intervals for scores of clustered patches, by bootstrap over participants.

Patches of one participant are alike, so participants are resampled, not patches. The
interval of a score is

    estimate +- t quantile * standard error

for scores without bounds. For those with, it is the exact interval of a proportion from
as many independent trials as would have that standard error, after Korn and Graubard
[5]_; the trials are reduced by the squared ratio of the normal to the t quantile. It
stays within the range, and does not burst where one row makes all the variance. The
parts answer what is known to make bootstrap intervals too narrow with few and unequal
clusters [1]_ [2]_:

- The standard error is the larger of the bootstrap's and the jackknife's, which errs
  upwards [3]_. Resampling is stratified by which classes a participant has, so that
  every replicate has both classes.
- The t quantile counts *effective* participants: the number of equally important ones
  whose variance would be known as well, after Satterthwaite [4]_, from the kurtosis of
  what the score owes to each participant. For scores with bounds it has at least 3
  degrees of freedom.
- The factor sqrt(n / (n - 1)) makes up for the bootstrap's narrowness [1]_.

Percentile intervals cover less here: ``examples/benchmarks/interval_coverage.py``
measures the coverage of both.

References
----------
.. [1] Hesterberg TC. What teachers should know about the bootstrap. The American
   Statistician 2015;69:371-386.
.. [2] Cameron AC, Gelbach JB, Miller DL. Bootstrap-based improvements for inference
   with clustered errors. Review of Economics and Statistics 2008;90:414-427.
.. [3] Efron B, Stein C. The jackknife estimate of variance. Annals of Statistics
   1981;9:586-596.
.. [4] Satterthwaite FE. An approximate distribution of estimates of variance
   components. Biometrics Bulletin 1946;2:110-114.
.. [5] Korn EL, Graubard BI. Confidence intervals for proportions with small expected
   number of positive counts estimated from survey data. Survey Methodology
   1998;24:193-201.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm
from scipy.stats import t as student
from sklearn.utils import check_random_state

from ..errors import ScoreError
from .estimates import Estimates
from .participant_numbers import effective_number, exact_interval
from .predictions import FloatArray, range_faults

_MAX_BLOCKS = 200  # of the jackknife; with more units, blocks of them are left out
_LEAST_FREEDOM = 3  # degrees, of the t quantile of a score with bounds
_MAX_UNDEFINED = 0.05  # share of replicates in which a score may be undefined


@dataclass(frozen=True)
class Scale:
    """The range of a score, which its interval does not leave.

    Parameters
    ----------
    low, high : float, default=-inf, inf
        Ends of the range.

    biased : bool, default=False
        The score is biased by noise, as a mean of absolute values is. Its interval is
        then symmetric about the estimate less the bootstrap's estimate of that bias,
        and cut at the ends of the range.
    """

    low: float = -np.inf
    high: float = np.inf
    biased: bool = False


@dataclass(frozen=True)
class Statistic:
    """A score under many weightings of the participants, and what is known of it.

    The difference of two is a statistic as well.

    Parameters
    ----------
    values : ndarray of shape (n_replicates,)
        NaN where undefined.

    scale : Scale, default=Scale()
        Its range.

    sizes : ndarray of shape (n_groups,), default=None
        Of a proportion: the rows of each participant that it is about. They bound it
        where it is 0 or 1, of which resampling cannot tell how unsure it is.

    undefined : str, default=""
        Why it may be undefined.
    """

    values: FloatArray
    scale: Scale = Scale()
    sizes: FloatArray | None = None
    undefined: str = ""

    def __sub__(self, other: Statistic) -> Statistic:
        low, high = self.scale.low - other.scale.high, self.scale.high - other.scale.low
        scale = Scale(low, high, self.scale.biased)
        return Statistic(self.values - other.values, scale, None, self.undefined)


class Interval(NamedTuple):
    """The ends of an interval, how many participants made it, and what to know."""

    ends: tuple[float, float] = (np.nan, np.nan)
    n_effective: float = np.nan
    note: str = ""


@dataclass(frozen=True)
class Replicates:
    """Weights under which scores are computed to learn how unsure they are.

    Parameters
    ----------
    weights : ndarray of shape (1 + n_bootstrap + n_left_out, n_groups), dtype uint16
        How much each participant counts: once, then as resampled, then with one
        participant (or one of many blocks of them) left out.

    n_bootstrap : int
        Number of resampled rows.

    confidence : float
        Of the intervals, in (0, 1).
    """

    weights: NDArray[np.uint16]
    n_bootstrap: int
    confidence: float

    def resampled(self, values: FloatArray) -> FloatArray:
        """Return the rows of values that belong to resampled participants."""
        return values[1 : self.n_bootstrap + 1]

    def estimates(self, statistics: Mapping[str, Statistic]) -> Estimates:
        """Make the intervals of scores that were computed under these weights.

        Parameters
        ----------
        statistics : mapping of str to Statistic

        Returns
        -------
        estimates : Estimates
            With a note for each score that has no interval.
        """
        found = {name: self.interval(one) for name, one in statistics.items()}
        return Estimates(
            scores={name: float(one.values[0]) for name, one in statistics.items()},
            intervals={name: one.ends for name, one in found.items()},
            n_effective={name: one.n_effective for name, one in found.items()},
            notes={name: one.note for name, one in found.items() if one.note},
            confidence=self.confidence,
            n_bootstrap=self.n_bootstrap,
        )

    def ends(
        self, values: FloatArray, scale: Scale, sizes: FloatArray | None = None
    ) -> FloatArray:
        """Make the intervals of many values of one kind.

        Takes values (n_replicates, n_values) and sizes (n_groups, n_values), returns
        the ends (2, n_values).
        """
        columns = [None] * values.shape[1] if sizes is None else sizes.T
        each = zip(values.T, columns, strict=True)
        found = [self.interval(Statistic(one, scale, size)) for one, size in each]
        return np.array([interval.ends for interval in found]).T

    def interval(self, one: Statistic) -> Interval:
        """Make the interval of one score, or say why there is none."""
        value, scale = float(one.values[0]), one.scale
        drawn = self.resampled(one.values)
        left_out = one.values[self.n_bootstrap + 1 :]
        if np.isnan(value) and one.undefined:
            return Interval(note=f"undefined, for {one.undefined}")
        if one.sizes is not None and value in (0.0, 1.0):
            note = "without exception; the exact bound for as many participants"
            return Interval(
                exact_interval(value, one.sizes, self.confidence), note=note
            )
        if note := _obstacle(value, drawn, left_out):
            return Interval(note=note)
        drawn = drawn[np.isfinite(drawn)]
        n_effective, n_parts = effective_number(left_out), len(left_out)
        error = max(
            drawn.std() * np.sqrt(n_parts / (n_parts - 1)),
            left_out.std() * np.sqrt(n_parts - 1),
        )
        level = (1 + self.confidence) / 2
        is_proportion = np.isfinite(scale.high - scale.low) and not scale.biased
        if is_proportion and scale.low < value < scale.high:
            freedom = min(n_parts - 1, max(n_effective - 1, _LEAST_FREEDOM))
            ends = _proportion_interval(value, error, scale, level, freedom)
            return Interval(ends, n_effective)
        centre = 2 * value - drawn.mean() if scale.biased else value
        reach = student.ppf(level, n_effective - 1) * error
        low, high = np.clip([centre - reach, centre + reach], scale.low, scale.high)
        return Interval((float(low), float(high)), n_effective)


def draw_replicates(
    strata: NDArray[np.intp],
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> Replicates:
    """Resample participants, and leave each out once.

    Parameters
    ----------
    strata : ndarray of shape (n_groups,), dtype int
        Participants are resampled within their stratum.

    n_bootstrap : int, default=1000
        Number of replicates, at least 100.

    confidence : float, default=0.95
        In (0, 1).

    random_state : int, RandomState instance or None, default=0
        Pass an int for the same weights on every call.

    Returns
    -------
    replicates : Replicates

    Raises
    ------
    ScoreError
        If `n_bootstrap` or `confidence` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.intervals import Statistic, draw_replicates
    >>> lengths = np.array([4.0, 6.0, 5.0, 7.0, 3.0, 5.0])
    >>> replicates = draw_replicates(np.zeros(6, dtype=int))
    >>> weights = replicates.weights
    >>> means = weights @ lengths / weights.sum(axis=1)
    >>> np.round(replicates.interval(Statistic(means)).ends, 1)
    array([3.5, 6.5])
    """
    if faults := settings_faults(n_bootstrap, confidence):
        raise ScoreError("\n".join(faults))
    rng = check_random_state(random_state)
    drawn = _resample(strata, n_bootstrap, rng)
    left_out = _leave_out(len(strata), rng)
    whole = np.ones((1, len(strata)), dtype=drawn.dtype)
    weights = np.vstack([whole, drawn, left_out])
    return Replicates(weights, n_bootstrap, confidence)


def settings_faults(n_bootstrap: Any, confidence: Any) -> list[str]:
    """Say what is wrong with the settings of a bootstrap.

    Parameters
    ----------
    n_bootstrap : int
        Number of replicates, at least 100.

    confidence : float
        In (0, 1).

    Returns
    -------
    faults : list of str
        Empty if nothing is wrong.

    Examples
    --------
    >>> from glomclf.evaluation.intervals import settings_faults
    >>> settings_faults(10, 0.95)
    ['n_bootstrap must be an integer of at least 100, got 10']
    """
    faults = range_faults("(0, 1)", confidence=confidence)
    if not isinstance(n_bootstrap, Integral) or n_bootstrap < 100:
        told = f"n_bootstrap must be an integer of at least 100, got {n_bootstrap!r}"
        faults.insert(0, told)
    return faults


def _proportion_interval(
    estimate: float, error: float, scale: Scale, level: float, freedom: float
) -> tuple[float, float]:
    """Take the exact interval of a proportion with this standard error."""
    width = scale.high - scale.low
    place = (estimate - scale.low) / width
    trials = place * (1 - place) / (error / width) ** 2
    trials *= (norm.ppf(level) / student.ppf(level, freedom)) ** 2
    hits = place * trials
    low = beta.ppf(1 - level, hits, trials - hits + 1)
    high = beta.ppf(level, hits + 1, trials - hits)
    return float(scale.low + width * low), float(scale.low + width * high)


def _obstacle(estimate: float, drawn: FloatArray, left_out: FloatArray) -> str:
    """Say what stands against an interval; nothing if it can be made."""
    if not np.isfinite(estimate):
        return "the score is undefined"
    if len(left_out) < 2:
        return "there is one participant only"
    if not np.isfinite(left_out).all():
        return "without one of the participants the score is undefined"
    undefined = 1 - np.isfinite(drawn).mean()
    if undefined > _MAX_UNDEFINED:
        return f"the score is undefined in {undefined:.0%} of the replicates"
    if np.nanmax(np.abs(drawn - estimate)) < 1e-12:
        return "the score is the same in every replicate"
    return ""


def _resample(
    strata: NDArray[np.intp], n_bootstrap: int, rng: np.random.RandomState
) -> NDArray[np.uint16]:
    """Draw with replacement within strata: how often each unit, (n_bootstrap, n)."""
    weights = np.zeros((n_bootstrap, len(strata)), dtype=np.uint16)
    for stratum in np.unique(strata):
        units = np.flatnonzero(strata == stratum)
        for replicate in range(n_bootstrap):
            drawn = rng.randint(len(units), size=len(units))
            weights[replicate, units] = np.bincount(drawn, minlength=len(units))
    return weights


def _leave_out(n_units: int, rng: np.random.RandomState) -> NDArray[np.uint16]:
    """Leave each unit, or each of many random blocks of units, out once."""
    n_blocks = min(n_units, _MAX_BLOCKS) if n_units > 1 else 0
    block_of = rng.permutation(np.arange(n_units) % max(n_blocks, 1))
    return (block_of != np.arange(n_blocks)[:, None]).astype(np.uint16)
