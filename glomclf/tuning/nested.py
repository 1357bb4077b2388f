"""What a search is worth, tuning included: nested cross-validation.

The best score of a study is the best of many on the same folds, so it is too good. Here
the whole search runs on the training side of each outer fold. It is judged on the
participants that none of its trials has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import (
    check_consistent_length,
    column_or_1d,
    has_fit_parameter,
)

from .._runtime import progress
from ..data.participants import participants_of
from ..errors import ParameterError
from ..evaluation.comparison import Comparison, compare_scores
from ..evaluation.evaluation import Evaluation, evaluate
from .folds import audit_folds, draw_folds
from .objective import describe_settings, seeded
from .scoring import checked_scoring, refuse_undefined_folds
from .search import GlomeruliSearchCV

__all__ = ["FoldResult", "NestedResult", "nested_cross_validate"]


@dataclass(frozen=True)
class FoldResult:
    """What one outer fold gave.

    Parameters
    ----------
    fold : int
        From 0.
    best_params : dict
        What the search chose on the training rows, as plain values.
    best_score : float
        Its score there, the best of all trials: too good.
    test_score : float
        The score of the model fitted with them, on the fold's own participants.
    n_trials : int
        Trials that the search had.
    study_name : str
        Name of its study.
    """

    fold: int
    best_params: dict[str, Any]
    best_score: float
    test_score: float
    n_trials: int
    study_name: str


@dataclass(frozen=True)
class NestedResult:
    """What `nested_cross_validate` found.

    Parameters
    ----------
    evaluation : Evaluation
        Of the tuned procedure, on the predictions of all outer folds.
    scoring : str
        The score that was tuned.
    folds : list of FoldResult
        One per outer fold.
    predictions : DataFrame
        One row per prediction: ``row``, ``fold``, ``label``, ``participant``,
        ``probability``, ``threshold`` and, with a default, ``default_probability`` and
        ``default_threshold``.
    comparison : Comparison or None
        The tuned procedure (b) less the default (a), paired by participant; None
        without a default.
    """

    evaluation: Evaluation
    scoring: str
    folds: list[FoldResult]
    predictions: pd.DataFrame
    comparison: Comparison | None = None

    @property
    def best_score(self) -> float:
        """Mean of the best scores of the searches: too good."""
        return float(np.mean([one.best_score for one in self.folds]))

    @property
    def test_score(self) -> float:
        """Mean score of the outer folds, on participants that no trial saw."""
        return float(np.mean([one.test_score for one in self.folds]))

    @property
    def optimism(self) -> float:
        """How much too good the best score is: `best_score` less `test_score`."""
        return self.best_score - self.test_score

    def to_frame(self) -> pd.DataFrame:
        """Return the outer folds as a table.

        Returns
        -------
        DataFrame
            Index ``fold``; columns ``best_score``, ``test_score``, ``optimism``,
            ``n_trials``, and one per parameter, named ``param_...``.
        """
        rows = [
            {
                "fold": one.fold,
                "best_score": one.best_score,
                "test_score": one.test_score,
                "optimism": one.best_score - one.test_score,
                "n_trials": one.n_trials,
                **{f"param_{name}": v for name, v in one.best_params.items()},
            }
            for one in self.folds
        ]
        return pd.DataFrame(rows).set_index("fold")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as plain types that JSON can hold.

        Returns
        -------
        dict
        """
        compared = self.comparison
        return {
            "scoring": self.scoring,
            "best_score": self.best_score,
            "test_score": self.test_score,
            "optimism": self.optimism,
            "evaluation": self.evaluation.to_dict(),
            "folds": [vars(one) for one in self.folds],
            "comparison": None if compared is None else compared.to_dict(),
        }

    def __str__(self) -> str:
        parts = [
            f"Nested cross-validation, {len(self.folds)} outer folds\n"
            f"{self.scoring}: best of a study {self.best_score:.3f}, on participants "
            f"that no trial saw {self.test_score:.3f} (means of the folds)",
            str(self.evaluation),
        ]
        if self.comparison is not None:
            parts.append(f"Tuned (b) against default (a)\n{self.comparison}")
        return "\n\n".join(parts)


def nested_cross_validate(
    search: GlomeruliSearchCV,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: Any = 5,
    default: Any = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
    verbose: int = 0,
) -> NestedResult:
    """Judge the whole procedure, tuning included, on participants it never saw.

    Parameters
    ----------
    search : GlomeruliSearchCV
        With one objective, or a ``refit`` that names the one that decides. It is cloned
        for every outer fold; where it names a study, ``-fold0`` and so on is added.
    X : DataFrame, array-like of paths, or ndarray
        As in ``search.fit``.
    y : array-like of shape (n_samples,)
        Labels of two classes; the second in sorted order is the positive one.
    groups : array-like of shape (n_samples,), default=None
        Participant of each row; by default the column ``participant`` of `X`. Neither
        outer nor inner folds split a participant.
    cv : int, splitter or iterable of (train, test), default=5
        The outer folds. An int gives stratified folds by participant.
    default : estimator, default=None
        A classifier to compare with on the same folds, such as
        ``GlomeruliClassifier()`` with its default settings. Its missing seeds are set
        from `random_state`.
    n_bootstrap, confidence
        Of the intervals, as in :func:`glomclf.evaluate`.
    random_state : int, RandomState instance or None, default=0
        Shuffles the outer folds of an int, and seeds the bootstrap.
    verbose : int, default=0
        1 shows a bar on standard error.

    Returns
    -------
    NestedResult

    Raises
    ------
    LeakageError
        If an outer or an inner fold leaks.
    TuningError, StudyError
        As ``search.fit`` does.

    Notes
    -----
    With a storage, call it again to go on with an interrupted run: trials that are
    finished are not run again.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from glomclf import GlomeruliSearchCV
    >>> from glomclf.tuning import nested_cross_validate
    >>> rng = np.random.default_rng(0)
    >>> X, participants = rng.normal(size=(120, 3)), np.repeat(np.arange(40), 3)
    >>> y = (X[:, 0] + rng.normal(size=120) > 0).astype(int)
    >>> search = GlomeruliSearchCV(
    ...     LogisticRegression(),
    ...     lambda trial: {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)},
    ...     scoring="roc_auc",
    ...     n_trials=3,
    ...     cv=3,
    ...     random_state=0,
    ... )
    >>> result = nested_cross_validate(search, X, y, groups=participants, cv=3)
    >>> result.evaluation.n_samples, len(result.folds)
    (120, 3)
    """
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    owners = participants_of(X, groups)
    seeds = check_random_state(random_state).randint(2**31 - 2, size=2).tolist()
    name = _deciding_score(search)
    outer = draw_folds(search, cv, labels, owners, X=X, seed=seeds[0])
    refuse_undefined_folds(outer, labels, checked_scoring(search))
    audit_folds(X, labels, outer, owners, level=search.audit)
    rows = _Rows(X, labels, owners)
    folds, tables = [], []
    with progress("outer folds", len(outer), enabled=verbose > 0) as advance:
        for fold, (train, test) in enumerate(outer):
            tuned = rows.fit(_of_fold(search, fold), train)
            folds.append(_fold_result(tuned, fold, rows, test))
            tables.append(rows.predict(tuned.best_estimator_, test).assign(fold=fold))
            if default is not None:
                model = rows.fit(seeded(clone(default), seeds[0]), train)
                tables[-1] = tables[-1].join(_of_default(rows.predict(model, test)))
            advance(note=f"tuned {name} {folds[-1].test_score:.3f}")
    predictions = pd.concat(tables, ignore_index=True)
    evaluation, comparison = _judged(
        predictions,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=seeds[1],
    )
    return NestedResult(evaluation, name, folds, predictions, comparison)


def _deciding_score(search: GlomeruliSearchCV) -> str:
    """Name the score that the search chooses by; refuse one that leaves it open."""
    if search.refit is False or callable(search.refit):
        raise ParameterError(
            "nested_cross_validate needs a search with refit=True, or the name of "
            f"a score; got refit={search.refit!r}."
        )
    if isinstance(search.refit, str):
        return search.refit
    return checked_scoring(search).objectives[0]


def _of_fold(search: GlomeruliSearchCV, fold: int) -> GlomeruliSearchCV:
    """Return an unfitted copy, whose study has a name of its own."""
    search = clone(search)
    if search.study_name is not None:
        search.set_params(study_name=f"{search.study_name}-fold{fold}")
    return search


@dataclass(frozen=True)
class _Rows:
    """All rows; models see the ones they are given, and no others."""

    X: Any
    y: NDArray[Any]
    groups: NDArray[Any] | None

    def fit(self, model: Any, train: NDArray[np.intp]) -> Any:
        """Fit on the training rows, with their participants."""
        owners = {}
        if self.groups is not None and has_fit_parameter(model, "groups"):
            owners["groups"] = self.groups[train]
        return model.fit(_safe_indexing(self.X, train), self.y[train], **owners)

    def predict(self, model: Any, test: NDArray[np.intp]) -> pd.DataFrame:
        """Predict the test rows."""
        return pd.DataFrame(
            {
                "row": np.arange(len(self.y))[test],
                "label": (self.y[test] == np.unique(self.y)[1]).astype(int),
                "participant": None if self.groups is None else self.groups[test],
                "probability": model.predict_proba(_safe_indexing(self.X, test))[:, 1],
                "threshold": getattr(model, "threshold_", 0.5),
            }
        )


def _fold_result(
    search: GlomeruliSearchCV, fold: int, rows: _Rows, test: NDArray[np.intp]
) -> FoldResult:
    return FoldResult(
        fold,
        describe_settings(search.best_params_),
        search.best_score_,
        float(search.score(_safe_indexing(rows.X, test), rows.y[test])),
        len(search.cv_results_["params"]),
        search.study_.study_name,
    )


def _of_default(table: pd.DataFrame) -> pd.DataFrame:
    return table[["probability", "threshold"]].add_prefix("default_")


def _judged(
    table: pd.DataFrame, **options: Any
) -> tuple[Evaluation, Comparison | None]:
    """Score the predictions of all outer folds, and compare them with the default's."""
    known = table["participant"].notna().any()
    options["groups"] = table["participant"] if known else None
    label, tuned, cut = table["label"], table["probability"], _cut(table["threshold"])
    evaluation = evaluate(label, tuned, threshold=cut, **options)
    if "default_probability" not in table:
        return evaluation, None
    comparison = compare_scores(
        label,
        table["default_probability"],
        tuned,
        threshold=_cut(table["default_threshold"]),
        threshold_b=cut,
        **options,
    )
    return evaluation, comparison


def _cut(thresholds: pd.Series) -> Any:
    """Return one threshold where all folds have the same."""
    values = thresholds.to_numpy()
    return float(values[0]) if len(set(values)) == 1 else values
