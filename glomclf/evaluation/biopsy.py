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
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._runtime import counted
from .estimates import Estimates
from .intervals import Scale, draw_replicates, settings_faults
from .participant_numbers import MIN_PARTICIPANTS, exact_interval
from .predictions import check_scores, threshold_faults
from .scores import Counts, accuracy, recall, specificity

__all__ = ["BiopsyAgreement", "biopsy_agreement"]


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
        *threshold_faults(threshold, y_score),
        *_biopsy_faults(groups, cut_offs),
        *settings_faults(n_bootstrap, confidence),
    ]
    labels, scores, codes = check_scores(y_true, y_score, groups, faults=faults)
    names = pd.factorize(np.asarray(groups, dtype=object), sort=True)[1]
    table = _percentages(
        labels, scores >= np.asarray(threshold), codes, pd.Index(names)
    )
    agreement = _Agreement(
        table["true"].to_numpy(), table["predicted"].to_numpy(), tuple(cut_offs)
    )
    strata = np.zeros(len(table), dtype=np.intp)
    replicates = draw_replicates(strata, n_bootstrap, confidence, random_state)
    estimates = replicates.estimates(
        agreement.scores(replicates.weights), agreement.scales()
    )
    content = vars(_with_exact_ends(estimates, agreement)) | {
        "caution": _caution(len(table))
    }
    return BiopsyAgreement(**content, table=table, cut_offs=tuple(cut_offs))


@dataclass(frozen=True)
class _Agreement:
    """Agreement of two percentages a biopsy, under weights of the biopsies."""

    true: NDArray[np.float64]
    predicted: NDArray[np.float64]
    cut_offs: tuple[float, ...]

    def scores(self, weights: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        weights = weights.astype(np.float64)
        found = self._differences(weights)
        for name, (score, cut_off, _) in self.at_cut_offs.items():
            cell = 2 * (self.true > cut_off) + (self.predicted > cut_off)
            counts = Counts(*(weights @ np.eye(4)[cell]).T)
            with np.errstate(invalid="ignore"):  # no biopsy on one side of the cut-off
                found[name] = score(counts)
        return found

    @cached_property
    def at_cut_offs(self) -> dict[str, tuple[Any, float, NDArray[np.bool_]]]:
        """By the name of each score at a cut-off: it, the cut-off, whom it is about."""
        found: dict[str, tuple[Any, float, NDArray[np.bool_]]] = {}
        for cut_off in self.cut_offs:
            above = self.true > cut_off
            at = f"above_{cut_off:g}"
            found |= {
                f"recall_{at}": (recall, cut_off, above),
                f"specificity_{at}": (specificity, cut_off, ~above),
                f"accuracy_{at}": (accuracy, cut_off, np.ones_like(above)),
            }
        return found

    def scales(self) -> dict[str, Scale]:
        return {
            "mean_absolute_error": Scale(0, 100),
            "bias": Scale(-100, 100),
            "lower_limit": Scale(),
            "upper_limit": Scale(),
            "icc": Scale(-1, 1),
            **dict.fromkeys(self.at_cut_offs, Scale(0, 1)),
        }

    def _differences(self, weights: NDArray[np.float64]) -> dict[str, Any]:
        """Bland-Altman and ICC(A,1), from mean squares as McGraw and Wong name them."""
        difference, middle = (
            self.predicted - self.true,
            (self.predicted + self.true) / 2,
        )
        n = weights.sum(axis=1)
        bias = weights @ difference / n
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = _weighted_variance(difference, weights)
            rows, error = 2 * _weighted_variance(middle, weights), variance / 2
            columns = n * bias**2 / 2
            icc = (rows - error) / (rows + error + 2 * (columns - error) / n)
        spread = 1.96 * np.sqrt(variance)
        return {
            "mean_absolute_error": weights @ np.abs(difference) / n,
            "bias": bias,
            "lower_limit": bias - spread,
            "upper_limit": bias + spread,
            "icc": icc,
        }


def _weighted_variance(
    values: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the unbiased variance where weights count repetitions."""
    n = weights.sum(axis=1)
    mean = weights @ values / n
    squares = weights @ values**2 - n * mean**2
    return np.asarray(np.maximum(squares, 0.0) / (n - 1))


def _with_exact_ends(estimates: Estimates, agreement: _Agreement) -> Estimates:
    """Bound the scores at a cut-off that are 0 or 1, and name the undefined ones."""
    notes, intervals = dict(estimates.notes), dict(estimates.intervals)
    for name, (_, _, biopsies) in agreement.at_cut_offs.items():
        score = estimates.scores[name]
        if not biopsies.any():
            notes[name] = "undefined, for no biopsy lies on that side of the cut-off"
        elif score in (0.0, 1.0) and name in notes:
            intervals[name] = exact_interval(score, biopsies, estimates.confidence)
            notes[name] = "without exception; the exact bound for as many biopsies"
    return replace(estimates, notes=notes, intervals=intervals)


def _percentages(
    labels: NDArray[np.intp],
    predicted: NDArray[np.bool_],
    codes: NDArray[np.intp],
    names: pd.Index,
) -> pd.DataFrame:
    n_glomeruli = np.bincount(codes)
    true = 100 * np.bincount(codes, labels) / n_glomeruli
    called = 100 * np.bincount(codes, predicted) / n_glomeruli
    return pd.DataFrame(
        {
            "n_glomeruli": n_glomeruli,
            "true": true,
            "predicted": called,
            "difference": called - true,
        },
        index=names.rename("participant"),
    )


def _biopsy_faults(groups: ArrayLike | None, cut_offs: Sequence[float]) -> list[str]:
    faults = [
        f"cut_offs must be in (0, 100), got {cut_off!r}"
        for cut_off in cut_offs
        if not 0 < cut_off < 100
    ]
    if groups is None:
        faults.append("groups is None; pass the participant of each glomerulus")
    return faults


def _caution(n_biopsies: int) -> str:
    if n_biopsies >= MIN_PARTICIPANTS:
        return ""
    return (
        f"there are {n_biopsies} biopsies; with fewer than {MIN_PARTICIPANTS} the "
        "intervals are not to be trusted"
    )
