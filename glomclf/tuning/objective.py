"""What a trial is worth: its scores over grouped folds, fixed once for all trials."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna import Trial, TrialPruned
from optuna.pruners import WilcoxonPruner
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import (
    _check_method_params,
    check_consistent_length,
    column_or_1d,
    has_fit_parameter,
)

from ..data.participants import participants_of
from ..errors import (
    ParameterError,
    SamplingError,
    ScoreError,
    SplitError,
    TuningError,
)
from ..model.folds import _splits
from .auditing import audit_folds
from .space import search_space as default_search_space

__all__ = ["Objective", "Scoring", "make_objective", "make_scoring", "seeded"]

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
_CONTRADICTIONS = (InvalidParameterError, ParameterError, SamplingError)
# Scores of scikit-learn that mean nothing where a class is missing.
_COMPARING = {
    "average_precision",
    "balanced_accuracy",
    "f1",
    "matthews_corrcoef",
    "neg_log_loss",
    "precision",
    "recall",
    "roc_auc",
}


@dataclass(frozen=True)
class Scoring:
    """What is scored, what of it is sought, and what it must reach.

    Parameters
    ----------
    objectives : tuple of str
        Names of the scores to be as high as possible.
    constraint : dict of str to float
        Scores that must be at least so high.
    scorer : callable
        ``scorer(estimator, X, y)`` returns all scores by name.
    """

    objectives: tuple[str, ...]
    constraint: dict[str, float]
    scorer: Callable[..., dict[str, float]]

    @property
    def is_prunable(self) -> bool:
        """Whether trials can be stopped early.

        Pruners compare one objective: with several there is none, and with a
        constraint they would stop the feasible behind the infeasible.
        """
        return len(self.objectives) == 1 and not self.constraint


def make_scoring(
    estimator: Any, scoring: Any, constraint: Mapping[str, float] | None = None
) -> Scoring:
    """Make scorers of names, so that all of a fold share its predictions.

    Parameters
    ----------
    estimator : estimator
        Whose ``score`` is used where `scoring` is None.
    scoring : str, callable, sequence of str, mapping or None
    constraint : mapping of str to float, default=None
        Scorer names, and the least that each must reach.

    Returns
    -------
    Scoring
    """
    several = isinstance(scoring, list | tuple | set | Mapping)
    if isinstance(scoring, Mapping):
        scorers = dict(scoring)
    elif several:
        scorers = {name: name for name in scoring}
    else:
        one = check_scoring(estimator, scoring=scoring)
        scorers = {scoring if isinstance(scoring, str) else "score": one}
    objectives = tuple(scorers)
    if not objectives:
        raise ParameterError("scoring names no score; name at least one.")
    bounds = {name: float(least) for name, least in (constraint or {}).items()}
    scorers |= {name: name for name in bounds if name not in scorers}
    return Scoring(objectives, bounds, check_scoring(estimator, scoring=scorers))


def make_objective(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: Any = 5,
    scoring: Any = "average_precision",
    search_space: Callable[[Trial], dict[str, Any]] | None = None,
    constraint: Mapping[str, float] | None = None,
    audit: str = "images",
    random_state: int | np.random.RandomState | None = None,
    fit_params: Mapping[str, Any] | None = None,
) -> Objective:
    """Make an Optuna objective of grouped cross-validation.

    Parameters
    ----------
    estimator : estimator
        It is cloned for every fold. Where its ``fit`` takes ``groups``, it is given
        those of the training rows.
    X : DataFrame, array-like of paths, or ndarray
        As in ``estimator.fit``.
    y : array-like of shape (n_samples,)
        Labels.
    groups : array-like of shape (n_samples,), default=None
        Participant of each row; by default the column ``participant`` of `X`.
    cv : int, splitter or iterable of (train, test), default=5
        The folds, drawn once, the same for all trials. An int gives stratified folds
        by participant where these are known, by row where not.
    scoring : str, callable, sequence of str, mapping or None, \
default="average_precision"
        A scikit-learn scorer; several give as many objectives, in their order. All are
        the better the higher.
    search_space : callable, default=None
        ``search_space(trial)`` returns parameters for ``set_params``; None is
        :func:`search_space`, for a :class:`~glomclf.GlomeruliClassifier`.
    constraint : mapping of str to float, default=None
        Scores that must be at least so high in the mean of the folds, as
        ``{"recall": 0.95}``; a trial below is infeasible.
    audit : {"images", "rows"}, default="images"
        What is looked for on both sides of a fold before any trial: "images" finds
        shared rows, participants and images, "rows" the former two, which takes no
        time. Of what is not images there are only rows.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds of an int, and seeds every ``random_state`` of the estimator
        that is None, each trial and fold alike: two trials then differ by their
        parameters alone.
    fit_params : mapping, default=None
        Further arguments of ``fit``; those with one entry a row are cut to the fold.

    Returns
    -------
    Objective
        For ``study.optimize``. The study's directions must be ``"maximize"``, one for
        each objective.

    Raises
    ------
    LeakageError
        If a fold leaks; it names what does.

    Examples
    --------
    >>> import numpy as np
    >>> import optuna
    >>> from sklearn.linear_model import LogisticRegression
    >>> from glomclf.tuning import make_objective
    >>> rng = np.random.default_rng(0)
    >>> X, participants = rng.normal(size=(60, 3)), np.repeat(np.arange(20), 3)
    >>> y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)
    >>> objective = make_objective(
    ...     LogisticRegression(),
    ...     X,
    ...     y,
    ...     groups=participants,
    ...     search_space=lambda trial: {"C": trial.suggest_float("C", 0.01, 1.0)},
    ...     random_state=0,
    ... )
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(direction="maximize")
    >>> study.optimize(objective, n_trials=3)
    >>> len(study.best_trial.user_attrs["fold_scores"]["average_precision"])
    5
    """
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    owners = participants_of(X, groups)
    seed = int(check_random_state(random_state).randint(2**31 - 2))
    folds = draw_folds(estimator, cv, labels, owners, X=X, seed=seed)
    verdict = audit_folds(X, labels, folds, owners, level=audit)
    estimator = clone(estimator)
    fit_params = dict(fit_params or {})
    if owners is not None and has_fit_parameter(estimator, "groups"):
        fit_params.setdefault("groups", owners)
    return Objective(
        estimator,
        X,
        labels,
        folds=folds,
        scoring=make_scoring(estimator, scoring, constraint),
        search_space=search_space or default_search_space,
        seed=seed,
        verdict=verdict,
        fit_params=fit_params,
    )


def draw_folds(
    estimator: Any,
    cv: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    *,
    X: Any,
    seed: int,
    split_params: Mapping[str, Any] | None = None,
) -> list[Fold]:
    """Draw the folds once; those of an int respect participants."""
    if isinstance(cv, int):
        return list(_splits(cv, y, groups, seed))
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    options = {"groups": groups} if split_params is None else split_params
    return [
        (np.asarray(train), np.asarray(test))
        for train, test in splitter.split(X, y, **options)
    ]


def refuse_undefined_folds(
    folds: Sequence[Fold], y: NDArray[Any], scoring: Scoring
) -> None:
    """Refuse folds on whose test rows a score is undefined, before anything is fitted.

    Parameters
    ----------
    folds : sequence of (train, test)
    y : ndarray of shape (n_samples,)
    scoring : Scoring

    Raises
    ------
    SplitError
        If the test rows of a fold lack a class that a score compares; scikit-learn
        would give 0 for some of these scores, and no number for others.
    """
    names = [*scoring.objectives, *scoring.constraint]
    undefined = sorted(_COMPARING & set(names))
    n_classes = len(np.unique(y))
    lacking = [
        fold
        for fold, (_, test) in enumerate(folds)
        if len(np.unique(y[test])) < n_classes
    ]
    if undefined and lacking:
        raise SplitError(
            f"The test rows of the folds {', '.join(map(str, lacking))} lack a class, "
            f"so that {', '.join(undefined)} is undefined there. Take fewer folds: at "
            "most as many as participants with the rarer class."
        )


class Objective:
    """The mean scores of a trial over the folds, as `make_objective` makes it.

    Attributes
    ----------
    folds : list of (ndarray, ndarray)
        Training and test rows.
    scoring : Scoring
        What is scored.
    directions : list of str
        For ``optuna.create_study``.
    seed : int
        Of everything in the estimator that has no seed of its own.
    verdict : str
        What the audit of the folds found.
    on_fold : callable or None
        Called with the trial, the number of folds done, as each fold ends.

    Notes
    -----
    A trial's user attributes are ``settings`` (what the space gave), ``fold_scores``
    (by scorer), ``fold_seconds``, ``fit_seconds``, ``audit``, ``random_state``; where
    it failed ``error`` (``type``, ``message``, ``traceback``), and where it was pruned
    ``prune_reason``.

    A study's pruner is asked after each fold. Median and percentile pruners are
    reported the mean of the folds so far; the Wilcoxon pruner, which compares fold by
    fold, the fold's own score.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: NDArray[Any],
        *,
        folds: Sequence[Fold],
        scoring: Scoring,
        search_space: Callable[[Trial], dict[str, Any]],
        seed: int = 0,
        verdict: str = "",
        fit_params: Mapping[str, Any] | None = None,
        score_params: Mapping[str, Any] | None = None,
    ):
        self.estimator, self.X, self.y = estimator, X, y
        self.folds = list(folds)
        refuse_undefined_folds(self.folds, y, scoring)
        self.scoring = scoring
        self.search_space = search_space
        self.seed = seed
        self.verdict = verdict
        self.fit_params = dict(fit_params or {})
        self.score_params = dict(score_params or {})
        self.on_fold: Callable[[Trial, int], None] | None = None

    @property
    def directions(self) -> list[str]:
        """All scorers of scikit-learn are the better the higher."""
        return ["maximize"] * len(self.scoring.objectives)

    def __call__(self, trial: Trial) -> float | tuple[float, ...]:
        """Fit and score each fold with the trial's parameters.

        Parameters
        ----------
        trial : optuna.Trial

        Returns
        -------
        float or tuple of float
            Mean of the folds, one for each objective.

        Raises
        ------
        optuna.TrialPruned
            If the pruner stops the trial, or its parameters contradict each other.
        TuningError
            If a fold fails; the cause is chained.
        """
        trial.set_user_attr("audit", self.verdict)
        trial.set_user_attr("random_state", self.seed)
        record = _Record(self.scoring)
        try:
            self._run_folds(trial, record)
        except TrialPruned as stopped:
            trial.set_user_attr("prune_reason", str(stopped) or "by the search space")
            raise
        except _CONTRADICTIONS as error:
            trial.set_user_attr("prune_reason", f"{type(error).__name__}: {error}")
            raise TrialPruned(str(error)) from error
        except Exception as error:
            trial.set_user_attr("error", _described(error, record.place))
            raise TuningError(
                f"Trial {trial.number} failed in {record.place}: "
                f"{type(error).__name__}: {error}"
            ) from error
        finally:
            record.write_to(trial)
        values = tuple(record.mean(name) for name in self.scoring.objectives)
        return values[0] if len(values) == 1 else values

    def configured(self, settings: Mapping[str, Any]) -> Any:
        """Return an unfitted clone with the parameters, and seeds where it has none.

        Parameters
        ----------
        settings : mapping
            As the search space returns them.

        Returns
        -------
        estimator
        """
        # Parameters may be estimators themselves, which must not be shared.
        own = {name: clone(value, safe=False) for name, value in settings.items()}
        return seeded(clone(self.estimator).set_params(**own), self.seed)

    def _run_folds(self, trial: Trial, record: _Record) -> None:
        """Choose parameters, and run one fold after the other with them."""
        settings = self.search_space(trial)
        model = self.configured(settings)
        trial.set_user_attr("settings", describe_settings(settings))
        for fold in range(len(self.folds)):
            record.place = f"fold {fold}"
            self._run_fold(model, fold, record)
            self._report(trial, fold, record)

    def _run_fold(self, model: Any, fold: int, record: _Record) -> None:
        """Fit on the training rows of a fold, score on its test rows."""
        train, test = self.folds[fold]
        started = time.perf_counter()
        fitted = clone(model).fit(
            _safe_indexing(self.X, train),
            self.y[train],
            **_check_method_params(self.X, self.fit_params, train),
        )
        fit_seconds = time.perf_counter() - started
        scores = self.scoring.scorer(
            fitted,
            _safe_indexing(self.X, test),
            self.y[test],
            **_check_method_params(self.X, self.score_params, test),
        )
        undefined = [name for name, value in scores.items() if not np.isfinite(value)]
        if undefined:
            raise ScoreError(
                f"{', '.join(undefined)} is not a number on the {len(test)} test rows, "
                f"whose classes are {np.unique(self.y[test]).tolist()}."
            )
        record.add(scores, fit_seconds, time.perf_counter() - started)

    def _report(self, trial: Trial, fold: int, record: _Record) -> None:
        """Say how a fold went, and stop where the pruner says so."""
        if self.on_fold is not None:
            self.on_fold(trial, fold + 1)
        if len(self.scoring.objectives) > 1:
            return  # Optuna reports one objective only
        (name,) = self.scoring.objectives
        by_fold = _wants_folds(getattr(trial, "study", None))
        value = record.scores[name][-1] if by_fold else record.mean(name)
        trial.report(value, step=fold)
        is_last = fold + 1 == len(self.folds)
        if self.scoring.is_prunable and not is_last and trial.should_prune():
            pruner = type(trial.study.pruner).__name__
            raise TrialPruned(
                f"by {pruner} after {fold + 1} of {len(self.folds)} folds, mean {name} "
                f"{record.mean(name):.3f}"
            )


def seeded(model: Any, seed: int) -> Any:
    """Give an estimator, and those in it, a seed where they have none.

    Parameters
    ----------
    model : estimator
        It is changed.
    seed : int

    Returns
    -------
    estimator
        The same.
    """
    unset = {
        name: seed
        for name, value in sorted(model.get_params(deep=True).items())
        if value is None and name.split("__")[-1] == "random_state"
    }
    return model.set_params(**unset)


@dataclass
class _Record:
    """Scores and times of the folds of one trial."""

    scoring: Scoring
    scores: dict[str, list[float]] = field(default_factory=dict)
    fit_seconds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    place: str = "the search space"

    def add(self, scores: Mapping[str, float], fit: float, whole: float) -> None:
        for name, value in scores.items():
            self.scores.setdefault(name, []).append(float(value))
        self.fit_seconds.append(fit)
        self.seconds.append(whole)

    def mean(self, name: str) -> float:
        return float(np.mean(self.scores[name]))

    def write_to(self, trial: Trial) -> None:
        """Keep scores, times, and how far each bound was missed."""
        trial.set_user_attr("fold_scores", self.scores)
        trial.set_user_attr("fold_seconds", self.seconds)
        trial.set_user_attr("fit_seconds", self.fit_seconds)
        if self.scores:
            for name, least in self.scoring.constraint.items():
                trial.set_constraint(name, least - self.mean(name))


def describe_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them; objects as their text."""
    plain = (str, bool, int, float, type(None))
    return {
        name: value.item()
        if isinstance(value, np.generic)
        else (value if isinstance(value, plain) else repr(value))
        for name, value in settings.items()
    }


def _described(error: BaseException, place: str) -> dict[str, str]:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {
        "type": type(error).__name__,
        "message": str(error),
        "place": place,
        "traceback": "".join(lines)[-10_000:],
    }


def _wants_folds(study: Any) -> bool:
    """Tell whether a study's pruner, or the one in it, compares fold by fold."""
    pruner = getattr(study, "pruner", None)  # a FixedTrial has no study
    inner = getattr(pruner, "_wrapped_pruner", None)
    return isinstance(pruner, WilcoxonPruner) or isinstance(inner, WilcoxonPruner)
