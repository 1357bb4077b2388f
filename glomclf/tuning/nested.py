"""What a search is worth, tuning included: nested cross-validation.

The best score of a study is the best of many on the same folds, so it is too good. Here
the whole search runs on the training side of each outer fold. It is judged on the
participants that none of its trials has seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, column_or_1d

from ..data.participants import participants_of
from ..errors import ParameterError
from ..evaluation import Comparison, Evaluation, compare_scores, evaluate
from ..model.folds import FittedFold, fit_folds, predict_folds
from ..model.rows import Rows
from .folds import audit_folds, draw_folds
from .objective import describe_settings, seeded
from .scoring import checked_scoring, refuse_undefined_folds
from .search import GlomeruliSearchCV

__all__ = ["NestedResult", "nested_cross_validate"]

_PREDICTED = ["probability", "threshold"]


@dataclass(frozen=True)
class NestedResult:
    """What `nested_cross_validate` found.

    Parameters
    ----------
    evaluation : Evaluation
        Of the tuned procedure, on the predictions of all outer folds.
    scoring : str
        The score that was tuned.
    folds : DataFrame
        One row per outer fold: ``best_score``, of all trials the best on the training
        rows, and so too good; ``test_score`` of the model fitted with those parameters,
        on the fold's own participants; ``optimism``, the difference; ``n_trials``;
        ``study``, its name; and one column per parameter, named ``param_...``.
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
    folds: pd.DataFrame
    predictions: pd.DataFrame
    comparison: Comparison | None = None

    @property
    def best_score(self) -> float:
        """Mean of the best scores of the searches: too good."""
        return float(self.folds["best_score"].mean())

    @property
    def test_score(self) -> float:
        """Mean score of the outer folds, on participants that no trial saw."""
        return float(self.folds["test_score"].mean())

    @property
    def optimism(self) -> float:
        """How much too good the best score is: `best_score` less `test_score`."""
        return self.best_score - self.test_score

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
            "folds": json.loads(self.folds.reset_index().to_json(orient="records")),
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
    classes = np.unique(labels)
    seeds = check_random_state(random_state).randint(2**31 - 2, size=2).tolist()
    name = _deciding_score(search)
    outer = draw_folds(cv, labels, owners, seeds[0])
    refuse_undefined_folds(outer, labels, checked_scoring(search))
    audit_folds(X, labels, outer, owners, level=search.audit)
    searches = [_of_fold(search, fold) for fold in range(len(outer))]
    options: dict[str, Any] = {"pos_label": classes[1], "verbose": verbose}
    rows = Rows(X, labels, owners)
    fitted = fit_folds(searches, rows, outer, doing="outer folds", **options)
    judged = [_judged_fold(one, rows.take(one.test)) for one in fitted]
    folds = pd.DataFrame([found for found, _ in judged]).rename_axis("fold")
    table = pd.concat([predicted for _, predicted in judged], ignore_index=True)
    table["label"] = (labels[table["row"]] == classes[1]).astype(int)
    table["participant"] = None if owners is None else owners[table["row"]]
    if default is not None:
        model = seeded(clone(default), seeds[0])
        plain = predict_folds(model, X, labels, groups=owners, cv=outer, **options)
        table = table.join(plain[_PREDICTED].add_prefix("default_"))
    evaluation, comparison = _compared(table, n_bootstrap, confidence, seeds[1])
    return NestedResult(evaluation, name, folds, table, comparison)


def _deciding_score(search: GlomeruliSearchCV) -> str:
    """Name the score that the search chooses by; refuse one that leaves it open."""
    if search.refit is False:
        raise ParameterError(
            "nested_cross_validate needs a search with refit=True, or the name of "
            "a score; got refit=False."
        )
    names = checked_scoring(search).objectives
    return search.refit if isinstance(search.refit, str) else names[0]


def _of_fold(search: GlomeruliSearchCV, fold: int) -> GlomeruliSearchCV:
    """Return an unfitted copy, whose study has a name of its own."""
    search = clone(search)
    if search.study_name is not None:
        search.set_params(study_name=f"{search.study_name}-fold{fold}")
    return search


def _judged_fold(one: FittedFold, test: Rows) -> tuple[dict[str, Any], pd.DataFrame]:
    """Tell what an outer fold's search found, and its model's predictions."""
    search = one.model
    test_score = float(search.score(test.X, test.y))
    best = describe_settings(search.best_params_)
    found = {
        "best_score": search.best_score_,
        "test_score": test_score,
        "optimism": search.best_score_ - test_score,
        "n_trials": len(search.cv_results_["params"]),
        "study": search.study_.study_name,
        **{f"param_{name}": value for name, value in best.items()},
    }
    values = one.probability, getattr(search.best_estimator_, "threshold_", 0.5)
    predicted = dict(zip(_PREDICTED, values, strict=True))
    return found, pd.DataFrame({"row": one.test, "fold": one.fold, **predicted})


def _compared(
    table: pd.DataFrame, n_bootstrap: int, confidence: float, seed: int
) -> tuple[Evaluation, Comparison | None]:
    """Score the predictions of all outer folds, and compare them with the default's."""
    options: dict[str, Any] = {
        "groups": table["participant"] if table["participant"].notna().any() else None,
        "n_bootstrap": n_bootstrap,
        "confidence": confidence,
        "random_state": seed,
    }
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
