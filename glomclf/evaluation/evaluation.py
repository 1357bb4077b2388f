"""Scores that can be believed: with intervals over participants, and paired.

`evaluate` turns labels and probabilities into scores with intervals, `compare_scores`
sets two models side by side on the same participants. The parts are in rooms of their
own, and named here too: `.thresholds` (where to cut), `.biopsy` (the
percentage of globally sclerotic glomeruli), `.intervals` (how intervals are
made), `glomclf.evaluation.scores` (how scores are computed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ScoreError
from .biopsy import BiopsySummary, biopsy_summary
from .estimates import MIN_PARTICIPANTS, Estimates
from .intervals import (
    Scale,
    bootstrap_estimates,
    equal_number,
    exact_interval,
    settings_faults,
)
from .scores import SCORE_NAMES, ScoredRows, check_scores, threshold_faults

__all__ = [
    "BiopsySummary",
    "Comparison",
    "Evaluation",
    "biopsy_summary",
    "compare_scores",
    "evaluate",
]

# The cells [tn, fp, fn, tp] that the denominator of a proportion counts.
_CELLS_OF = {
    "recall": [2, 3],
    "precision": [1, 3],
    "specificity": [0, 1],
    "accuracy": [0, 1, 2, 3],
}
# The classes without which a score is undefined.
_CLASSES_NEEDED = {
    "recall": (1,),
    "f1": (1,),
    "average_precision": (1,),
    "specificity": (0,),
    "balanced_accuracy": (0, 1),
    "matthews_corrcoef": (0, 1),
    "roc_auc": (0, 1),
    "sensitivity_at_specificity": (0, 1),
    "calibration_intercept": (0, 1),
    "calibration_slope": (0, 1),
}


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
    """

    threshold: float
    specificity: float
    n_samples: int
    n_participants: int | None
    confusion_matrix: NDArray[np.intp]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types that JSON can hold; NaN becomes None.

        Returns
        -------
        content : dict
        """
        return {
            **super().to_dict(),
            "threshold": None if np.isnan(self.threshold) else self.threshold,
            "specificity": self.specificity,
            "n_samples": self.n_samples,
            "n_participants": self.n_participants,
            "confusion_matrix": self.confusion_matrix.tolist(),
        }

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
        number = _number_or_nan
        # JSON may have sorted the names.
        names = sorted(content["scores"], key=list(SCORE_NAMES).index)
        return cls(
            **{
                **content,
                "scores": {name: number(content["scores"][name]) for name in names},
                "intervals": {
                    name: tuple(map(number, content["intervals"][name]))
                    for name in names
                },
                "n_effective": {
                    name: number(content["n_effective"][name]) for name in names
                },
                "threshold": number(content["threshold"]),
                "confusion_matrix": np.array(content["confusion_matrix"]),
            }
        )

    def _heading(self) -> str:
        units = "unknown" if self.n_participants is None else self.n_participants
        cut = "one a row" if np.isnan(self.threshold) else f"{self.threshold:g}"
        (tn, fp), (fn, tp) = self.confusion_matrix
        return (
            f"{self.n_samples} rows, participants: {units}, threshold: {cut}\n"
            f"confusion matrix [[tn fp] [fn tp]]: [[{tn} {fp}] [{fn} {tp}]]"
        )


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
        frame = super().to_frame()
        both = pd.DataFrame({"a": self.scores_a, "b": self.scores_b})
        return both.join(frame).rename_axis("score")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types that JSON can hold; NaN becomes None.

        Returns
        -------
        content : dict
        """
        both = {"scores_a": self.scores_a, "scores_b": self.scores_b}
        return {
            **super().to_dict(),
            **{
                key: {name: None if np.isnan(x) else x for name, x in scores.items()}
                for key, scores in both.items()
            },
        }

    def _heading(self) -> str:
        return "Differences, b less a, on the same participants"


def evaluate(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
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
          ten bins of equal width. Noise makes it too large; its interval is rid of that
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
    rows = _check_rows(
        y_true,
        y_score,
        groups,
        threshold,
        specificity,
        settings_faults(n_bootstrap, confidence),
    )
    estimates = bootstrap_estimates(
        rows.score,
        _strata(rows),
        _scales(),
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=random_state,
    )
    estimates = _explain(rows, estimates)
    return Evaluation(
        **vars(estimates) | {"caution": _caution(rows, known=groups is not None)},
        threshold=float(rows.threshold) if np.ndim(rows.threshold) == 0 else np.nan,
        specificity=specificity,
        n_samples=len(rows.y_true),
        n_participants=None if groups is None else rows.n_groups,
        confusion_matrix=rows.confusion_matrix(),
    )


def compare_scores(
    y_true: ArrayLike,
    y_score_a: ArrayLike,
    y_score_b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
    threshold_b: float | ArrayLike | None = None,
    specificity: float = 0.9,
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

    specificity : float, default=0.9
        Where ``sensitivity_at_specificity`` is read, in (0, 1).

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
    evaluate : The scores of one model; says what each is.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.evaluation import compare_scores
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
    if threshold_b is None:
        threshold_b = threshold
    rows, faults = {}, settings_faults(n_bootstrap, confidence)
    for model, y_score, cut in (
        ("a", y_score_a, threshold),
        ("b", y_score_b, threshold_b),
    ):
        try:
            rows[model] = _check_rows(y_true, y_score, groups, cut, specificity, [])
        except ScoreError as error:
            faults.append(f"model {model}: {error}")
    if faults:
        raise ScoreError("\n".join(faults))
    a, b = rows["a"], rows["b"]
    estimates = bootstrap_estimates(
        lambda weights: _subtract(b.score(weights), a.score(weights)),
        _strata(a),
        _difference_scales(),
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=random_state,
    )
    whole = np.ones((1, a.n_groups))
    return Comparison(
        **vars(estimates) | {"caution": _caution(a, known=groups is not None)},
        scores_a={name: float(one[0]) for name, one in a.score(whole).items()},
        scores_b={name: float(one[0]) for name, one in b.score(whole).items()},
    )


def _number_or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _subtract(
    b: dict[str, NDArray[np.float64]], a: dict[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    return {name: b[name] - a[name] for name in SCORE_NAMES}


def _check_rows(
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike | None,
    threshold: float | ArrayLike,
    specificity: float,
    faults: list[str],
) -> ScoredRows:
    """Check all that is to be scored, and list all that is wrong."""
    faults = [*faults, *threshold_faults(threshold, y_score)]
    if not 0 < specificity < 1:
        faults.append(f"specificity must be in (0, 1), got {specificity!r}")
    labels, scores, codes = check_scores(y_true, y_score, groups, faults=faults)
    cuts = np.asarray(threshold, dtype=np.float64)
    return ScoredRows(labels, scores, codes, cuts, specificity)


def _strata(rows: ScoredRows) -> NDArray[np.intp]:
    """Sort participants by which classes they have: 0 only, 1 only, or both."""
    ones = rows.counts[:, 2:].sum(axis=1) > 0
    zeros = rows.counts[:, :2].sum(axis=1) > 0
    return ones + 2 * (ones & zeros)


def _scales() -> dict[str, Scale]:
    return {name: Scale(0, 1) for name in SCORE_NAMES} | {
        "matthews_corrcoef": Scale(-1, 1),
        "neg_brier_score": Scale(-1, 0),
        "calibration_intercept": Scale(),
        "calibration_slope": Scale(),
        "expected_calibration_error": Scale(0, 1, biased=True),
    }


def _difference_scales() -> dict[str, Scale]:
    return {name: Scale(-1, 1) for name in SCORE_NAMES} | {
        "matthews_corrcoef": Scale(-2, 2),
        "calibration_intercept": Scale(),
        "calibration_slope": Scale(),
        "expected_calibration_error": Scale(-1, 1, biased=True),
    }


def _explain(rows: ScoredRows, estimates: Estimates) -> Estimates:
    """Say why scores are undefined, and bound those that are 0 or 1."""
    notes, intervals = dict(estimates.notes), dict(estimates.intervals)
    for name, score in estimates.scores.items():
        if np.isnan(score):
            notes[name] = f"undefined, for {_why_undefined(rows, name)}"
        elif score in (0.0, 1.0) and name in _CELLS_OF and name in notes:
            sizes = rows.counts[:, _CELLS_OF[name]].sum(axis=1)
            intervals[name] = exact_interval(score, sizes, estimates.confidence)
            notes[name] = "without exception; the exact bound for as many participants"
    return replace(estimates, notes=notes, intervals=intervals)


def _why_undefined(rows: ScoredRows, name: str) -> str:
    for label in _CLASSES_NEEDED.get(name, ()):
        if not (rows.y_true == label).any():
            return f"no row has class {label}"
    if name == "precision":
        return "no row is predicted 1"
    if name == "matthews_corrcoef":
        return "all rows are predicted the same class"
    return "the probabilities separate the classes, or are all equal"


def _caution(rows: ScoredRows, *, known: bool) -> str:
    """Say why intervals are not to be trusted; nothing if they are."""
    remarks = []
    if not known:
        remarks.append(
            "no participants were given, so that rows count as independent; intervals "
            "are too narrow where several rows come from one participant"
        )
    worth = [equal_number(rows.counts[:, [2 * k, 2 * k + 1]].sum(1)) for k in (0, 1)]
    few = [
        f"class {k} has {n:.1f}"
        for k, n in enumerate(worth)
        if 0 < n < MIN_PARTICIPANTS
    ]
    if few:
        remarks.append(
            "there are too few participants for the intervals to be trusted: counted "
            f"as participants with equally many rows, {' and '.join(few)}, and "
            f"{MIN_PARTICIPANTS} are needed"
        )
    return "; ".join(remarks)
