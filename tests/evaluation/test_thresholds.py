"""Thresholds serve their aim, and follow a shift of prevalence."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import f1_score, precision_score, recall_score

from glomclf.errors import ScoreError, ScoreWarning
from glomclf.evaluation.prevalence import adjust_to_prevalence, estimate_prevalence
from glomclf.evaluation.thresholds import RecallAtLeast, choose_threshold

labelled = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=30
)


def unpack(pairs):
    y_true = np.array([label for label, _ in pairs])
    assume(0 < y_true.sum() < len(y_true))
    return y_true, np.array([score / 20 for _, score in pairs])


def at_all_cuts(y_true, y_score):
    """Count recall and precision at every cut: scikit-learn takes long for so many."""
    called = y_score >= np.r_[0.0, np.unique(y_score)][:, np.newaxis]
    found = called @ y_true
    return found / y_true.sum(), found / called.sum(axis=1)


@pytest.mark.filterwarnings("ignore::glomclf.errors.ScoreWarning")
@given(labelled)
@settings(max_examples=40, deadline=None)
def test_chosen_threshold_has_the_best_f1_for_all_inputs(pairs):
    y_true, y_score = unpack(pairs)
    chosen = choose_threshold(y_true, y_score)
    recalls, precisions = at_all_cuts(y_true, y_score)
    f1 = 2 * recalls * precisions / np.maximum(recalls + precisions, 1e-9)
    assert f1_score(y_true, y_score >= chosen) == pytest.approx(f1.max())


@pytest.mark.filterwarnings("ignore::glomclf.errors.ScoreWarning")
@given(labelled, st.floats(0.05, 1.0))
@settings(max_examples=40, deadline=None)
def test_chosen_threshold_has_the_recall_and_the_best_precision(pairs, recall):
    y_true, y_score = unpack(pairs)
    chosen = choose_threshold(y_true, y_score, RecallAtLeast(recall))
    recalls, precisions = at_all_cuts(y_true, y_score)
    best = precisions[recalls >= recall - 1e-9].max()
    assert recall_score(y_true, y_score >= chosen) >= recall - 1e-9
    assert precision_score(y_true, y_score >= chosen) == pytest.approx(best)


@given(labelled)
@settings(max_examples=40, deadline=None)
def test_threshold_lies_between_scores_so_that_small_changes_do_not_matter(pairs):
    y_true, y_score = unpack(pairs)
    assume(np.ptp(y_score) > 0)
    chosen = choose_threshold(y_true, y_score)
    predicted = y_score >= chosen
    np.testing.assert_array_equal((y_score - 0.02 * (y_score > 0)) >= chosen, predicted)


def test_of_equally_good_thresholds_the_lowest_is_taken():
    y_true, y_score = [0, 1, 0, 0, 1], [0.1, 0.3, 0.4, 0.5, 0.9]
    assert f1_score(y_true, np.array(y_score) >= 0.7) == pytest.approx(2 / 3)
    assert f1_score(y_true, np.array(y_score) >= 0.2) == pytest.approx(2 / 3)
    assert choose_threshold(y_true, y_score) == pytest.approx(0.2)


def test_threshold_cuts_float32_neighbours_as_chosen():
    lower = np.float32(0.7)
    upper = np.nextafter(lower, np.float32(1))
    y_score = np.array([lower, upper], dtype=np.float32)
    chosen = choose_threshold([0, 1], y_score)
    np.testing.assert_array_equal(y_score >= chosen, [False, True])


def test_equal_probabilities_give_a_warning_and_predict_all():
    with pytest.warns(
        ScoreWarning, match=r"all 4 probabilities are 0\.3, .* predicted 1"
    ):
        chosen = choose_threshold([0, 1, 0, 1], [0.3] * 4)
    assert 0 < chosen <= 0.3


@pytest.mark.parametrize(
    ("y_true", "options", "message"),
    [
        ([0, 0], {}, "no row of class 1"),
        ([1, 1], {}, "no row of class 0"),
        ([0, 1], {"aim": "accuracy"}, "aim must be 'f1' or a RecallAtLeast, got 'acc"),
        (
            [0, 1],
            {"aim": RecallAtLeast(0)},
            r"recall must be in \(0, 1\], got 0",
        ),
        ([0, 1, 1], {}, r"y_true must have shape \(2,\)"),
    ],
)
def test_threshold_that_cannot_be_chosen_is_refused(y_true, options, message):
    with pytest.raises(ScoreError, match=message):
        choose_threshold(y_true, [0.2, 0.8], **options)


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda aim: pickle.loads(pickle.dumps(aim)),
        lambda aim: clone(Chosen(aim)).threshold,
    ],
)
def test_the_aim_compares_by_value_and_is_the_same_when_copied(copied):
    aim = RecallAtLeast(0.9)
    assert copied(aim) == aim != RecallAtLeast()
    assert repr(copied(aim)) == "RecallAtLeast(recall=0.9)"


class Chosen(BaseEstimator):
    """An estimator with an aim among its parameters."""

    def __init__(self, threshold):
        self.threshold = threshold


shares = st.floats(0.02, 0.98)


@example(y_score=[1.0], old=0.98, new=0.96875)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), shares, shares)
def test_adjustment_is_undone_by_its_reverse(y_score, old, new):
    there = adjust_to_prevalence(y_score, train_prevalence=old, prevalence=new)
    assert ((there >= 0) & (there <= 1)).all()
    back = adjust_to_prevalence(there, train_prevalence=new, prevalence=old)
    np.testing.assert_allclose(back, y_score, atol=1e-9)


def shifted_site(prevalence, n_samples=20_000):
    """Draw probabilities, calibrated for a prevalence of 0.5, at another one."""
    rng = np.random.RandomState(0)
    y_true = rng.binomial(1, prevalence, n_samples)
    logits = 2.0 * (2 * y_true - 1) + 2.0 * rng.normal(size=n_samples)
    return y_true, 1 / (1 + np.exp(-logits))  # exact for two normals


@pytest.mark.parametrize("prevalence", [0.05, 0.2, 0.8])
def test_prevalence_of_a_new_site_is_found_without_labels(prevalence):
    y_true, y_score = shifted_site(prevalence)
    found = estimate_prevalence(y_score, train_prevalence=0.5)
    assert found == pytest.approx(prevalence, abs=0.01)
    adjusted = adjust_to_prevalence(y_score, train_prevalence=0.5, prevalence=found)
    assert adjusted.mean() == pytest.approx(y_true.mean(), abs=0.01)
    errors = np.mean((adjusted >= 0.5) != y_true)
    assert errors <= np.mean((y_score >= 0.5) != y_true)


def test_estimate_is_where_expectation_maximisation_comes_to_rest():
    y_score = np.random.RandomState(0).beta(1, 2, 300)
    share = old = 0.3
    for _ in range(5000):
        share = adjust_to_prevalence(
            y_score, train_prevalence=old, prevalence=share
        ).mean()
    found = estimate_prevalence(y_score, train_prevalence=old)
    assert found == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("y_score", "share"), [([0.1, 0.05], 0.0), ([0.9, 0.95], 1.0), ([0.5, 0.5], 0.5)]
)
def test_estimate_without_ground_is_given_with_a_warning(y_score, share):
    with pytest.warns(ScoreWarning, match=f"is estimated as {share:g} because"):
        found = estimate_prevalence(y_score, train_prevalence=0.5)
    assert found == share
    adjusted = adjust_to_prevalence(y_score, train_prevalence=0.5, prevalence=found)
    assert adjusted.tolist() == ([share] * 2 if share in (0, 1) else y_score)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), shares)
def test_estimate_is_a_share_for_all_inputs(y_score, old):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScoreWarning)
        assert 0 <= estimate_prevalence(y_score, train_prevalence=old) <= 1


def test_bad_prevalences_are_named_at_once():
    with pytest.raises(ScoreError, match=r"(?s)train_prevalence .* got 0\n.*got 1\.5"):
        adjust_to_prevalence([0.5], train_prevalence=0, prevalence=1.5)
    with pytest.raises(ScoreError, match="outside"):
        estimate_prevalence([-0.5], train_prevalence=0.5)
