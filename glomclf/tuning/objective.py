"""What a trial is worth: its scores over folds that are the same for all trials."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial, TrialPruned
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import _check_method_params, has_fit_parameter

from ..data.participants import participants_of
from ..errors import ParameterError, SamplingError, ScoreError
from .folds import Fold, audit_folds, draw_folds
from .scoring import Scoring, make_scoring, refuse_undefined_folds
from .space import search_space

__all__ = ["Objective", "describe_settings", "make_objective", "seeded"]

_CONTRADICTIONS = (InvalidParameterError, ParameterError, SamplingError)


def make_objective(
    search: Any,
    X: Any,
    y: NDArray[Any],
    groups: Any = None,
    fit_params: Mapping[str, Any] | None = None,
    score_params: Mapping[str, Any] | None = None,
) -> Objective:
    """Draw the folds of a search, and say what its trials are scored by.

    Parameters
    ----------
    search : GlomeruliSearchCV
        Its ``estimator``, ``search_space``, ``cv``, ``scoring``, ``constraint`` and
        ``random_state`` are used.
    X, y, groups
        As in ``search.fit``. The estimator's ``fit`` is given the groups of its rows
        where it takes them; with metadata routing, only by `fit_params`.
    fit_params, score_params : mapping, default=None
        Further arguments of the estimator's ``fit`` and of the scorers; those with one
        entry a row are cut to the fold.

    Returns
    -------
    Objective
    """
    owners = participants_of(X, groups)
    seed = int(check_random_state(search.random_state).randint(2**31 - 2))
    fit_params = dict(fit_params or {})
    takes_groups = has_fit_parameter(search.estimator, "groups")
    if owners is not None and takes_groups and not _routing_enabled():
        fit_params.setdefault("groups", owners)
    objective = Objective(
        search.estimator,
        search.search_space or search_space,
        make_scoring(search.estimator, search.scoring, search.constraint),
        X,
        y,
        owners,
        draw_folds(search.cv, y, owners, seed),
        seed,
        fit_params,
        dict(score_params or {}),
    )
    refuse_undefined_folds(objective.folds, y, objective.scoring)
    return objective


@dataclass(frozen=True)
class Objective:
    """The mean scores of a trial over the folds.

    Parameters
    ----------
    estimator : estimator
    search_space : callable
    scoring : Scoring
    X, y, groups
    folds : list of (ndarray, ndarray)
        Training and test rows.
    seed : int
        Of everything in the estimator that has no seed of its own, alike for each trial
        and fold: two trials then differ by their parameters alone.
    fit_params, score_params : dict

    Notes
    -----
    A trial's user attributes are ``settings`` (what the space gave), ``fold_scores``
    (by scorer), ``fit_seconds`` and ``score_seconds`` of each fold; where it failed or
    was pruned ``reason``, and where it failed ``traceback``.
    """

    estimator: Any
    search_space: Callable[[Trial], dict[str, Any]]
    scoring: Scoring
    X: Any
    y: NDArray[Any]
    groups: NDArray[Any] | None
    folds: list[Fold]
    seed: int
    fit_params: dict[str, Any]
    score_params: dict[str, Any]

    def audit(self, level: str) -> str:
        """Refuse folds that leak; return the verdict on those that do not."""
        return audit_folds(self.X, self.y, self.folds, self.groups, level=level)

    def __call__(self, trial: Trial) -> list[float]:
        """Fit and score each fold with the trial's parameters.

        Parameters
        ----------
        trial : optuna.Trial

        Returns
        -------
        list of float
            Mean of the folds, one for each objective.

        Raises
        ------
        optuna.TrialPruned
            If the pruner stops the trial, or its parameters contradict each other.
        """
        kept: dict[str, Any] = {
            "fold_scores": {},
            "fit_seconds": [],
            "score_seconds": [],
        }
        try:
            self._run_folds(trial, kept)
        except TrialPruned as stopped:
            kept["reason"] = str(stopped) or "by the search space"
            raise
        except _CONTRADICTIONS as error:
            kept["reason"] = f"{type(error).__name__}: {error}"
            raise TrialPruned(str(error)) from error
        except Exception as error:
            fold = f"fold {len(kept['fit_seconds'])}"
            place = fold if "settings" in kept else "the search space"
            kept["reason"] = f"{place}: {type(error).__name__}: {error}"
            kept["traceback"] = traceback.format_exc()[-10_000:]
            raise
        finally:
            for name, value in kept.items():
                trial.set_user_attr(name, value)
        means = {
            name: float(np.mean(all_)) for name, all_ in kept["fold_scores"].items()
        }
        for name, least in self.scoring.constraint.items():
            trial.set_constraint(name, least - means[name])
        return [means[name] for name in self.scoring.objectives]

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

    def _run_folds(self, trial: Trial, kept: dict[str, Any]) -> None:
        """Choose parameters, and run one fold after the other with them."""
        settings = self.search_space(trial)
        model = self.configured(settings)
        kept["settings"] = describe_settings(settings)
        for step, (train, test) in enumerate(self.folds):
            started = time.perf_counter()
            fitted = self.fit(clone(model), train)
            fit_ended = time.perf_counter()
            for name, score in self._score(fitted, test).items():
                kept["fold_scores"].setdefault(name, []).append(score)
            kept["fit_seconds"].append(fit_ended - started)
            kept["score_seconds"].append(time.perf_counter() - fit_ended)
            self._report(trial, step, kept["fold_scores"])

    def fit(self, model: Any, rows: Any = None) -> Any:
        """Fit a model on some rows, or all."""
        given = _check_method_params(self.X, self.fit_params, rows)
        if rows is None:
            return model.fit(self.X, self.y, **given)
        return model.fit(_safe_indexing(self.X, rows), self.y[rows], **given)

    def _score(self, fitted: Any, rows: NDArray[np.intp]) -> dict[str, float]:
        given = _check_method_params(self.X, self.score_params, rows)
        y = self.y[rows]
        scores = self.scoring.scorer(fitted, _safe_indexing(self.X, rows), y, **given)
        undefined = [name for name, value in scores.items() if not np.isfinite(value)]
        if undefined:
            raise ScoreError(
                f"{', '.join(undefined)} is not a number on the {len(y)} test rows, "
                f"whose classes are {np.unique(y).tolist()}."
            )
        return {name: float(value) for name, value in scores.items()}

    def _report(self, trial: Trial, step: int, scores: dict[str, list[float]]) -> None:
        """Report how a fold went, and stop where the pruner says so."""
        if len(self.scoring.objectives) > 1:
            return  # Optuna reports one objective only
        (name,) = self.scoring.objectives
        trial.report(scores[name][-1], step)
        is_last = step + 1 == len(self.folds)
        if self.scoring.is_prunable and not is_last and trial.should_prune():
            pruner = type(trial.study.pruner).__name__
            raise TrialPruned(
                f"by {pruner} after {step + 1} of {len(self.folds)} folds"
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


def describe_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them; objects as their text."""
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    is_plain = value is None or isinstance(value, str | bool | int | float)
    return value if is_plain else repr(value)
