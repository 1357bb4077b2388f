"""Pairs are drawn side by side, with what is known of them."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from glomclf import make_glomeruli
from glomclf.leakage.splits import audit_splits
from glomclf.report.displays import LeakyPairsDisplay


@pytest.fixture(scope="module")
def leaky():
    """Six patches, and four copies of which three are under another participant."""
    X, y, groups = make_glomeruli(
        6, n_participants=3, sclerotic_fraction=0.5, image_size=64, random_state=0
    )
    X, y = np.concatenate([X, X[:4]]), np.append(y, y[:4])
    groups = np.append(groups, ["other", "other", "other", groups[3]])
    return X, audit_splits(X, y, [(range(6), range(6, 10))], groups)


def texts(display):
    return "\n".join(
        text.get_text() for ax in display.axes_ for text in (*ax.texts, ax.title)
    )


def test_each_pair_is_drawn_once_with_names_participants_and_distance(leaky):
    X, audit = leaky
    display = LeakyPairsDisplay.from_audit(audit, X, figure=Figure())
    assert [len(ax.images) for ax in display.axes_[:4]] == [2] * 4
    shown = texts(display)
    assert "X[0]" in shown
    assert "X[6]" in shown
    assert "other" in shown
    assert display.ax_.get_title(loc="left") == "identical, distance 0.00"


def test_names_that_look_like_formulas_are_drawn_as_they_are():
    X, y, _ = make_glomeruli(4, n_participants=2, image_size=64, random_state=0)
    X, groups = np.concatenate([X, X]), np.repeat(["$a$_$", "b_$^"], 4)
    audit = audit_splits(X, np.append(y, y), [(range(4), range(4, 8))], groups)
    figure = Figure()
    LeakyPairsDisplay.from_audit(audit, X, figure=figure)
    figure.savefig(io.BytesIO())


def test_what_is_left_out_is_said(leaky):
    X, audit = leaky
    display = LeakyPairsDisplay.from_audit(audit, X, n_pairs=2, figure=Figure())
    assert len(display.images) == 2
    assert display.figure_.get_suptitle() == "2 of 4 pairs"


def test_the_images_drawn_are_those_of_the_pair(leaky):
    X, audit = leaky
    display = LeakyPairsDisplay.from_audit(audit, X, figure=Figure())
    drawn = [image.get_array() for image in display.ax_.images]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(
        drawn[0], np.asarray(Image.fromarray(X[0]).resize((224, 224), 2))
    )


def test_no_pairs_is_an_error_not_an_empty_picture(leaky):
    X, _ = leaky
    clean = audit_splits(X[:6], [0, 1] * 3, [(range(3), range(3, 6))])
    with pytest.raises(ValueError, match="No pairs of images were found"):
        LeakyPairsDisplay.from_audit(clean, X[:6], figure=Figure())
