"""Probabilities made right for a new site, by a few labelled participants of it.

The ranking of glomeruli often holds at another centre where the probabilities do not:
another stain moves all of them up or down. A map from the model's probability to that
of the site mends this. It is learned from so few participants that its numbers are
held near "no change" by a prior, without which one participant of one class would send
them to infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.isotonic import IsotonicRegression
from sklearn.utils import check_random_state

from .._runtime import counted
from ..errors import ScoreError
from ..evaluation.participant_numbers import MIN_PARTICIPANTS, equal_number
from ..evaluation.predictions import check_scores
from ..evaluation.weighted_logistic import clipped_logits

Floats = NDArray[np.float64]
Method = Literal["auto", "intercept", "temperature", "logistic", "isotonic"]

# Normal, of the intercept and of the logarithm of the slope.
_PRIOR_SD = np.array([1.0, 0.5])
_FREE = {  # which of intercept and slope are learned
    "intercept": [True, False],
    "temperature": [False, True],
    "logistic": [True, True],
}
# Isotonic regression overfits fewer rows (Niculescu-Mizil and Caruana 2005).
_ROWS_OF_ISOTONIC = 1000
_PARTICIPANTS_OF_ISOTONIC = 50
_LEAST = 1e-15  # chance whose logarithm is taken


@dataclass(frozen=True, kw_only=True)
class Recalibration:
    """How a model's probabilities become those of a site, and what that rests on.

    Parameters
    ----------
    method : {"intercept", "temperature", "logistic", "isotonic"}
    intercept, slope : float
        The logit of the probability becomes ``intercept + slope * logit``. 0 and 1
        where `method` does not learn them.
    before, after : tuple of float
        Of "isotonic": probabilities, and what they become; between them is a line.
        Else empty.
    n_samples, n_positive, n_participants : int
        Rows, rows of class 1, and participants of the site.
    """

    method: str
    intercept: float = 0.0
    slope: float = 1.0
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()
    n_samples: int
    n_positive: int
    n_participants: int

    def __str__(self) -> str:
        told = f"{counted(self.n_samples, 'patch')} ({self.n_positive} of class 1)"
        people = counted(self.n_participants, "participant")
        line = f": logit becomes {self.intercept:.2f} + {self.slope:.2f} x logit"
        return f"{told} of {people}, {self.method}{'' if self.before else line}"

    def apply(self, y_score: ArrayLike) -> Floats:
        """Turn probabilities of the model into those of the site.

        Parameters
        ----------
        y_score : array-like of shape (n_samples,)
            Of class 1, in [0, 1], as the model gives them.

        Returns
        -------
        ndarray of shape (n_samples,), float64 in [0, 1]
        """
        scores = np.asarray(y_score, dtype=np.float64)
        if self.before:
            return np.interp(scores, self.before, self.after)
        return np.asarray(expit(self.intercept + self.slope * clipped_logits(scores)))


def fit_recalibration(
    y_true: ArrayLike, y_score: ArrayLike, groups: ArrayLike, method: Method = "auto"
) -> Recalibration:
    """Learn how probabilities become those of a site, from labels there.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels at the site, 0 or 1.
    y_score : array-like of shape (n_samples,)
        Probabilities of class 1 by a model that saw none of these participants.
    groups : array-like of shape (n_samples,)
        The participant of each row.
    method : {"auto", "intercept", "temperature", "logistic", "isotonic"}
        What is learned of the map between logits: its intercept, its slope, both, or
        any rising map. ``"auto"`` takes the intercept below 5 participants of either
        class, counted as participants with equally many rows; "isotonic" from 50 of
        them and 1,000 rows; between, "logistic".

    Returns
    -------
    Recalibration

    Raises
    ------
    ScoreError
        If labels, probabilities, participants or the method cannot be used, or
        "isotonic" is asked for and a class is missing.

    Notes
    -----
    Few participants bear few parameters [1]_. Intercept and logarithm of the slope have
    normal priors around no change, with standard deviations of 1 and 0.5; the most
    probable values are taken. "isotonic" is scikit-learn's regression, kept from 0 and
    1 as Laplace's rule does; it overfits fewer than 1,000 rows [2]_.

    References
    ----------
    .. [1] Steyerberg EW, Borsboom GJJM, van Houwelingen HC, Eijkemans MJC, Habbema
       JDF. Validation and updating of predictive logistic regression models: a study
       on sample size and shrinkage. Statistics in Medicine 2004;23:2567-2586.
    .. [2] Niculescu-Mizil A, Caruana R. Predicting good probabilities with supervised
       learning. International Conference on Machine Learning, 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.model import fit_recalibration
    >>> rng = np.random.default_rng(0)
    >>> chance, groups = rng.random(200), np.repeat(np.arange(10), 20)
    >>> y_true = rng.random(200) < chance
    >>> too_high = chance / (chance + (1 - chance) / 4)  # four times the odds
    >>> found = fit_recalibration(y_true, too_high, groups, "intercept")
    >>> f"{found.intercept:.1f}"  # minus the logarithm of 4
    '-1.6'
    """
    labels, scores, codes = check_scores(
        y_true, y_score, groups, faults=_method_faults(method)
    )
    chosen = _by_number(labels, codes) if method == "auto" else method
    if chosen == "isotonic" and len(np.unique(labels)) < 2:
        raise ScoreError(
            f"all {len(labels)} rows that the method 'isotonic' is to be learned from "
            f"have the label {labels[0]}. Take method='auto', or more participants."
        )
    of_method = _isotonic if chosen == "isotonic" else _of_logits
    return Recalibration(
        method=chosen,
        **of_method(chosen, labels, scores),
        n_samples=len(labels),
        n_positive=int(labels.sum()),
        n_participants=len(np.unique(codes)),
    )


def _method_faults(method: Any) -> list[str]:
    """Say what is wrong with the name of a method; empty if nothing is."""
    known = get_args(Method)
    told = ", ".join(map(repr, known))
    return [] if method in known else [f"method must be one of {told}, got {method!r}"]


def _by_number(labels: NDArray[np.intp], codes: NDArray[np.intp]) -> str:
    """Choose what so many participants can teach."""
    sizes = [np.bincount(codes[labels == label]) for label in (0, 1)]
    n_equal = min(map(equal_number, sizes))
    if n_equal < MIN_PARTICIPANTS:
        return "intercept"
    many = len(labels) >= _ROWS_OF_ISOTONIC and n_equal >= _PARTICIPANTS_OF_ISOTONIC
    return "isotonic" if many else "logistic"


def _of_logits(
    method: str, labels: NDArray[np.intp], scores: Floats
) -> dict[str, float]:
    """Find the most probable intercept and logarithm of the slope."""
    logits, sign = clipped_logits(scores), np.where(labels == 1, 1.0, -1.0)
    free = np.array(_FREE[method])

    def minus_log_posterior(learned: Floats) -> float:
        intercept, log_slope = whole = learned * free
        margin = sign * (intercept + np.exp(log_slope) * logits)
        return ((whole / _PRIOR_SD) ** 2).sum() / 2 - log_expit(margin).sum()

    bounds = [(-20.0, 20.0), (-3.0, 3.0)]
    found = minimize(minus_log_posterior, np.zeros(2), bounds=bounds).x * free
    return {"intercept": float(found[0]), "slope": float(np.exp(found[1]))}


def _isotonic(
    method: str, labels: NDArray[np.intp], scores: Floats
) -> dict[str, tuple[float, ...]]:
    edge = 1 / (len(labels) + 2)
    rising = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    rising.fit(scores, labels)
    return {
        "before": tuple(rising.X_thresholds_.tolist()),
        "after": tuple(rising.y_thresholds_.tolist()),
    }


def without_own_participant(
    y_true: NDArray[np.intp], y_score: Floats, groups: NDArray[Any], method: Method
) -> Floats:
    """Recalibrate each participant by the others alone.

    Parameters
    ----------
    y_true, y_score, groups : ndarray of shape (n_samples,)
        As for `fit_recalibration`; at least two participants.
    method : str

    Returns
    -------
    ndarray of shape (n_samples,), float64 in [0, 1]
    """
    probability = np.empty(len(y_score))
    for one in np.unique(groups):
        own = groups == one
        learned = fit_recalibration(y_true[~own], y_score[~own], groups[~own], method)
        probability[own] = learned.apply(y_score[own])
    return probability


def recalibration_gain(
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike,
    *,
    method: Method = "auto",
    n_participants: Sequence[int] | None = None,
    threshold: float = 0.5,
    n_draws: int = 50,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    """Measure what recalibration on so many participants of a site is worth.

    Parameters
    ----------
    y_true, y_score, groups : array-like of shape (n_samples,)
        As for :func:`fit_recalibration`: labels, probabilities and participants of the
        site, at least 3.
    method : {"auto", "intercept", "temperature", "logistic", "isotonic"}
    n_participants : sequence of int, default=None
        Numbers to try, each smaller than that of all. None is 1, 2, 4, 8 and so on,
        and all but one.
    threshold : float, default=0.5
        In [0, 1].
    n_draws : int, default=50
        Draws of each number; the participants that are not drawn are judged.
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    DataFrame
        Index ``n_participants``. Means over draws of the log loss, of F1 and of the
        absolute error of a participant's percentage of class 1, in points: columns
        ``log_loss_before``, ``log_loss_after`` and so on with ``f1`` and ``error``. A
        draw whose judged rows lack class 1 has no F1 and is left out of its mean; one
        whose drawn rows lack a class that "isotonic" needs is left out of all.

    Raises
    ------
    ScoreError
        If an input cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.model import recalibration_gain
    >>> rng = np.random.default_rng(0)
    >>> chance, groups = rng.random(200), np.repeat(np.arange(10), 20)
    >>> y_true = rng.random(200) < chance
    >>> too_high = chance / (chance + (1 - chance) / 4)
    >>> gain = recalibration_gain(y_true, too_high, groups, n_draws=5)
    >>> gain.index.tolist()
    [1, 2, 4, 8, 9]
    >>> bool((gain["log_loss_after"] < gain["log_loss_before"]).all())
    True
    """
    labels, scores, codes = check_scores(
        y_true, y_score, groups, faults=_method_faults(method)
    )
    n_all = len(np.unique(codes))
    numbers = _numbers(n_all) if n_participants is None else list(n_participants)
    if n_all < 3 or not all(1 <= number < n_all for number in numbers):
        raise ScoreError(
            f"n_participants must lie from 1 to {n_all - 1}, one fewer than the "
            f"{n_all} participants given, of whom 3 are needed; got {numbers}"
        )
    rng = check_random_state(random_state)
    rows = (labels, scores, codes)
    table = {}
    for number in numbers:
        drawn = [rng.choice(n_all, number, replace=False) for _ in range(n_draws)]
        found = [_judged(np.isin(codes, one), rows, method, threshold) for one in drawn]
        table[number] = pd.DataFrame(filter(None, found)).mean()
    return pd.DataFrame(table).T.rename_axis("n_participants")


def _numbers(n_all: int) -> list[int]:
    doubled = [2**k for k in range(n_all.bit_length()) if 2**k < n_all]
    return sorted({*doubled, n_all - 1})


def _judged(
    is_drawn: NDArray[np.bool_], rows: Any, method: Method, threshold: float
) -> dict[str, float]:
    """Recalibrate on the drawn participants, and judge the others."""
    labels, scores, codes = rows
    drawn = (labels[is_drawn], scores[is_drawn], codes[is_drawn])
    try:
        learned = fit_recalibration(*drawn, method)
    except ScoreError:  # a class is missing
        return {}
    labels, scores, codes = labels[~is_drawn], scores[~is_drawn], codes[~is_drawn]
    told = {"before": scores, "after": learned.apply(scores)}
    return {
        f"{name}_{when}": value
        for when, one in told.items()
        for name, value in _scores(labels, one, codes, threshold).items()
    }


def _scores(
    labels: NDArray[np.intp], scores: Floats, codes: NDArray[np.intp], threshold: float
) -> dict[str, float]:
    """Give the log loss, F1, and the mean error of a participant's percentage."""
    called = scores >= threshold
    hits, n_positive = (called & (labels == 1)).sum(), labels.sum()
    f1 = 2 * hits / (called.sum() + n_positive) if n_positive else np.nan
    sizes = np.bincount(codes)
    wrong = np.bincount(codes, 1.0 * called - labels)[sizes > 0] / sizes[sizes > 0]
    chance = np.clip(np.where(labels == 1, scores, 1 - scores), _LEAST, 1)
    return {
        "log_loss": -np.log(chance).mean(),
        "f1": f1,
        "error": 100 * np.abs(wrong).mean(),
    }
