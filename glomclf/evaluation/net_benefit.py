"""What each threshold brings: recall, precision, error of percentages, net benefit.

The net benefit [1]_ counts a patch rightly called sclerotic as a gain, and one wrongly
called so as a loss of `threshold / (1 - threshold)`: whoever cuts at 0.2 says that one
missed is worth four false alarms. A model is of use at a threshold where its net
benefit is above that of calling every patch sclerotic, and above 0, that of none.

References
----------
.. [1] Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating
   prediction models. Medical Decision Making 2006;26:565-574.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .intervals import Replicates, Scale, draw_replicates, settings_faults
from .predictions import Predictions, check_scores

__all__ = ["threshold_table"]

FloatArray = NDArray[np.float64]

_THRESHOLDS = np.arange(1, 100) / 100


def threshold_table(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    thresholds: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    """Tell what each threshold brings.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: rows count as independent, and there is no
        percentage error.

    thresholds : array-like of shape (n_thresholds,), default=None
        In (0, 1); None: 0.01 to 0.99.

    n_bootstrap, confidence, random_state
        As in `glomclf.evaluate`.

    Returns
    -------
    table : DataFrame of shape (n_thresholds, n_columns)
        Index ``threshold``, rising; a row is called 1 from it upwards. Columns:

        - ``recall``, ``precision``, ``f1``: NaN where undefined;
        - ``percentage_error``: mean over participants of the absolute difference
          between predicted and true percentage of class 1, in percentage points; only
          with `groups`;
        - ``net_benefit``, ``net_benefit_low`` and ``net_benefit_high``: in rightly
          called patches a patch, with its interval over participants;
        - ``net_benefit_all``: of calling every row 1. That of calling none is 0.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Notes
    -----
    A threshold that is chosen in this table is too good on these rows: choose on some
    participants, and judge on others.

    Examples
    --------
    >>> from glomclf.evaluation import threshold_table
    >>> y_true, y_score = [0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.7, 0.9]
    >>> table = threshold_table(y_true, y_score, thresholds=[0.2, 0.5])
    >>> table[["recall", "precision", "net_benefit"]].round(3).reset_index()
       threshold  recall  precision  net_benefit
    0        0.2   1.000        0.6        0.417
    1        0.5   0.667        1.0        0.333
    """
    cuts, faults = _cuts(thresholds)
    faults += settings_faults(n_bootstrap, confidence)
    rows = Predictions(*check_scores(y_true, y_score, groups, faults=faults))
    called = rows.y_score[:, None] >= cuts
    tp = _by_group(rows, called & (rows.y_true == 1)[:, None])
    fp = _by_group(rows, called & (rows.y_true == 0)[:, None])
    sizes, positive = rows.sizes(0) + rows.sizes(1), rows.sizes(1)
    n_found, n_called = tp.sum(0), (tp + fp).sum(0)
    with np.errstate(invalid="ignore"):
        table = {
            "recall": n_found / positive.sum(),
            "precision": n_found / n_called,
            "f1": np.where(
                positive.sum(), 2 * n_found / (n_called + positive.sum()), np.nan
            ),
        }
    if groups is not None:
        off = np.abs(tp + fp - positive[:, None]) / sizes[:, None]
        table["percentage_error"] = 100 * off.mean(0)
    odds = cuts / (1 - cuts)
    prevalence = positive.sum() / sizes.sum()
    replicates = draw_replicates(rows.strata, n_bootstrap, confidence, random_state)
    table |= _net_benefits(tp - fp * odds, sizes, replicates)
    table["net_benefit_all"] = prevalence - (1 - prevalence) * odds
    return pd.DataFrame(table, index=pd.Index(cuts, name="threshold"))


def _cuts(thresholds: ArrayLike | None) -> tuple[FloatArray, list[str]]:
    if thresholds is None:
        return _THRESHOLDS, []
    cuts = np.unique(np.asarray(thresholds, dtype=np.float64))
    if not cuts.size or not ((cuts > 0) & (cuts < 1)).all():
        return _THRESHOLDS, [f"thresholds must be in (0, 1), got {thresholds!r}"]
    return cuts, []


def _by_group(rows: Predictions, marked: NDArray[np.bool_]) -> FloatArray:
    """Count marked rows by participant: (n_samples, n) to (n_groups, n)."""
    return np.column_stack([rows.sum_by_group(column) for column in marked.T])


def _net_benefits(
    gained: FloatArray, sizes: FloatArray, replicates: Replicates
) -> dict[str, FloatArray]:
    """Return net benefits and the ends of their intervals, for every threshold."""
    weights = replicates.weights.astype(np.float64)
    values = (weights @ gained) / (weights @ sizes)[:, None]
    names = [str(place) for place in range(gained.shape[1])]
    found = replicates.estimates(
        dict(zip(names, values.T, strict=True)), dict.fromkeys(names, Scale())
    )
    low, high = np.array([found.intervals[name] for name in names]).T
    return {
        "net_benefit": values[0],
        "net_benefit_low": low,
        "net_benefit_high": high,
    }
