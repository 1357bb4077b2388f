"""Displays of an evaluation draw the numbers they are given."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.svm import LinearSVC

from glomclf.errors import ScoreError
from glomclf.evaluation.biopsy import biopsy_agreement
from glomclf.evaluation.curves import evaluation_curves
from glomclf.report.displays import (
    BiopsyPercentageDisplay,
    BlandAltmanDisplay,
    PrecisionRecallBandDisplay,
    ReliabilityDisplay,
    RocBandDisplay,
)

GROUPED = (
    RocBandDisplay,
    PrecisionRecallBandDisplay,
    ReliabilityDisplay,
    BiopsyPercentageDisplay,
    BlandAltmanDisplay,
)


def axes():
    return Figure().subplots()


@pytest.fixture(scope="module")
def rows():
    rng = np.random.RandomState(0)
    groups = np.repeat([f"p{n}" for n in range(12)], 10)
    y_true = rng.binomial(1, 0.3, 120)
    X = (y_true + rng.normal(size=120))[:, None]
    return X, y_true, groups


@pytest.fixture(scope="module")
def fitted(rows):
    X, y_true, _ = rows
    return LogisticRegression().fit(X, np.where(y_true, "sclerotic", "other"))


@pytest.mark.parametrize("display", GROUPED)
def test_from_estimator_draws_what_from_predictions_draws(display, rows, fitted):
    X, y_true, groups = rows
    y_score = fitted.predict_proba(X)[:, list(fitted.classes_).index("sclerotic")]
    labels = np.where(y_true, "sclerotic", "other")
    options = {"groups": groups, "n_bootstrap": 100}
    one = display.from_estimator(fitted, X, labels, ax=axes(), **options)
    other = display.from_predictions(y_true, y_score, ax=axes(), **options)
    drawn = "points_" if hasattr(one, "points_") else "line_"
    points = [
        getattr(each, drawn).get_offsets()
        if drawn == "points_"
        else getattr(each, drawn).get_xydata()
        for each in (one, other)
    ]
    np.testing.assert_allclose(*points)
    assert one.ax_.figure is one.figure_


@pytest.mark.parametrize("display", GROUPED)
def test_without_axes_a_figure_is_made(display, rows, fitted):
    import matplotlib.pyplot as plt

    X, y_true, groups = rows
    made = display.from_predictions(
        y_true, fitted.predict_proba(X)[:, 1], groups=groups, n_bootstrap=100
    )
    assert made.ax_ in made.figure_.axes
    plt.close(made.figure_)


def test_names_and_areas_are_in_the_legend(rows, fitted):
    X, y_true, groups = rows
    labels = np.where(y_true, "sclerotic", "other")
    display = RocBandDisplay.from_estimator(
        fitted, X, labels, groups=groups, n_bootstrap=100, ax=axes()
    )
    label = display.line_.get_label()
    assert label.startswith("LogisticRegression: AUC ")
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["chance", "95 % band, pointwise", label]


def test_band_drawn_is_the_band_computed(rows, fitted):
    X, y_true, groups = rows
    y_score = fitted.predict_proba(X)[:, 1]
    options = {"groups": groups, "n_bootstrap": 100}
    band = evaluation_curves(y_true, y_score, **options).roc
    display = RocBandDisplay.from_predictions(y_true, y_score, ax=axes(), **options)
    corners = display.band_.get_paths()[0].vertices
    assert set(np.round(band.low, 9)) | set(np.round(band.high, 9)) == set(
        np.round(corners[:, 1], 9)
    )


def test_precision_recall_is_drawn_in_steps_with_prevalence_as_chance():
    y_true, y_score = [0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9]
    band = evaluation_curves(y_true, y_score, n_bootstrap=100).precision_recall
    display = PrecisionRecallBandDisplay(band).plot(axes())
    np.testing.assert_allclose(
        display.line_.get_xydata(), [[0, 1], [0.5, 1], [0.5, 2 / 3], [1, 2 / 3]]
    )
    assert list(display.chance_level_.get_ydata()) == [0.5, 0.5]


def test_band_that_cannot_be_given_is_not_in_the_legend():
    display = RocBandDisplay.from_predictions(
        [0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9], groups=["a"] * 4, ax=axes()
    )
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["chance", "AUC 0.75"]


@pytest.mark.parametrize("display", [RocBandDisplay, PrecisionRecallBandDisplay])
def test_curve_of_one_class_is_refused(display):
    with pytest.raises(ScoreError, match="both classes"):
        display.from_predictions([1, 1], [0.2, 0.7], ax=axes())


def test_reliability_says_how_many_rows_a_bin_has():
    display = ReliabilityDisplay.from_predictions(
        [0, 0, 1], [0.01, 0.02, 0.95], n_bootstrap=100, ax=axes()
    )
    assert [text.get_text() for text in display.ax_.texts] == ["2", "1"]
    np.testing.assert_allclose(display.line_.get_xydata(), [[0.015, 0], [0.95, 1]])


def test_biopsies_lie_where_their_percentages_say(rows, fitted):
    X, y_true, groups = rows
    y_score = fitted.predict_proba(X)[:, 1]
    table = biopsy_agreement(y_true, y_score, groups, n_bootstrap=100).table
    share = BiopsyPercentageDisplay.from_predictions(
        y_true, y_score, groups=groups, n_bootstrap=100, ax=axes()
    )
    np.testing.assert_allclose(
        share.points_.get_offsets(), table[["true", "predicted"]]
    )
    agreement = BlandAltmanDisplay(share.agreement).plot(axes())
    np.testing.assert_allclose(
        agreement.points_.get_offsets()[:, 1], table["difference"]
    )
    bias = share.agreement.scores["bias"]
    assert set(agreement.line_.get_ydata()) == {bias}


def test_difference_of_bland_and_altman_cannot_be_read_as_an_inequality():
    display = BlandAltmanDisplay.from_predictions(
        [0, 1], [0.2, 0.4], groups=["a", "b"], n_bootstrap=100, ax=axes()
    )
    first, second = display.ax_.get_ylabel().splitlines()
    assert first == "predicted minus true, percentage points"
    assert second == "← too low      too high →"
    low, high = display.ax_.get_ylim()
    assert low == -high  # so that the arrows point from no difference


def test_intervals_of_bland_and_altman_stand_side_by_side_and_cover_no_biopsy(rows):
    _, y_true, groups = rows
    y_score = np.where(y_true, 0.9, np.linspace(0, 0.7, len(y_true)))
    display = BlandAltmanDisplay.from_predictions(
        y_true, y_score, groups=groups, n_bootstrap=100, ax=axes()
    )
    assert not display.ax_.patches  # shades that overlap
    bars = [bar.get_segments()[0] for bar in display.ax_.collections[:3]]
    places = {bar[0, 0] for bar in bars}
    assert len(places) == 3
    assert min(places) > 100
    summary = display.agreement
    wanted = [summary.interval(n) for n in ("bias", "lower_limit", "upper_limit")]
    np.testing.assert_allclose([bar[:, 1] for bar in bars], wanted)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    scores = summary.scores
    assert f"bias {scores['bias']:+.1f}" in labels
    assert "95 % intervals" in labels
    limits = f"{scores['lower_limit']:+.1f} and {scores['upper_limit']:+.1f}"
    assert f"limits of agreement {limits}" in labels


def test_positive_class_of_the_classifier_is_drawn(rows):
    X, y_true, _ = rows
    labels = np.where(y_true, "GS", "NGS")
    fitted = LogisticRegression().fit(X, labels)
    fitted.pos_label_ = "GS"  # the first in the order of letters
    display = RocBandDisplay.from_estimator(
        fitted, X, labels, n_bootstrap=100, ax=axes()
    )
    wanted = roc_auc_score(y_true, fitted.predict_proba(X)[:, 0])
    assert display.band.area == pytest.approx(wanted)
    assert display.band.area > 0.5


def test_own_threshold_of_the_classifier_is_used_for_biopsies(rows, fitted):
    X, y_true, groups = rows
    labels = np.where(y_true, "sclerotic", "other")

    class Strict(LogisticRegression):
        threshold_ = 1.0

    strict = Strict().fit(X, labels)
    display = BiopsyPercentageDisplay.from_estimator(
        strict, X, labels, groups=groups, n_bootstrap=100, ax=axes()
    )
    assert (display.agreement.table["predicted"] == 0).all()


def test_single_biopsy_has_a_bias_without_limits():
    display = BlandAltmanDisplay.from_predictions(
        [0, 1], [0.2, 0.4], groups=["a", "a"], ax=axes()
    )
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    bias = display.agreement.scores["bias"]
    assert labels == [f"bias {bias:+.1f}", "biopsy of 2 patches"]


def test_classifiers_without_two_classes_or_probabilities_are_refused(rows, fitted):
    X, y_true, _ = rows
    with pytest.raises(AttributeError, match=r"LinearSVC.*predict_proba"):
        RocBandDisplay.from_estimator(LinearSVC().fit(X, y_true), X, y_true)
    with pytest.raises(ValueError, match=r"y has \['neither'\]"):
        RocBandDisplay.from_estimator(fitted, X[:2], ["other", "neither"])
    three = LogisticRegression().fit(X[:30], np.arange(30) % 3)
    with pytest.raises(ValueError, match="binary classifier"):
        RocBandDisplay.from_estimator(three, X, np.zeros(len(X)))


def test_a_biopsy_of_one_patch_has_no_plural():
    display = BiopsyPercentageDisplay.from_predictions(
        [0, 1], [0.2, 0.4], groups=["a", "b"], n_bootstrap=100, ax=axes()
    )
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[-1] == "biopsy of 1 patch"
