"""The report of new biopsies."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.special import expit

from glomclf.errors import ParameterError
from glomclf.evaluation import Abstention, OutOfFoldRecord, summarize_biopsies
from glomclf.report import biopsies_report
from glomclf.report.displays import BiopsyIntervalsDisplay
from glomclf.report.overlays import overlay

P = np.array([0.1, 0.9, 0.4, 0.2, 0.05, 0.95])
GROUPS = ["A", "A", "A", "B", "B", "B"]
WHY = {"classifier": None, "explain": True}

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def estimates():
    """Two biopsies by a record of 12 participants."""
    rng = np.random.RandomState(0)
    label, groups = rng.randint(2, size=120), np.repeat(np.arange(12), 10)
    p = expit(3 * (2 * label - 1) + rng.standard_normal(120))
    record = OutOfFoldRecord.from_predictions(label, p, groups)
    return summarize_biopsies(P, GROUPS, record)


def _section(report, title):
    return next(one for one in report.sections if one.title == title)


def test_patches_are_sorted_and_the_borderline_ones_marked(estimates):
    images = np.full((6, 32, 32, 3), 200, dtype=np.uint8)
    report = biopsies_report(estimates, P, GROUPS, X=images, names=list("uvwxyz"))
    gallery = _section(report, "Biopsy A").blocks[-1]
    facts = [(one.facts["image"], one.marked) for one in gallery.items]
    assert facts == [("v", False), ("w", True), ("u", False)]
    assert report.render().count('class="marked"') == 2  # one of B lies at 0.2


def test_patches_left_to_a_person_are_framed_and_counted(estimates):
    promise = {"max_miss": 0.05, "confidence": 0.95, "n_participants": 12}
    left = Abstention(low=0.15, high=0.5, share_left=0.2, **promise)
    images = np.full((6, 32, 32, 3), 200, dtype=np.uint8)
    told = {"X": images, "names": list("uvwxyz"), "abstention": left}
    report = biopsies_report(estimates, P, GROUPS, **told)
    *_, text, gallery = _section(report, "Biopsy B").blocks
    assert text.text == "Left to a person: 1 of 3 patches."
    facts = {one.facts["image"]: one.facts.get("remark") for one in gallery.items}
    assert facts == {"z": None, "x": "left to a person", "y": None}
    *_, promised, table = _section(report, "All biopsies").blocks
    assert "Left to a person: 2 of 6 patches" in promised.text
    assert "at most 5 % are missed" in promised.text
    assert "like the 12 of the record" in promised.text
    assert table.columns[-1] == "left to a person"
    assert [row[-1] for row in table.rows] == ["1", "1"]
    page = report.render()
    assert page.count('class="marked"') == 2
    assert "orderline" not in page


def test_what_the_model_looked_at_is_drawn_in_a_few_patches_of_each_biopsy(
    estimates, monkeypatch
):
    def explain(classifier, X):
        maps = np.linspace(-1, 1, X[..., 0].size).reshape(X[..., 0].shape)
        return SimpleNamespace(images=X, maps=maps, method="cam")

    monkeypatch.setattr("glomclf.report.overlays.explain", explain)
    p, groups = np.linspace(0, 1, 30), np.repeat(["A", "B"], 15)
    images = np.full((30, 8, 8, 3), 200, dtype=np.uint8)
    report = biopsies_report(summarize_biopsies(p, groups), p, groups, X=images, **WHY)
    n_drawn = 0
    for name in ("A", "B"):
        *_, text, gallery = _section(report, f"Biopsy {name}").blocks
        drawn = [bool(one.overlay) for one in gallery.items]
        assert 3 <= sum(drawn) <= 6
        assert all(drawn[:3])  # the most probable
        assert "red speaks for globally sclerotic" in text.text
        n_drawn += sum(drawn)
    assert report.render().count('alt="what the model looked at in it"') == n_drawn
    with pytest.raises(ParameterError, match="X=None was given"):
        biopsies_report(estimates, P, GROUPS, **WHY)


def test_an_overlay_is_red_for_and_blue_against_and_grey_where_nothing_speaks():
    image = np.tile(np.uint8([200, 40, 60]), (1, 3, 1))
    red, none, blue = overlay(image, np.array([[1.0, 0.0, -1.0]]))[0].astype(int)
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50
    assert none.tolist() == [100, 100, 100]


def test_a_biopsy_unlike_the_training_is_named(estimates):
    distances = pd.DataFrame(
        {"features_distance": [0.5, 1.7], "features_nearer": [3, 12]},
        index=["A", "B"],
    ).assign(unlike_training=[False, True])
    page = biopsies_report(estimates, P, GROUPS, distances=distances).render()
    assert "Unlike anything that the model was trained on, 1 of 2 biopsies: B" in page
    assert page.count("This biopsy is unlike anything") == 1
    assert "1.70 in features (farther than 12 of the training participants)" in page


def test_many_patches_show_every_borderline_one(estimates):
    p = np.r_[np.full(10, 0.5), np.linspace(0.9, 1, 90)]
    found = summarize_biopsies(p, ["C"] * 100)
    images = np.full((100, 32, 32, 3), 200, dtype=np.uint8)
    blocks = _section(biopsies_report(found, p, ["C"] * 100, X=images), "Biopsy C")
    items = blocks.blocks[-1].items
    assert len(items) == 60
    assert sum(one.marked for one in items) == 10


def test_the_picture_has_both_intervals_or_that_of_sampling(estimates):
    display = BiopsyIntervalsDisplay(estimates, ["B"]).plot(Figure().subplots())
    for lines, part in ((display.kidney_, "kidney"), (display.biopsy_, "biopsy")):
        ends = lines.get_segments()[0][:, 0]
        row = estimates.table.loc["B"]
        assert ends.tolist() == [row[f"{part}_low"], row[f"{part}_high"]]
    marked = [line for line in display.kidney_.axes.lines if line.get_marker() == "|"]
    assert np.ravel([line.get_xdata() for line in marked]).tolist() == ends.tolist()
    alone = BiopsyIntervalsDisplay(summarize_biopsies(P, GROUPS))
    assert alone.plot(Figure().subplots()).biopsy_ is None
