"""GlomeruliSearchCV: scikit-learn's words, honest inside a cross-validation."""

import json
import logging
from functools import partial

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedGroupKFold, check_cv, cross_validate
from sklearn.utils.estimator_checks import parametrize_with_checks

from glomclf import (
    GlomeruliClassifier,
    GlomeruliSearchCV,
    PatchClassifier,
    make_glomeruli,
)
from glomclf.errors import LeakageError, ParameterError, TuningError
from glomclf.tuning import feature_search_space, nested_cross_validate


def space(trial):
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}


def make(estimator=None, search_space=space, **options):
    defaults = {"cv": 3, "n_trials": 3, "scoring": "roc_auc", "random_state": 0}
    return GlomeruliSearchCV(
        estimator or LogisticRegression(), search_space, **{**defaults, **options}
    )


@pytest.fixture(scope="module")
def data():
    """120 rows of 40 participants; the first column tells the classes apart."""
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(120, 3)), np.repeat(np.arange(40), 3)
    y = (X[:, 0] + rng.normal(size=120) > 0.5).astype(int)
    return X, y, groups


@pytest.fixture(scope="module")
def fitted(data):
    X, y, groups = data
    return make(n_trials=6).fit(X, y, groups=groups)


def test_results_are_a_table_of_the_trials(fitted):
    results = fitted.cv_results_
    table = pd.DataFrame({k: list(v) for k, v in results.items() if k != "params"})
    assert len(table) == 6
    folds = table[[f"split{k}_test_score" for k in range(3)]].to_numpy(dtype=float)
    np.testing.assert_allclose(table["mean_test_score"], folds.mean(axis=1))
    np.testing.assert_allclose(table["std_test_score"], folds.std(axis=1))
    assert (table["mean_fit_time"] > 0).all()
    assert set(table["state"]) == {"COMPLETE"}
    assert list(table["param_C"]) == [one["C"] for one in results["params"]]
    best = int(np.argmax(table["mean_test_score"]))
    assert results["rank_test_score"][best] == 1


def test_the_best_trial_is_the_studys(fitted):
    assert fitted.best_score_ == fitted.study_.best_value
    assert fitted.best_params_ == fitted.study_.best_params
    assert fitted.best_index_ == fitted.study_.best_trial.number
    assert fitted.best_params_["C"] == fitted.best_estimator_.C
    assert [trial.number for trial in fitted.best_trials_] == [fitted.best_index_]
    assert fitted.n_splits_ == 3
    assert fitted.refit_time_ > 0
    assert list(fitted.classes_) == [0, 1]
    assert fitted.n_features_in_ == 3


def test_it_predicts_and_scores_by_the_best_estimator(data, fitted):
    X, y, _ = data
    best = fitted.best_estimator_
    np.testing.assert_array_equal(fitted.predict(X), best.predict(X))
    np.testing.assert_array_equal(fitted.predict_proba(X), best.predict_proba(X))
    np.testing.assert_array_equal(
        fitted.decision_function(X), best.decision_function(X)
    )
    assert fitted.score(X, y) == fitted.scorer_(best, X, y)


def test_methods_are_those_of_the_estimator(data):
    search = make(RidgeClassifier(), lambda t: {"alpha": t.suggest_float("a", 0, 1)})
    assert not hasattr(search, "predict_proba")
    assert hasattr(search, "decision_function")
    assert not hasattr(make(refit=False), "predict")
    with pytest.raises(NotFittedError):
        make().predict(data[0])


def test_fit_says_nothing_of_the_studies_it_makes(data, caplog, request):
    log, level = logging.getLogger("optuna"), optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    request.addfinalizer(lambda: optuna.logging.set_verbosity(level))
    log.addHandler(caplog.handler)
    request.addfinalizer(lambda: log.removeHandler(caplog.handler))
    X, y, groups = data
    make(n_trials=1, refit=False).fit(X, y, groups=groups)
    assert not caplog.records


def test_without_refit_the_best_is_named_only(data):
    X, y, groups = data
    search = make(refit=False).fit(X, y, groups=groups)
    assert set(search.best_params_) == {"C"}
    assert not hasattr(search, "best_estimator_")


def test_it_is_a_classifier_whose_folds_are_stratified(data):
    search = make()
    assert is_classifier(search)
    cv = check_cv(3, data[1], classifier=is_classifier(search))
    assert type(cv).__name__ == "StratifiedKFold"
    assert clone(search).get_params().keys() == search.get_params().keys()


# -- leaks -----------------------------------------------------------------------------


class Spy(ClassifierMixin, BaseEstimator):
    """Keeps the rows, known by their first value, and the participants of each fit."""

    fits: list = []  # noqa: RUF012

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y, groups=None):
        type(self).fits.append((np.asarray(X)[:, 0].astype(int), groups))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        positive = (np.asarray(X)[:, 0] * self.C * 7919 % 97) / 97
        return np.column_stack([1 - positive, positive])

    def predict(self, X):
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]


def rows_by_number():
    """Rows that carry their own number, of 24 participants with 3 each."""
    numbers = np.arange(72)
    groups = np.array([f"p{i:02d}" for i in np.repeat(np.arange(24), 3)])
    return numbers[:, None] * np.ones((1, 2)), np.tile([0, 1], 36), groups


def check_that_no_fit_saw_the_judged(outer, groups, n_trials):
    """Each outer fold has n_trials times 3 inner fits and one on all its rows."""
    per_fold = 3 * n_trials + 1
    assert len(Spy.fits) == per_fold * len(outer)
    for fold, (train, test) in enumerate(outer):
        fits = Spy.fits[fold * per_fold : (fold + 1) * per_fold]
        for rows, owners in fits:
            assert set(rows) <= set(train)
            assert not set(groups[rows]) & set(groups[test])
            if owners is not None:
                np.testing.assert_array_equal(owners, groups[rows])
        for rows, _ in fits[:-1]:
            judged = np.setdiff1d(train, rows)
            assert not set(groups[rows]) & set(groups[judged])
        assert set(fits[-1][0]) == set(train)


@pytest.mark.parametrize("routing", [False, True])
def test_an_outer_cross_validation_is_nested_with_groups_inside(routing):
    X, y, groups = rows_by_number()
    cv = StratifiedGroupKFold(3)
    outer = list(cv.split(X, y, groups))
    Spy.fits.clear()
    with config_context(enable_metadata_routing=routing):
        estimator = Spy().set_fit_request(groups=True) if routing else Spy()
        cross_validate(
            make(estimator),
            X,
            y,
            cv=cv,
            params={"groups": groups},
            error_score="raise",
            **({} if routing else {"groups": groups}),
        )
    check_that_no_fit_saw_the_judged(outer, groups, n_trials=3)
    assert all(owners is not None for _, owners in Spy.fits)


def test_with_routing_an_estimator_that_was_not_told_is_an_error():
    X, y, groups = rows_by_number()
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match="groups"),
    ):
        make(Spy()).fit(X, y, groups=groups)


class FrameSpy(Spy):
    def fit(self, X, y, groups=None):
        return super().fit(X[["row"]].to_numpy(), y, groups)

    def predict_proba(self, X):
        return super().predict_proba(X[["row"]].to_numpy())


@pytest.mark.parametrize("routing", [False, True])
def test_a_participant_column_serves_without_groups(routing):
    X, y, groups = rows_by_number()
    frame = pd.DataFrame({"row": X[:, 0], "participant": groups})
    cv = StratifiedGroupKFold(3)
    outer = list(cv.split(X, y, groups))
    FrameSpy.fits.clear()
    with config_context(enable_metadata_routing=routing):
        cross_validate(make(FrameSpy()), frame, y, cv=outer, error_score="raise")
    check_that_no_fit_saw_the_judged(outer, groups, n_trials=3)


def test_nested_cross_validation_sees_no_judged_row():
    X, y, groups = rows_by_number()
    Spy.fits.clear()
    result = nested_cross_validate(
        make(Spy()), X, y, groups=groups, cv=3, n_bootstrap=100
    )
    tests = [part["row"].to_numpy() for _, part in result.predictions.groupby("fold")]
    outer = [(np.setdiff1d(np.arange(72), test), test) for test in tests]
    check_that_no_fit_saw_the_judged(outer, groups, n_trials=3)


def test_inner_folds_that_leak_are_refused(data):
    X, y, groups = data
    rows = np.arange(120)
    with pytest.raises(LeakageError, match="participant"):
        make(cv=[(rows[:61], rows[61:])]).fit(X, y, groups=groups)


# -- objectives and constraints --------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Precision is ill-defined")
def test_several_objectives_give_a_front_and_refit_decides(data):
    X, y, groups = data
    options = {"scoring": ["recall", "precision"], "n_trials": 4}
    search = make(refit="recall", **options).fit(X, y, groups=groups)
    front = {trial.number for trial in search.best_trials_}
    assert search.best_index_ in front
    recall = search.cv_results_["mean_test_recall"]
    assert search.best_score_ == recall.max()
    assert "split2_test_precision" in search.cv_results_
    assert search.score(X, y) == search.scorer_["recall"](search, X, y)
    open_ended = make(refit=False, **options).fit(X, y, groups=groups)
    assert not hasattr(open_ended, "best_index_")
    assert open_ended.best_trials_


@pytest.mark.filterwarnings("ignore:Precision is ill-defined")
def test_a_trial_that_misses_the_constraint_is_never_the_best(data):
    X, y, groups = data

    def weighted(trial):
        return {"class_weight": {1: trial.suggest_float("weight", 0.05, 20, log=True)}}

    search = make(
        search_space=weighted, scoring="precision", constraint={"recall": 0.8},
        n_trials=8,
    ).fit(X, y, groups=groups)  # fmt: skip
    results = search.cv_results_
    assert results["mean_test_recall"][search.best_index_] >= 0.8
    assert not results["feasible"].all()
    assert results["mean_test_score"].max() > search.best_score_
    assert results["rank_test_score"][search.best_index_] == 1
    with pytest.raises(TuningError, match=r"recall >= 2.*nearest is trial \d+"):
        make(constraint={"recall": 2}).fit(X, y, groups=groups)


# -- what goes wrong -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trials": 0}, "n_trials"),
        ({"n_trials": None}, "runs until timeout"),
        ({"search_space": None}, "is for a GlomeruliClassifier"),
        ({"scoring": ["recall", "f1"]}, "does not say which"),
        ({"scoring": ["recall", "f1"], "refit": "f2"}, "not among the scores"),
        (
            {"constraint": {"recall": 0.5}, "pruner": optuna.pruners.MedianPruner()},
            "a pruner compares",
        ),
        ({"timeout": -1}, "timeout"),
        ({"audit": "all"}, "audit"),
    ],
)
def test_options_that_cannot_work_say_so(data, options, message):
    X, y, groups = data
    with pytest.raises(ValueError, match=message):
        make(**options).fit(X, y, groups=groups)


def test_all_contradictions_are_named_at_once():
    with pytest.raises(ParameterError) as caught:
        make(search_space=None, n_trials=None).fit(np.zeros((6, 1)), [0, 1] * 3)
    assert len(str(caught.value).splitlines()) == 2


class Failing(LogisticRegression):
    def fit(self, X, y):
        raise OSError("disk on fire" if self.C > 1 else "cable cut")


def test_all_trials_failing_lists_each_reason_with_its_number(data):
    X, y, groups = data
    search = make(Failing(), n_trials=6)
    with pytest.raises(TuningError, match="None of 6 trials is complete") as caught:
        search.fit(X, y, groups=groups)
    lines = str(caught.value).splitlines()[1:]
    assert sum(int(line.split()[0]) for line in lines) == 6
    assert {line.rpartition(": ")[2] for line in lines} == {"disk on fire", "cable cut"}
    assert set(search.cv_results_["state"]) == {"FAIL"}


def test_a_failing_trial_does_not_end_the_study(data):
    X, y, groups = data

    class Half(LogisticRegression):
        def fit(self, X, y):
            if self.C > 1:
                raise OSError("disk on fire")
            return super().fit(X, y)

    search = make(Half(), n_trials=8).fit(X, y, groups=groups)
    assert {"FAIL", "COMPLETE"} == set(search.cv_results_["state"])
    assert search.best_params_["C"] <= 1
    failed = search.cv_results_["state"] == "FAIL"
    assert np.isnan(search.cv_results_["mean_test_score"][failed]).all()


class Stopped(LogisticRegression):
    left = 0

    def fit(self, X, y):
        type(self).left -= 1
        if type(self).left < 0:
            raise KeyboardInterrupt
        return super().fit(X, y)


@pytest.mark.parametrize("n_fits", [0, 4])
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(data, tmp_path, n_fits):
    X, y, groups = data
    Stopped.left = n_fits
    in_memory = make(Stopped())
    with pytest.raises(KeyboardInterrupt, match=f"{n_fits // 3} of 3.*Name a storage"):
        in_memory.fit(X, y, groups=groups)
    assert len(in_memory.cv_results_["params"]) == n_fits // 3
    Stopped.left = n_fits
    search = make(Stopped(), storage=str(tmp_path / "a.journal"), study_name="mine")
    with pytest.raises(KeyboardInterrupt, match=r"study 'mine'\. Run the same"):
        search.fit(X, y, groups=groups)
    Stopped.left = 10**6
    search.fit(X, y, groups=groups)
    assert set(search.cv_results_["state"]) == {"COMPLETE"}
    assert len(search.cv_results_["params"]) == 3


def test_time_up_before_a_trial_is_said(data):
    X, y, groups = data
    with pytest.raises(TuningError, match="before time was up"):
        make(timeout=1e-9).fit(X, y, groups=groups)


def test_timeout_ends_an_open_study(data):
    X, y, groups = data
    search = make(n_trials=None, timeout=0.5).fit(X, y, groups=groups)
    assert len(search.cv_results_["params"]) >= 1


def test_a_bar_shows_trials_folds_and_the_best(data, capsys):
    X, y, groups = data
    make(verbose=1).fit(X, y, groups=groups)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "best 0." in shown


# -- the classifier of glomeruli -------------------------------------------------------


@pytest.mark.slow
def test_a_glomeruli_classifier_is_tuned_and_its_model_saved(tmp_path):
    X, y, groups = make_glomeruli(
        60, n_participants=12, sclerotic_fraction=1 / 3, image_size=32, random_state=0
    )
    network = PatchClassifier("cnn", weights=None, epochs=1, patience=None)
    # Heads of one kind are compiled once for all trials.
    head = {
        "network__dense_units": 8,
        "network__dropout": 0.5,
        "network__optimizer": "adam",
        "network__batch_size": 16,
        "network__class_weight": None,
    }
    search = GlomeruliSearchCV(
        GlomeruliClassifier(network=network, image_size=32),
        partial(feature_search_space, **head),
        n_trials=2,
        cv=2,
        random_state=0,
    ).fit(X, y, groups=groups)
    assert search.audit_.endswith("(images and rows compared)")
    search.best_estimator_.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    np.testing.assert_allclose(
        loaded.predict_proba(X), search.predict_proba(X), atol=1e-6
    )


# -- nested ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nested(data):
    X, y, groups = data
    return nested_cross_validate(
        make(n_trials=3),
        X,
        y,
        groups=groups,
        cv=3,
        default=LogisticRegression(C=1e-3),
        n_bootstrap=200,
    )


def test_the_nested_result_has_estimate_optimism_and_comparison(nested, data):
    result = nested
    assert result.evaluation.n_samples == 120
    assert result.evaluation.n_participants == 40
    low, high = result.evaluation.interval("roc_auc")
    assert low <= result.evaluation.scores["roc_auc"] <= high
    table = result.folds
    assert result.best_score == pytest.approx(table["best_score"].mean())
    assert result.test_score == pytest.approx(table["test_score"].mean())
    assert result.optimism == pytest.approx(table["optimism"].mean())
    assert "param_C" in table
    assert result.comparison.scores_b == pytest.approx(result.evaluation.scores)
    assert sorted(result.predictions["row"]) == list(range(120))
    assert "Nested cross-validation, 3 outer folds" in str(result)
    told = json.loads(json.dumps(result.to_dict()))
    assert [one["n_trials"] for one in told["folds"]] == [3, 3, 3]


def test_a_best_score_among_useless_settings_is_optimistic():
    X, y, groups = rows_by_number()
    rng = np.random.default_rng(0)
    noise = rng.permutation(y)
    result = nested_cross_validate(
        make(Spy(), n_trials=12), X, noise, groups=groups, cv=3, n_bootstrap=100
    )
    assert result.optimism > 0.02


def test_any_score_of_scikit_learn_can_be_nested(data):
    X, y, groups = data
    result = nested_cross_validate(
        make(scoring="neg_log_loss", n_trials=1), X, y, groups=groups, cv=2,
        n_bootstrap=100,
    )  # fmt: skip
    assert result.scoring == "neg_log_loss"
    assert result.optimism == pytest.approx(result.best_score - result.test_score)


def test_a_nested_run_goes_on_where_it_was(data, tmp_path):
    X, y, groups = data
    Stopped.left = 13
    search = make(Stopped(), storage=str(tmp_path / "a.journal"), study_name="mine")
    with pytest.raises(KeyboardInterrupt):
        nested_cross_validate(search, X, y, groups=groups, cv=2, n_bootstrap=100)
    Stopped.left = 10**6
    result = nested_cross_validate(search, X, y, groups=groups, cv=2, n_bootstrap=100)
    # All trials of the first fold, and one of the second, need not be run again.
    assert 10**6 - Stopped.left == 1 + 2 * 3 + 1
    assert list(result.folds["study"]) == ["mine-fold0", "mine-fold1"]


def test_nested_needs_a_model_to_judge(data):
    X, y, groups = data
    with pytest.raises(ParameterError, match="refit"):
        nested_cross_validate(make(refit=False), X, y, groups=groups)


# -- scikit-learn's checks -------------------------------------------------------------


def expected_failures(_):
    # What the estimator refuses fails every trial; one error lists all the reasons, and
    # is neither a ValueError nor a TypeError.
    why = "a TuningError names what the estimator said"
    return dict.fromkeys(
        [
            "check_dtype_object",
            "check_estimators_empty_data_messages",
            "check_estimators_nan_inf",
            "check_fit1d",
        ],
        why,
    )


class NamedSpace:
    """The space, with one text in all processes: pytest's compare names of tests."""

    def __call__(self, trial):
        return space(trial)

    def __repr__(self):
        return "space"


@parametrize_with_checks(
    [make(search_space=NamedSpace(), n_trials=1, cv=2, scoring="accuracy")],
    expected_failed_checks=expected_failures,
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
