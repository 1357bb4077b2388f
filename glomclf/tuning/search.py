"""GlomeruliSearchCV: an Optuna study as a scikit-learn classifier."""

from __future__ import annotations

import os
import time
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
    clone,
)
from sklearn.metrics import get_scorer_names
from sklearn.utils import Bunch, assert_all_finite, get_tags
from sklearn.utils._metadata_requests import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_method_params,
    check_consistent_length,
    check_is_fitted,
    check_random_state,
    column_or_1d,
    has_fit_parameter,
    indexable,
)

from ..data.participants import participants_of
from ..errors import ParameterError
from ..model.classifier import GlomeruliClassifier
from .auditing import audit_folds
from .fingerprints import fingerprint, short_digest
from .objective import Objective, draw_folds, make_scoring
from .passwords import without_passwords
from .results import best_index, cv_results, is_feasible, require_a_choice
from .space import search_space as default_search_space
from .storages import (
    close_storage,
    readable_errors,
    shareable,
)
from .studies import FINGERPRINT, StudyPlan, copy_to_memory, find_study, open_study
from .trials import counted_trials
from .workers import run_trials

__all__ = ["GlomeruliSearchCV"]


def _best_has(name):
    """Offer a method where the best estimator has it, or would have it."""

    def check(self):
        if not self.refit:
            raise AttributeError(
                f"refit=False: no estimator was fitted that could {name}. Give "
                "refit=True."
            )
        getattr(getattr(self, "best_estimator_", self.estimator), name)
        return True

    return check


class GlomeruliSearchCV(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Choose hyperparameters by an Optuna study, and fit with the best of them.

    All trials are scored on the same folds, which respect participants and are audited
    before the first. To scikit-learn it is a classifier: ``cross_validate`` around it
    is nested cross-validation, and each outer fold's study sees that fold's training
    rows alone.

    Parameters
    ----------
    estimator : estimator
        Usually a :class:`~glomclf.GlomeruliClassifier`. It is cloned.
    search_space : callable, default=None
        ``search_space(trial)`` returns parameters for ``estimator.set_params``. None is
        :func:`glomclf.tuning.search_space`, for a GlomeruliClassifier.
    cv, scoring, constraint, audit
        See :func:`make_objective`.
    n_trials : int or None, default=50
        Trials that the study has in the end, whoever runs them; those it has already
        count. None: until `timeout`.
    timeout : float or None, default=None
        Seconds after which no trial is begun.
    storage : None, str, path or optuna.storages.BaseStorage, default=None
        Where the study is kept, see :func:`open_storage`. None is memory.
    study_name : str or None, default=None
        Workers join a study by its name. None makes one of all that decides the scores,
        so that the same search goes on and another begins anew.
    resume : bool, default=True
        Whether a study of that name is gone on with. It must have been made with the
        same data, folds, scores, space, estimator and random state.
    sampler : optuna.samplers.BaseSampler or None, default=None
        What chooses the parameters; None is Optuna's ``TPESampler``. It is reseeded
        for every trial from `random_state` and the trial's index.
    pruner : optuna.pruners.BasePruner or None, default=None
        What stops trials early; None lets all folds run. Only for one objective
        without a constraint.
    refit : bool, str or callable, default=True
        Whether the best parameters are fitted on all rows. With several objectives the
        scorer that decides, or a function of ``cv_results_`` that returns a row.
    n_jobs : int or None, default=None
        Processes that run trials. Each has its share of the cores.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the sampler and, alike for all trials, what in the estimator
        has no seed. None goes on with that of the study that is joined.
    verbose : int, default=0
        1 shows a bar on standard error.

    Attributes
    ----------
    study_ : optuna.Study
        A copy in memory of the study as it was at the end; there also after Ctrl-C.
    cv_results_ : dict of str to array
        One row a trial that counts: ``params``, ``param_*``, ``split*_test_score``,
        ``mean_test_score``, ``rank_test_score``, ``state``, ``feasible``, ``trial``
        (its number) and so on; with several scores their names in place of ``score``.
    best_index_ : int
        Row of the best trial.
    best_params_ : dict
        Its parameters, as they were set on the estimator.
    best_score_ : float
        Its mean score on the folds. The best of many is too good: see
        :func:`nested_cross_validate`.
    best_trials_ : list of optuna.trial.FrozenTrial
        Complete trials that meet the constraint and that no other beats in all
        objectives: the Pareto front.
    best_estimator_ : estimator
        Fitted on all rows with ``best_params_``.
    refit_time_ : float
        Seconds that took.
    scorer_ : dict of str to callable
        By name.
    n_splits_ : int
        Number of folds.
    audit_ : str
        What the audit of the folds found.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Where the estimator has it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from glomclf import GlomeruliSearchCV
    >>> rng = np.random.default_rng(0)
    >>> X, participants = rng.normal(size=(90, 3)), np.repeat(np.arange(30), 3)
    >>> y = (X[:, 0] + rng.normal(size=90) > 0).astype(int)
    >>> search = GlomeruliSearchCV(
    ...     LogisticRegression(),
    ...     lambda trial: {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)},
    ...     scoring="roc_auc",
    ...     n_trials=5,
    ...     random_state=0,
    ... )
    >>> search.fit(X, y, groups=participants).predict(X).shape
    (90,)
    >>> sorted(search.best_params_)
    ['C']
    >>> len(search.cv_results_["mean_test_score"])
    5
    """

    # As the grouped splitters of scikit-learn do.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    _parameter_constraints = {  # noqa: RUF012
        "estimator": [HasMethods(["fit"])],
        "search_space": [callable, None],
        "cv": ["cv_object"],
        "scoring": [
            StrOptions(set(get_scorer_names())),
            callable,
            list,
            tuple,
            dict,
            None,
        ],
        "n_trials": [Interval(Integral, 1, None, closed="left"), None],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "storage": [str, os.PathLike, HasMethods(["create_new_study"]), None],
        "study_name": [str, None],
        "resume": ["boolean"],
        "sampler": [HasMethods(["sample_independent"]), None],
        "pruner": [HasMethods(["prune"]), None],
        "constraint": [dict, None],
        "audit": [StrOptions({"images", "rows"})],
        "refit": ["boolean", str, callable],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator,
        search_space=None,
        *,
        cv=5,
        scoring="average_precision",
        n_trials=50,
        timeout=None,
        storage=None,
        study_name=None,
        resume=True,
        sampler=None,
        pruner=None,
        constraint=None,
        audit="images",
        refit=True,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.search_space = search_space
        self.cv = cv
        self.scoring = scoring
        self.n_trials = n_trials
        self.timeout = timeout
        self.storage = storage
        self.study_name = study_name
        self.resume = resume
        self.sampler = sampler
        self.pruner = pruner
        self.constraint = constraint
        self.audit = audit
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # The estimator is validated by its own fit.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, groups=None, **fit_params):
        """Run the study, and fit with the best parameters.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            As in ``estimator.fit``.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,), default=None
            Participant of each row; by default the column ``participant`` of `X`. No
            participant is on both sides of a fold; they also go to the estimator's
            ``fit`` where it takes them. With metadata routing, request them there:
            ``estimator.set_fit_request(groups=True)``.
        **fit_params : dict
            Further arguments of the estimator's ``fit``.

        Returns
        -------
        self

        Raises
        ------
        StudyError
            If the storage cannot be used, or its study of that name is another.
        LeakageError
            If a fold leaks.
        TuningError
            If no trial is complete, or none meets the constraint.
        KeyboardInterrupt
            At Ctrl-C, with a word on how to go on. What is finished is kept.
        """
        X, y = indexable(X, y)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        self._check_labels(y)
        scoring = self._check_combination()
        routed = self._route(X, groups, fit_params)
        objective, plan = self._plan(X, y, groups, scoring, routed)
        self._audit(X, y, groups, objective, plan)
        try:
            self._run(objective, plan)
        finally:
            self._keep(objective)
        trials = counted_trials(self.study_)
        require_a_choice(trials, scoring)
        self._choose(objective)
        if self.refit:
            self._refit(X, y, objective, routed)
        return self

    @available_if(_best_has("predict"))
    def predict(self, X):
        """Predict by the best estimator.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self.best_estimator_.predict(X)

    @available_if(_best_has("predict_proba"))
    def predict_proba(self, X):
        """Give the best estimator's probability of each class.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        return self.best_estimator_.predict_proba(X)

    @available_if(_best_has("predict_log_proba"))
    def predict_log_proba(self, X):
        """Give the logarithm of the best estimator's probabilities.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        return self.best_estimator_.predict_log_proba(X)

    @available_if(_best_has("decision_function"))
    def decision_function(self, X):
        """Give the best estimator's decision function.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        check_is_fitted(self)
        return self.best_estimator_.decision_function(X)

    def score(self, X, y, **params):
        """Score the best estimator by the (first, or refit's) score of the study.

        Parameters
        ----------
        X : as in ``fit``
        y : array-like of shape (n_samples,)
        **params : dict
            For the scorer, where metadata routing is enabled.

        Returns
        -------
        float
        """
        _best_has("score")(self)
        check_is_fitted(self)
        routed = {}
        if _routing_enabled():
            routed = process_routing(self, "score", **params).scorer.score
        name = self.refit if isinstance(self.refit, str) else next(iter(self.scorer_))
        return self.scorer_[name](self.best_estimator_, X, y, **routed)

    @property
    def classes_(self):
        """The labels, sorted."""
        return self.best_estimator_.classes_

    @property
    def n_features_in_(self):
        """Number of features seen in ``fit``, where the estimator has it."""
        return self.best_estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features seen in ``fit``, where the estimator has them."""
        return self.best_estimator_.feature_names_in_

    def get_metadata_routing(self):
        """Say where metadata goes: to this, the folds, the estimator and the scorers.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRouter
        """
        scorer = make_scoring(self.estimator, self.scoring, self.constraint).scorer
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                estimator=self.estimator,
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
            .add(
                scorer=scorer,
                method_mapping=MethodMapping()
                .add(caller="fit", callee="score")
                .add(caller="score", callee="score"),
            )
            .add(
                splitter=self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.input_tags = inner.input_tags
        tags.non_deterministic = self.random_state is None
        return tags

    def __repr__(self, N_CHAR_MAX=700):
        return without_passwords(super().__repr__(N_CHAR_MAX))

    def _html_repr(self):
        return without_passwords(super()._html_repr())

    def __sklearn_is_fitted__(self):
        return hasattr(self, "best_estimator_" if self.refit else "cv_results_")

    def _check_labels(self, y):
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if len(np.unique(y)) < 2:
            raise ValueError(
                f"Two classes are needed, but y has one class only, in {len(y)} rows: "
                f"{np.unique(y).tolist()}."
            )

    def _check_combination(self):
        """Refuse parameters that contradict each other, all at once."""
        scoring = make_scoring(self.estimator, self.scoring, self.constraint)
        faults = []
        if self.search_space is None and not isinstance(
            self.estimator, GlomeruliClassifier
        ):
            faults.append(
                "search_space=None is for a GlomeruliClassifier, but estimator is "
                f"{self.estimator!r}. Give a function of the trial that returns its "
                "parameters."
            )
        if self.n_trials is None and self.timeout is None:
            faults.append("n_trials=None runs until timeout, but timeout=None.")
        if self.pruner is not None and not scoring.is_prunable:
            faults.append(
                "a pruner compares trials by one objective alone, and cannot know a "
                "constraint: give pruner=None, or one scoring and no constraint."
            )
        several, names = len(scoring.objectives) > 1, scoring.objectives
        named = isinstance(self.refit, str)
        if several and not (self.refit is False or named or callable(self.refit)):
            faults.append(
                f"with the objectives {', '.join(names)} refit={self.refit!r} does not "
                "say which decides: give one of their names, a function of "
                "cv_results_, or False."
            )
        if named and self.refit not in names:
            faults.append(f"refit={self.refit!r} is not among the scores {names}.")
        if faults:
            raise ParameterError("\n".join(faults))
        return scoring

    def _route(self, X, groups, fit_params):
        """Return what goes to the estimator's fit, the splitter and the scorers."""
        owners = participants_of(X, groups)
        given = _check_method_params(X, fit_params)
        if _routing_enabled():
            passed = dict(given)
            if groups is not None:
                passed["groups"] = owners
            routed = process_routing(self, "fit", **passed)
            split = dict(routed.splitter.split)
            return Bunch(
                fit=routed.estimator.fit, score=routed.scorer.score, split=split
            )
        fit = dict(given)
        if owners is not None and has_fit_parameter(self.estimator, "groups"):
            fit["groups"] = owners
        return Bunch(fit=fit, score={}, split={"groups": owners})

    def _plan(self, X, y, groups, scoring, routed):
        """Fix folds and seed, and name the study."""
        owners = participants_of(X, groups)
        seed = self._seed()
        # The best is fitted on more rows than a fold has, by the same recipe.
        estimator = clone(self.estimator)
        folds = draw_folds(
            estimator,
            self.cv,
            y,
            owners,
            X=X,
            seed=seed,
            split_params=routed.split if _routing_enabled() else None,
        )
        objective = Objective(
            estimator,
            X,
            y,
            folds=folds,
            scoring=scoring,
            search_space=self.search_space or default_search_space,
            seed=seed,
            fit_params=routed.fit,
            score_params=routed.score,
        )
        own = fingerprint(objective)
        name = self.study_name or f"glomclf-{short_digest(own)}"
        attributes = {"n_splits": len(folds)}
        plan = StudyPlan(
            self.storage, name, scoring.objectives, own, attributes, self.resume
        )
        return objective, plan

    def _seed(self):
        """Draw the seed; without a random state, take that of the study it joins."""
        known = None
        if self.random_state is None and self.storage is not None and self.study_name:
            known = find_study(self.storage, self.study_name)
        found = {} if known is None else known.user_attrs.get(FINGERPRINT, {})
        if "random_state" in found:
            return int(found["random_state"])
        return int(check_random_state(self.random_state).randint(2**31 - 2))

    def _audit(self, X, y, groups, objective, plan):
        """Audit the folds, unless the study to be joined has the verdict on them."""
        known = None
        if plan.storage is not None:
            known = find_study(plan.storage, plan.study_name)
        attributes = {} if known is None else known.user_attrs
        is_same = attributes.get(FINGERPRINT) == plan.fingerprint
        if is_same and attributes.get("audit_level") == self.audit:
            objective.verdict = attributes["audit"]
        else:
            owners = participants_of(X, groups)
            objective.verdict = audit_folds(
                X, y, objective.folds, owners, level=self.audit
            )
        plan.attributes |= {"audit": objective.verdict, "audit_level": self.audit}
        self.audit_ = objective.verdict

    def _run(self, objective, plan):
        """Open the study and run its trials."""
        with (
            shareable(plan.storage, self.n_jobs) as storage,
            readable_errors(storage),
        ):
            plan.storage = storage
            study = open_study(plan, **self._optuna_parts(objective.seed))
            try:
                run_trials(
                    study,
                    objective,
                    storage=storage,
                    n_trials=self.n_trials,
                    timeout=self.timeout,
                    n_jobs=self.n_jobs,
                    verbose=self.verbose,
                    is_kept=self.storage is not None,
                )
            finally:
                try:
                    self._study = copy_to_memory(study)
                finally:
                    close_storage(study._storage, storage)

    def _optuna_parts(self, seed):
        from copy import deepcopy

        from optuna.pruners import NopPruner

        from .sampling import SeededSampler, default_sampler

        sampler = deepcopy(self.sampler) or default_sampler()
        return {
            "sampler": SeededSampler(sampler, seed),
            "pruner": self.pruner or NopPruner(),
        }

    def _keep(self, objective):
        """Keep what the study has, also where it was interrupted."""
        study = self.__dict__.pop("_study", None)
        if study is None:
            return
        self.study_ = study
        trials = counted_trials(self.study_)
        self.n_splits_ = len(objective.folds)
        self.scorer_ = dict(objective.scoring.scorer._scorers)
        self.cv_results_ = cv_results(
            trials,
            [_settings(objective, trial) for trial in trials],
            objective.scoring,
            self.n_splits_,
        )
        feasible = any(is_feasible(trial) for trial in trials)
        self.best_trials_ = self.study_.best_trials if feasible else []

    def _choose(self, objective):
        """Name the best trial."""
        scoring = objective.scoring
        index = best_index(self.cv_results_, scoring, self.refit)
        if index is None:
            return
        self.best_index_ = index
        self.best_params_ = self.cv_results_["params"][index]
        if len(scoring.objectives) == 1:
            self.best_score_ = float(self.cv_results_["mean_test_score"][index])
        elif isinstance(self.refit, str):
            means = self.cv_results_[f"mean_test_{self.refit}"]
            self.best_score_ = float(means[index])

    def _refit(self, X, y, objective, routed):
        started = time.perf_counter()
        model = objective.configured(self.best_params_)
        self.best_estimator_ = model.fit(X, y, **routed.fit)
        self.refit_time_ = time.perf_counter() - started

    def _sk_visual_block_(self):
        from sklearn.utils._repr_html.estimator import _VisualBlock

        inner = getattr(self, "best_estimator_", self.estimator)
        return _VisualBlock("parallel", [inner], names=[type(inner).__name__])


def _settings(objective: Objective, trial: Any) -> dict[str, Any]:
    """Return what a trial set on the estimator; what was suggested, where it failed."""
    if "settings" not in trial.user_attrs:
        return dict(trial.params)
    return dict(objective.search_space(trial))
