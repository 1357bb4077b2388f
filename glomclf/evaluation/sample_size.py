"""How many participants the external validation of a model needs.

For each score, the number of patches whose interval has a given width, were they
independent, after Riley [1]_ [2]_ and, for recall and specificity, Whittle [3]_.
Patches of one participant are alike, and tell less than as many of different ones: the
design effect [4]_ says by what factor more are needed.

References
----------
.. [1] Riley RD, Snell KIE, Archer L, et al. Evaluation of clinical prediction models
   (part 3): calculating the sample size required for an external validation study. BMJ
   2024;384:e074821.
.. [2] Riley RD, Debray TPA, Collins GS, et al. Minimum sample size for external
   validation of a clinical prediction model with a binary outcome. Statistics in
   Medicine 2021;40:4230-4251.
.. [3] Whittle R, Ensor J, Archer L, et al. Extended sample size calculations for
   evaluation of prediction models using a threshold for classification. BMC Medical
   Research Methodology 2025;25:170.
.. [4] Kish L. Survey Sampling. Wiley, 1965.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from scipy.stats import norm

from ..errors import ScoreError
from .predictions import FloatArray, Predictions, range_faults
from .scores import score_rows
from .weighted_logistic import clipped_logits

WIDTHS = {
    "recall": 0.1,
    "specificity": 0.1,
    "roc_auc": 0.1,
    "observed_expected_ratio": 0.2,
    "calibration_slope": 0.2,
    "standardized_net_benefit": 0.2,
}
"""Scores that a validation is planned for, and how wide their intervals may be."""


def validation_sample_size(
    *,
    prevalence: float,
    recall: float,
    specificity: float,
    roc_auc: float,
    threshold: float,
    logits: ArrayLike,
    widths: Mapping[str, float] | None = None,
    patches_per_participant: float = 1.0,
    design_effect: float | Mapping[str, float] = 1.0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count the participants for whom intervals have given widths.

    Parameters
    ----------
    prevalence : float
        Expected share of class 1, in (0, 1).

    recall, specificity : float
        Expected at the threshold, in [0, 1].

    roc_auc : float
        Expected, in [0.5, 1].

    threshold : float
        In (0, 1); of the net benefit.

    logits : array-like of shape (n_samples,)
        Logits of probabilities as they will be, such as those of the test set; the
        model is taken as calibrated.

    widths : mapping of str to float, default=None
        Width of the interval of each score, from end to end. None: `WIDTHS`. Scores
        that are left out are not planned for.

    patches_per_participant : float, default=1.0
        Expected mean, at least 1.

    design_effect : float or mapping of str to float, default=1.0
        By how much the patches of one participant inflate the variance; a number, or
        one a score. `plan_validation` takes those that were seen; with m patches a
        participant and an intraclass correlation r it is 1 + (m - 1) r.

    confidence : float, default=0.95
        Of the intervals, in (0, 1).

    Returns
    -------
    table : DataFrame
        Index ``score``; columns ``expected``, ``width``, ``n_patches``, were they
        independent, ``design_effect`` and ``n_participants``. A score that is expected
        without any error, such as a recall of 1, has no numbers.

    Raises
    ------
    ScoreError
        If a number is out of its range; the message names every fault.

    Examples
    --------
    The validation of a model of failing heart valves that Riley 2021 plans.

    >>> import numpy as np
    >>> from glomclf.evaluation import validation_sample_size
    >>> table = validation_sample_size(
    ...     prevalence=0.018,
    ...     recall=0.8,
    ...     specificity=0.9,
    ...     roc_auc=0.8,
    ...     threshold=0.08,
    ...     logits=np.random.RandomState(0).normal(-5, 2.5, 100_000),
    ...     widths={"roc_auc": 0.1},
    ... )
    >>> int(table.loc["roc_auc", "n_patches"])
    4252
    """
    widths = WIDTHS if widths is None else widths
    effects = design_effect
    if not isinstance(effects, Mapping):
        effects = dict.fromkeys(widths, effects)
    shares = {"recall": recall, "specificity": specificity, "roc_auc": roc_auc}
    open_shares = {"prevalence": prevalence, "threshold": threshold}
    if faults := [
        *_faults(widths, effects),
        *range_faults("(0, 1)", **open_shares, confidence=confidence),
        *range_faults("[0, 1]", **shares),
        *range_faults("[0.5, inf)", roc_auc=roc_auc),
        *range_faults("[1, inf)", patches_per_participant=patches_per_participant),
    ]:
        raise ScoreError("\n".join(faults))
    weight = (1 - prevalence) / prevalence * threshold / (1 - threshold)
    expected = dict.fromkeys(WIDTHS, 1.0) | shares  # of a calibrated model
    expected["standardized_net_benefit"] = recall - weight * (1 - specificity)
    columns = {"expected": expected, "width": widths, "design_effect": effects}
    table = pd.DataFrame(columns, index=pd.Index(widths, name="score"))
    errors = _standard_errors(table["width"], confidence)
    numbers = _n_patches(errors, shares, prevalence, weight, logits)
    table.insert(2, "n_patches", np.ceil(numbers))
    numbers *= table["design_effect"] / patches_per_participant
    return table.assign(n_participants=np.ceil(numbers))


def _faults(widths: Mapping[str, float], effects: Mapping[str, float]) -> list[str]:
    known = ", ".join(WIDTHS)
    faults = [
        *(f"widths has {name!r}; it takes {known}" for name in set(widths) - {*WIDTHS}),
        *(f"design_effect lacks {name}" for name in set(widths) - {*effects}),
    ]
    for name, width in widths.items():
        faults += range_faults("(0, inf)", **{f"the width of {name}": width})
    for name, effect in effects.items():
        faults += range_faults("(0, inf)", **{f"design_effect of {name}": effect})
    return faults


def _standard_errors(widths: pd.Series, confidence: float) -> pd.Series:
    """Return the standard errors of intervals; the ratio's is of its logarithm."""
    of_ratio = widths.index.str.endswith("_ratio")
    reach = norm.ppf((1 + confidence) / 2)
    return (widths / 2).mask(of_ratio, np.arcsinh(widths / 2)) / reach


def plan_validation(
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float = 0.5,
    widths: Mapping[str, float] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count the participants of a next validation from what was seen in this one.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1, both present.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,)
        The participant of each row, at least two.

    threshold : float, default=0.5
        In (0, 1); a row is called 1 from it upwards.

    widths, confidence
        As in `validation_sample_size`.

    Returns
    -------
    table : DataFrame
        As from `validation_sample_size`: scores, prevalence, patches a participant and
        design effects are those of these rows.

    Raises
    ------
    ScoreError
        If an input cannot be used, or a class or a second participant is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation import plan_validation
    >>> rng = np.random.RandomState(0)
    >>> participants = np.repeat(np.arange(30), 20)
    >>> y_true = rng.binomial(1, 0.3, 600)
    >>> logits = 2.5 * y_true - 1.5 + rng.normal(size=600)
    >>> logits += 0.7 * rng.normal(size=30)[participants]
    >>> table = plan_validation(y_true, 1 / (1 + np.exp(-logits)), participants)
    >>> table.loc["recall", ["n_patches", "n_participants"]].astype(int).tolist()
    [1077, 117]
    """
    rows = Predictions.checked(
        *(y_true, y_score, groups, threshold),
        faults=range_faults("(0, 1)", threshold=threshold),
    )
    n_classes = len(np.unique(rows.y_true))
    if n_classes < 2 or rows.n_groups < 2:
        raise ScoreError(
            "a validation is planned from rows of both classes and of two participants "
            f"at least; there are {n_classes} and {rows.n_groups}"
        )
    names = ("recall", "specificity", "roc_auc")
    scores = score_rows(rows, np.ones((1, rows.n_groups)), names)
    seen = {name: float(one.values[0]) for name, one in scores.items()}
    owed = pd.DataFrame(_owed(rows))
    by_participant = owed.groupby(rows.codes).sum()
    of_participants = (by_participant**2).sum() * rows.n_groups / (rows.n_groups - 1)
    # Chance alone can make the ratio less than 1, which nobody should plan with.
    effects = (of_participants / (owed**2).sum()).clip(lower=1.0).fillna(1.0)
    return validation_sample_size(
        **seen | {"roc_auc": max(0.5, seen["roc_auc"])},
        prevalence=float(rows.y_true.mean()),
        threshold=threshold,
        logits=clipped_logits(rows.y_score),
        widths=widths,
        patches_per_participant=len(rows.y_true) / rows.n_groups,
        design_effect={str(name): one for name, one in effects.items()},
        confidence=confidence,
    )


def _owed(rows: Predictions) -> dict[str, FloatArray]:
    """Return what each score owes to each row, up to a factor (its influence).

    The variance of a score over rows is the sum of the squares of what it owes to
    them, that over participants of what it owes to each participant's rows together.
    """
    y, scores, called = rows.y_true, rows.y_score, rows.y_score >= rows.threshold
    share, places = y.mean(), _placements(y, scores)
    gain = called * np.where(y == 1, 1.0, -rows.threshold / (1 - rows.threshold))
    intercept, slope = rows.recalibrations[1].fit(np.ones((1, len(y))))[0]
    logits = clipped_logits(scores)
    fitted = expit(intercept + slope * logits)
    spread = fitted * (1 - fitted)
    middle = np.sum(spread * logits) / np.sum(spread)
    return {
        "recall": (y == 1) * (called - called[y == 1].mean()),
        "specificity": (y == 0) * (called - called[y == 0].mean()),
        "roc_auc": (places - places[y == 1].mean())
        / np.where(y == 1, share, 1 - share),
        "observed_expected_ratio": y - scores * share / scores.mean(),
        "calibration_slope": np.nan_to_num((y - fitted) * (logits - middle)),
        "standardized_net_benefit": gain - gain.mean() / share * y,
    }


def _placements(y: NDArray[np.intp], scores: FloatArray) -> FloatArray:
    """Tell which share of the other class each row is on the right side of."""
    ranks = pd.Series(scores)
    below = (ranks.rank() - ranks.groupby(y).rank()) / np.bincount(y)[1 - y]
    return np.where(y == 1, below, 1 - below)


def _n_patches(
    errors: pd.Series,
    shares: Mapping[str, float],
    prevalence: float,
    weight: float,
    logits: ArrayLike,
) -> pd.Series:
    """Count the patches that give each score its standard error, by the formulas."""
    zeros, lines = 1 - prevalence, np.asarray(logits, dtype=np.float64)
    fitted = expit(lines)
    spread = fitted * (1 - fitted)
    varied = spread.mean() * np.cov(lines, aweights=spread, ddof=0)
    found, false = shares["recall"], 1 - shares["specificity"]
    hit, clear = found * (1 - found), false * (1 - false)
    benefit = clear / zeros + false**2 / (prevalence * zeros)
    variances = {  # with one patch
        "recall": hit / prevalence,
        "specificity": clear / zeros,
        "observed_expected_ratio": zeros / prevalence,
        "calibration_slope": 1 / varied if varied > 0 else np.nan,
        "standardized_net_benefit": hit / prevalence + weight**2 * benefit,
    }
    numbers = pd.Series(variances, index=errors.index) / errors**2
    if "roc_auc" in numbers:
        area, error = shares["roc_auc"], errors["roc_auc"]
        numbers["roc_auc"] = _for_roc_auc(area, prevalence, error)
    return numbers.where(numbers > 0)  # a score without error needs no number


def _for_roc_auc(area: float, prevalence: float, error: float) -> float:
    """Solve Newcombe's formula of the standard error of the area for n."""
    left = error**2 * prevalence * (1 - prevalence)
    if area == 1:
        return 0.0
    left /= area * (1 - area)
    both = (1 - area) / (2 - area) + area / (1 + area)
    return float((both / 2 + np.sqrt(both**2 / 4 + 4 * left * (1 - both))) / (2 * left))
