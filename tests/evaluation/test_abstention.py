"""Leaving glomeruli to a person, with a promise of how many are missed."""

import numpy as np
import pytest
from scipy.special import expit

from glomclf.errors import ScoreError
from glomclf.evaluation import OutOfFoldRecord, choose_abstention


def record_of(n_participants, spread=2.0, each=30, seed=0):
    """Participants whose probabilities are shifted, each by its own."""
    rng = np.random.default_rng(seed)
    shift = np.repeat(rng.normal(0, spread, n_participants), each)
    y = (rng.random(len(shift)) < 0.4).astype(int)
    y[::each] = 1
    scores = expit(rng.normal(5 * y - 2.5, 1.2) + shift)
    groups = np.repeat(np.arange(n_participants), each)
    return OutOfFoldRecord.from_predictions(y, scores, groups)


def miss_rate(found, record):
    """The mean over participants of the share missed among those answered."""
    is_one = record.label == 1
    missed = is_one & (record.probability < found.low)
    answered = is_one & ~found.is_left(record.probability)
    n_missed, n_answered = (
        np.bincount(record.participant, k) for k in (missed, answered)
    )
    return (n_missed / np.maximum(n_answered, 1)).mean()


def test_the_promise_is_kept_for_most_records_where_patches_break_it():
    population = record_of(3000, seed=99)
    kept = {"participants": 0, "patches": 0}
    for seed in range(60):
        record = record_of(80, seed=seed)
        alone = OutOfFoldRecord(
            record.probability, record.label, np.arange(len(record.label))
        )
        for name, one in (("participants", record), ("patches", alone)):
            found = choose_abstention(one)
            kept[name] += miss_rate(found, population) <= 0.05
    assert kept["participants"] >= 57
    assert kept["patches"] < 57


def test_on_average_more_is_answered_and_the_mean_is_kept():
    population = record_of(3000, seed=99)
    rates = []
    for seed in range(40):
        record = record_of(80, seed=seed)
        found = choose_abstention(record, confidence=None)
        assert found.low >= choose_abstention(record).low
        rates.append(miss_rate(found, population))
    assert np.mean(rates) < 0.05


def test_the_share_left_is_that_between_the_thresholds():
    record = record_of(80)
    found = choose_abstention(record, threshold=0.6)
    assert 0 < found.low < found.high == 0.6
    left = found.is_left(record.probability)
    assert found.share_left == left.mean() > 0
    assert miss_rate(found, record) < 0.05
    np.testing.assert_array_equal(found.is_left([0.0, found.low, 0.6]), [0, 1, 0])


def test_nothing_is_left_where_nothing_is_missed():
    y, groups = np.tile([0, 1], 60), np.repeat(np.arange(60), 2)
    record = OutOfFoldRecord.from_predictions(y, 0.1 + 0.8 * y, groups)
    found = choose_abstention(record)
    assert (found.low, found.share_left) == (0.5, 0)


def test_ties_are_not_missed_together():
    """Sixty of whom one is missed: two with one probability are one too many."""
    scores = np.full(60, 0.9)
    scores[:2] = 0.2
    record = OutOfFoldRecord.from_predictions(np.ones(60, int), scores, np.arange(60))
    assert choose_abstention(record, max_miss=0.05).low == 0.2


@pytest.mark.parametrize(("n", "confidence"), [(59, 0.95), (19, None)])
def test_the_fewest_participants_of_a_promise(n, confidence):
    y = np.ones(n, int)
    record = OutOfFoldRecord.from_predictions(y, 0.9 * y, np.arange(n))
    assert choose_abstention(record, confidence=confidence).n_participants == n
    fewer = OutOfFoldRecord.from_predictions(y[1:], 0.9 * y[1:], np.arange(n - 1))
    with pytest.raises(ScoreError, match=rf"has {n - 1} participants .* on average"):
        choose_abstention(fewer, confidence=confidence)


def test_no_sclerotic_glomeruli_promise_nothing():
    record = OutOfFoldRecord.from_predictions([0, 0], [0.1, 0.2], [0, 1])
    with pytest.raises(ScoreError, match=r"has 0 .* promise 1\.000 at least"):
        choose_abstention(record)


def test_all_faults_are_told_at_once():
    with pytest.raises(ScoreError, match=r"(?s)threshold.*max_miss.*confidence"):
        choose_abstention(record_of(3), threshold=2, max_miss=0, confidence=1)
