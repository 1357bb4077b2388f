"""One trial: folds, scores, seeds, pruning, failures; and nothing that leaks."""

import numpy as np
import optuna
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import InvalidParameterError

from glomclf import GlomeruliSearchCV
from glomclf.errors import LeakageError, ParameterError, SamplingError, SplitError
from glomclf.tuning.objective import make_objective


@pytest.fixture(autouse=True)
def _quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(level)


@pytest.fixture(scope="module")
def data():
    """90 rows of 30 participants; the first column tells the classes apart."""
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(90, 3)), np.repeat(np.arange(30), 3)
    y = (X[:, 0] + rng.normal(size=90) > 0.6).astype(int)
    return X, y, groups


def space(trial):
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}


SEARCH = {"search_space": space, "cv": 5, "random_state": 0}


def make(data, estimator=None, fit_params=None, **options):
    X, y, groups = data
    search = GlomeruliSearchCV(
        estimator or LogisticRegression(), **{**SEARCH, **options}
    )
    return make_objective(search, X, y, groups, fit_params)


def run(objective, n_trials=1, **options):
    options.setdefault("pruner", optuna.pruners.NopPruner())
    options.setdefault("sampler", optuna.samplers.RandomSampler(seed=0))
    directions = ["maximize"] * len(objective.scoring.objectives)
    study = optuna.create_study(directions=directions, **options)
    study.optimize(objective, n_trials=n_trials, catch=(Exception,))
    return study


class Spy(ClassifierMixin, BaseEstimator):
    """Keeps what each fit was given."""

    calls: list = []  # noqa: RUF012

    def __init__(self, C=1.0, random_state=None):
        self.C = C
        self.random_state = random_state

    def fit(self, X, y, groups=None, sample_weight=None):
        type(self).calls.append((X[:, 0], groups, sample_weight, self.random_state))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        positive = 1 / (1 + np.exp(-X[:, 0]))
        return np.column_stack([1 - positive, positive])

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]


def test_the_value_is_the_mean_of_the_recorded_fold_scores(data):
    study = run(make(data))
    attributes = study.trials[0].user_attrs
    folds = attributes["fold_scores"]["average_precision"]
    assert len(folds) == len(attributes["fit_seconds"]) == 5
    assert len(attributes["score_seconds"]) == 5
    assert study.trials[0].value == pytest.approx(np.mean(folds))
    assert attributes["settings"] == study.trials[0].params


def test_a_fixed_trial_has_the_same_value(data):
    objective = make(data)
    study = run(objective)
    fixed = optuna.trial.FixedTrial(study.best_params)
    assert objective(fixed) == [study.best_value]


def test_folds_part_no_participant_and_are_the_same_for_all_trials(data):
    groups = data[2]
    first, second = make(data), make(data)
    for (train, test), (_, same) in zip(first.folds, second.folds, strict=True):
        assert not set(groups[train]) & set(groups[test])
        np.testing.assert_array_equal(test, same)
    other = make(data, random_state=1)
    assert any(
        not np.array_equal(a[1], b[1])
        for a, b in zip(first.folds, other.folds, strict=True)
    )


def test_fit_is_given_the_participants_of_the_training_rows_alone(data):
    X, _, groups = data
    Spy.calls.clear()
    objective = make(data, Spy(), fit_params={"sample_weight": np.arange(90.0)})
    run(objective)
    assert len(Spy.calls) == 5
    for (train, test), call in zip(objective.folds, Spy.calls, strict=True):
        rows, owners, weights, seed = call
        np.testing.assert_array_equal(rows, X[train, 0])
        np.testing.assert_array_equal(owners, groups[train])
        np.testing.assert_array_equal(weights, train)
        assert not set(owners) & set(groups[test])
        assert seed == objective.seed


def test_a_seed_of_the_estimators_own_is_left_alone(data):
    Spy.calls.clear()
    run(make(data, Spy(random_state=7)))
    assert {call[3] for call in Spy.calls} == {7}


def test_any_splitter_and_scorer_will_do(data):
    few = data[0][:30], data[1][:30], np.repeat([0, 1, 2], 10)
    scorer = make_scorer(recall_score, zero_division=0.0)
    study = run(make(few, cv=LeaveOneGroupOut(), scoring=scorer))
    assert len(study.trials[0].user_attrs["fold_scores"]["score"]) == 3
    study = run(make(data, cv=StratifiedGroupKFold(2), scoring=None))
    assert len(study.trials[0].user_attrs["fold_scores"]["score"]) == 2


def test_folds_that_leak_are_refused_before_any_trial(data):
    rows = np.arange(90)
    with pytest.raises(LeakageError, match="participant on both sides"):
        make(data, cv=[(rows[:46], rows[46:])]).audit("rows")
    with pytest.raises(LeakageError, match="row on both sides"):
        make((*data[:2], None), cv=[(rows, rows[:20])]).audit("rows")
    assert make(data).audit("images").startswith("No leak found")


@pytest.mark.parametrize(
    ("scoring", "is_refused"),
    [("average_precision", True), (["accuracy", "roc_auc"], True), ("accuracy", False)],
)
def test_test_rows_of_one_class_are_refused_where_scores_compare_classes(
    data, scoring, is_refused
):
    _, y, groups = data
    test = np.flatnonzero(y == 0)[:6]
    rest = np.setdiff1d(np.arange(90), np.flatnonzero(np.isin(groups, groups[test])))
    options = {"scoring": scoring, "cv": [(rest, test)]}
    if is_refused:
        with pytest.raises(SplitError, match="folds 0 lack a class"):
            make(data, **options)
    else:
        assert 0 <= run(make(data, **options)).best_value <= 1


def test_several_scores_are_several_objectives(data):
    study = run(make(data, scoring=["recall", "roc_auc"]), n_trials=2)
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MAXIMIZE"]
    for trial in study.trials:
        scores = trial.user_attrs["fold_scores"]
        means = [np.mean(scores["recall"]), np.mean(scores["roc_auc"])]
        assert trial.values == pytest.approx(means)


def test_a_constraint_marks_trials_that_miss_it(data):
    bound = 0.58  # between what some trials reach on these folds, and others
    study = run(make(data, scoring="roc_auc", constraint={"recall": bound}), n_trials=8)
    for trial in study.trials:
        reached = np.mean(trial.user_attrs["fold_scores"]["recall"])
        assert trial.constraints["recall"] == pytest.approx(bound - reached)
    missed = [trial.constraints["recall"] > 0 for trial in study.trials]
    assert any(missed)
    assert not all(missed)
    assert study.best_trial.constraints["recall"] <= 0


class Declining(optuna.pruners.BasePruner):
    def prune(self, study, trial):
        return True


def test_pruners_stop_a_trial_and_the_reason_is_kept(data):
    study = run(make(data), pruner=Declining())
    (trial,) = study.trials
    assert trial.state.name == "PRUNED"
    assert "by Declining after 1 of 5 folds" in trial.user_attrs["reason"]
    assert len(trial.user_attrs["fold_scores"]["average_precision"]) == 1


def test_a_clearly_worse_trial_is_pruned_by_wilcoxon(data):
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=0.2)
    objective = make(
        data,
        search_space=lambda trial: {"C": trial.suggest_float("C", 1e-9, 1, log=True)},
        scoring="neg_log_loss",
        cv=10,
    )
    study = optuna.create_study(directions=["maximize"], pruner=pruner)
    for C in (1.0, 1e-9):
        study.enqueue_trial({"C": C})
    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    best = study.trials[0]
    reported = list(best.intermediate_values.values())
    assert reported == best.user_attrs["fold_scores"]["neg_log_loss"]


def test_constraint_and_several_objectives_are_never_pruned(data):
    constrained = make(data, constraint={"recall": 0.1})
    assert run(constrained, pruner=Declining()).trials[0].state.name == "COMPLETE"
    several = make(data, scoring=["recall", "roc_auc"])
    assert run(several, pruner=Declining()).trials[0].state.name == "COMPLETE"


class Failing(LogisticRegression):
    error: Exception

    def fit(self, X, y):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        SamplingError("too few rows"),
        ParameterError("do not fit"),
        InvalidParameterError("C must be"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_settings_that_contradict_each_other_are_pruned_with_the_reason(data, error):
    Failing.error = error
    (trial,) = run(make(data, Failing())).trials
    assert trial.state.name == "PRUNED"
    assert type(error).__name__ in trial.user_attrs["reason"]
    assert str(error) in trial.user_attrs["reason"]


def test_a_failing_fold_fails_the_trial_with_its_real_error(data):
    Failing.error = ZeroDivisionError("by nothing")
    objective = make(data, Failing())
    study = run(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "FAIL"]
    noted = study.trials[0].user_attrs
    assert noted["reason"] == "fold 0: ZeroDivisionError: by nothing"
    assert "raise self.error" in noted["traceback"]


def test_a_score_that_is_not_a_number_is_a_failure_with_its_reason(data):
    objective = make(data, scoring=lambda estimator, X, y: np.nan)
    (trial,) = run(objective).trials
    assert trial.state.name == "FAIL"
    assert "score is not a number on the" in trial.user_attrs["reason"]


def test_a_wrong_parameter_name_fails_and_says_so(data):
    objective = make(data, search_space=lambda trial: {"D": 1})
    (trial,) = run(objective).trials
    assert trial.user_attrs["reason"].startswith("the search space: ValueError: Inval")


def test_estimators_among_the_parameters_are_not_shared(data):
    inner = DummyClassifier()
    objective = make(data, Pipeline([("model", LogisticRegression())]))
    assert objective.configured({"model": inner}).named_steps["model"] is not inner


def test_a_score_is_named(data):
    with pytest.raises(ParameterError, match="scoring"):
        make(data, scoring=[])
