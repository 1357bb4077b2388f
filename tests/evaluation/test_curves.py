"""Curves agree with scikit-learn, bands with the replicates of the intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from glomclf.errors import ScoreError
from glomclf.evaluation.curves import evaluation_curves
from glomclf.evaluation.evaluation import evaluate

BANDS = pytest.mark.parametrize("kind", ["roc", "precision_recall"])


def roc_band(*arguments, **options):
    return evaluation_curves(*arguments, **options).roc


def precision_recall_band(*arguments, **options):
    return evaluation_curves(*arguments, **options).precision_recall


def reliability_bins(*arguments, **options):
    return evaluation_curves(*arguments, **options).reliability


@pytest.fixture
def compute(kind):
    return lambda *arguments, **options: getattr(
        evaluation_curves(*arguments, **options), kind
    )


def clustered(n_participants=20, n_patches=15, seed=0):
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_participants), n_patches)
    y_true = rng.binomial(1, rng.beta(1, 3, n_participants)[groups])
    logits = 2.5 * (y_true - 0.5) + rng.normal(size=len(groups))
    logits += 0.8 * rng.normal(size=n_participants)[groups]
    return y_true, 1 / (1 + np.exp(-logits)), groups


@pytest.fixture(scope="module")
def data():
    return clustered()


def test_roc_curve_is_that_of_scikit_learn(data):
    y_true, y_score, groups = data
    fpr, tpr, _ = roc_curve(y_true, y_score, drop_intermediate=False)
    band = roc_band(y_true, y_score, groups=groups, n_bootstrap=100)
    np.testing.assert_allclose(band.x, fpr)
    np.testing.assert_allclose(band.y, tpr)
    assert band.area == pytest.approx(roc_auc_score(y_true, y_score))


def test_area_under_precision_recall_is_the_average_precision(data):
    y_true, y_score, groups = data
    band = precision_recall_band(y_true, y_score, groups=groups, n_bootstrap=100)
    assert band.area == pytest.approx(average_precision_score(y_true, y_score))
    steps = np.diff(band.x, prepend=0)
    assert steps @ band.y == pytest.approx(band.area)


@pytest.mark.parametrize(
    ("kind", "score"),
    [("roc", "roc_auc"), ("precision_recall", "average_precision")],
)
def test_interval_of_the_area_is_that_of_evaluate(data, compute, score):
    y_true, y_score, groups = data
    wanted = evaluate(y_true, y_score, groups=groups, n_bootstrap=200).interval(score)
    band = compute(y_true, y_score, groups=groups, n_bootstrap=200)
    assert band.area_interval == pytest.approx(wanted)


def test_one_class_has_reliability_and_no_curves(data):
    _, y_score, groups = data
    found = evaluation_curves(np.zeros(len(groups)), y_score, groups=groups)
    assert found.roc is found.precision_recall is None
    assert found.reliability.n_rows.sum() == len(groups)


@BANDS
def test_band_holds_the_curve(data, compute, kind):
    y_true, y_score, groups = data
    band = compute(y_true, y_score, groups=groups, n_bootstrap=100)
    if kind == "roc":
        curve = np.interp(band.grid + 1e-9, band.x, band.y)
    else:
        curve = band.y[np.searchsorted(band.x, np.maximum(band.grid - 1e-9, 1e-9))]
    assert (band.low <= curve + 1e-12).all()
    assert (curve <= band.high + 1e-12).all()
    assert ((band.low >= 0) & (band.high <= 1)).all()


def test_roc_band_does_not_fall_and_ends_in_the_corner(data):
    y_true, y_score, groups = data
    band = roc_band(y_true, y_score, groups=groups, n_bootstrap=100)
    assert (np.diff(band.low) >= 0).all()
    assert (np.diff(band.high) >= 0).all()
    assert band.low[-1] == band.high[-1] == 1


@BANDS
def test_band_is_wider_where_rows_of_a_participant_are_alike(data, compute):
    y_true, y_score, _ = data
    twice = [np.repeat(values, 4) for values in (y_true, y_score)]
    owners = np.repeat(np.arange(len(y_true)), 4)
    honest = compute(*twice, groups=owners, n_bootstrap=200)
    blind = compute(*twice, n_bootstrap=200)
    width = [np.nanmean(band.high - band.low) for band in (honest, blind)]
    assert width[0] > 1.5 * width[1]


@BANDS
def test_same_seed_gives_the_same_band_and_row_order_does_not_matter(data, compute):
    y_true, y_score, groups = data
    shuffled = np.random.RandomState(1).permutation(len(y_true))
    one = compute(y_true, y_score, groups=groups, n_bootstrap=100)
    other = compute(
        y_true[shuffled], y_score[shuffled], groups=groups[shuffled], n_bootstrap=100
    )
    np.testing.assert_allclose(one.low, other.low)
    np.testing.assert_allclose(one.high, other.high)


def test_ties_of_all_probabilities_give_the_diagonal(data):
    y_true, _, groups = data
    band = roc_band(y_true, np.full(len(y_true), 0.5), groups=groups, n_bootstrap=100)
    assert band.x.tolist() == band.y.tolist() == [0, 1]
    np.testing.assert_allclose(band.low, band.grid, atol=1e-6)
    np.testing.assert_allclose(band.high, band.grid, atol=1e-6)


def test_perfect_separation_keeps_the_exact_bound():
    y_true = np.tile([0, 1], 10)
    band = roc_band(y_true, y_true * 0.8 + 0.1, groups=np.repeat(range(10), 2))
    assert band.low[0] == pytest.approx(0.025 ** (1 / 10))
    assert band.high[0] == 1


def test_one_participant_has_a_curve_but_no_band_inside_it(data):
    y_true, y_score, _ = data
    band = precision_recall_band(y_true, y_score, groups=np.zeros(len(y_true)))
    inside = (band.y > 0) & (band.y < 1)
    assert inside.any()
    assert np.isnan(band.low[50])
    assert np.isnan(band.area_interval).all()


@BANDS
def test_class_of_one_participant_leaves_the_area_without_an_interval(data, compute):
    y_true, y_score, groups = data
    keep = (y_true == 0) | (groups == groups[y_true == 1][0])
    band = compute(y_true[keep], y_score[keep], groups=groups[keep], n_bootstrap=100)
    assert np.isfinite(band.area)
    assert np.isnan(band.area_interval).all()


def test_all_faults_of_the_input_are_told_at_once():
    with pytest.raises(ScoreError) as caught:
        evaluation_curves([0, 2], [0.5, np.nan], n_bootstrap=3)
    for fault in ("y_true must be 0 or 1", "NaN", "n_bootstrap"):
        assert fault in str(caught.value)


def test_reliability_bins_hold_every_row_once(data):
    y_true, y_score, groups = data
    bins = reliability_bins(y_true, y_score, groups=groups)
    assert bins.n_rows.sum() == len(y_true)
    assert bins.n_rows @ bins.frequency == pytest.approx(y_true.sum())
    assert bins.n_rows @ bins.probability == pytest.approx(y_score.sum())
    assert (np.diff(bins.probability) > 0).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_reliability_intervals_hold_the_frequency(scores):
    y_true = np.arange(len(scores)) % 2
    bins = reliability_bins(y_true, scores, n_bootstrap=100)
    known = ~np.isnan(bins.low)
    assert (bins.low <= bins.frequency)[known].all()
    assert (bins.high >= bins.frequency)[known].all()


def test_bin_of_one_class_has_the_exact_bound_of_its_participants():
    y_true, groups = [0, 0, 0, 0, 1, 1], list("aabbcd")
    bins = reliability_bins(y_true, [0.1, 0.1, 0.1, 0.1, 0.9, 0.9], groups=groups)
    low = 0.025 ** (1 / 2)
    np.testing.assert_allclose(bins.high, [1 - low, 1])
    np.testing.assert_allclose(bins.low, [0, low])
