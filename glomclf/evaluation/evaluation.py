"""The scores of one model, with intervals over participants.

`evaluate` turns labels and probabilities into an `Evaluation`. `.scores` is the table
of scores, `.intervals` says how intervals are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimates import Estimates
from .intervals import Replicates, draw_replicates, settings_faults
from .participant_numbers import exact_interval
from .plain import plain
from .scores import SCORES, ScoredRows, check_rows
from .subgroups import Subgroups, score_subgroups, subgroup_values

__all__ = ["Evaluation", "evaluate"]


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

    specificity : float
        Where ``sensitivity_at_specificity`` was read.

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
    specificity: float
    n_samples: int
    n_participants: int | None
    confusion_matrix: NDArray[np.intp]
    subgroups: Subgroups | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation that `to_dict` wrote down.

        Parameters
        ----------
        content : mapping

        Returns
        -------
        evaluation : Evaluation
        """
        names = [name for name in SCORES if name in content["scores"]]  # in its order
        counts = np.array(content["confusion_matrix"])
        others = {"threshold": _restored(content["threshold"])}
        if parts := content.get("subgroups"):
            others["subgroups"] = Subgroups(
                column=parts["column"],
                evaluations={
                    value: cls.from_dict(one)
                    for value, one in parts["evaluations"].items()
                },
                **{
                    kind: {
                        value: Estimates(
                            **{**one, **_by_name(one, list(one["scores"]))}
                        )
                        for value, one in parts[kind].items()
                    }
                    for kind in ("differences", "percentages")
                },
            )
        told = {**content, **_by_name(content, names), **others}
        return cls(**{**told, "confusion_matrix": counts})

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types that JSON can hold; NaN becomes None.

        Returns
        -------
        content : dict
        """
        parts = None if self.subgroups is None else self.subgroups.to_dict()
        alone = {**vars(self), "subgroups": parts}
        return plain(alone)

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
    specificity: float = 0.9,
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

    specificity : float, default=0.9
        Where ``sensitivity_at_specificity`` is read, in (0, 1).

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
          specificity is at least `specificity`;
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
    rows = check_rows(y_true, y_score, groups, threshold, specificity, faults)

    def draw(strata: NDArray[np.intp]) -> Replicates:
        return draw_replicates(strata, n_bootstrap, confidence, random_state)

    def judge(part: ScoredRows) -> Evaluation:
        return _judge(part, draw(part.strata), known=groups is not None)

    evaluation = judge(rows)
    if values is None:
        return evaluation
    column = str(getattr(by, "name", None) or "group")
    known = groups is not None
    parts = score_subgroups(rows, values, column, judge, draw, known=known)
    return replace(evaluation, subgroups=parts)


def _judge(rows: ScoredRows, replicates: Replicates, *, known: bool) -> Evaluation:
    """Score rows, of which it is known or not whose they are."""
    estimates = replicates.estimates(
        rows.score(replicates.weights),
        {name: one.scale for name, one in SCORES.items()},
    )
    return Evaluation(
        **vars(_explain(rows, estimates)) | {"caution": rows.caution(known=known)},
        threshold=float(rows.threshold) if np.ndim(rows.threshold) == 0 else np.nan,
        specificity=rows.specificity,
        n_samples=len(rows.y_true),
        n_participants=rows.n_groups if known else None,
        confusion_matrix=rows.confusion_matrix(),
    )


def _by_name(content: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """Return what a result has for each score."""
    return {
        key: {name: _restored(content[key][name]) for name in names}
        for key in ("scores", "intervals", "n_effective")
    }


def _restored(value: Any) -> Any:
    """Turn None back into NaN, and a list of ends into a tuple."""
    if isinstance(value, list):
        return tuple(_restored(end) for end in value)
    return np.nan if value is None else value


def _explain(rows: ScoredRows, estimates: Estimates) -> Estimates:
    """Say why scores are undefined, and bound those that are 0 or 1."""
    notes, intervals = dict(estimates.notes), dict(estimates.intervals)
    for name, score in estimates.scores.items():
        cells = list(SCORES[name].cells)
        if np.isnan(score):
            notes[name] = f"undefined, for {_why_undefined(rows, name)}"
        elif score in (0.0, 1.0) and cells and name in notes:
            sizes = rows.counts[:, cells].sum(axis=1)
            intervals[name] = exact_interval(score, sizes, estimates.confidence)
            notes[name] = "without exception; the exact bound for as many participants"
    return replace(estimates, notes=notes, intervals=intervals)


def _why_undefined(rows: ScoredRows, name: str) -> str:
    for label in SCORES[name].classes:
        if not (rows.y_true == label).any():
            return f"no row has class {label}"
    return SCORES[name].undefined
