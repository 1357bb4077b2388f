"""The picture of approaches shows the table, and what does not fit is refused."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from glomclf.model import APPROACHES
from glomclf.report.displays import ApproachesDisplay

SCORES = ("f1", "recall")


@pytest.fixture
def table():
    """Three approaches; the last has no interval for what it reports."""
    index = pd.MultiIndex.from_product(
        [["1", "2", "2 by participant"], SCORES], names=["approach", "score"]
    )
    columns = [
        f"{side}{end}"
        for side in ("reported", "untouched")
        for end in ("", "_low", "_high")
    ]
    values = np.tile([0.9, 0.8, 0.95, 0.7, 0.6, 0.8], (6, 1))
    values[:, 0] -= np.arange(6) / 50
    values[-2:, 1:3] = np.nan
    return pd.DataFrame(values, index=index, columns=columns)


def test_each_panel_shows_both_scores_of_every_approach(table):
    display = ApproachesDisplay(table).plot(Figure())
    assert [ax.get_title() for ax in display.axes_] == ["F1", "Recall"]
    for ax, score in zip(display.axes_, SCORES, strict=True):
        rows = table.xs(score, level="score")
        for drawn, side in zip(ax.containers, ("reported", "untouched"), strict=True):
            np.testing.assert_allclose(drawn[0].get_xdata(), rows[side])
    assert display.figure_ is display.ax_.figure


def test_intervals_reach_from_low_to_high(table):
    ax = ApproachesDisplay(table).plot(Figure()).ax_
    (bars,) = ax.containers[1][2]
    ends = np.array(bars.get_segments())[:, :, 0]
    np.testing.assert_allclose(ends, [[0.6, 0.8]] * 3)


def test_line_of_an_approach_joins_what_it_reports_and_gets(table):
    ax = ApproachesDisplay(table).plot(Figure()).ax_
    joined = [line.get_xdata() for line in ax.lines if line.get_color() == "0.6"]
    np.testing.assert_allclose(
        joined, table.xs("f1", level="score")[["reported", "untouched"]]
    )


def test_first_approach_is_at_the_top_under_its_title(table):
    ax = ApproachesDisplay(table).plot(Figure()).ax_
    labels = [text.get_text() for text in ax.get_yticklabels()]
    titles = {one.name: one.title for one in APPROACHES}
    wanted = [titles[name] for name in ("1", "2", "2 by participant")]
    assert [label.replace("\n", " ") for label in labels] == wanted
    assert max(len(line) for label in labels for line in label.splitlines()) < 36
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_axis_holds_all_intervals(table):
    table.loc[("1", "f1"), "untouched_low"] = 0.234
    ax = ApproachesDisplay(table).plot(Figure()).ax_
    assert ax.get_xlim() == pytest.approx((0.2, 1.02))


def test_without_axes_a_figure_of_its_own_is_made(table):
    from matplotlib import pyplot

    more = table.rename({"f1": "precision", "recall": "roc_auc"}, level="score")
    display = ApproachesDisplay(pd.concat([table, more])).plot()
    assert len(display.axes_) == len(display.figure_.axes) == 4
    assert display.figure_.get_size_inches()[0] == 9
    pyplot.close(display.figure_)


def test_every_panel_has_numbers_below_it(table):
    figure = Figure()
    ApproachesDisplay(table).plot(figure)
    figure.draw_without_rendering()
    for panel in figure.axes:
        assert [one for one in panel.get_xticklabels() if one.get_visible()]
