"""The eight views that move pixels: all different, none lost, read a few at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glomclf.data.dihedral import N_DIHEDRAL_VIEWS, DihedralImages, dihedral_view
from glomclf.data.image_source import ArraySource, ImageSource
from glomclf.data.lazy_images import Decoding, LazyImages
from glomclf.data.store import content_keys
from glomclf.errors import ParameterError

INVERSES = (0, 1, 6, 3, 4, 5, 2, 7)
images_of_any_shape = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.just(3)),
)
views = st.integers(0, N_DIHEDRAL_VIEWS - 1)


@given(images_of_any_shape, views)
def test_each_view_is_undone_by_another(images, k):
    there_and_back = dihedral_view(dihedral_view(images, k), INVERSES[k])
    np.testing.assert_array_equal(there_and_back, images)


@given(images_of_any_shape, views)
def test_views_move_pixels_and_change_none(images, k):
    view = dihedral_view(images, k)
    assert np.shares_memory(view, images)
    for image, turned in zip(images, view, strict=True):
        pixels = sorted(map(bytes, image.reshape(-1, 3)))
        assert sorted(map(bytes, turned.reshape(-1, 3))) == pixels


@settings(max_examples=30)
@given(st.integers(2, 6), st.integers(0, 2**32))
def test_the_eight_views_are_distinct(size, seed):
    image = np.random.default_rng(seed).permutation(size * size).reshape(1, size, size)
    seen = {bytes(dihedral_view(image, k)) for k in range(N_DIHEDRAL_VIEWS)}
    assert len(seen) == 8


@given(views, views)
def test_one_view_of_another_is_one_of_the_eight(first, then):
    image = np.arange(9).reshape(1, 3, 3)
    both = dihedral_view(dihedral_view(image, first), then)
    all_views = [dihedral_view(image, k) for k in range(N_DIHEDRAL_VIEWS)]
    assert sum(np.array_equal(both, view) for view in all_views) == 1


def test_views_are_numbered_by_turns_and_mirrors():
    image = np.array([[[0, 1], [2, 3]]])
    seen = [dihedral_view(image, k)[0].ravel().tolist() for k in range(4)]
    assert seen == [[0, 1, 2, 3], [1, 0, 3, 2], [1, 3, 0, 2], [3, 1, 2, 0]]


@pytest.mark.parametrize("k", [8, -1, 0.5, None])
def test_what_is_no_view_is_named(k):
    with pytest.raises(ParameterError, match=f"k={k!r} is no dihedral view"):
        dihedral_view(np.zeros((1, 2, 2, 3)), k)
    with pytest.raises(ParameterError, match=f"k={k!r} is no dihedral view"):
        DihedralImages(ArraySource(np.zeros((1, 2, 2, 3), np.uint8)), k)


# -- a few at a time ------------------------------------------------------------------


@settings(max_examples=30)
@given(images_of_any_shape, views, st.data())
def test_a_source_reads_what_the_view_of_all_images_holds(images, k, data):
    source = DihedralImages(ArraySource(images), k)
    rows = data.draw(st.lists(st.integers(0, len(images) - 1), max_size=4))
    expected = dihedral_view(images, k)
    assert isinstance(source, ImageSource)
    assert source.shape == expected.shape == np.asarray(source).shape
    assert len(source) == len(images)
    read = source.read(np.array(rows, dtype=np.intp))
    np.testing.assert_array_equal(read, expected[rows])
    assert read.dtype == source.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(source), expected)
    np.testing.assert_array_equal(source[0], expected[0])
    np.testing.assert_array_equal(source[1:], expected[1:])


def test_keys_are_those_of_the_pixels_read():
    """Features are kept under them: another view's would be the wrong ones."""
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    rows = np.array([2, 0])
    for k in range(N_DIHEDRAL_VIEWS):
        view = DihedralImages(ArraySource(images), k)
        computed = content_keys(view.read(rows))
        for known, key in zip(view.known_keys(rows), computed, strict=True):
            assert known in (None, key)
    assert DihedralImages(ArraySource(images), 0).known_keys(rows) == content_keys(
        images[rows]
    )


def test_lazy_images_are_decoded_only_where_they_are_read():
    items = [np.full((9, 9, 3), 7, np.uint8), "no such file"]
    view = DihedralImages(LazyImages(items, Decoding(8, "pad", 10**6)), 3)
    assert view.shape == (2, 8, 8, 3)
    assert (view[0] == 7).all()
    assert repr(view) == "DihedralImages(shape=(2, 8, 8, 3), k=3)"
