"""Intervals hold the truth as often as they say, and admit where they cannot."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glomclf.errors import ScoreError
from glomclf.evaluation.intervals import Scale, Statistic, draw_replicates
from glomclf.evaluation.participant_numbers import (
    effective_number,
    equal_number,
    exact_interval,
)

UNBOUNDED = Scale()


def bootstrap_estimates(statistic, n_participants, scale=UNBOUNDED, **options):
    """Resample participants, and make the interval of one score of them."""
    replicates = draw_replicates(np.zeros(n_participants, dtype=int), **options)
    return replicates.estimates(
        {"mean": Statistic(statistic(replicates.weights), scale)}
    )


def mean_of(values):
    """Make the statistic that is the weighted mean of one value a participant."""
    return lambda weights: weights @ values / weights.sum(axis=1)


def interval_of_mean(values, scale=UNBOUNDED, n_bootstrap=1000, seed=0, level=0.95):
    values = np.asarray(values, dtype=float)
    options = {"n_bootstrap": n_bootstrap, "confidence": level, "random_state": seed}
    return bootstrap_estimates(mean_of(values), len(values), scale, **options)


def test_interval_of_a_normal_mean_is_students():
    values = np.random.RandomState(0).normal(size=200)
    low, high = interval_of_mean(values).intervals["mean"]
    reach = stats.t.ppf(0.975, 199) * values.std(ddof=1) / np.sqrt(200)
    assert (high - low) / 2 == pytest.approx(reach, rel=0.06)
    assert (high + low) / 2 == pytest.approx(values.mean())


@pytest.mark.parametrize("n_participants", [6, 15])
def test_mean_of_few_participants_is_covered(n_participants):
    """The mechanism in small; examples/benchmarks/interval_coverage.py in full."""
    values = np.random.RandomState(0).normal(size=(n_participants, 1000))
    replicates = draw_replicates(np.zeros(n_participants, dtype=int), n_bootstrap=400)
    weights = replicates.weights / replicates.weights.sum(axis=1, keepdims=True)
    low, high = replicates.ends(weights @ values, UNBOUNDED)
    assert 0.93 <= np.mean((low <= 0) & (high >= 0)) <= 0.98


def test_plain_percentiles_would_not_do():
    rng = np.random.RandomState(0)
    inside = 0
    for _ in range(400):
        values = rng.normal(size=6)
        replicates = rng.choice(values, size=(200, 6)).mean(axis=1)
        low, high = np.quantile(replicates, [0.025, 0.975])
        inside += low <= 0 <= high
    assert inside / 400 < 0.90


def test_one_dominating_participant_widens_the_interval():
    even = interval_of_mean(np.r_[np.arange(20) - 9.5])
    uneven = interval_of_mean(np.r_[np.zeros(19), 9.5 * np.sqrt(20)])
    assert uneven.n_effective["mean"] < 3 < 15 < even.n_effective["mean"]
    assert np.ptp(uneven.intervals["mean"]) > np.ptp(even.intervals["mean"])


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=12).filter(
        lambda v: np.ptp(v) > 0.01
    ),
    st.floats(0.5, 0.99),
)
@settings(max_examples=40, deadline=None)
def test_interval_holds_the_estimate_and_keeps_to_the_range(values, level):
    estimates = interval_of_mean(values, Scale(0, 1), n_bootstrap=100, level=level)
    low, high = estimates.intervals["mean"]
    assert 0 <= low <= estimates.scores["mean"] <= high <= 1


def test_interval_narrows_with_less_confidence_and_repeats_for_a_seed():
    values = np.random.RandomState(0).normal(size=12)
    wide = interval_of_mean(values).intervals["mean"]
    assert np.ptp(interval_of_mean(values, level=0.5).intervals["mean"]) < np.ptp(wide)
    assert interval_of_mean(values).intervals["mean"] == wide
    assert interval_of_mean(values, seed=1).intervals["mean"] != wide


def test_replicates_keep_the_number_of_each_stratum():
    strata = np.array([0] * 5 + [1] * 2 + [2])
    weights = draw_replicates(strata, n_bootstrap=150).weights
    whole, drawn, left_out = weights[:1], weights[1:151], weights[151:]
    np.testing.assert_array_equal(whole, 1)
    for stratum, size in ((0, 5), (1, 2), (2, 1)):
        np.testing.assert_array_equal(drawn[:, strata == stratum].sum(axis=1), size)
    assert drawn.max() > 1
    np.testing.assert_array_equal(np.sort(left_out.sum(axis=0)), 7)


def test_many_units_are_left_out_in_blocks():
    values = np.random.RandomState(0).normal(size=1000)
    replicates = draw_replicates(np.zeros(1000, dtype=int), n_bootstrap=300)
    assert replicates.weights.shape == (1 + 300 + 200, 1000)
    ends = replicates.interval(Statistic(mean_of(values)(replicates.weights))).ends
    reach = stats.norm.ppf(0.975) * values.std() / np.sqrt(1000)
    assert np.ptp(ends) / 2 == pytest.approx(reach, rel=0.15)


def undefined_if(condition):
    def statistic(weights):
        mean = weights @ np.arange(6.0) / weights.sum(axis=1)
        return np.where(condition(weights), np.nan, mean)

    return statistic


@pytest.mark.parametrize(
    ("statistic", "n_participants", "note"),
    [
        (undefined_if(lambda w: w[:, 0] > -1), 6, "the score is undefined"),
        (
            undefined_if(lambda w: w[:, 0] == 0),
            6,
            "without one of the participants the score is undefined",
        ),
        (
            undefined_if(lambda w: w[:, 0] > 1),
            6,
            "the score is undefined in 2[0-9]% of the replicates",
        ),
        (mean_of(np.ones(6)), 6, "the score is the same in every replicate"),
        (mean_of(np.ones(1)), 1, "there is one participant only"),
    ],
)
def test_where_no_interval_can_be_given_a_note_says_why(
    statistic, n_participants, note
):
    estimates = bootstrap_estimates(statistic, n_participants)
    assert np.isnan(estimates.intervals["mean"]).all()
    assert np.isnan(estimates.n_effective["mean"])
    assert list(estimates.notes) == ["mean"]
    assert re.fullmatch(note, estimates.notes["mean"])


def test_biased_score_has_an_interval_rid_of_the_bias():
    rng = np.random.RandomState(0)
    noise = rng.normal(size=(30, 10))  # ten bins whose true gaps are all 0

    def statistic(weights):
        gaps = weights @ noise / weights.sum(axis=1, keepdims=True)
        return np.abs(gaps).mean(axis=1)

    estimates = bootstrap_estimates(statistic, 30, Scale(0, 1, biased=True))
    low, high = estimates.intervals["mean"]
    assert estimates.scores["mean"] > 0.1
    assert low == 0
    assert 0 < high < 2 * estimates.scores["mean"]


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20))
def test_effective_number_lies_between_two_and_all(parts):
    assert 2 - 1e-6 <= effective_number(np.array(parts)) <= len(parts)


def test_numbers_of_equal_participants():
    assert equal_number([7, 7, 7, 7]) == pytest.approx(4)
    assert equal_number([100, 0, 0]) == pytest.approx(1)
    assert equal_number([0, 0]) == 0


def test_exact_interval_is_clopper_and_pearsons():
    exact = stats.binomtest(12, 12).proportion_ci(0.95, method="exact")
    assert exact_interval(1.0, [5] * 12, 0.95) == pytest.approx((exact.low, 1.0))
    exact = stats.binomtest(0, 12).proportion_ci(0.9, method="exact")
    assert exact_interval(0.0, [5] * 12, 0.9) == pytest.approx((0.0, exact.high))


def test_of_differences_the_range_is_twice_as_wide():
    a, b = (Statistic(np.full(3, value), Scale(-1, 0)) for value in (-0.5, -0.25))
    assert (b - a).scale == Scale(-1, 1)
    assert (b - a).values.tolist() == [0.25] * 3


@given(
    n_participants=st.integers(5, 40),
    n_rows=st.integers(1, 20),
    n_wrong=st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_intervals_of_proportions_hold_the_score_within_the_range(
    n_participants, n_rows, n_wrong
):
    right = np.full(n_participants, float(n_rows))
    right[:n_wrong] -= 1
    estimates = interval_of_mean(right / n_rows, Scale(0, 1), n_bootstrap=100)
    low, high = estimates.intervals["mean"]
    if n_wrong < n_participants:  # else all participants are alike
        assert 0 < low < estimates.scores["mean"] < high <= 1


def test_bad_settings_are_named_at_once():
    with pytest.raises(ScoreError, match=r"(?s)got 99\n.*confidence .* got 95"):
        interval_of_mean([1, 2, 3], n_bootstrap=99, level=95)
