"""Percentages a biopsy: agreement as in the textbook, each biopsy counted once."""

import json

import numpy as np
import pytest

from glomclf.errors import ScoreError
from glomclf.evaluation.biopsy import biopsy_agreement, percentage_agreement
from glomclf.evaluation.intervals import draw_replicates


def glomeruli(true, predicted, n_glomeruli=20):
    """Write out glomeruli of biopsies with these percentages."""
    y_true, y_score, groups = [], [], []
    for number, (share, called) in enumerate(zip(true, predicted, strict=True)):
        place = (np.arange(n_glomeruli) + 0.5) / n_glomeruli * 100
        y_true.append(place < share)
        y_score.append(np.where(place < called, 0.9, 0.1))
        groups.append(np.full(n_glomeruli, number))
    return (
        np.concatenate(y_true).astype(int),
        np.concatenate(y_score),
        np.concatenate(groups),
    )


TRUE = np.array([0, 5, 10, 15, 25, 30, 45, 60, 80, 100.0])
PREDICTED = np.array([5, 5, 20, 10, 30, 20, 50, 55, 90, 95.0])


def test_table_holds_one_row_a_biopsy_named_and_in_order():
    y_true, y_score, groups = glomeruli(TRUE, PREDICTED)
    names = np.array([f"biopsy {9 - g}" for g in groups])
    table = biopsy_agreement(y_true, y_score, names).table
    assert list(table.index) == [f"biopsy {n}" for n in range(10)]
    np.testing.assert_allclose(table["true"], TRUE[::-1])
    np.testing.assert_allclose(table["predicted"], PREDICTED[::-1])
    np.testing.assert_allclose(table["difference"], (PREDICTED - TRUE)[::-1])
    assert (table["n_glomeruli"] == 20).all()


def test_agreement_equals_the_textbook():
    agreement = biopsy_agreement(*glomeruli(TRUE, PREDICTED))
    difference = PREDICTED - TRUE
    spread = 1.96 * difference.std(ddof=1)
    assert agreement.scores["mean_absolute_error"] == pytest.approx(
        abs(difference).mean()
    )
    assert agreement.scores["bias"] == pytest.approx(difference.mean())
    assert agreement.scores["lower_limit"] == pytest.approx(difference.mean() - spread)
    assert agreement.scores["upper_limit"] == pytest.approx(difference.mean() + spread)


def test_icc_equals_the_analysis_of_variance():
    pairs = np.column_stack([TRUE, PREDICTED])
    n, k = pairs.shape
    rows = k * pairs.mean(axis=1).var(ddof=1)
    columns = n * pairs.mean(axis=0).var(ddof=1)
    residual = (
        pairs - pairs.mean(axis=1, keepdims=True) - pairs.mean(axis=0) + pairs.mean()
    )
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    icc = (rows - error) / (rows + (k - 1) * error + k / n * (columns - error))
    found = biopsy_agreement(*glomeruli(TRUE, PREDICTED)).scores["icc"]
    assert found == pytest.approx(icc)


def test_icc_counts_a_difference_in_level_that_a_correlation_ignores():
    shifted = biopsy_agreement(*glomeruli(TRUE[:8], TRUE[:8] + 20))
    assert shifted.scores["icc"] < 0.8
    assert np.corrcoef(shifted.table["true"], shifted.table["predicted"])[0, 1] > 0.999


def test_perfect_agreement_is_one_with_no_error():
    agreement = biopsy_agreement(*glomeruli(TRUE, TRUE))
    assert agreement.scores["icc"] == pytest.approx(1)
    assert agreement.scores["mean_absolute_error"] == agreement.scores["bias"] == 0
    assert "same in every replicate" in agreement.notes["bias"]


def test_cut_offs_count_biopsies_strictly_above():
    agreement = biopsy_agreement(*glomeruli([20, 20, 25, 50, 55], [25, 20, 20, 50, 60]))
    # Above 20 %: truly the last three; predicted the first and the last two.
    assert agreement.scores["recall_above_20"] == pytest.approx(2 / 3)
    assert agreement.scores["specificity_above_20"] == pytest.approx(1 / 2)
    assert agreement.scores["accuracy_above_20"] == pytest.approx(3 / 5)
    assert agreement.scores["accuracy_above_50"] == 1
    assert "exact bound" in agreement.notes["accuracy_above_50"]
    assert agreement.interval("accuracy_above_50") == pytest.approx(
        (0.025 ** (1 / 5), 1)
    )


def test_cut_off_that_no_biopsy_exceeds_is_undefined_with_a_note():
    agreement = biopsy_agreement(*glomeruli([10, 20, 30], [10, 30, 30]), cut_offs=[40])
    assert np.isnan(agreement.scores["recall_above_40"])
    assert "no biopsy lies on that side" in agreement.notes["recall_above_40"]
    assert list(agreement.scores)[5:] == [
        "recall_above_40",
        "specificity_above_40",
        "accuracy_above_40",
    ]


def test_biopsies_count_once_however_many_glomeruli_they_have():
    small, large = glomeruli([0, 50], [100, 50], 4), glomeruli([0], [0], 400)
    y_true, y_score = (np.r_[small[i], large[i]] for i in (0, 1))
    agreement = biopsy_agreement(y_true, y_score, np.r_[small[2], large[2] + 2])
    assert agreement.scores["mean_absolute_error"] == pytest.approx(100 / 3)


def test_intervals_are_cautioned_where_biopsies_are_few():
    few = biopsy_agreement(*glomeruli(TRUE[:4], PREDICTED[:4]))
    assert "there are 4 biopsies" in few.caution
    assert "Caution: there are 4" in str(few)
    assert biopsy_agreement(*glomeruli(TRUE, PREDICTED)).caution == ""


def test_one_biopsy_has_scores_but_no_interval():
    agreement = biopsy_agreement(*glomeruli([40], [60]))
    assert agreement.scores["mean_absolute_error"] == pytest.approx(20)
    assert np.isnan(agreement.scores["icc"])
    assert np.isnan(agreement.interval("bias")).all()
    assert agreement.notes["bias"] == "there is one participant only"


def test_bias_is_covered():
    rng = np.random.RandomState(0)
    replicates = draw_replicates(np.zeros(12, dtype=int), n_bootstrap=200)
    inside = 0
    for _ in range(200):
        true = rng.choice(np.arange(20, 80, 5), size=12)
        predicted = true + rng.choice([-10, -5, 0, 5, 20], size=12)
        found = percentage_agreement(true, predicted, replicates.weights)
        low, high = replicates.interval(found["bias"]).ends
        inside += low <= 2 <= high
    assert 0.91 <= inside / 200 <= 0.99


def test_summary_converts_to_json_and_prints():
    agreement = biopsy_agreement(*glomeruli(TRUE, PREDICTED))
    content = json.loads(json.dumps(agreement.to_dict(), allow_nan=False))
    assert content["table"][1] == {
        "participant": 1,
        "n_glomeruli": 20,
        "true": 5.0,
        "predicted": 5.0,
        "difference": 0.0,
    }
    assert content["cut_offs"] == [20, 50]
    assert str(agreement).startswith(
        "Percentage of globally sclerotic glomeruli, 10 biopsies, 200 glomeruli\n"
    )


def test_all_faults_are_named_at_once():
    with pytest.raises(ScoreError) as caught:
        biopsy_agreement(
            [0, 3], [0.5, 2.0], None, threshold=7, cut_offs=[0], n_bootstrap=1
        )
    for fault in ("threshold must", "cut_offs must", "groups is None",
                  "n_bootstrap must", "y_score is outside",
                  "y_true must be 0 or 1"):  # fmt: skip
        assert fault in str(caught.value)
