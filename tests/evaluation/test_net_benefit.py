"""Every threshold with what it brings; the net benefit is that of the literature."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from glomclf.errors import ScoreError
from glomclf.evaluation.biopsy import biopsy_agreement
from glomclf.evaluation.net_benefit import threshold_table
from glomclf.evaluation.thresholds import even_odds


def clustered(seed=0):
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(20), 20)
    y = rng.binomial(1, rng.beta(1, 2, 20)[groups])
    logits = 3 * (y - 0.5) + rng.normal(size=400)
    return y, 1 / (1 + np.exp(-logits)), groups


# Family history as a test for prostate cancer: net benefits that the authors of
# decision curve analysis publish with their package dcurves (750 patients, of whom 105
# have cancer; 24 of these and 91 of the others have the history).
FAMILY_HISTORY = {
    0.05: (0.025614035087719297, 0.09473684210526317),
    0.10: (0.018518518518518517, 0.04444444444444445),
    0.15: (0.010588235294117645, -0.011764705882352927),
    0.20: (0.0016666666666666635, -0.07499999999999998),
    0.25: (-0.008444444444444449, -0.1466666666666666),
}


def test_net_benefit_is_that_of_the_published_example():
    y_true = np.repeat([1, 1, 0, 0], [24, 81, 91, 554])
    y_score = np.repeat([0.99, 0.01, 0.99, 0.01], [24, 81, 91, 554])
    cuts = list(FAMILY_HISTORY)
    table = threshold_table(y_true, y_score, thresholds=cuts, n_bootstrap=100)
    found = table[["net_benefit", "net_benefit_all"]].to_numpy()
    assert found == pytest.approx(np.array(list(FAMILY_HISTORY.values())))


def test_every_threshold_has_the_scores_of_that_threshold():
    y, y_score, groups = clustered()
    cuts = [0.2, 0.5, 0.7]
    table = threshold_table(y, y_score, groups=groups, thresholds=cuts)
    assert table.index.tolist() == cuts
    for cut, row in table.iterrows():
        called = (y_score >= cut).astype(int)
        assert row["recall"] == pytest.approx(recall_score(y, called))
        assert row["precision"] == pytest.approx(precision_score(y, called))
        assert row["f1"] == pytest.approx(f1_score(y, called))
        biopsies = biopsy_agreement(y, y_score, groups, threshold=cut)
        error = biopsies.scores["mean_absolute_error"]
        assert row["percentage_error"] == pytest.approx(error)
        assert row["net_benefit_low"] < row["net_benefit"] < row["net_benefit_high"]


def test_intervals_of_net_benefit_are_wider_for_participants_than_for_rows():
    y, y_score, groups = clustered()
    options = {"thresholds": [0.3], "n_bootstrap": 200}
    known = threshold_table(y, y_score, groups=groups, **options)
    alone = threshold_table(y, y_score, **options)
    assert "percentage_error" not in alone
    wide, narrow = (
        (one["net_benefit_high"] - one["net_benefit_low"]).item()
        for one in (known, alone)
    )
    assert wide > 1.2 * narrow


def test_without_class_1_or_calls_scores_are_undefined():
    table = threshold_table([0, 0, 0], [0.1, 0.2, 0.3], thresholds=[0.25, 0.9])
    assert table["recall"].isna().all()
    assert table["f1"].isna().all()
    assert table["precision"].isna().tolist() == [False, True]


def test_thresholds_without_odds_are_refused():
    with pytest.raises(ScoreError, match=r"in \(0, 1\)"):
        threshold_table([0, 1], [0.2, 0.7], thresholds=[0.5, 1.0])


def test_even_odds_of_a_calibrated_model_are_at_a_half():
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(50), 40)
    truth = rng.uniform(size=2000)
    y = rng.binomial(1, truth)
    options = {"groups": groups, "n_bootstrap": 200}
    found = even_odds(y, truth, **options)
    low, high = found.interval("threshold")
    assert low < 0.5 < high
    assert found.scores["share_at_half"] == pytest.approx(0.5, abs=0.05)
    shifted = even_odds(
        y, truth / (truth + (1 - truth) / 9), groups=groups, n_bootstrap=200
    )
    low, high = shifted.interval("threshold")
    assert low < 0.9 < high
    assert low > 0.8
    assert shifted.scores["share_at_half"] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("y", [[0] * 6, [0, 0, 0, 1, 1, 1], [1, 1, 0, 1, 0, 0]])
def test_even_odds_that_do_not_exist_are_not_made_up(y):
    found = even_odds(y, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], n_bootstrap=100)
    assert np.isnan(found.scores["threshold"])
    assert np.isnan(found.interval("threshold")).all()
