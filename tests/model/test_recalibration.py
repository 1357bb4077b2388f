"""Recalibration on a few labelled participants of a new site."""

from dataclasses import asdict

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from glomclf import FoldEnsembleClassifier, GlomeruliClassifier, read_classifier
from glomclf.errors import ModelFileError, ParameterError, ScoreError
from glomclf.model import fit_recalibration, parts, recalibration_gain


def site(n_participants, each=20, shift=0.0, slope=1.0, seed=0):
    """Labels, probabilities whose logits are off by a line, and participants."""
    rng = np.random.default_rng(seed)
    right = rng.normal(-0.5, 2, n_participants * each)
    y = (rng.random(len(right)) < expit(right)).astype(int)
    groups = np.repeat(np.arange(n_participants), each)
    return y, expit((right - shift) / slope), groups


@pytest.fixture(scope="module")
def rows():
    """Features of 12 participants, 10 rows each, that a line tells apart."""
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=120)
    X = rng.standard_normal((120, 4)) + y[:, None]
    return X, y, np.repeat(list("abcdefghijkl"), 10)


@pytest.fixture
def model(rows):
    X, y, groups = rows
    classifier = GlomeruliClassifier(None, network=LogisticRegression())
    return classifier.fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("method", "wanted"),
    [("intercept", (-2, 1)), ("temperature", (0, 1.7)), ("logistic", (-2, 1.7))],
)
def test_what_is_wrong_with_the_logits_is_found(method, wanted):
    shift, slope = wanted
    found = fit_recalibration(*site(100, shift=shift, slope=slope), method)
    assert (found.intercept, found.slope) == pytest.approx(wanted, abs=0.2)
    if method in ("intercept", "temperature"):
        assert (found.slope if method == "intercept" else found.intercept) in (0, 1)
    assert found.apply([0.0, 1.0]) == pytest.approx([0, 1], abs=0.01)


def test_isotonic_rises_and_keeps_from_0_and_1():
    y, scores, groups = site(60, shift=-2)
    found = fit_recalibration(y, scores, groups, "isotonic")
    grid = found.apply(np.linspace(0, 1, 50))
    assert (np.diff(grid) >= 0).all()
    assert 0 < grid[0] < grid[-1] < 1
    assert found.apply(scores).mean() == pytest.approx(y.mean(), abs=0.01)


@pytest.mark.parametrize(
    ("n_participants", "each", "wanted"),
    [(3, 20, "intercept"), (12, 20, "logistic"), (80, 20, "isotonic")],
)
def test_the_method_is_chosen_by_the_number_of_participants(
    n_participants, each, wanted
):
    assert fit_recalibration(*site(n_participants, each)).method == wanted


def test_one_class_moves_the_intercept_by_a_finite_step():
    found = fit_recalibration([0] * 30, [0.4] * 30, [0] * 15 + [1] * 15)
    assert -5 < found.intercept < -1
    with pytest.raises(ScoreError, match="isotonic"):
        fit_recalibration([0] * 30, [0.4] * 30, [0] * 30, "isotonic")


def test_all_faults_are_told_at_once():
    with pytest.raises(ScoreError, match=r"(?s)method must be.*y_true must be 0 or 1"):
        fit_recalibration([0, 3], [0.1, 0.2], [1, 2], "linear")


def test_the_gain_grows_with_the_number_of_participants():
    gain = recalibration_gain(*site(12, shift=-3), n_draws=20)
    assert gain.index.tolist() == [1, 2, 4, 8, 11]
    gained = gain["log_loss_before"] - gain["log_loss_after"]
    assert gained[8] > gained[1] > 0
    assert (gain["error_after"] < gain["error_before"]).all()
    assert (gain["f1_after"] > gain["f1_before"]).all()


def test_a_gain_needs_three_participants():
    with pytest.raises(ScoreError, match="3 are needed"):
        recalibration_gain(*site(2))


def test_a_model_predicts_what_holds_at_the_site(model, rows):
    X, _, groups = rows
    before = model.predict_proba(X)[:, 1]
    rng = np.random.default_rng(0)
    y_site = (rng.random(120) < expit(logit(before) - 2)).astype(int)
    model.recalibrate(X, y_site, groups, method="intercept")
    after = model.predict_proba(X)
    assert after.sum(axis=1) == pytest.approx(1)
    moved = logit(after[:, 1]) - logit(before)
    assert moved == pytest.approx(model.recalibration_.intercept, abs=1e-6)
    assert -2.6 < moved[0] < -1.2
    np.testing.assert_array_equal(model.predict(X), after[:, 1] >= 0.5)
    once = model.recalibration_
    model.recalibrate(X, y_site, groups, method="intercept")  # replaced, not added
    assert model.recalibration_ == once


def test_the_record_is_of_the_site_and_blind_to_each_participant(model, rows):
    X, y, groups = rows
    raw = model.predict_proba(X)[:, 1]
    model.recalibrate(X, y, groups, method="logistic")
    record = model.out_of_fold_record_
    assert record.n_participants == 12
    others = groups != "a"
    blind = fit_recalibration(y[others], raw[others], groups[others], "logistic")
    np.testing.assert_allclose(record.probability[~others], blind.apply(raw[~others]))
    model.recalibrate(X[~others], y[~others], groups[~others])
    assert not hasattr(model, "out_of_fold_record_")


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_a_file_keeps_what_was_done(model, rows, tmp_path, method):
    X, y, groups = rows
    model.recalibrate(X, y, groups, method=method).save(tmp_path / "m.glomclf")
    read = read_classifier(tmp_path / "m.glomclf")
    assert read.recalibration_ == model.recalibration_
    assert read.recalibration_.n_participants == 12
    np.testing.assert_array_equal(read.predict_proba(X), model.predict_proba(X))


def test_an_ensemble_is_recalibrated_as_a_whole(model, rows, tmp_path):
    X, y, groups = rows
    ensemble = FoldEnsembleClassifier(model, cv=3, random_state=0).fit(X, y, groups)
    raw = ensemble.predict_proba(X)[:, 1]
    ensemble.recalibrate(X, y, groups).save(tmp_path / "e.glomclf")
    read = read_classifier(tmp_path / "e.glomclf")
    wanted = ensemble.recalibration_.apply(raw)
    np.testing.assert_allclose(read.predict_proba(X)[:, 1], wanted)
    assert not hasattr(ensemble.fit(X, y, groups), "recalibration_")


def test_labels_may_be_words_and_the_positive_class_the_first(rows):
    X, y, groups = rows
    words = np.where(y == 1, "GS", "NGS")
    classifier = GlomeruliClassifier(None, network=LogisticRegression())
    classifier.fit(X, words, groups=groups, pos_label="GS")
    classifier.recalibrate(X, np.full(120, "NGS"), groups)
    assert classifier.recalibration_.n_positive == 0
    assert classifier.predict_proba(X)[:, 0].mean() < 0.1


def test_participants_and_labels_must_be_known(model, rows):
    X, y, groups = rows
    with pytest.raises(ParameterError, match="Pass groups"):
        model.recalibrate(X, y)
    with pytest.raises(ParameterError, match=r"labels \[2\]"):
        model.recalibrate(X, np.full(120, 2), groups)
    assert not hasattr(model, "recalibration_")


@pytest.mark.parametrize(
    "change",
    [
        {"slope": -1},
        {"method": "isotonic"},
        {"before": [0.1, 0.2], "after": [0.1, 0.2]},
        {"method": "isotonic", "before": [0.2, 0.1], "after": [0.1, 0.2]},
    ],
)
def test_a_recalibration_of_a_forged_file_is_refused(model, rows, change):
    X, y, groups = rows
    described = asdict(model.recalibrate(X, y, groups, "logistic").recalibration_)
    with pytest.raises(ModelFileError):
        parts._recalibration({**described, **change})
