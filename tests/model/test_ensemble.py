"""The models of a cross-validation as one classifier: blind where it says so."""

import contextlib
import functools
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from glomclf import (
    FoldEnsembleClassifier,
    GlomeruliClassifier,
    PatchEncoder,
    evaluate,
    make_classifier,
    make_glomeruli,
    read_classifier,
)
from glomclf.data.archive import read_model, write_model
from glomclf.errors import (
    LeakageError,
    ModelFileError,
    ParameterError,
    ScoreError,
    SplitError,
)
from glomclf.evaluation.thresholds import (
    RecallAtLeast,
    choose_threshold,
    cross_fitted_thresholds,
)
from glomclf.leakage import audit_fit
from glomclf.model.ensemble_parts import ensemble_to_parts
from glomclf.model.folds import predict_folds
from glomclf.model.model_files import file_takes_features
from glomclf.report import ensemble_report
from glomclf.report.displays import HistoryDisplay

SIZE = 32


@pytest.fixture(scope="module", autouse=True)
def few_replicates():
    """Intervals are tested elsewhere, and take most of the time of a tiny fit."""
    with pytest.MonkeyPatch.context() as patch:
        quick = functools.partial(evaluate, n_bootstrap=100)
        patch.setattr("glomclf.model.ensemble.evaluate", quick)
        yield quick


def small_classifier(**parameters):
    """Return a small classifier: frozen features of a CNN, trained in a second."""
    small = {
        "sampler": "oversample",
        "image_size": SIZE,
        "validation_fraction": 0.25,
        "network__backbone": "cnn",
        "network__weights": None,
        "network__dense_units": 8,
        "network__epochs": 2,
        "network__patience": 1,
    }
    return make_classifier("features", **{**small, **parameters})


def make_ensemble(estimator=None, **parameters):
    estimator = small_classifier() if estimator is None else estimator
    return FoldEnsembleClassifier(
        estimator, **{"cv": 3, "random_state": 0, **parameters}
    )


@pytest.fixture(scope="module")
def images():
    """60 patches of 12 participants, 20 of them sclerotic."""
    X, y, groups = make_glomeruli(
        60,
        n_participants=12,
        sclerotic_fraction=1 / 3,
        image_size=SIZE,
        random_state=0,
    )
    return X, y, np.array([f"Someone {one}" for one in groups])


@pytest.fixture(scope="module")
def watched(images):
    """One fit for tests that only read: three members cost seconds of TensorFlow.

    With it comes what the members were given: participants, and validation rows.
    """
    seen = []
    fit = GlomeruliClassifier.fit

    def spy(self, X, y, groups=None, **options):
        fit(self, X, y, groups=groups, **options)
        seen.append((groups, self.validation_indices_))
        return self

    X, y, groups = images
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GlomeruliClassifier, "fit", spy)
        ensemble = make_ensemble(threshold="f1").fit(X, y, groups=groups)
    return ensemble, seen


@pytest.fixture(scope="module")
def fitted(watched):
    return watched[0]


def table(n_participants=20, seed=0):
    """Return rows of numbers, for members that fit in no time."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_participants), 6)
    y = rng.integers(0, 2, len(groups))
    return rng.normal(size=(len(groups), 3)) + 0.8 * y[:, None], y, groups


class Watched(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted on; predicts the share of class 1 and its seed."""

    def __init__(self, random_state=None, verbose=0):
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, groups=None):
        self.classes_, self.rows_, self.y_ = np.unique(y), np.ravel(X), y
        self.groups_ = groups
        return self

    def predict_proba(self, X):
        positive = np.mean(self.y_ == self.classes_[1])
        share = np.full(len(X), positive) + 1e-3 * (np.ravel(X) % 7)
        return np.column_stack([1 - share, share])


class WatchedRows(Watched):
    """The same of a table, by its first column."""

    def fit(self, X, y, groups=None):
        return super().fit(X["number"].to_numpy(), y, groups)

    def predict_proba(self, X):
        return super().predict_proba(X["number"].to_numpy())


# -- nothing leaks ---------------------------------------------------------------------


def test_no_participant_of_a_fold_trains_or_validates_its_member(images, watched):
    _, _, groups = images
    ensemble, seen = watched
    assert len(seen) == 3
    for fold, (known, validation) in enumerate(seen):
        held_out = set(groups[ensemble.oof_fold_ == fold])
        assert held_out
        assert held_out.isdisjoint(known)  # training and validation rows together
        assert set(known) | held_out == set(groups)
        assert len(validation)
        assert set(known[validation]).isdisjoint(np.delete(known, validation))


def test_labels_and_pixels_of_a_fold_change_nothing_in_its_member(images, fitted):
    X, y, groups = images
    folds = [
        (np.flatnonzero(fitted.oof_fold_ != k), np.flatnonzero(fitted.oof_fold_ == k))
        for k in range(3)
    ]
    row, *others = folds[0][1]
    flipped, inverted = y.copy(), X.copy()
    flipped[row] = 1 - y[row]
    inverted[others] = 255 - X[others]
    before, after = (
        make_ensemble(cv=folds).fit(rows, labels, groups=groups)
        for rows, labels in ((X, y), (inverted, flipped))
    )
    assert before.oof_probability_[row] == after.oof_probability_[row]
    for fold in range(3):
        one, other = (
            ensemble.estimators_[fold].predict_proba(X) for ensemble in (before, after)
        )
        assert (one == other).all() == (fold == 0)  # the others trained on the change


def test_labels_of_a_fold_do_not_choose_its_threshold():
    rng = np.random.default_rng(0)
    y, folds = rng.integers(0, 2, 60), np.repeat([0, 1, 2], 20)
    score = np.clip(0.4 * y + rng.uniform(0, 0.6, 60), 0, 1)
    before = cross_fitted_thresholds(y, score, folds)
    after = cross_fitted_thresholds(np.where(folds == 1, 1 - y, y), score, folds)
    assert (before[folds == 1] == after[folds == 1]).all()
    assert (before[folds != 1] != after[folds != 1]).any()
    for fold in range(3):
        others = choose_threshold(y[folds != fold], score[folds != fold])
        assert set(before[folds == fold]) == {others}


def test_the_reported_f1_is_not_the_best_on_the_rows_it_is_of():
    # Probabilities without any information: what an honest F1 must not profit from.
    rng = np.random.default_rng(1)
    y, score, folds = rng.integers(0, 2, 40), rng.uniform(size=40), np.arange(40) % 4
    best = evaluate(y, score, threshold=choose_threshold(y, score)).scores["f1"]
    honest = evaluate(y, score, threshold=cross_fitted_thresholds(y, score, folds))
    assert honest.scores["f1"] < best


def test_watching_the_fits_finds_no_leak():
    X, y, groups = make_glomeruli(
        48, n_participants=24, sclerotic_fraction=0.5, image_size=SIZE, random_state=0
    )
    (first, *_) = StratifiedGroupKFold(2).split(X, y, groups)
    audit = audit_fit(make_ensemble(cv=2), X, y, groups, cv=[first])
    audit.raise_if_leaky()
    roles = audit.folds.groupby("step")["role"].agg(set)
    assert roles["GlomeruliClassifier"] == {"training", "prediction"}
    assert "validation" in roles["PatchClassifier"]


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
@pytest.mark.parametrize(
    "cv", [StratifiedKFold(3), [([*range(60)], [*range(60, 120)])]]
)
def test_folds_that_part_a_participant_are_refused(cv):
    X, y, groups = table()
    if isinstance(cv, list):
        groups = np.arange(120) % 30
    with pytest.raises(LeakageError, match=r"participants are on both sides of fold 0"):
        make_ensemble(Watched(), cv=cv).fit(X, y, groups=groups)


def test_a_row_on_both_sides_is_refused():
    X, y, _ = table()
    rows = np.arange(120)
    with pytest.raises(LeakageError, match="1 rows are on both sides of fold 1: 0"):
        make_ensemble(
            Watched(), cv=[(rows[60:], rows[:60]), (rows[:60], [0, *rows[60:]])]
        ).fit(X, y)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (RepeatedStratifiedKFold(n_splits=2, n_repeats=2), "120 rows .* by 2 folds"),
        (
            ShuffleSplit(2, test_size=0.1, random_state=0),
            r"rows are left out by 0 fold",
        ),
        ([(np.arange(60), np.arange(60, 120))], "60 rows are left out by 0 folds"),
    ],
)
def test_folds_that_do_not_leave_each_row_out_once_are_refused(cv, message):
    X, y, _ = table()
    with pytest.raises(SplitError, match=message):
        make_ensemble(Watched(), cv=cv).fit(X, y)


def test_a_training_side_of_one_class_is_refused():
    X, _, _ = table()
    y = (np.arange(120) < 60).astype(int)
    rows = np.arange(120)
    cv = [(rows[:60], rows[60:]), (rows[60:], rows[:60])]
    with pytest.raises(SplitError, match=r"fold 0 have no \[0\].*fold 1 have no \[1\]"):
        make_ensemble(Watched(), cv=cv).fit(X, y)


# -- what it is ------------------------------------------------------------------------


def test_probability_is_the_mean_of_the_members(images, fitted):
    X, _, _ = images
    members = [one.predict_proba(X) for one in fitted.estimators_]
    proba = fitted.predict_proba(X)
    np.testing.assert_allclose(proba, np.mean(members, axis=0))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert not np.allclose(members[0], members[1])
    positive = proba[:, 1] >= fitted.threshold_
    np.testing.assert_array_equal(fitted.predict(X), positive.astype(int))


def test_out_of_fold_probabilities_are_those_of_the_blind_member(
    images, fitted, few_replicates
):
    X, y, groups = images
    assert set(fitted.oof_fold_) == {0, 1, 2}
    for fold, member in enumerate(fitted.estimators_):
        rows = fitted.oof_fold_ == fold
        wanted = member.predict_proba(X[rows])[:, 1]
        np.testing.assert_allclose(fitted.oof_probability_[rows], wanted, atol=1e-6)
    result = few_replicates(
        y, fitted.oof_probability_, groups=groups, threshold=fitted.oof_threshold_
    )
    assert result.to_dict() == fitted.oof_evaluation_.to_dict()
    assert fitted.oof_evaluation_.n_participants == 12


def test_members_have_seeds_of_their_own_derived_from_one():
    X, y, groups = table()
    first, again, other = (
        make_ensemble(Watched(random_state=7), cv=5, random_state=seed).fit(
            X[:, :1], y, groups=groups
        )
        for seed in (0, 0, 1)
    )
    seeds = [
        [one.random_state for one in ensemble.estimators_]
        for ensemble in (first, again, other)
    ]
    assert len(set(seeds[0])) == 5
    assert seeds[0] == seeds[1]
    assert set(seeds[0]).isdisjoint(seeds[2])
    assert first.estimator.random_state == 7


def test_folds_are_those_of_predict_folds_with_the_same_seed():
    X, y, groups = table()
    ensemble = make_ensemble(Watched(), cv=4).fit(X[:, :1], y, groups=groups)
    predicted = predict_folds(
        Watched(), X[:, :1], y, groups=groups, cv=4, random_state=0
    ).sort_values("row")
    np.testing.assert_array_equal(ensemble.oof_fold_, predicted["fold"])


def test_an_int_of_numpy_keeps_participants_whole():
    X, y, groups = table()
    ensemble = make_ensemble(Watched(), cv=np.int64(4)).fit(X[:, :1], y, groups=groups)
    assert all(len(set(ensemble.oof_fold_[groups == one])) == 1 for one in groups)


def test_without_participants_rows_are_split_and_the_scores_say_so():
    X, y, _ = table()
    ensemble = make_ensemble(LogisticRegression()).fit(X, y)
    assert "no participants were given" in ensemble.oof_evaluation_.caution
    assert ensemble.training_record_["n_participants"] is None


def test_participants_are_taken_from_the_frame():
    X, y, groups = table()
    frame = pd.DataFrame({"number": X[:, 0], "participant": groups})
    ensemble = make_ensemble(WatchedRows(), cv=2).fit(frame, y)
    by_owner = frame.assign(fold=ensemble.oof_fold_).groupby("participant")
    assert (by_owner["fold"].nunique() == 1).all()


def test_string_labels_come_back(images):
    X, y, groups = table()
    labels = np.where(y == 1, "GS", "NGS")
    ensemble = make_ensemble(LogisticRegression(), threshold="f1")
    ensemble.fit(X, labels, groups=groups, pos_label="GS")
    numbers = make_ensemble(LogisticRegression(), threshold="f1").fit(X, y, groups)
    assert list(ensemble.classes_) == ["GS", "NGS"]
    np.testing.assert_array_equal(ensemble.predict(X) == "GS", numbers.predict(X) == 1)
    np.testing.assert_allclose(ensemble.oof_probability_, numbers.oof_probability_)
    with pytest.raises(ParameterError, match="neither is 1"):
        ensemble.fit(X, labels, groups=groups)


def test_frozen_features_are_computed_once_for_all_members(images, tmp_path):
    X, y, groups = images
    counted, forward = [], PatchEncoder._forward

    def counting(self):
        run = forward(self)
        return lambda batch: counted.append(len(batch)) or run(batch)

    estimator = small_classifier(sampler=None, cache_dir=tmp_path, network__epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PatchEncoder, "_forward", counting)
        make_ensemble(estimator).fit(X, y, groups=groups).predict_proba(X)
    assert sum(counted) == len(X)


def test_bars_of_members_are_headed_by_their_fold(capsys):
    X, y, groups = images_of_four()
    estimator = small_classifier(
        sampler=None,
        network__epochs=1,
        validation_fraction=None,
        network__patience=None,
        verbose=1,
    )
    ensemble = make_ensemble(estimator, cv=2).fit(X, y, groups=groups)
    assert "fold 2 of 2: training" in capsys.readouterr().err
    assert [one.verbose for one in ensemble.estimators_] == [1, 1]


def images_of_four():
    return make_glomeruli(
        16, n_participants=4, sclerotic_fraction=0.5, image_size=SIZE, random_state=0
    )


def test_its_own_bar_silences_the_members(capsys):
    X, y, groups = table()
    ensemble = make_ensemble(Watched(verbose=1), verbose=1)
    ensemble.fit(X[:, :1], y, groups=groups)
    assert "cross-validation" in capsys.readouterr().err
    assert [one.verbose for one in ensemble.estimators_] == [0, 0, 0]


# -- thresholds ------------------------------------------------------------------------


def test_a_given_threshold_judges_all_rows():
    X, y, groups = table()
    ensemble = make_ensemble(LogisticRegression(), threshold=0.3)
    ensemble.fit(X, y, groups=groups)
    assert ensemble.threshold_ == 0.3
    assert set(ensemble.oof_threshold_) == {0.3}
    assert ensemble.oof_evaluation_.threshold == 0.3
    assert ensemble.training_record_["threshold_chosen_on"] == "given"


@pytest.mark.parametrize("aim", ["f1", RecallAtLeast(0.9)], ids=str)
def test_threshold_is_chosen_on_out_of_fold_rows_and_judged_on_others(aim):
    X, y, groups = table()
    ensemble = make_ensemble(LogisticRegression(), cv=4, threshold=aim)
    ensemble.fit(X, y, groups=groups)
    oof = ensemble.oof_probability_
    assert ensemble.threshold_ == choose_threshold(y, oof, aim)
    wanted = cross_fitted_thresholds(y, oof, ensemble.oof_fold_, aim)
    np.testing.assert_array_equal(ensemble.oof_threshold_, wanted)
    assert np.isnan(ensemble.oof_evaluation_.threshold)
    record = ensemble.training_record_
    assert record["threshold_chosen_on"] == "out-of-fold predictions"
    assert record["threshold_n_samples"] == 120


@pytest.mark.parametrize(
    ("folds", "message"),
    [([0, 0, 0, 0], "at least two folds"), ([0, 1], "shape"), ([0, 0, 1, 1], "fold 0")],
)
def test_thresholds_that_cannot_be_chosen_across_folds_are_refused(folds, message):
    with pytest.raises(ScoreError, match=message):
        cross_fitted_thresholds([0, 1, 0, 0], [0.1, 0.2, 0.3, 0.4], folds)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": small_classifier(threshold="f1")}, "mean of all members"),
        (
            {"estimator": small_classifier(threshold=0.3)},
            "Leave the estimator's at 0.5",
        ),
        ({"threshold": "validation"}, "'threshold' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"cv": None}, "'cv' parameter"),
        ({"estimator": "resnet50"}, "'estimator' parameter"),
        ({"cv": 30}, "n_splits=30"),
    ],
)
def test_bad_parameters_say_what_to_do(images, parameters, message):
    X, y, groups = images
    with pytest.raises(ValueError, match=message):
        make_ensemble().set_params(**parameters).fit(X, y, groups=groups)


# -- on disk ---------------------------------------------------------------------------


def test_saved_ensemble_predicts_the_same(images, fitted, tmp_path):
    X, _, _ = images
    file = tmp_path / "ensemble.glomclf"
    fitted.save(file)
    for loaded in (FoldEnsembleClassifier.load(file), read_classifier(file)):
        np.testing.assert_allclose(
            loaded.predict_proba(X), fitted.predict_proba(X), atol=1e-6
        )
    assert str(loaded.get_params()) == str(fitted.get_params())
    np.testing.assert_array_equal(loaded.classes_, fitted.classes_)
    assert loaded.threshold_ == fitted.threshold_
    assert loaded.training_record_ == fitted.training_record_
    record, kept = loaded.out_of_fold_record_, fitted.out_of_fold_record_
    np.testing.assert_array_equal(record.probability, kept.probability)
    histories = [one.history_ for one in loaded.estimators_]
    assert histories == [one.history_ for one in fitted.estimators_]


@pytest.mark.parametrize("of_features", [True, False])
def test_a_file_tells_before_it_is_loaded_what_it_was_trained_on(of_features, tmp_path):
    header = {"members": [{"header": {"n_features": 3 if of_features else None}}]}
    write_model(tmp_path / "model", header, {}, kind="FoldEnsembleClassifier")
    assert file_takes_features(tmp_path / "model") is of_features
    write_model(tmp_path / "model", header["members"][0]["header"], {})
    assert file_takes_features(tmp_path / "model") is of_features


@pytest.mark.parametrize("members", [[], [3], [{}], [{"header": 3}], 3])
def test_a_description_that_fits_nothing_takes_no_features(members, tmp_path):
    write_model(tmp_path / "model", {"members": members}, {})
    assert not file_takes_features(tmp_path / "model")


def test_frozen_weights_are_in_the_file_once(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "glomclf.network.known_backbone.are_made_again", lambda *_: False
    )
    fitted.save(tmp_path / "ensemble")
    header, arrays = read_model(tmp_path / "ensemble")
    named = [one["arrays"] for one in header["members"]]
    frozen = [
        {k: v for k, v in one.items() if k.startswith("encode/")} for one in named
    ]
    assert frozen[0]
    assert frozen[0] == frozen[1] == frozen[2]
    net = [{v for k, v in one.items() if k.startswith("net/")} for one in named]
    kernels = [{v for v in one if arrays[v].ndim == 2} for one in net]
    assert kernels[0].isdisjoint(kernels[1])


def test_a_file_of_an_ensemble_names_no_participant(fitted, tmp_path):
    fitted.save(tmp_path / "ensemble")
    assert b"Someone" not in (tmp_path / "ensemble").read_bytes()


def test_a_file_of_the_other_kind_is_refused_by_name(images, fitted, tmp_path):
    fitted.save(tmp_path / "ensemble")
    fitted.estimators_[0].save(tmp_path / "single")
    with pytest.raises(
        ModelFileError, match=r"a FoldEnsembleClassifier, not a GlomeruliClassifier"
    ):
        GlomeruliClassifier.load(tmp_path / "ensemble")
    with pytest.raises(
        ModelFileError, match=r"GlomeruliClassifier, not.*glomclf\.read_classifier"
    ):
        FoldEnsembleClassifier.load(tmp_path / "single")
    assert type(read_classifier(tmp_path / "single")) is GlomeruliClassifier


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("NephronClassifier", r"NephronClassifier.*wrote it: 7\.0"),
        (["GlomeruliClassifier"], "lacks its kind"),
    ],
)
def test_a_kind_of_a_later_version_names_the_glomclf_to_install(
    tmp_path, kind, message
):
    write_model(tmp_path / "m", {"versions": {"glomclf": "7.0"}}, {}, kind=kind)
    with pytest.raises(ModelFileError, match=message):
        read_classifier(tmp_path / "m")


def test_members_of_another_class_cannot_be_saved(tmp_path):
    X, y, groups = table()
    ensemble = make_ensemble(LogisticRegression()).fit(X, y, groups=groups)
    with pytest.raises(ModelFileError, match="class LogisticRegression"):
        ensemble.save(tmp_path / "e")
    assert list(tmp_path.iterdir()) == []


class HomeMade(RandomUnderSampler):
    """A sampler that no file may name."""


def test_a_sampler_that_no_file_may_name_says_what_to_do_with_members(
    images, fitted, tmp_path
):
    ensemble = clone_of(fitted)
    for member in ensemble.estimators_:
        member.set_params(sampler=HomeMade())
    with pytest.raises(ModelFileError, match="each of the estimators_"):
        ensemble.save(tmp_path / "e")
    for member in ensemble.estimators_:
        member.set_params(sampler=None)
    ensemble.save(tmp_path / "e")
    assert len(FoldEnsembleClassifier.load(tmp_path / "e").estimators_) == 3


def test_folds_that_json_cannot_hold_are_left_out_and_asked_for(fitted, tmp_path):
    header, arrays = ensemble_to_parts(clone_of(fitted, cv=StratifiedGroupKFold(3)))
    assert json.loads(json.dumps(header["parameters"]))["cv"] is None
    write_model(tmp_path / "e", header, arrays, kind="FoldEnsembleClassifier")
    loaded = FoldEnsembleClassifier.load(tmp_path / "e")
    with pytest.raises(ValueError, match="'cv' parameter"):
        loaded.fit(*images_of_four())


def clone_of(fitted, **parameters):
    """Return the fitted ensemble with other parameters."""
    return pickle.loads(pickle.dumps(fitted)).set_params(**parameters)


def test_pickle_and_clone_keep_predictions_and_parameters(images, fitted):
    X, _, _ = images
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))
    assert str(clone(fitted).get_params()) == str(fitted.get_params())


# -- told and drawn --------------------------------------------------------------------


@pytest.mark.usefixtures("undrawn")
def test_report_shows_scores_with_intervals_and_a_row_of_curves_a_member(
    images, fitted
):
    X, y, groups = images
    report = ensemble_report(fitted, X, y, groups=groups, command=["glomclf", "train"])
    titles = [section.title for section in report.sections]
    assert titles[:4] == ["Summary", "What is estimated", "Folds", "Scores"]
    assert titles[-3:] == ["Worst mistakes", "Training", "To repeat it"]
    page = report.render()
    low, high = fitted.oof_evaluation_.interval("roc_auc")
    assert f"{low:.3f}\u00a0to\u00a0{high:.3f}" in page
    assert "scores of single members" in page
    assert "best on the other folds" in page
    (folds,) = next(one for one in report.sections if one.title == "Folds").blocks
    assert sum(int(row[1]) for row in folds.rows) == 60
    _, members = next(one for one in report.sections if one.title == "Training").blocks
    seeds = [str(one.random_state) for one in fitted.estimators_]
    assert [row[-1] for row in members.rows] == seeds
    assert "oversample" in page  # the settings of the members


def test_report_of_other_rows_is_refused(images, fitted):
    _, y, groups = images
    for labels in (1 - y, y[:-1]):
        with pytest.raises(ScoreError, match="not those of the 60 rows"):
            ensemble_report(fitted, None, labels, groups=groups[: len(labels)])


@pytest.mark.usefixtures("undrawn")
def test_report_without_participants_or_histories_leaves_both_out():
    X, y, _ = table()
    ensemble = make_ensemble(LogisticRegression(), threshold=0.4).fit(X, y)
    report = ensemble_report(ensemble, None, y)
    titles = [section.title for section in report.sections]
    assert not {"Training", "Percentage per biopsy"} & set(titles)
    page = report.render()
    assert "Confusion matrix at threshold 0.4" in page
    assert "best on the other folds" not in page


def test_a_fit_that_failed_leaves_nothing_that_predicts():
    class Failing(LogisticRegression):
        n_fits, fails_at = 0, 3

        def fit(self, X, y):
            Failing.n_fits += 1
            if Failing.n_fits == Failing.fails_at:
                raise RuntimeError("out of luck")
            return super().fit(X, y)

    X, y, _ = table()
    ensemble = make_ensemble(Failing(), threshold=0.4)
    for fails_at in (3, 0):  # at first, then not at all
        Failing.n_fits, Failing.fails_at = 0, fails_at
        with contextlib.suppress(RuntimeError):
            ensemble.fit(X, y)
    ensemble.predict_proba(X)
    Failing.n_fits, Failing.fails_at = 0, 3
    with pytest.raises(RuntimeError):
        ensemble.fit(X, y)
    with pytest.raises(NotFittedError):
        ensemble.predict_proba(X)


@pytest.mark.usefixtures("undrawn")
def test_report_of_images_without_participants_says_so():
    X, y, _ = table()
    ensemble = make_ensemble(LogisticRegression(), threshold=0.4).fit(X, y)
    names = [f"{row}.png" for row in range(len(y))]
    manifest = pd.DataFrame({"slide": names, "participant": names})
    manifest.attrs = {"glomclf.participants": "image"}
    report = ensemble_report(ensemble, manifest, y, groups=names, n_mistakes=0)
    assert "Participants are not known" in report.render()
    assert "Percentage per biopsy" not in {one.title for one in report.sections}


def test_curves_of_members_have_scales_in_common(fitted):
    display = HistoryDisplay([one.history_ for one in fitted.estimators_])
    display.plot(Figure())
    assert display.axes_.shape == (3, len(display.panels))
    assert display.axes_[2, 0].get_ylabel() == "fold 3\nloss"
    assert len({panel.get_ylim() for panel in display.axes_[:, 0]}) == 1
    assert [panel.get_legend() is None for panel in display.axes_[:, 1]] == [
        False,
        True,
        True,
    ]


# -- among scikit-learn's own ----------------------------------------------------------


def test_it_is_a_classifier_that_cross_validates():
    X, y, groups = table()
    ensemble = make_ensemble(LogisticRegression())
    assert is_classifier(ensemble)
    scores = cross_val_score(
        ensemble, X, y, groups=groups, cv=StratifiedGroupKFold(2), error_score="raise"
    )
    assert np.isfinite(scores).all()


def test_samplers_of_the_estimator_are_reached_by_name():
    ensemble = FoldEnsembleClassifier(GlomeruliClassifier(SMOTE()))
    ensemble.set_params(estimator__sampler__k_neighbors=2)
    assert ensemble.estimator.sampler.k_neighbors == 2


@parametrize_with_checks(
    [FoldEnsembleClassifier(GaussianNB(), cv=2, random_state=0)],
    expected_failed_checks=lambda _: {
        "check_classifiers_classes": "labels of which none is 1 need a pos_label",
    },
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


TABLE_FREE_CHECKS = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_valid_tag_types,
]


@pytest.mark.parametrize("check", TABLE_FREE_CHECKS, ids=lambda check: check.__name__)
def test_scikit_learn_checks_that_need_no_table(check):
    check("FoldEnsembleClassifier", FoldEnsembleClassifier())


def test_each_member_gets_the_weights_of_the_rows_it_is_trained_on(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.tile([0, 1], 20)
    weight, seen, fit = np.arange(1.0, 41.0), [], GaussianNB.fit

    def watched(self, X, y, sample_weight=None):
        seen.append(sample_weight)
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(GaussianNB, "fit", watched)
    ensemble = FoldEnsembleClassifier(GaussianNB(), cv=4, random_state=0)
    ensemble.fit(X, y, sample_weight=weight)
    for fold, given in enumerate(seen):
        np.testing.assert_array_equal(given, weight[ensemble.oof_fold_ != fold])
    assert len(seen) == 4
