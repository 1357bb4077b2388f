"""The scores of one model, or the differences of two, with intervals over participants.

`evaluate` turns labels and probabilities into an `Evaluation`. `.scores` is the table
of scores, `.intervals` says how intervals are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ScoreError
from .biopsy import percentage_agreement, percentages_of
from .estimates import Estimates
from .intervals import Replicates, Statistic, draw_replicates, settings_faults
from .predictions import Predictions
from .scores import score_rows
from .subgroups import PERCENTAGE_ERRORS, Subgroups, subgroup_values


@dataclass(frozen=True, kw_only=True)
class Evaluation(Estimates):
    """Scores of one model with intervals, as `evaluate` returns them.

    `scores`, `interval`, `to_frame`, `to_dict`, `notes` and `caution` are those of
    `glomclf.evaluation.estimates.Estimates`.

    Parameters
    ----------
    threshold : float
        A row was predicted 1 if its probability was at least this; NaN where each row
        had its own.

    n_samples : int
        Number of rows.

    n_participants : int or None
        Number of participants; None where they were not known.

    confusion_matrix : ndarray of shape (2, 2), dtype int
        ``[[tn, fp], [fn, tp]]``.

    subgroups : Subgroups or None, default=None
        Scores of each value of a column, where `evaluate` was given one.
    """

    threshold: float
    n_samples: int
    n_participants: int | None
    confusion_matrix: NDArray[np.intp]
    subgroups: Subgroups | None = None

    def __str__(self) -> str:
        parts = [] if self.subgroups is None else [str(self.subgroups)]
        return "\n".join([super().__str__(), *parts])

    def _heading(self) -> str:
        units = "unknown" if self.n_participants is None else self.n_participants
        cut = "one a row" if np.isnan(self.threshold) else f"{self.threshold:g}"
        (tn, fp), (fn, tp) = self.confusion_matrix
        return (
            f"{self.n_samples} rows, participants: {units}, threshold: {cut}\n"
            f"confusion matrix [[tn fp] [fn tp]]: [[{tn} {fp}] [{fn} {tp}]]"
        )


def evaluate(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
    by: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> Evaluation:
    """Score probabilities against labels, with intervals over participants.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1; class 1 (globally sclerotic) is the positive one.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: rows count as independent, and the result
        says so.

    threshold : float or array-like of shape (n_samples,), default=0.5
        A row is predicted 1 if its probability is at least this. One a row serves for
        cross-validated predictions whose threshold was chosen fold by fold.

    by : array-like of shape (n_samples,), default=None
        A centre, stain or scanner of each row, 2 to 20 values. The result's `subgroups`
        has all scores of each value, how far they are from the other rows', and the
        error of each participant's percentage. A Series gives its name, too.

    n_bootstrap : int, default=1000
        Number of bootstrap replicates, at least 100.

    confidence : float, default=0.95
        Of the intervals, in (0, 1).

    random_state : int, RandomState instance or None, default=0
        An int gives the same intervals on every call.

    Returns
    -------
    evaluation : Evaluation
        `scores` by scikit-learn's scorer names where it has them: ``recall``,
        ``precision``, ``f1``, ``accuracy``, ``balanced_accuracy``,
        ``matthews_corrcoef``, ``roc_auc``, ``average_precision``, ``neg_brier_score``;
        and further

        - ``specificity``: recall of class 0;
        - ``sensitivity_at_specificity``: the highest recall of any threshold whose
          specificity is at least 0.9;
        - ``calibration_intercept`` (0 is best; below, probabilities are too high) and
          ``calibration_slope`` (1 is best; below, they are too extreme), of a logistic
          regression of the labels on the logits of the probabilities, the intercept
          with the slope held at 1 [1]_;
        - ``expected_calibration_error``: mean gap between probability and frequency in
          ten bins of equal width. Noise inflates it; its interval is corrected for that
          and may lie below it.

    Raises
    ------
    ScoreError
        If an input cannot be used: other lengths, labels other than 0 and 1, NaN,
        probabilities outside [0, 1], missing participants. The message names every
        fault.

    Notes
    -----
    An undefined score, such as recall without class 1, is NaN, and `notes` says why.
    Unlike scikit-learn, which returns 0, that includes precision without a positive
    prediction and Matthews' coefficient with one class predicted.

    `.intervals` says how intervals are made. A recall, precision, specificity or
    accuracy of exactly 0 or 1 has the exact bound for as many participants without such
    an event. `caution` is set where participants are unknown, or so few or so unequal
    that they are worth fewer than 5 equal ones of either class.

    References
    ----------
    .. [1] Van Calster B, et al. Calibration: the Achilles heel of predictive analytics.
       BMC Medicine 2019;17:230.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf import evaluate
    >>> rng = np.random.RandomState(0)
    >>> participants = np.repeat(np.arange(30), 20)
    >>> y_true = rng.binomial(1, 0.2, 600)
    >>> logits = 2.5 * y_true - 2.5 + rng.normal(size=600)
    >>> logits += 0.5 * rng.normal(size=30)[participants]
    >>> result = evaluate(y_true, 1 / (1 + np.exp(-logits)), groups=participants)
    >>> round(result.scores["roc_auc"], 3)
    0.936
    >>> np.round(result.interval("roc_auc"), 3)
    array([0.903, 0.961])
    >>> result.confusion_matrix
    array([[477,   3],
           [ 79,  41]])
    """
    faults = settings_faults(n_bootstrap, confidence)
    values, strange = (None, []) if by is None else subgroup_values(by, np.size(y_true))
    faults += strange
    rows = Predictions.checked(y_true, y_score, groups, threshold, faults=faults)
    draw = partial(
        draw_replicates,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=random_state,
    )
    evaluation = _judge(rows, draw(rows.strata))
    if values is None:
        return evaluation
    column = str(getattr(by, "name", None) or "group")
    parts = _score_subgroups(rows, values, column, draw)
    return replace(evaluation, subgroups=parts)


@dataclass(frozen=True, kw_only=True)
class Comparison(Estimates):
    """Differences between two models, as `compare_scores` returns them.

    `scores` and `interval` hold the differences, b less a.

    Parameters
    ----------
    scores_a, scores_b : dict of str to float
        The scores of either model.
    """

    scores_a: dict[str, float]
    scores_b: dict[str, float]

    def to_frame(self) -> pd.DataFrame:
        """Return both models' scores and their differences as a table.

        Returns
        -------
        frame : DataFrame
            Index ``score``; columns ``a``, ``b``, ``value`` (b less a), ``low``,
            ``high``, ``n_effective`` and ``note``.
        """
        both = pd.DataFrame({"a": self.scores_a, "b": self.scores_b})
        return both.join(super().to_frame()).rename_axis("score")

    def _heading(self) -> str:
        return "Differences, b less a, on the same participants"


def compare_scores(
    y_true: ArrayLike,
    y_score_a: ArrayLike,
    y_score_b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
    threshold_b: float | ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> Comparison:
    """Compare two models on the same rows: differences, with intervals.

    Both models are scored in every replicate on the same resampled participants, so
    that what makes a participant hard for both cancels. The interval of a difference is
    therefore mostly much narrower than two intervals side by side suggest.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score_a, y_score_b : array-like of shape (n_samples,)
        Probabilities of class 1 from either model, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: rows count as independent.

    threshold : float or array-like of shape (n_samples,), default=0.5
        Of model a.

    threshold_b : float or array-like of shape (n_samples,), default=None
        Of model b; None: the same.

    n_bootstrap, confidence, random_state
        As in `evaluate`.

    Returns
    -------
    comparison : Comparison
        `scores` and `interval` hold the differences, b less a.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    See Also
    --------
    glomclf.evaluate : The scores of one model; says what each is.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation import compare_scores
    >>> rng = np.random.RandomState(0)
    >>> participants = np.repeat(np.arange(30), 20)
    >>> y_true = rng.binomial(1, 0.2, 600)
    >>> logits = 2.5 * y_true - 2.5 + rng.normal(size=600)
    >>> noisy = logits + rng.normal(size=600)
    >>> comparison = compare_scores(
    ...     y_true,
    ...     1 / (1 + np.exp(-logits)),
    ...     1 / (1 + np.exp(-noisy)),
    ...     groups=participants,
    ... )
    >>> round(comparison.scores["roc_auc"], 3)
    -0.081
    >>> np.round(comparison.interval("roc_auc"), 3)
    array([-0.107, -0.055])
    """
    faults, rows = settings_faults(n_bootstrap, confidence), []
    cuts = (threshold, threshold if threshold_b is None else threshold_b)
    for model, y_score, cut in zip("ab", (y_score_a, y_score_b), cuts, strict=True):
        try:
            rows.append(Predictions.checked(y_true, y_score, groups, cut))
        except ScoreError as error:
            faults.append(f"model {model}: {error}")
    if faults:
        raise ScoreError("\n".join(faults))
    strata = rows[0].strata
    replicates = draw_replicates(strata, n_bootstrap, confidence, random_state)
    a, b = (score_rows(one, replicates.weights) for one in rows)
    differences = replicates.estimates({name: b[name] - a[name] for name in a})
    return Comparison(
        **vars(differences) | {"caution": rows[0].caution},
        scores_a={name: float(one.values[0]) for name, one in a.items()},
        scores_b={name: float(one.values[0]) for name, one in b.items()},
    )


def _judge(rows: Predictions, replicates: Replicates) -> Evaluation:
    estimates = replicates.estimates(score_rows(rows, replicates.weights))
    return Evaluation(
        **vars(estimates) | {"caution": rows.caution},
        threshold=float(rows.threshold) if np.ndim(rows.threshold) == 0 else np.nan,
        n_samples=len(rows.y_true),
        n_participants=rows.n_groups if rows.is_known else None,
        confusion_matrix=rows.counts.sum(axis=0).astype(np.intp).reshape(2, 2),
    )


def _score_subgroups(
    rows: Predictions,
    values: NDArray[np.object_],
    column: str,
    draw: Callable[[NDArray[np.intp]], Replicates],
) -> Subgroups:
    """Score the rows of each value, and their distance from all others."""
    names, codes = np.unique(values.astype(str), return_inverse=True)
    replicates = draw(_strata(rows, codes))
    found = Subgroups(column=column, evaluations={}, differences={}, percentages={})
    for code, name in enumerate(names.tolist()):
        inside, outside = rows.part(codes == code), rows.part(codes != code)
        found.evaluations[name] = _judge(inside[0], draw(inside[0].strata))
        here, elsewhere = (
            score_rows(part, replicates.weights[:, kept])
            | _percentage_errors(part, replicates.weights[:, kept], rows)
            for part, kept in (inside, outside)
        )
        found.differences[name] = replicates.estimates(
            {score: here[score] - elsewhere[score] for score in here}
        )
        own = draw(np.zeros(inside[0].n_groups, dtype=np.intp))
        if errors := _percentage_errors(inside[0], own.weights, rows):
            found.percentages[name] = own.estimates(errors)
    return found


def _percentage_errors(
    part: Predictions, weights: NDArray[Any], rows: Predictions
) -> dict[str, Statistic]:
    """Compare percentages, where participants are known, and some have two rows."""
    if not rows.is_known or rows.n_groups == len(rows.y_true):
        return {}
    errors = percentage_agreement(*percentages_of(part), weights)
    return {name: errors[name] for name in PERCENTAGE_ERRORS}


def _strata(rows: Predictions, codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Resample participants within their value, unless some have several.

    Those would have strata of their own, of which nothing could be drawn.
    """
    own = np.zeros(rows.n_groups, dtype=np.intp)
    own[rows.codes] = codes
    if (own[rows.codes] == codes).all():
        return 3 * own + rows.strata
    return rows.strata
