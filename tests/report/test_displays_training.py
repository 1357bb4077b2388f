"""Displays draw what they are given, on any axes, without touching the backend."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from glomclf.report.displays import (
    ClassProportionsDisplay,
    HistoryDisplay,
    SyntheticImagesDisplay,
)
from glomclf.samplers import make_sampler
from glomclf.samplers.trace import ResamplingStep, trace_resampling


@pytest.fixture
def images():
    X = np.random.default_rng(0).integers(0, 256, (26, 8, 8, 3), dtype="uint8")
    return X, np.repeat([0, 1], [20, 6])


def traced(name, images):
    sampler = make_sampler(name, random_state=0)
    X_new, y_new = sampler.fit_resample(*images)
    return trace_resampling(sampler, *images), X_new, y_new


def test_trace_ends_with_the_counts_of_the_sampler_itself(images):
    trace, _, y_new = traced("undersample+augment", images)
    assert [step.name for step in trace] == [
        "RandomUnderSampler",
        "AugmentationOverSampler",
    ]
    assert trace[0].counts_before == {0: 20, 1: 6}
    assert trace[0].counts_after == trace[1].counts_before
    assert list(trace[1].counts_after.values()) == np.bincount(y_new).tolist()


def test_traced_images_are_among_those_that_were_trained_on(images):
    trace, X_new, _ = traced("smote", images)
    known = {image.tobytes() for image in X_new}
    assert len(trace[0].synthetic) == 8
    assert all(image.tobytes() in known for image in trace[0].synthetic)


def test_sources_are_minority_images_of_the_training_rows(images):
    X, y = images
    minority = {image.tobytes() for image in X[y == 1]}
    for name in ("smote", "augment"):
        trace, *_ = traced(name, images)
        assert all(image.tobytes() in minority for image in trace[0].sources)


def test_augmented_image_comes_from_its_source():
    X = np.repeat(np.arange(0, 240, 24, dtype="uint8"), 192).reshape(10, 8, 8, 3)
    trace, *_ = traced("augment", (X, np.repeat([0, 1], [7, 3])))
    sources, synthetic = trace[0].sources.astype(int), trace[0].synthetic.astype(int)
    np.testing.assert_allclose(sources, synthetic, atol=1)


def test_features_give_counts_but_no_images(images):
    X, y = images
    sampler = make_sampler("smote", random_state=0)
    features = X.reshape(26, -1).astype("float32")
    sampler.fit_resample(features, y)
    (step,) = trace_resampling(sampler, features, y)
    assert step.counts_after == {0: 20, 1: 20}
    assert len(step.synthetic) == 0


def test_class_proportions_are_stacked_to_the_number_of_rows(images):
    trace, *_ = traced("smote+augment", images)
    display = ClassProportionsDisplay.from_trace(trace, ax=Figure().subplots())
    lower, upper = display.ax_.containers
    assert [bar.get_height() for bar in lower] == [20, 20, 20]
    assert [bar.get_y() + bar.get_height() for bar in upper] == [26, 30, 40]
    assert display.figure_ is display.ax_.figure


def test_class_proportions_keep_a_sampler_that_runs_twice_apart(images):
    trace, *_ = traced("augment", images)
    display = ClassProportionsDisplay.from_trace(trace * 2, ax=Figure().subplots())
    assert len(display.counts) == 3


def test_sheet_shows_sources_above_new_images(images):
    trace, *_ = traced("smote+augment", images)
    display = SyntheticImagesDisplay(trace).plot(ax=Figure().subplots())
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == [
        "nearest image",
        "SMOTE",
        "source",
        "augmentation",
    ]
    drawn = display.ax_.get_images()[0].get_array()
    np.testing.assert_array_equal(drawn, trace[0].sources[0])


def test_sheet_without_new_images_is_refused(images):
    trace, *_ = traced("undersample", images)
    with pytest.raises(ValueError, match=r"No step .*RandomUnderSampler.*over-sampler"):
        SyntheticImagesDisplay(trace).plot(ax=Figure().subplots())


def test_history_draws_validation_only_where_it_is_known():
    history = {"loss": [0.7, 0.4, 0.3], "accuracy": [0.5, 0.8, 0.9]}
    display = HistoryDisplay(history).plot(Figure())
    assert [len(ax.lines) for ax in display.axes_[0]] == [1, 1]
    known = HistoryDisplay({**history, "val_loss": [0.9, 0.8, 0.7]})
    axes = known.plot(Figure()).axes_[0]
    assert [len(ax.lines) for ax in axes] == [2, 1]
    np.testing.assert_array_equal(axes[0].lines[1].get_xydata()[:, 1], [0.9, 0.8, 0.7])


def test_displays_make_their_own_figure_without_axes():
    step = ResamplingStep(
        "SMOTE", {0: 4, 1: 2}, {0: 4, 1: 4}, *np.zeros((2, 1, 8, 8, 3), "uint8")
    )
    import matplotlib.pyplot as plt

    displays = (
        ClassProportionsDisplay.from_trace([step]),
        SyntheticImagesDisplay([step]).plot(),
        HistoryDisplay({"loss": [1.0], "accuracy": [0.5]}).plot(),
    )
    for display in displays:
        assert display.ax_ in display.figure_.axes
        plt.close(display.figure_)


def test_every_panel_of_an_ensemble_has_numbers_at_both_axes():
    history = {"loss": [1.0, 0.5], "accuracy": [0.5, 0.8]}
    display, figure = HistoryDisplay([history] * 3), Figure()
    display.plot(figure)
    figure.draw_without_rendering()
    for panel in display.axes_.flat:
        for axis in (panel.xaxis, panel.yaxis):
            assert [text for text in axis.get_ticklabels() if text.get_visible()]
