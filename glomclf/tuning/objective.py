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
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import (
    _check_method_params,
    check_consistent_length,
    column_or_1d,
    has_fit_parameter,
)

from ..data.participants import participants_of
from ..errors import ParameterError, SamplingError, ScoreError, TuningError
from .folds import Fold, audit_folds, draw_folds
from .scoring import Scoring, make_scoring, refuse_undefined_folds
from .space import search_space as default_search_space

__all__ = ["Objective", "describe_settings", "make_objective", "seeded"]

_CONTRADICTIONS = (InvalidParameterError, ParameterError, SamplingError)


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
    score_params: Mapping[str, Any] | None = None,
) -> Objective:
    """Make an Optuna objective of grouped cross-validation.

    Parameters
    ----------
    estimator : estimator
        It is cloned for every fold. Where its ``fit`` takes ``groups``, it is given
        those of the training rows; with metadata routing, only by `fit_params`.
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
    score_params : mapping, default=None
        The same of the scorers.

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
    fit_params = dict(fit_params or {})
    takes_groups = has_fit_parameter(estimator, "groups") and not _routing_enabled()
    if owners is not None and takes_groups:
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
        score_params=score_params,
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
        """Report how a fold went, and stop where the pruner says so."""
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
