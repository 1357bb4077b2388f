"""Scores under weights equal scikit-learn's, and undefined ones are NaN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from glomclf.errors import ScoreError
from glomclf.evaluation.predictions import Predictions, check_scores, threshold_faults
from glomclf.evaluation.scores import SCORES, score_rows


def scores_of(y_true, y_score, codes, weights=None, **options):
    """Score rows; without weights each participant counts once."""
    rows = Predictions(np.asarray(y_true), np.asarray(y_score), codes, **options)
    weights = np.ones((1, rows.n_groups)) if weights is None else weights
    return {name: one.values for name, one in score_rows(rows, weights).items()}


def rows_with_ties(seed, n_samples=120, n_groups=9):
    rng = np.random.RandomState(seed)
    codes = np.r_[np.arange(n_groups), rng.randint(0, n_groups, n_samples - n_groups)]
    y_true = np.r_[0, 1, rng.binomial(1, 0.3, n_samples - 2)]
    y_score = np.round(np.clip(0.3 * y_true + rng.uniform(0, 0.8, n_samples), 0, 1), 2)
    return y_true, y_score, codes


def sklearn_scores(y_true, y_score, weights):
    predicted, options = y_score >= 0.5, {"sample_weight": weights}
    return {
        "recall": metrics.recall_score(y_true, predicted, **options),
        "precision": metrics.precision_score(y_true, predicted, **options),
        "f1": metrics.f1_score(y_true, predicted, **options),
        "specificity": metrics.recall_score(y_true, predicted, pos_label=0, **options),
        "accuracy": metrics.accuracy_score(y_true, predicted, **options),
        "balanced_accuracy": metrics.balanced_accuracy_score(
            y_true, predicted, **options
        ),
        "matthews_corrcoef": metrics.matthews_corrcoef(y_true, predicted, **options),
        "roc_auc": metrics.roc_auc_score(y_true, y_score, **options),
        "average_precision": metrics.average_precision_score(
            y_true, y_score, **options
        ),
        "neg_brier_score": -metrics.brier_score_loss(y_true, y_score, **options),
    }


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_scores_equal_scikit_learns_for_all_weights(seed):
    y_true, y_score, codes = rows_with_ties(seed)
    weights = np.random.RandomState(seed).randint(1, 4, size=(3, 9))
    scores = scores_of(y_true, y_score, codes, weights)
    assert list(scores) == list(SCORES)
    for replicate, weight in enumerate(weights):
        for name, value in sklearn_scores(y_true, y_score, weight[codes]).items():
            assert scores[name][replicate] == pytest.approx(value, abs=1e-12), name


def test_weights_count_repetitions():
    y_true, y_score, codes = rows_with_ties(0)
    weights = np.arange(9) % 3 + 1
    weighted = scores_of(y_true, y_score, codes, weights[None])
    times = weights[codes]
    repeated = scores_of(*(np.repeat(one, times) for one in (y_true, y_score, codes)))
    for name in SCORES:
        assert weighted[name][0] == pytest.approx(repeated[name][0], abs=1e-9), name


def test_calibration_equals_unpenalised_logistic_regression():
    y_true, y_score, codes = rows_with_ties(3, n_samples=400)
    weights = np.array([[1, 2, 0, 1, 3, 1, 1, 2, 1]])
    scores = scores_of(y_true, y_score, codes, weights)
    X = logit(np.clip(y_score, 1e-6, 1 - 1e-6))[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(X, y_true, sample_weight=weights[0, codes])
    assert scores["calibration_slope"][0] == pytest.approx(model.coef_[0, 0], abs=1e-4)


def test_calibrated_probabilities_have_slope_one_and_intercept_zero():
    rng = np.random.RandomState(0)
    y_score = rng.beta(1, 3, 50_000)
    y_true = rng.binomial(1, y_score)
    scores = scores_of(y_true, y_score, np.arange(50_000))
    assert scores["calibration_intercept"][0] == pytest.approx(0, abs=0.05)
    assert scores["calibration_slope"][0] == pytest.approx(1, abs=0.05)
    assert scores["expected_calibration_error"][0] < 0.01


def test_intercept_tells_in_which_direction_probabilities_are_off():
    rng = np.random.RandomState(0)
    y_score = rng.beta(2, 2, 5_000)
    y_true = rng.binomial(1, y_score / 2)
    scores = scores_of(y_true, y_score, np.arange(5_000))
    assert scores["calibration_intercept"][0] < -0.5
    assert scores["expected_calibration_error"][0] == pytest.approx(0.25, abs=0.03)


def test_sensitivity_is_read_at_the_lowest_threshold_that_is_specific_enough():
    y_true = np.array([0] * 10 + [1] * 4)
    y_score = np.r_[np.linspace(0.0, 0.9, 10), 0.95, 0.85, 0.75, 0.3]
    scores = scores_of(y_true, y_score, np.arange(14))
    # One of ten rows of class 0 may lie above, that at 0.9; two of four lie above 0.8.
    assert scores["sensitivity_at_specificity"][0] == 0.5


@pytest.mark.parametrize(
    ("y_true", "y_score", "undefined"),
    [
        (
            [0, 0, 0],
            [0.2, 0.7, 0.4],
            {"recall", "f1", "balanced_accuracy", "matthews_corrcoef", "roc_auc",
             "average_precision", "sensitivity_at_specificity",
             "calibration_intercept", "calibration_slope"},
        ),
        (
            [1, 1, 1],
            [0.2, 0.7, 0.4],
            {"specificity", "balanced_accuracy", "matthews_corrcoef", "roc_auc",
             "sensitivity_at_specificity", "calibration_intercept",
             "calibration_slope"},
        ),
        ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.25], {"precision", "matthews_corrcoef"}),
        ([0, 1, 0, 1], [0.8, 0.7, 0.6, 0.65], {"matthews_corrcoef"}),
        ([0, 1, 0, 1], [0.5] * 4, {"matthews_corrcoef", "calibration_slope"}),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], {"calibration_slope"}),
    ],
    ids=["no 1", "no 0", "none predicted", "all predicted", "ties", "separated"],
)  # fmt: skip
def test_undefined_scores_are_nan_and_no_others(y_true, y_score, undefined):
    scores = scores_of(y_true, y_score, np.arange(len(y_true)))
    assert {
        name for name, value in scores.items() if np.isnan(value).any()
    } == undefined


def test_ties_get_half_the_area_in_any_order_of_rows():
    y_true = np.array([0, 1, 0, 1])
    scores = scores_of(y_true, np.full(4, 0.5), np.arange(4))
    assert scores["roc_auc"][0] == 0.5
    assert scores["average_precision"][0] == 0.5
    assert scores["sensitivity_at_specificity"][0] == 0


def test_thresholds_may_differ_by_row():
    cuts = np.array([0.5, 0.3])
    scores = scores_of([0, 1], [0.4, 0.4], np.arange(2), threshold=cuts)
    assert scores["recall"] == scores["specificity"] == 1


def test_chunks_of_replicates_do_not_change_scores(monkeypatch):
    y_true, y_score, codes = rows_with_ties(1)
    weights = np.random.RandomState(0).randint(1, 4, size=(20, 9))
    together = scores_of(y_true, y_score, codes, weights)
    monkeypatch.setattr("glomclf.evaluation.predictions._CELLS", 300)
    for name, value in scores_of(y_true, y_score, codes, weights).items():
        np.testing.assert_allclose(value, together[name], rtol=1e-6, err_msg=name)


def test_all_faults_are_named_at_once():
    with pytest.raises(ScoreError) as caught:
        check_scores([0, 2, 1], [0.5, np.nan, 1.5, -0.1], ["a", "a", None, "b"])
    message = str(caught.value)
    assert "y_score is NaN in 1 of 4 rows, first in row 1" in message
    assert "y_score is outside [0, 1] in 2 of 4 rows, first in row 2" in message
    assert "y_true must have shape (4,), got (3,)" in message
    assert "y_true must be 0 or 1, got 2 among 1 other values" in message
    assert "groups lacks the participant of 1 of 4 rows" in message


@pytest.mark.parametrize(
    ("y_true", "y_score", "groups", "message"),
    [
        ([0, 1], [[0.9, 0.1], [0.2, 0.8]], None, "pass the column of class 1"),
        ([], [], None, "n_samples at least 1"),
        ([0, 1], ["low", "high"], None, "y_score must hold numbers"),
        (["no", "yes"], [0.1, 0.9], None, "y_true must be 0 or 1, got 'no', 'yes'"),
        ([0.0, np.nan], [0.1, 0.9], None, "y_true must be 0 or 1, got nan"),
        ([0, 1], [0.1, 0.9], ["a"], r"groups must have shape \(2,\), got \(1,\)"),
    ],
)
def test_input_that_cannot_be_scored_is_refused(y_true, y_score, groups, message):
    with pytest.raises(ScoreError, match=message):
        check_scores(y_true, y_score, groups)


@pytest.mark.parametrize(
    ("threshold", "fault"),
    [
        (0.5, []),
        ([0.1, 0.9], []),
        (
            [0.1, 0.9, 0.5],
            ["threshold must be one number or one a row, shape (2,), got shape (3,)"],
        ),
        ([0.1, np.nan], ["threshold must be in [0, 1], got nan"]),
    ],
)
def test_faults_of_thresholds_are_named(threshold, fault):
    assert threshold_faults(threshold, [0.2, 0.7]) == fault
