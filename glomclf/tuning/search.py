"""GlomeruliSearchCV: an Optuna study as one of scikit-learn's searches."""

from __future__ import annotations

import os
import time
from copy import copy, deepcopy
from numbers import Integral, Real

import numpy as np
from optuna.pruners import NopPruner
from sklearn.base import _fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import assert_all_finite
from sklearn.utils._metadata_requests import _routing_enabled, process_routing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_method_params, column_or_1d, indexable

from ..data.participants import participants_of
from .choice import best_index, require_a_choice, results_of
from .objective import make_objective
from .scoring import checked_scoring, make_scoring
from .storage import in_memory, shareable, shown
from .study import copy_to_memory, fresh_sampler, opened_study, run_trials, what_is_kept
from .trials import best_trials, finished_trials

__all__ = ["GlomeruliSearchCV"]


class GlomeruliSearchCV(BaseSearchCV):
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
    cv : int, splitter or iterable of (train, test), default=5
        The folds, drawn once, the same for all trials. An int gives stratified folds
        by participant where these are known, by row where not.
    scoring : str, callable, sequence of str, mapping or None, \
default="average_precision"
        A scikit-learn scorer; several give as many objectives, in their order. All are
        the better the higher.
    n_trials : int or None, default=50
        Trials that the study is to have in the end, whoever runs them; those that are
        complete or pruned already count. With several processes it may get a few more.
        None: until `timeout`.
    timeout : float or None, default=None
        Seconds after which no trial is begun.
    storage : None, str, path or optuna.storages.BaseStorage, default=None
        Where the study is kept, see :func:`open_storage`. None is memory or, for
        several processes, a temporary journal file, which is removed afterwards.
    study_name : str or None, default=None
        Whoever gives the same storage and name joins the study, from any machine. None
        makes one of all that decides the scores, so that the same search goes on and
        another begins anew.
    resume : bool, default=True
        Whether a study of that name that has trials is gone on with. It must have been
        made with the same data, folds, scores, space, estimator and random state.
    sampler : optuna.samplers.BaseSampler or None, default=None
        What chooses the parameters; None is Optuna's ``TPESampler``, seeded by
        `random_state`. In several processes, and for a study that is resumed, another
        one draws from a fresh seed.
    pruner : optuna.pruners.BasePruner or None, default=None
        What stops trials early, asked after each fold with the fold's score; None lets
        all folds run. Only for one objective without a constraint.
    constraint : mapping of str to float, default=None
        Scores that must be at least so high in the mean of the folds, as
        ``{"recall": 0.95}``; a trial below is infeasible.
    audit : {"images", "rows"}, default="images"
        What is looked for on both sides of a fold before any trial: "images" finds
        shared rows, participants and images, "rows" the former two, which takes no
        time. Of what is not images there are only rows.
    refit : bool or str, default=True
        Whether the best parameters are fitted on all rows. With several objectives the
        scorer that decides.
    n_jobs : int or None, default=None
        Processes that run trials, each with its share of the cores: loky's, or those of
        the backend that ``joblib.parallel_config`` says, such as Dask.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the sampler and, alike for all trials, what in the estimator
        has no seed. To join a study it must be the same int.
    verbose : int, default=0
        1 shows a bar on standard error.

    Attributes
    ----------
    study_ : optuna.Study
        A copy in memory of the study as it was at the end; there also after Ctrl-C.
    cv_results_ : dict of str to array
        One row a finished trial: ``params``, ``param_*``, ``split*_test_score``,
        ``mean_test_score``, ``rank_test_score``, ``state``, ``feasible``, ``trial``
        (its number) and so on; with several scores their names in place of ``score``.
    best_index_, best_params_, best_score_, best_estimator_, refit_time_
        As in scikit-learn's searches. The best score of many is too good: see
        :func:`nested_cross_validate`.
    best_trials_ : list of optuna.trial.FrozenTrial
        Complete trials that meet the constraint and that no other beats in all
        objectives: the Pareto front.
    scorer_, multimetric_, n_splits_, classes_, n_features_in_, feature_names_in_
        As in scikit-learn's searches.
    audit_ : str
        What the audit of the folds found.

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
    >>> list(search.best_params_), len(search.cv_results_["mean_test_score"])
    (['C'], 5)
    """

    # As the grouped splitters of scikit-learn do.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    _parameter_constraints = {  # noqa: RUF012
        "estimator": [HasMethods(["fit"])],
        "search_space": [callable, None],
        "cv": ["cv_object"],
        "scoring": [str, callable, list, tuple, dict, None],
        "n_trials": [Interval(Integral, 1, None, closed="left"), None],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "storage": [str, os.PathLike, HasMethods(["create_new_study"]), None],
        "study_name": [str, None],
        "resume": ["boolean"],
        "sampler": [HasMethods(["sample_independent"]), None],
        "pruner": [HasMethods(["prune"]), None],
        "constraint": [dict, None],
        "audit": [StrOptions({"images", "rows"})],
        "refit": ["boolean", str],
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

    error_score = "raise"  # of what scikit-learn's searches have as parameters
    return_train_score = False

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
        y = _checked_labels(y)
        checked_scoring(self)
        objective = self._make_objective(X, y, groups, fit_params)
        with (
            shareable(self.storage, self.n_jobs) as storage,
            opened_study(storage, self.study_name, objective, self.resume) as study,
        ):
            self.audit_ = objective.audit(self.audit)
            try:
                self._run(study, objective)
            finally:
                self._keep(study, objective)
        require_a_choice(finished_trials(self.study_), objective.scoring)
        self._choose(objective.scoring)
        if self.refit:
            self._refit(objective)
        return self

    def __repr__(self, N_CHAR_MAX=700):
        return super(GlomeruliSearchCV, self._without_password()).__repr__(N_CHAR_MAX)

    def _html_repr(self):
        return super(GlomeruliSearchCV, self._without_password())._html_repr()

    def _without_password(self):
        """Return this with a storage that can be shown."""
        if not isinstance(self.storage, str):
            return self
        other = copy(self)
        other.storage = shown(self.storage)
        return other

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.random_state is None
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "best_estimator_" if self.refit else "cv_results_")

    def get_metadata_routing(self):
        """Return where metadata goes, also to this."""
        return super().get_metadata_routing().add_self_request(self)

    def _get_scorers(self):
        """Return what scikit-learn's routing of metadata asks for."""
        scorer = make_scoring(self.estimator, self.scoring, self.constraint).scorer
        return scorer, self.refit

    def _make_objective(self, X, y, groups, fit_params):
        """Draw the folds, and route what goes to fits and scorers."""
        fit_params, score_params = _check_method_params(X, fit_params), {}
        if _routing_enabled():
            if groups is not None:
                fit_params["groups"] = participants_of(X, groups)
            routed = process_routing(self, "fit", **fit_params)
            fit_params, score_params = routed.estimator.fit, routed.scorer.score
        return make_objective(self, X, y, groups, fit_params, score_params)

    def _run(self, study, objective):
        """Run the trials; at Ctrl-C say how to go on."""
        study.sampler = fresh_sampler(study, self.sampler, objective.seed)
        study.pruner = deepcopy(self.pruner) or NopPruner()
        try:
            run_trials(self, study, objective)
        except KeyboardInterrupt as error:  # or what the command line makes of it
            told = what_is_kept(study, self.storage, self.n_trials)
            if not in_memory(self.storage):
                told += " Run the same again to go on."
            error.args = (told,)
            raise

    def _keep(self, study, objective):
        """Keep what the study has, also where it was interrupted."""
        self.study_ = copy_to_memory(study)
        scoring, trials = objective.scoring, finished_trials(self.study_)
        self.n_splits_ = len(objective.folds)
        self.multimetric_ = len(scoring.objectives) > 1
        scorers = dict(scoring.scorer._scorers)
        self.scorer_ = scorers if self.multimetric_ else scorers[scoring.objectives[0]]
        self.best_trials_ = best_trials(self.study_)
        self.cv_results_ = results_of(self, trials, objective)

    def _choose(self, scoring):
        """Name the best trial."""
        index = best_index(self, scoring)
        if index is None:
            return
        self.best_index_ = index
        self.best_params_ = self.cv_results_["params"][index]
        decides = self.refit if self.multimetric_ else "score"
        self.best_score_ = float(self.cv_results_[f"mean_test_{decides}"][index])

    def _refit(self, objective):
        started = time.perf_counter()
        self.best_estimator_ = objective.fit(objective.configured(self.best_params_))
        self.refit_time_ = time.perf_counter() - started
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


def _checked_labels(y):
    """Return labels of at least two classes."""
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if len(np.unique(y)) < 2:
        raise ValueError(
            f"Two classes are needed, but y has one class only, in {len(y)} rows: "
            f"{np.unique(y).tolist()}."
        )
    return y
