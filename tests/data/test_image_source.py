"""Images that are read when they are needed look like an array."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glomclf.data import image_source
from glomclf.data.image_source import ArraySource, ImageSource, as_image_source
from glomclf.data.loader import images_or_paths

N_IMAGES = 7
ARRAY = np.random.default_rng(0).integers(0, 256, (N_IMAGES, 2, 3, 3), dtype=np.uint8)


class Counted(ImageSource):
    """Rows of an array; notes which were read."""

    def __init__(self):
        super().__init__(ARRAY.shape)
        self.rows = []

    def read(self, rows):
        self.rows += rows.tolist()
        return ARRAY[rows]

    def known_keys(self, rows):
        return [None] * len(rows)


places = st.integers(-N_IMAGES, N_IMAGES - 1)


@given(
    st.one_of(
        places,
        st.slices(N_IMAGES),
        st.lists(places, max_size=9).map(lambda rows: np.array(rows, dtype=int)),
        st.lists(st.booleans(), min_size=N_IMAGES, max_size=N_IMAGES).map(np.array),
    ),
    st.booleans(),
)
def test_an_index_gives_what_it_gives_of_the_array(index, is_read_before):
    images = Counted()
    if is_read_before:
        np.asarray(images)
    np.testing.assert_array_equal(images[index], ARRAY[index])
    assert images[index].dtype == np.uint8
    if not is_read_before:
        named = np.atleast_1d(np.arange(N_IMAGES)[index]).tolist()
        assert images.rows == 2 * named  # those rows, and no others


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_all_images_are_read_once(monkeypatch, rows_at_once):
    monkeypatch.setattr(image_source, "ROWS_AT_ONCE", rows_at_once)
    images = Counted()
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(images), ARRAY)
    assert images.rows == list(range(N_IMAGES))


def test_it_tells_its_shape_as_an_array_does():
    images = Counted()
    assert (len(images), images.shape, images.ndim, images.dtype) == (
        N_IMAGES, ARRAY.shape, ARRAY.ndim, ARRAY.dtype
    )  # fmt: skip
    assert repr(images) == "Counted(shape=(7, 2, 3, 3))"


def test_a_source_passes_unread_and_an_array_becomes_one():
    images = Counted()
    assert as_image_source(images) is images
    assert images.rows == []
    source = as_image_source(ARRAY)
    assert isinstance(source, ArraySource)
    assert np.asarray(source) is ARRAY


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (ARRAY.astype(np.float32), "dtype float32. Expected uint8 images"),
        (ARRAY[..., :1], r"Expected .* \(n_samples, height, width, 3\), at least 2"),
        (Counted(), r"shape \(7, 2, 3, 3\).*at least 3 pixels a side"),
    ],
)
def test_what_holds_no_such_images_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        as_image_source(X, smallest_side=3 if isinstance(X, Counted) else 2)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *(((5, 3, 8, 9), np.uint8), ((5, 8, 9, 1), np.uint8), ((5, 8, 9), np.uint8)),
        *(((5, 1, 8, 9), np.uint8), ((5, 8, 9, 4), np.uint8), ((5, 4, 8, 9), float)),
        *(((8, 9, 3), np.uint8), ((3, 8, 9), np.float32), ((5, 8, 9, 3), np.float32)),
        *(((5, 8, 9, 3), np.int64), ((5, 3, 8, 9), np.uint16), ((5, 8, 9, 1), float)),
    ],
)
@pytest.mark.parametrize("reader", ["step", "loader"])
def test_images_of_another_form_become_rgb_by_what_the_error_says(shape, dtype, reader):
    X = np.full(shape, 7).astype(dtype)
    read = as_image_source if reader == "step" else images_or_paths
    with pytest.raises(ValueError, match="To convert: ") as caught:
        read(X)
    names = {"X": X, "np": np}
    steps = r"X = .*?(?= puts| is one| has| makes| leaves| if )"
    for step in re.findall(steps, str(caught.value)):
        if "* 255" not in step:  # these are in [0, 255]
            exec(step, names)
    assert names["X"].dtype == np.uint8
    assert names["X"].ndim == 4
    assert names["X"].shape[-1] == 3
    assert (names["X"] == 7).all()
    read(names["X"])
