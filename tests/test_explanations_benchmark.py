"""The benchmark of explanations: its tests give the answers that are known."""

import numpy as np
import pytest
from judged_maps import SQUARES, STEPS, curves, inside, mixed

SIDE = 4 * SQUARES


class OfFirstSquare:
    """Believes in class 1 as long as its upper left square is bright."""

    def predict_proba(self, images):
        bright = images[:, :4, :4].mean(axis=(1, 2, 3)) / 255
        return np.column_stack([1 - bright, bright])


@pytest.fixture
def outline():
    """The upper half of a patch."""
    mask = np.zeros((1, SIDE, SIDE), dtype=bool)
    mask[:, : SIDE // 2] = True
    return mask


def test_the_positive_part_counts_and_the_highest_square(outline):
    maps = np.full((1, SIDE, SIDE), -5.0)
    maps[0, :4, :4], maps[0, -4:, :4] = 3, 1
    told = inside(maps, outline).iloc[0]
    assert told.to_dict() == {
        "inside": 0.75,
        "area": 0.5,
        "more inside": 0.25,
        "pointed": 1.0,
    }
    assert inside(maps[:, ::-1], outline)["pointed"].item() == 0.0


def test_squares_are_replaced_in_their_order():
    order = np.random.default_rng(0).permutation(SQUARES**2)
    image, other = np.zeros((SIDE, SIDE, 3)), np.ones((SIDE, SIDE, 3))
    many = mixed(image, other, order)
    replaced = many[:, ::4, ::4, 0].reshape(len(STEPS), -1)
    for step, found in zip(STEPS, replaced, strict=True):
        assert set(np.flatnonzero(found)) == set(order[:step])


def test_a_map_of_what_is_looked_at_falls_and_rises_first():
    image = np.zeros((1, SIDE, SIDE, 3), dtype=np.uint8)
    image[:, :4, :4] = 255
    right = -np.arange(SQUARES**2, dtype=float)[np.newaxis]  # the first square first
    first, last = (
        curves(OfFirstSquare(), image, cells, [True]) for cells in (right, -right)
    )
    low, high = first["deletion"][0, 1], first["deletion"][0, 0]
    assert low < 0.3 < high
    np.testing.assert_allclose(first["deletion"][0, 1:], low)
    np.testing.assert_allclose(last["deletion"][0, :-1], high)
    np.testing.assert_allclose(first["insertion"][0, 1:], high)
    np.testing.assert_allclose(last["insertion"][0, :-1], low)
