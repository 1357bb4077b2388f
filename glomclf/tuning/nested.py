"""What a procedure with tuning in it is worth: nested cross-validation.

The best score of a study is the best of many on the same folds, and so too good. Here
the whole search runs on the training side of each outer fold, and is judged on the
participants that none of its trials has seen.
"""

from __future__ import annotations

from collections.abc import Callable
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
from ..evaluation.estimates import Estimates
from ..evaluation.evaluation import Evaluation, evaluate
from .folds import audit_folds, draw_folds
from .objective import describe_settings, seeded
from .optimism import optimism_of
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
    optimism : Estimates
        Three entries: ``best``, the mean of the searches' best scores; ``nested``, the
        mean score of the outer test folds; ``optimism``, the former less the latter.
    scoring : str
        The score that was tuned, and that these are of.
    folds : list of FoldResult
        One an outer fold.
    predictions : DataFrame
        One row a prediction: ``row``, ``fold``, ``label``, ``participant``,
        ``probability``, ``threshold`` and, with a default, ``default_probability`` and
        ``default_threshold``.
    comparison : Comparison or None
        The tuned procedure (b) less the default (a), paired by participant; None
        without a default.
    """

    evaluation: Evaluation
    optimism: Estimates
    scoring: str
    folds: list[FoldResult]
    predictions: pd.DataFrame
    comparison: Comparison | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return the outer folds as a table.

        Returns
        -------
        DataFrame
            Index ``fold``; columns ``best_score``, ``test_score``, ``optimism``,
            ``n_trials``, and one a parameter, named ``param_...``.
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
        return {
            "scoring": self.scoring,
            "evaluation": self.evaluation.to_dict(),
            "optimism": self.optimism.to_dict(),
            "folds": [vars(one) for one in self.folds],
            "comparison": None
            if self.comparison is None
            else self.comparison.to_dict(),
        }

    def __str__(self) -> str:
        parts = [
            f"Nested cross-validation, {len(self.folds)} outer folds",
            str(self.evaluation),
            f"How optimistic the best {self.scoring} of a study is\n{self.optimism}",
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
    after_each: Callable[[NestedResult], None] | None = None,
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
        Participant of each row; by default the column ``participant`` of `X`. They
        part the outer folds and, passed on, the inner ones.
    cv : int, splitter or iterable of (train, test), default=5
        The outer folds. An int gives stratified folds by participant.
    default : estimator, default=None
        A classifier to compare with on the same folds, such as
        ``GlomeruliClassifier()`` with its default settings. What in it has no seed gets
        that of the search's trials.
    n_bootstrap, confidence
        Of the intervals, as in :func:`glomclf.evaluate`.
    random_state : int, RandomState instance or None, default=0
        Shuffles the outer folds of an int, and seeds the bootstrap.
    after_each : callable, default=None
        Called with the result so far after every outer fold, to write what is there.
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
    The interval of the optimism is a bootstrap over the judged participants, within
    outer folds; the best scores are taken as they are. Scores that
    :func:`glomclf.evaluate` does not know have none.

    With a storage, an interrupted run goes on where it was when it is called again.

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
    >>> list(result.optimism.scores)
    ['best', 'nested', 'optimism']
    """
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    owners = participants_of(X, groups)
    rng = check_random_state(random_state)
    seeds = [int(seed) for seed in rng.randint(2**31 - 2, size=2)]
    folds = draw_folds(search, cv, labels, owners, X=X, seed=seeds[0])
    scoring = checked_scoring(search)
    refuse_undefined_folds(folds, labels, scoring)
    audit_folds(X, labels, folds, owners, level=search.audit)
    nest = _Nest(search, default, X, labels, owners)
    summarize = _Summary(nest, n_bootstrap, confidence, seeds[1])
    with progress("outer folds", len(folds), enabled=verbose > 0) as advance:
        for fold, (train, test) in enumerate(folds):
            nest.run_fold(fold, train, test)
            advance(note=f"tuned {nest.scoring} {nest.folds[-1].test_score:.3f}")
            if after_each is not None:
                after_each(summarize())
    return summarize()


class _Nest:
    """The outer folds that are done."""

    def __init__(
        self,
        search: GlomeruliSearchCV,
        default: Any,
        X: Any,
        y: NDArray[Any],
        groups: NDArray[Any] | None,
    ):
        scoring = checked_scoring(search)
        if len(scoring.objectives) > 1 and not isinstance(search.refit, str):
            raise ParameterError(
                "nested_cross_validate judges by one score: give the search's refit "
                f"the name of one of {', '.join(scoring.objectives)}."
            )
        if search.refit is False or callable(search.refit):
            raise ParameterError(
                "nested_cross_validate needs a search with refit=True, or the name of "
                f"a score; got refit={search.refit!r}."
            )
        self.search, self.default = search, default
        self.X, self.y, self.groups = X, y, groups
        self.classes = np.unique(y)
        named = isinstance(search.refit, str)
        self.scoring: str = search.refit if named else scoring.objectives[0]
        self.folds: list[FoldResult] = []
        self.tables: list[pd.DataFrame] = []

    def run_fold(self, fold: int, train: NDArray[np.intp], test: NDArray) -> None:
        """Search on the training rows alone, and predict the test rows."""
        search = clone(self.search)
        if search.study_name is not None:
            search.set_params(study_name=f"{search.study_name}-fold{fold}")
        self._fit(search, train)
        rows = _safe_indexing(self.X, test)
        self.tables.append(
            pd.DataFrame(
                {
                    "row": np.arange(len(self.y))[test],
                    "fold": fold,
                    "label": (self.y[test] == self.classes[1]).astype(int),
                    "participant": None if self.groups is None else self.groups[test],
                    "probability": search.predict_proba(rows)[:, 1],
                    "threshold": getattr(search.best_estimator_, "threshold_", 0.5),
                    **self._by_default(train, rows, _seed_of(search)),
                }
            )
        )
        self.folds.append(
            FoldResult(
                fold,
                describe_settings(search.best_params_),
                search.best_score_,
                float(search.score(rows, self.y[test])),
                len(search.cv_results_["params"]),
                search.study_.study_name,
            )
        )

    def _by_default(
        self, train: NDArray[np.intp], rows: Any, seed: int
    ) -> dict[str, Any]:
        if self.default is None:
            return {}
        model = seeded(clone(self.default), seed)
        self._fit(model, train)
        return {
            "default_probability": model.predict_proba(rows)[:, 1],
            "default_threshold": getattr(model, "threshold_", 0.5),
        }

    def _fit(self, model: Any, train: NDArray[np.intp]) -> None:
        owners = {}
        if self.groups is not None and has_fit_parameter(model, "groups"):
            owners["groups"] = self.groups[train]
        model.fit(_safe_indexing(self.X, train), self.y[train], **owners)


def _seed_of(search: GlomeruliSearchCV) -> int:
    return int(search.best_trials_[0].user_attrs["random_state"])


@dataclass(frozen=True)
class _Summary:
    """Turns the folds that are done into a result."""

    nest: _Nest
    n_bootstrap: int
    confidence: float
    seed: int

    def __call__(self) -> NestedResult:
        table = pd.concat(self.nest.tables, ignore_index=True)
        options: dict[str, Any] = {
            "groups": None if self.nest.groups is None else table["participant"],
            "n_bootstrap": self.n_bootstrap,
            "confidence": self.confidence,
            "random_state": self.seed,
        }
        comparison = None
        if "default_probability" in table:
            comparison = compare_scores(
                table["label"],
                table["default_probability"],
                table["probability"],
                threshold=_cut(table["default_threshold"]),
                threshold_b=_cut(table["threshold"]),
                **options,
            )
        return NestedResult(
            evaluation=evaluate(
                table["label"],
                table["probability"],
                threshold=_cut(table["threshold"]),
                **options,
            ),
            optimism=optimism_of(
                self.nest.folds,
                table,
                self.nest.scoring,
                n_bootstrap=self.n_bootstrap,
                confidence=self.confidence,
                seed=self.seed,
            ),
            scoring=self.nest.scoring,
            folds=list(self.nest.folds),
            predictions=table,
            comparison=comparison,
        )


def _cut(thresholds: pd.Series) -> Any:
    """Return one threshold where all folds have the same."""
    values = thresholds.to_numpy()
    return float(values[0]) if len(set(values)) == 1 else values
