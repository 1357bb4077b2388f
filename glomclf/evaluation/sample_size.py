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
from scipy.stats import norm, rankdata

from ..errors import ScoreError
from .predictions import check_scores
from .recalibration import clipped_logits, recalibrations

FloatArray = NDArray[np.float64]

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
    wanted = dict(WIDTHS if widths is None else widths)
    effects = _one_a_score(design_effect, wanted)
    open_shares = {"prevalence": prevalence, "threshold": threshold}
    faults = _open_share_faults(**open_shares, confidence=confidence)
    shares = {"recall": recall, "specificity": specificity, "roc_auc": roc_auc}
    faults += _share_faults(shares)
    if faults := faults + _planning_faults(wanted, patches_per_participant, effects):
        raise ScoreError("\n".join(faults))
    weight = (1 - prevalence) / prevalence * threshold / (1 - threshold)
    expected = dict.fromkeys(WIDTHS, 1.0) | shares  # of a calibrated model
    expected["standardized_net_benefit"] = recall - weight * (1 - specificity)
    variances = _variances(prevalence, recall, specificity, weight, logits)
    errors = _errors(wanted, confidence)
    numbers = {n: variances[n] / errors[n] ** 2 for n in wanted if n != "roc_auc"}
    if "roc_auc" in wanted:
        numbers["roc_auc"] = _for_roc_auc(roc_auc, prevalence, errors["roc_auc"])
    n_patches = pd.Series(numbers, dtype=np.float64)
    per_patch = pd.Series(effects) / patches_per_participant
    columns = {
        "expected": expected,
        "width": wanted,
        "n_patches": n_patches.map(_up),
        "design_effect": effects,
        "n_participants": (n_patches * per_patch).map(_up),
    }
    return pd.DataFrame(columns, index=pd.Index(wanted, name="score"))


def _one_a_score(
    effect: float | Mapping[str, float], widths: Mapping[str, float]
) -> dict[str, float]:
    if isinstance(effect, Mapping):
        return dict(effect)
    return dict.fromkeys(widths, effect)


def _errors(widths: Mapping[str, float], confidence: float) -> dict[str, float]:
    """Return the standard errors of intervals; the ratio's is of its logarithm."""
    reach = float(norm.ppf((1 + confidence) / 2))
    return {
        name: (np.arcsinh(width / 2) if name.endswith("_ratio") else width / 2) / reach
        for name, width in widths.items()
    }


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
    faults = _open_share_faults(threshold=threshold)
    y, scores, codes = check_scores(y_true, y_score, groups, faults=faults)
    if len(np.unique(y)) < 2 or codes.max() == 0:
        raise ScoreError(
            "a validation is planned from rows of both classes and of two participants "
            f"at least; there are {len(np.unique(y))} and {codes.max() + 1}"
        )
    called = scores >= threshold
    return validation_sample_size(
        prevalence=float(y.mean()),
        recall=float(called[y == 1].mean()),
        specificity=float((~called)[y == 0].mean()),
        roc_auc=max(0.5, float(_placements(y, scores)[y == 1].mean())),
        threshold=threshold,
        logits=clipped_logits(scores),
        widths=widths,
        patches_per_participant=len(y) / (codes.max() + 1),
        design_effect=_design_effects(y, scores, codes, threshold),
        confidence=confidence,
    )


def _design_effects(
    y: NDArray[np.intp], scores: FloatArray, codes: NDArray[np.intp], threshold: float
) -> dict[str, float]:
    """Compare the variance of each score over participants with that over rows.

    Both are sums of squares of what the score owes to each row: of its sums by
    participant, and of the rows themselves. Chance alone can make the ratio less than
    1, which nobody should plan with.
    """
    n_groups = codes.max() + 1
    effects = {}
    for name, owed in _owed(y, scores, threshold).items():
        rows = float(np.sum(owed**2))
        people = float(np.sum(np.bincount(codes, owed) ** 2)) * n_groups
        effects[name] = max(1.0, people / (n_groups - 1) / rows) if rows > 0 else 1.0
    return effects


def _owed(
    y: NDArray[np.intp], scores: FloatArray, threshold: float
) -> dict[str, FloatArray]:
    """Return what each score owes to each row, up to a factor (its influence)."""
    share, called = y.mean(), scores >= threshold
    places, odds = _placements(y, scores), threshold / (1 - threshold)
    gain = called * np.where(y == 1, 1.0, -odds)
    intercept, slope = recalibrations(y, scores)[1].fit(np.ones((1, len(y))))[0]
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
    places = np.empty(len(y))
    ranks = rankdata(scores)
    for label in (0, 1):
        own = y == label
        below = (ranks[own] - rankdata(scores[own])) / np.sum(~own)
        places[own] = below if label == 1 else 1 - below
    return places


def _variances(
    prevalence: float,
    recall: float,
    specificity: float,
    weight: float,
    logits: ArrayLike,
) -> dict[str, float]:
    """Return what the variance of each score is with one patch, by the formulas."""
    zeros, lines = 1 - prevalence, np.asarray(logits, dtype=np.float64)
    fitted = expit(lines)
    spread = fitted * (1 - fitted)
    i_00, i_01, i_11 = (float(np.mean(spread * lines**power)) for power in range(3))
    determinant = i_00 * i_11 - i_01**2
    hit, clear = recall * (1 - recall), specificity * (1 - specificity)
    return {
        "recall": hit / prevalence,
        "specificity": clear / zeros,
        "observed_expected_ratio": zeros / prevalence,
        "calibration_slope": i_00 / determinant if determinant > 0 else np.nan,
        "standardized_net_benefit": hit / prevalence
        + weight**2 * clear / zeros
        + weight**2 * (1 - specificity) ** 2 / (prevalence * zeros),
    }


def _for_roc_auc(area: float, prevalence: float, error: float) -> float:
    """Solve Newcombe's formula of the standard error of the area for n."""
    left = error**2 * prevalence * (1 - prevalence)
    if area == 1:
        return 0.0
    left /= area * (1 - area)
    both = (1 - area) / (2 - area) + area / (1 + area)
    return float((both / 2 + np.sqrt(both**2 / 4 + 4 * left * (1 - both))) / (2 * left))


def _up(number: float) -> float:
    """Round up; nothing is counted from a score that is expected without error."""
    return float(np.ceil(number)) if number > 0 else np.nan


def _open_share_faults(**given: float) -> list[str]:
    return [
        f"{name} must be in (0, 1), got {value!r}"
        for name, value in given.items()
        if not 0 < value < 1
    ]


def _share_faults(shares: Mapping[str, float]) -> list[str]:
    return [
        f"{name} must be in [{low}, 1], got {value!r}"
        for (name, value), low in zip(shares.items(), (0, 0, 0.5), strict=True)
        if not low <= value <= 1
    ]


def _planning_faults(
    widths: Mapping[str, float], patches: float, effects: Mapping[str, float]
) -> list[str]:
    faults = [
        f"widths has {name!r}; it takes {', '.join(WIDTHS)}"
        for name in widths
        if name not in WIDTHS
    ]
    faults += [
        f"the width of {name} must be greater than 0, got {width!r}"
        for name, width in widths.items()
        if not width > 0
    ]
    if not patches >= 1:
        faults.append(f"patches_per_participant must be at least 1, got {patches!r}")
    faults += [f"design_effect lacks {name}" for name in widths.keys() - effects]
    faults += [
        f"design_effect must be greater than 0, got {value!r} for {name}"
        for name, value in effects.items()
        if not value > 0
    ]
    return faults
