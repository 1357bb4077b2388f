"""Percentages of new biopsies: two intervals, verdicts, and what a record is for."""

import numpy as np
import pytest
from scipy.special import expit, logit

from glomclf.errors import ScoreError
from glomclf.evaluation import OutOfFoldRecord, is_borderline, summarize_biopsies


def _record(n_participants=12, size=15, spread=0.5, seed=0):
    """Participants whose probabilities are off by a number of logits of their own."""
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_participants), size)
    share = rng.beta(1, 2, n_participants)[groups]
    label = (rng.random_sample(len(groups)) < share).astype(int)
    logits = 4 * (2 * label - 1) + 1.5 * rng.standard_normal(len(groups))
    logits += spread * rng.standard_normal(n_participants)[groups]
    return OutOfFoldRecord.from_predictions(label, expit(logits), groups)


@pytest.fixture(autouse=True)
def fewer_proposals(monkeypatch):
    """Nearly all the time goes into what the posterior is drawn from."""
    monkeypatch.setattr("glomclf.evaluation.biopsy_calibration._N_PROPOSALS", 250)


@pytest.fixture(scope="module")
def record():
    """One record: its calibration is fitted for each call that has it."""
    return _record()


def test_both_intervals_hold_the_estimate_and_that_of_the_kidney_is_wider(record):
    p = np.array([0.99] * 4 + [0.01] * 10 + [0.5, 0.6])
    found = summarize_biopsies(p, ["a"] * 16, record).table.loc["a"]
    assert found["n_predicted"] == 6
    assert found["biopsy_low"] <= found["estimate"] <= found["biopsy_high"]
    assert found["kidney_low"] < found["biopsy_low"]
    assert found["kidney_high"] > found["biopsy_high"]
    assert found["adequacy"] == "10 to 24"


def test_a_biopsy_is_judged_alike_whatever_biopsies_are_beside_it(record):
    p = np.array([0.9, 0.2, 0.4, 0.1, 0.1, 0.8])
    alone = summarize_biopsies(p[:3], list("bbb"), record).table
    beside = summarize_biopsies(p, list("bbbaac"), record).table
    assert beside.loc[["b"]].equals(alone)


def test_verdicts_follow_the_interval(record):
    sclerotic, none, mixed = [0.999] * 30, [0.001] * 60, [0.999] + [0.001] * 4
    p, groups = sclerotic + none + mixed, ["s"] * 30 + ["n"] * 60 + ["m"] * 5
    table = summarize_biopsies(p, groups, record).table
    verdicts = table["kidney_verdict_20"].to_dict()
    assert verdicts == {"s": "above", "n": "below", "m": "uncertain"}
    assert table.loc["s", "kidney_probability_above_50"] > 0.99
    assert table["adequacy"].tolist() == ["fewer than 10", "25 or more", "25 or more"]


def test_people_who_differ_more_widen_the_interval_of_the_biopsy():
    p, groups = np.linspace(0.05, 0.95, 40), ["a"] * 40
    widths = []
    for spread in (0, 3):
        table = summarize_biopsies(p, groups, _record(30, spread=spread)).table
        widths.append((table["biopsy_high"] - table["biopsy_low"]).item())
    assert widths[1] > 1.5 * widths[0]


def test_probabilities_that_are_too_low_are_read_as_the_record_teaches():
    honest = _record(20, spread=0)
    logits = logit(honest.probability) - 5
    low = OutOfFoldRecord(expit(logits), honest.label, honest.participant)
    table = summarize_biopsies([0.3] * 8 + [0.0002] * 8, ["a"] * 16, low).table
    assert table["predicted"].item() == 0
    assert 40 < table["estimate"].item() < 60


def test_without_a_record_sampling_alone_is_told_and_what_is_missing():
    found = summarize_biopsies([0.9, 0.1], ["a", "a"])
    row = found.table.loc["a"]
    assert found.missing == "the model keeps no record of people it had not seen"
    assert np.isnan(row[["estimate", "biopsy_low", "kidney_high"]].astype(float)).all()
    assert row["kidney_verdict_20"] == "not known"
    assert 0 < row["sampling_low"] < 50 < row["sampling_high"] < 100


def test_a_record_of_single_glomeruli_tells_nothing_of_people():
    alone = OutOfFoldRecord.from_predictions([0, 1] * 9, [0.2, 0.7] * 9, range(18))
    found = summarize_biopsies([0.9], ["a"], alone)
    assert "has 0 participants with several glomeruli" in found.missing


def test_all_faults_are_told_at_once():
    with pytest.raises(ScoreError) as error:
        summarize_biopsies([2.0], ["a"], cut_offs=[0], confidence=1, threshold=7)
    for fault in ("outside [0, 1]", "cut_offs", "confidence", "threshold"):
        assert fault in str(error.value)


def test_a_borderline_probability_lies_within_a_factor_of_4_of_the_odds():
    assert is_borderline([0.19, 0.21, 0.79, 0.81], 0.5).tolist() == [0, 1, 1, 0]
    assert is_borderline([0.1, 0.6, 0.95], 0.8).tolist() == [0, 1, 0]
