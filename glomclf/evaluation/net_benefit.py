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
from numpy.typing import ArrayLike

from .intervals import Scale, draw_replicates, settings_faults
from .predictions import FloatArray, Predictions, range_faults

_THRESHOLDS = np.arange(1, 100) / 100


def threshold_table(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    thresholds: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
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

    n_bootstrap, confidence
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
    cuts = np.unique(_THRESHOLDS if thresholds is None else np.asarray(thresholds))
    faults = range_faults("(0, 1)", thresholds=cuts)
    faults += settings_faults(n_bootstrap, confidence)
    rows = Predictions.checked(y_true, y_score, groups, faults=faults)
    called = rows.y_score[:, None] >= cuts
    tp, fp = (
        rows.sum_by_group(called & (rows.y_true == label)[:, None]) for label in (1, 0)
    )
    table = _scores(rows, tp, fp)
    odds, n_rows = cuts / (1 - cuts), np.bincount(rows.codes)
    replicates = draw_replicates(rows.strata, n_bootstrap, confidence)
    weights = replicates.weights.astype(np.float64)
    benefits = (weights @ (tp - fp * odds)) / (weights @ n_rows)[:, None]
    low, high = replicates.ends(benefits, Scale())
    prevalence = rows.y_true.mean()
    table |= {
        "net_benefit": benefits[0],
        "net_benefit_low": low,
        "net_benefit_high": high,
        "net_benefit_all": prevalence - (1 - prevalence) * odds,
    }
    return pd.DataFrame(table, index=pd.Index(cuts, name="threshold"))


def _scores(rows: Predictions, tp: FloatArray, fp: FloatArray) -> dict[str, FloatArray]:
    """Score what each participant has of rows that are called 1 at each threshold."""
    n_rows, n_positive = np.bincount(rows.codes), rows.sizes(1)
    n_found, n_called = tp.sum(0), (tp + fp).sum(0)
    with np.errstate(invalid="ignore"):
        table = {
            "recall": n_found / n_positive.sum(),
            "precision": n_found / n_called,
            "f1": 2 * n_found / (n_called + n_positive.sum()),
        }
    if not n_positive.any():
        table["f1"] = table["recall"]  # undefined, and not 0
    if rows.is_known:
        off = np.abs(tp + fp - n_positive[:, None]) / n_rows[:, None]
        table["percentage_error"] = 100 * off.mean(0)
    return table
