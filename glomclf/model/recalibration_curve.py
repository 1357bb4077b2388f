"""What recalibration is worth, by the number of participants that are labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from ..errors import ScoreError
from ..evaluation.predictions import check_scores
from .recalibration import Method, fit_recalibration, method_faults

__all__ = ["recalibration_gain"]

Floats = NDArray[np.float64]

_LEAST = 1e-15  # chance whose logarithm is taken


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
        y_true, y_score, groups, faults=method_faults(method)
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
    before = _scores(labels, scores, codes, threshold)
    after = _scores(labels, learned.apply(scores), codes, threshold)
    return {
        f"{name}_{when}": value
        for when, scores in (("before", before), ("after", after))
        for name, value in scores.items()
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
