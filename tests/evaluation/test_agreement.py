"""Published values to the printed digit, and intervals that respect participants."""

import numpy as np
import pandas as pd
import pytest

from glomclf.errors import ScoreError
from glomclf.evaluation.agreement import reader_agreement
from glomclf.evaluation.readings import Readings, icc

_ = np.nan
# Gwet KL. Handbook of Inter-Rater Reliability, 4th ed. 2014; cac.raw4raters of irrCAC.
FOUR_RATERS = [
    [1, 1, _, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [_, 5, 5, 5], [_, _, 1, 1], [_, _, 3, _],
]  # fmt: skip
# Fleiss JL. Psychological Bulletin 1971;76:378-382: what six psychiatrists say of each.
DIAGNOSES = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555
144444 124444 222333 144444 224445 333335 111455 111112 224444 133555 555555 244444
224555 114444 144445 222224 111155 224444 133333 555555"""
# Shrout PE, Fleiss JL. Psychological Bulletin 1979;86:420-428, table 2.
FOUR_JUDGES = np.array(
    [
        [9, 2, 5, 8],
        [6, 1, 3, 2],
        [8, 4, 6, 8],
        [7, 1, 2, 6],
        [10, 5, 6, 9],
        [6, 2, 4, 7],
    ]
)


def readings(labels, categories):
    labels = np.array(labels, dtype=float)
    return Readings(labels, np.arange(len(labels)), tuple(categories))


def test_gwets_example_with_blanks_to_the_printed_digit():
    scores = readings(FOUR_RATERS, range(1, 6)).together(np.ones((1, 12)))
    assert round(scores["gwet_ac1"][0], 5) == 0.77544
    assert round(scores["fleiss_kappa"][0], 5) == 0.76117
    assert round(scores["percent_agreement"][0], 7) == 0.8181818


def test_fleiss_example_to_the_printed_digit():
    labels = [list(map(int, patient)) for patient in DIAGNOSES.split()]
    scores = readings(labels, range(1, 6)).together(np.ones((1, 30)))
    assert round(scores["fleiss_kappa"][0], 7) == 0.4302445


@pytest.mark.parametrize(
    ("table", "kappa", "digits"),
    [
        # Agreement of two abstractors, in Gwet's Handbook.
        ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], 0.7964094, 7),
        # SAS/STAT's worked example, simple kappa.
        ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], 0.4842, 4),
    ],
)
def test_cohens_kappa_of_published_tables(table, kappa, digits):
    labels = [(a, b) for a in range(3) for b in range(3) for _ in range(table[a][b])]
    found = readings(labels, range(3)).cohen(np.ones((1, len(labels))), 0, 1)
    assert round(found[0], digits) == kappa


def test_shrout_and_fleiss_icc_to_the_printed_digit():
    assert round(icc(FOUR_JUDGES.astype(float), np.ones((1, 6)))[0], 3) == 0.290


def test_weights_count_participants_as_often_as_they_are_drawn():
    rng = np.random.RandomState(0)
    labels, codes = rng.binomial(1, 0.4, (60, 3)).astype(float), np.arange(60) // 6
    labels[rng.rand(60, 3) < 0.2] = np.nan
    weights = rng.multinomial(10, [0.1] * 10, 1).astype(float)
    rows = np.repeat(np.arange(60), weights[0].astype(int)[codes])
    drawn = Readings(labels[rows], np.arange(len(rows)))
    whole, ones = Readings(labels, codes), np.ones((1, len(rows)))
    for name, value in whole.together(weights).items():
        assert value == pytest.approx(drawn.together(ones)[name])
    assert whole.cohen(weights, 0, 2) == pytest.approx(drawn.cohen(ones, 0, 2))
    complete = np.isfinite(whole.percentages()).all(axis=1)
    times = (weights[0] * complete).astype(int)
    table = np.repeat(whole.percentages(), times, axis=0)
    assert icc(whole.percentages(), weights) == pytest.approx(
        icc(table, np.ones((1, len(table))))
    )


def simulated(n_participants=30, n_patches=12, error=0.1, seed=0):
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_participants), n_patches)
    truth = rng.binomial(1, rng.beta(1, 2, n_participants)[groups])
    labels = {
        name: np.abs(truth - rng.binomial(1, error, len(truth))).astype(float)
        for name in "ABC"
    }
    labels["C"][::5] = np.nan
    return pd.DataFrame(labels), groups, truth


def test_all_readers_pairs_and_the_model_are_told_of():
    readers, groups, truth = simulated()
    found = reader_agreement(readers, groups=groups, model=truth, n_bootstrap=100)
    pairs = ["kappa A / B", "kappa A / C", "kappa B / C"]
    assert found.scores["mean_kappa"] == pytest.approx(
        np.mean([found.scores[name] for name in pairs])
    )
    assert found.scores["model_difference"] > 0.05  # truth is closer to each of them
    assert found.interval("model_difference")[0] > 0
    assert all(np.isfinite(ends).all() for ends in found.intervals.values())
    assert found.counts["C"][0] == readers["C"].count()
    assert (found.n_samples, found.n_participants, found.caution) == (360, 30, "")


def test_intervals_are_wider_where_patches_of_a_participant_are_alike():
    readers, groups, _ = simulated()
    hard = groups % 3 == 0
    readers.loc[hard, "A"] = 1 - readers.loc[hard, "B"]
    by_participant = reader_agreement(readers, groups=groups, n_bootstrap=100)
    by_patch = reader_agreement(readers, n_bootstrap=100)
    widths = [np.ptp(one.interval("kappa A / B")) for one in (by_participant, by_patch)]
    assert widths[0] > 1.5 * widths[1]
    assert "no participants were given" in by_patch.caution
    assert "icc" not in by_patch.scores


def test_agreement_without_exception_has_an_exact_bound():
    labels = np.arange(60) % 2
    found = reader_agreement(
        {"A": labels, "B": labels}, groups=np.arange(60) // 3, n_bootstrap=100
    )
    assert found.scores["gwet_ac1"] == 1
    low, high = found.interval("percent_agreement")
    assert (round(low, 3), high) == (0.832, 1.0)


def test_readers_who_never_say_one_have_no_kappa():
    found = reader_agreement(
        {"A": np.zeros(40), "B": np.zeros(40)},
        groups=np.arange(40) // 4,
        n_bootstrap=100,
    )
    assert np.isnan(found.scores["fleiss_kappa"])
    assert "all are called alike" in found.notes["kappa A / B"]


def test_everything_wrong_is_named_at_once():
    with pytest.raises(ScoreError) as caught:
        reader_agreement(
            {"A": [0, 2, 1], "B": [np.nan] * 3}, groups=["a", "b"], model=[0, 1, 3]
        )
    for told in ("reader 'A'", "reader 'B' has read no", "groups must", "model must"):
        assert told in str(caught.value)
