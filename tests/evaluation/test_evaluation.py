"""Scores come with intervals over participants, and say which not to trust."""

import json
import sys

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

import glomclf.evaluation
from glomclf.errors import ScoreError
from glomclf.evaluation.evaluation import compare_scores, evaluate
from glomclf.evaluation.intervals import draw_replicates
from glomclf.evaluation.predictions import Predictions
from glomclf.evaluation.scores import SCORES, Score, score_rows


def clustered(n_participants=24, n_patches=20, seed=0, between=0.8):
    """Draw labels, probabilities and participants who differ in how hard they are."""
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_participants), n_patches)
    y_true = rng.binomial(1, rng.beta(1, 3, n_participants)[groups])
    logits = 2.5 * (y_true - 0.5) + rng.normal(size=len(groups))
    logits += between * rng.normal(size=n_participants)[groups]
    return y_true, 1 / (1 + np.exp(-logits)), groups


def test_result_has_all_scores_with_intervals_around_them():
    y_true, y_score, groups = clustered()
    result = evaluate(y_true, y_score, groups=groups)
    assert list(result.scores) == list(SCORES)
    for name, score in result.scores.items():
        low, high = result.interval(name)
        assert low < high, name
        assert name == "expected_calibration_error" or low <= score <= high, name
    assert result.n_participants == 24
    assert result.n_samples == len(y_true)
    assert result.confusion_matrix.sum() == len(y_true)
    assert result.notes == {}
    assert result.caution == ""


def test_a_new_score_takes_one_entry_in_the_table(monkeypatch):
    new = Score(
        title="Error rate",
        meaning="share of patches called wrong; 0 is best",
        compute=lambda of: (of.fp + of.fn) / of.n_rows,
    )
    monkeypatch.setitem(SCORES, "error_rate", new)
    y_true, y_score, groups = clustered()
    options = {"groups": groups, "n_bootstrap": 100}
    result = evaluate(y_true, y_score, **options)
    assert result.scores["error_rate"] == pytest.approx(1 - result.scores["accuracy"])
    assert result.interval("error_rate")[0] < result.scores["error_rate"]
    assert "error_rate" in compare_scores(y_true, y_score, y_score, **options).scores


def test_evaluate_is_a_public_name():
    assert glomclf.evaluate is evaluate


def test_all_public_names_are_reached_from_evaluation():
    for name in glomclf.evaluation.__all__:
        assert hasattr(glomclf.evaluation, name)


def test_intervals_over_participants_are_wider_than_over_rows():
    y_true, y_score, groups = clustered(between=1.5)
    grouped = evaluate(y_true, y_score, groups=groups, n_bootstrap=200)
    alone = evaluate(y_true, y_score, n_bootstrap=200)
    for name in ("recall", "specificity", "roc_auc", "calibration_intercept"):
        assert np.ptp(grouped.interval(name)) > 1.3 * np.ptp(alone.interval(name))


def test_without_participants_the_result_says_so():
    y_true, y_score, _ = clustered()
    result = evaluate(y_true, y_score, n_bootstrap=100)
    assert result.n_participants is None
    assert "no participants were given, so that rows count as independent" in str(
        result
    )


def test_repeated_rows_of_a_participant_do_not_narrow_intervals():
    y_true, y_score, groups = clustered()
    options = {"groups": np.tile(groups, 4), "n_bootstrap": 200}
    once = evaluate(y_true, y_score, groups=groups, n_bootstrap=200)
    times = evaluate(np.tile(y_true, 4), np.tile(y_score, 4), **options)
    assert times.interval("recall") == pytest.approx(once.interval("recall"), abs=5e-3)


def test_same_seed_gives_the_same_intervals_and_no_row_order_matters():
    y_true, y_score, groups = clustered()
    options = {"n_bootstrap": 100, "random_state": 3}
    first = evaluate(y_true, y_score, groups=groups, **options)
    order = np.random.RandomState(0).permutation(len(y_true))
    moved = evaluate(y_true[order], y_score[order], groups=groups[order], **options)
    other = evaluate(y_true, y_score, groups=groups, **options | {"random_state": 4})
    assert moved.interval("roc_auc") == pytest.approx(first.interval("roc_auc"))
    assert other.interval("f1") != first.interval("f1")


def test_intervals_cover_the_truth_of_clustered_data():
    """The mechanism in small; examples/benchmarks/interval_coverage.py in full."""
    names = ("recall", "specificity", "accuracy", "roc_auc", "neg_brier_score")
    truth = score_rows(Predictions(*clustered(3000, seed=999)), np.ones((1, 3000)))
    inside = dict.fromkeys(names, 0)
    n_simulations = 120
    for seed in range(n_simulations):
        rows = Predictions(*clustered(15, 12, seed=seed))
        replicates = draw_replicates(rows.strata, 100, random_state=seed)
        for name, one in score_rows(rows, replicates.weights, names).items():
            low, high = replicates.interval(one).ends
            inside[name] += low <= truth[name].values[0] <= high
    assert min(inside.values()) / n_simulations > 0.90
    assert np.mean(list(inside.values())) / n_simulations == pytest.approx(
        0.95, abs=0.03
    )


@pytest.mark.parametrize(
    ("label", "missing", "defined"),
    [(0, "class 1", "specificity"), (1, "class 0", "recall")],
)
def test_single_class_leaves_scores_undefined_with_the_reason(label, missing, defined):
    result = evaluate([label] * 6, np.linspace(0.1, 0.9, 6), groups=[1, 1, 2, 2, 3, 3])
    assert np.isfinite(result.scores[defined])
    assert np.isnan(result.scores["roc_auc"])
    assert np.isnan(result.interval("roc_auc")).all()
    assert result.notes["roc_auc"] == f"undefined, for no row has {missing}"


def test_all_positive_predictions_have_precision_and_specificity_zero():
    y_true, y_score, groups = clustered()
    result = evaluate(y_true, y_score, groups=groups, threshold=0.0)
    assert result.scores["precision"] == pytest.approx(y_true.mean())
    assert result.scores["recall"] == 1
    assert result.scores["specificity"] == 0
    assert result.interval("specificity")[0] == 0 < result.interval("specificity")[1]
    assert "exact bound" in result.notes["specificity"]
    assert np.isnan(result.scores["matthews_corrcoef"])
    assert "predicted, the same class" in result.notes["matthews_corrcoef"]


def test_no_positive_prediction_leaves_precision_undefined_not_zero():
    y_true, y_score, groups = clustered()
    result = evaluate(y_true, y_score, groups=groups, threshold=1.0)
    assert np.isnan(result.scores["precision"])
    assert result.notes["precision"] == "undefined, for no row is predicted 1"
    assert result.scores["f1"] == 0


def test_perfect_model_has_an_honest_bound_not_a_zero_width():
    y_true, _, groups = clustered()
    result = evaluate(y_true, 0.2 + 0.6 * y_true, groups=groups, n_bootstrap=200)
    low, high = result.interval("recall")
    assert high == 1
    assert 0.7 < low < 0.9
    assert np.isnan(result.interval("roc_auc")).all()
    assert result.notes["roc_auc"] == "the score is the same in every replicate"
    assert "separate the classes" in result.notes["calibration_slope"]


def test_one_participant_has_scores_but_no_trusted_interval():
    y_true, y_score, _ = clustered()
    result = evaluate(y_true, y_score, groups=np.zeros(len(y_true)))
    assert np.isfinite(list(result.scores.values())).all()
    assert np.isnan(result.interval("roc_auc")).all()
    assert result.notes["roc_auc"] == "there is one participant only"
    assert "equally many rows, class 0 has 1.0 and class 1 has 1.0" in result.caution


def test_class_that_hangs_on_one_participant_is_flagged():
    y_true, y_score, groups = clustered()
    keep = (y_true == 0) | (groups == groups[y_true == 1][0])
    result = evaluate(y_true[keep], y_score[keep], groups=groups[keep])
    assert np.isnan(result.interval("roc_auc")).all()
    assert "without one of the participants" in result.notes["roc_auc"]
    assert "class 1 has 1.0, and 5 are needed" in result.caution


def test_ties_of_all_scores_are_flagged():
    y_true, _, groups = clustered()
    result = evaluate(y_true, np.full(len(y_true), 0.5), groups=groups)
    assert result.scores["roc_auc"] == 0.5
    assert result.notes["roc_auc"] == "the score is the same in every replicate"
    assert np.isnan(result.scores["calibration_slope"])


def test_thresholds_a_row_are_those_of_folds():
    y_true, y_score, groups = clustered()
    cuts = np.where(groups < 12, 0.3, 0.7)
    result = evaluate(y_true, y_score, groups=groups, threshold=cuts, n_bootstrap=100)
    expected = ((y_score >= cuts) & (y_true == 1)).sum() / y_true.sum()
    assert result.scores["recall"] == pytest.approx(expected)
    assert result.to_dict()["threshold"] is None
    assert "threshold: one a row" in str(result)


def test_result_is_a_table_text_and_json():
    y_true, y_score, groups = clustered()
    result = evaluate(y_true, y_score, groups=groups, threshold=1.0)
    frame = result.to_frame()
    assert list(frame.columns) == ["value", "low", "high", "n_effective", "note"]
    assert list(frame.index) == list(SCORES)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["scores"]["precision"] is None
    assert content["intervals"]["precision"] == [None, None]
    assert content["confusion_matrix"] == result.confusion_matrix.tolist()
    text = str(result)
    assert text.startswith("480 rows, participants: 24, threshold: 1\n")
    assert "confusion matrix [[tn fp] [fn tp]]: [[" in text
    assert "95 % interval" in text
    assert "precision: undefined, for no row is predicted 1" in text


def test_interval_of_unknown_score_names_the_known_ones():
    result = evaluate([0, 1], [0.2, 0.8])
    with pytest.raises(KeyError, match="no score 'auc'; there are recall, precision"):
        result.interval("auc")


def test_all_faults_are_named_at_once():
    with pytest.raises(ScoreError) as caught:
        evaluate(
            [0, 1, 5],
            [0.1, np.nan, 2.0],
            groups=["a", None, "b"],
            threshold=-1,
            n_bootstrap=5,
            confidence=2,
        )
    for fault in ("0 or 1, got 5", "NaN in 1 of 3", "outside [0, 1] in 1",
                  "groups lacks", "threshold must",
                  "n_bootstrap must", "confidence must"):  # fmt: skip
        assert fault in str(caught.value)


def n_calls(work):
    """Count the calls of functions: unlike seconds, the same on any machine."""
    seen = []
    sys.setprofile(lambda frame, event, _: seen.append(event.endswith("call")))
    try:
        work()
    finally:
        sys.setprofile(None)
    return sum(seen)


def test_a_replicate_takes_far_fewer_calls_than_scikit_learn_in_a_loop():
    y_true, y_score, groups = clustered(40, 20)

    def loop():
        for score in (roc_auc_score, average_precision_score, brier_score_loss):
            score(y_true, y_score)
        for score in (recall_score, precision_score, f1_score, matthews_corrcoef):
            score(y_true, y_score >= 0.5)

    def score_all(n_bootstrap):
        return evaluate(y_true, y_score, groups=groups, n_bootstrap=n_bootstrap)

    more = n_calls(lambda: score_all(300)) - n_calls(lambda: score_all(100))
    assert more / 200 < n_calls(loop) / 50


# ---------------------------------------------------------------- two models


def test_paired_difference_is_narrower_than_two_intervals():
    y_true, y_score, groups = clustered(between=1.5)
    noise = 0.2 * np.random.RandomState(1).normal(size=len(y_true))
    worse = 1 / (1 + np.exp(-(np.log(y_score / (1 - y_score)) + noise)))
    options = {"groups": groups, "n_bootstrap": 200}
    comparison = compare_scores(y_true, y_score, worse, **options)
    alone = evaluate(y_true, y_score, **options)
    assert np.ptp(comparison.interval("recall")) < np.ptp(alone.interval("recall"))
    for name, difference in comparison.scores.items():
        both = comparison.scores_b[name] - comparison.scores_a[name]
        assert difference == pytest.approx(both)
    assert comparison.scores_a == pytest.approx(alone.scores)


def test_clearly_better_model_is_found_better_and_swapping_turns_the_sign():
    y_true, y_score, groups = clustered()
    noise = 3 * np.random.RandomState(1).normal(size=len(y_true))
    worse = 1 / (1 + np.exp(-(np.log(y_score / (1 - y_score)) + noise)))
    options = {"groups": groups, "n_bootstrap": 200}
    comparison = compare_scores(y_true, worse, y_score, **options)
    assert comparison.interval("roc_auc")[0] > 0
    swapped = compare_scores(y_true, y_score, worse, **options)
    assert swapped.scores["roc_auc"] == pytest.approx(-comparison.scores["roc_auc"])


def test_model_compared_with_itself_differs_by_nothing():
    y_true, y_score, groups = clustered()
    comparison = compare_scores(
        y_true, y_score, y_score, groups=groups, n_bootstrap=100
    )
    assert set(comparison.scores.values()) == {0.0}
    assert comparison.notes["roc_auc"] == "the score is the same in every replicate"


def test_two_thresholds_of_one_model_can_be_compared():
    y_true, y_score, groups = clustered()
    comparison = compare_scores(
        y_true,
        y_score,
        y_score,
        groups=groups,
        threshold=0.5,
        threshold_b=0.2,
        n_bootstrap=100,
    )
    assert comparison.scores["recall"] > 0 > comparison.scores["specificity"]
    assert comparison.scores["roc_auc"] == 0


def test_comparison_is_a_table_and_json_with_both_models():
    y_true, y_score, groups = clustered()
    comparison = compare_scores(
        y_true, y_score, y_score**2, groups=groups, n_bootstrap=100
    )
    frame = comparison.to_frame()
    assert list(frame.columns[:5]) == ["a", "b", "value", "low", "high"]
    np.testing.assert_allclose(frame["b"] - frame["a"], frame["value"], atol=1e-12)
    content = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert content["scores_b"].keys() == content["scores"].keys()
    assert str(comparison).startswith(
        "Differences, b less a, on the same participants\n"
    )


def test_faults_of_both_models_are_named_at_once():
    with pytest.raises(ScoreError) as caught:
        compare_scores([0, 1], [0.1, np.nan], [0.1, 2.0], threshold_b=5, n_bootstrap=1)
    for fault in ("n_bootstrap must", "model a: y_score is NaN", "model b: ",
                  "y_score is outside", "threshold must"):  # fmt: skip
        assert fault in str(caught.value)


def test_interval_of_a_very_good_model_reaches_beyond_its_score():
    rng = np.random.RandomState(5)
    groups = np.repeat(np.arange(10), 12)
    y_true = rng.binomial(1, 0.2, 120)
    logits = 4.0 * (y_true - 0.5) + rng.normal(size=120)
    logits += 0.5 * rng.normal(size=10)[groups]
    result = evaluate(y_true, 1 / (1 + np.exp(-logits)), groups=groups)
    for name in ("roc_auc", "average_precision"):
        low, high = result.interval(name)
        assert low < result.scores[name] < high < 1


def test_interval_of_a_specificity_near_1_counts_the_rows_of_class_0():
    groups = np.repeat(np.arange(10), 20)
    y_true = np.tile([1, 0, 0, 0, 0], 40)
    y_score = np.where(y_true, 0.9, 0.1)
    y_score[[1, 41]] = 0.8  # two of 160 others are called sclerotic
    low, high = evaluate(y_true, y_score, groups=groups).interval("specificity")
    assert low < 158 / 160 < high < 1
    assert high > 0.99


def test_one_error_bounds_a_score_little_less_than_none():
    y_true = np.repeat([0, 1], [500, 100])
    lows = []
    for n_wrong in (0, 1, 2):
        y_score = np.where(y_true, 0.9, 0.1)
        y_score[:n_wrong] = 0.8
        result = evaluate(y_true, y_score, groups=np.arange(600), n_bootstrap=200)
        lows.append(result.interval("specificity")[0])
    assert lows == sorted(lows, reverse=True)
    assert lows[-1] > 0.96
