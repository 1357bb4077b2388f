"""The number a pathologist reports: the percentage of globally sclerotic glomeruli.

A biopsy is judged by the share of its glomeruli that are globally sclerotic, with cut-
offs at 20 % (donor kidneys above it are often declined) and 50 % [1]_. Here each biopsy
counts once, however many glomeruli it has, and the agreement of predicted with true
percentages is told in the units a clinician reads: the mean absolute error, the bias
and limits of agreement of Bland and Altman [2]_, and an intraclass correlation.

References
----------
.. [1] Remuzzi G, et al. Early experience with dual kidney transplantation in adults
   using expanded donor criteria. Journal of the American Society of Nephrology
   1999;10:2591-2598.
.. [2] Bland JM, Altman DG. Statistical methods for assessing agreement between two
   methods of clinical measurement. Lancet 1986;327:307-310.
.. [3] McGraw KO, Wong SP. Forming inferences about some intraclass correlation
   coefficients. Psychological Methods 1996;1:30-46.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._runtime import counted
from .estimates import Estimates
from .intervals import Scale, Statistic, draw_replicates, settings_faults
from .participant_numbers import MIN_PARTICIPANTS
from .predictions import FloatArray, Predictions, range_faults
from .readings import icc
from .scores import score_rows


@dataclass(frozen=True, kw_only=True)
class BiopsyAgreement(Estimates):
    """How well percentages a biopsy agree, as `biopsy_agreement` returns it.

    `scores`, `interval`, `to_frame` and `to_dict` are those of
    `glomclf.evaluation.estimates.Estimates`.

    Parameters
    ----------
    table : DataFrame
        One row a biopsy: ``n_glomeruli``, ``true`` and ``predicted`` percentage of
        globally sclerotic glomeruli, and ``difference`` (predicted less true).

    cut_offs : tuple of float
        In percent.
    """

    table: pd.DataFrame
    cut_offs: tuple[float, ...]

    def _heading(self) -> str:
        return (
            "Percentage of globally sclerotic glomeruli, "
            f"{counted(len(self.table), 'biopsy')}, "
            f"{self.table['n_glomeruli'].sum()} glomeruli"
        )


def biopsy_agreement(
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float | ArrayLike = 0.5,
    cut_offs: Sequence[float] = (20, 50),
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> BiopsyAgreement:
    """Compare predicted and true percentages of sclerotic glomeruli, biopsy by biopsy.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels of the glomeruli, 0 or 1.

    y_score : array-like of shape (n_samples,)
        Their probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,)
        The participant (biopsy) of each glomerulus.

    threshold : float or array-like of shape (n_samples,), default=0.5
        A glomerulus is predicted sclerotic if its probability is at least this.

    cut_offs : sequence of float, default=(20, 50)
        Percentages, in (0, 100); a biopsy is classified by whether it lies above.

    n_bootstrap : int, default=1000
        Number of bootstrap replicates, at least 100. Biopsies are resampled.

    confidence : float, default=0.95
        In (0, 1).

    random_state : int, RandomState instance or None, default=0
        An int gives the same intervals on every call.

    Returns
    -------
    agreement : BiopsyAgreement
        Its `scores`, in percentage points unless stated: ``mean_absolute_error``;
        ``bias`` (mean of predicted less true); ``lower_limit`` and ``upper_limit``
        (bias less and plus 1.96 standard deviations of the differences); ``icc``, the
        intraclass correlation of single measurements for absolute agreement, ICC(A,1)
        of McGraw and Wong, at most 1 (its interval is kept in [-1, 1]); and for each
        cut-off ``recall_above_20``, ``specificity_above_20``, ``accuracy_above_20``, in
        [0, 1].

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Examples
    --------
    >>> from glomclf.evaluation.biopsy import biopsy_agreement
    >>> y_true = [0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0]
    >>> y_score = [0.1, 0.6, 0.2, 0.9, 0.8, 0.7, 0.4, 0.4, 0.2, 0.1, 0.3, 0.2]
    >>> agreement = biopsy_agreement(y_true, y_score, list("aaaabbbbcccc"))
    >>> agreement.table["difference"].to_dict()
    {'a': 25.0, 'b': -25.0, 'c': 0.0}
    >>> round(agreement.scores["mean_absolute_error"], 1)
    16.7
    """
    faults = [
        *range_faults("(0, 100)", cut_offs=cut_offs),
        *settings_faults(n_bootstrap, confidence),
    ]
    lacking = ["groups is None; pass the participant of each glomerulus"]
    faults += lacking if groups is None else []
    rows = Predictions.checked(y_true, y_score, groups, threshold, faults=faults)
    true, predicted = percentages_of(rows)
    names = pd.factorize(np.asarray(groups, dtype=object), sort=True)[1]
    table = pd.DataFrame(
        {"n_glomeruli": np.bincount(rows.codes), "true": true, "predicted": predicted},
        index=pd.Index(names, name="participant"),
    )
    table["difference"] = table["predicted"] - table["true"]
    strata = np.zeros(rows.n_groups, dtype=np.intp)
    replicates = draw_replicates(strata, n_bootstrap, confidence, random_state)
    statistics = percentage_agreement(true, predicted, replicates.weights)
    for cut_off in cut_offs:
        statistics |= _at_cut_off(true, predicted, cut_off, replicates.weights)
    estimates = replicates.estimates(statistics)
    content = vars(estimates) | {"caution": _caution(len(table))}
    return BiopsyAgreement(**content, table=table, cut_offs=tuple(cut_offs))


def percentages_of(rows: Predictions) -> tuple[FloatArray, FloatArray]:
    """Return each participant's true and predicted percentage of class 1."""
    _, fp, fn, tp = rows.counts.T
    n_rows = rows.counts.sum(axis=1)
    return 100 * (fn + tp) / n_rows, 100 * (fp + tp) / n_rows


def percentage_agreement(
    true: FloatArray, predicted: FloatArray, weights: NDArray[Any]
) -> dict[str, Statistic]:
    """Compare two percentages a participant, under each row of weights.

    Parameters
    ----------
    true, predicted : ndarray of shape (n_participants,)

    weights : ndarray of shape (n_replicates, n_participants)

    Returns
    -------
    agreement : dict of str to Statistic
        The mean absolute error, Bland's and Altman's bias and limits, and the ICC.
    """
    weights = weights.astype(np.float64)
    difference, n = predicted - true, weights.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # nobody may be drawn
        bias = weights @ difference / n
        squares = weights @ difference**2 - n * bias**2
        spread = 1.96 * np.sqrt(np.maximum(squares, 0.0) / (n - 1))
        error = weights @ np.abs(difference) / n
        alike = icc(np.column_stack([true, predicted]), weights)
    return {
        "mean_absolute_error": Statistic(error, Scale(0, 100)),
        "bias": Statistic(bias, Scale(-100, 100)),
        "lower_limit": Statistic(bias - spread),
        "upper_limit": Statistic(bias + spread),
        "icc": Statistic(alike, Scale(-1, 1)),
    }


def _at_cut_off(
    true: FloatArray, predicted: FloatArray, cut_off: float, weights: NDArray[Any]
) -> dict[str, Statistic]:
    """Score which biopsies are told to lie above a cut-off, as rows are scored."""
    above = (true > cut_off).astype(np.intp), (predicted > cut_off).astype(np.float64)
    biopsies = Predictions(*above, np.arange(len(true)))
    found = score_rows(biopsies, weights, ("recall", "specificity", "accuracy"))
    why = "no biopsy lies on that side of the cut-off"
    return {
        f"{name}_above_{cut_off:g}": replace(one, undefined=why)
        for name, one in found.items()
    }


def _caution(n_biopsies: int) -> str:
    if n_biopsies >= MIN_PARTICIPANTS:
        return ""
    return (
        f"there are {n_biopsies} biopsies; with fewer than {MIN_PARTICIPANTS} the "
        "intervals are not to be trusted"
    )
