"""Images decoded when they are read: as an array they are what ImageLoader gives."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from PIL import Image

from glomclf import ImageLoader, ImageSampler
from glomclf.data import lazy_images
from glomclf.data.image_source import ArraySource
from glomclf.data.lazy_images import LazyImages, MappedImages
from glomclf.data.store import PixelStore, content_keys
from glomclf.errors import ImageError

SIZE = 32
N_FILES = 70  # more than are decoded at once


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Images of one grey each."""
    folder = tmp_path_factory.mktemp("patches")
    for n in range(N_FILES):
        Image.new("RGB", (40, 40), (n,) * 3).save(folder / f"{n:02d}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def decoded(monkeypatch):
    """Note the files that are decoded."""
    files = []
    read = lazy_images.read_image

    def spy(path, *args, **options):
        files.append(path)
        return read(path, *args, **options)

    monkeypatch.setattr(lazy_images, "read_image", spy)
    return files


def lazy(paths, cache_dir=False, **options) -> LazyImages:
    return ImageLoader(SIZE, lazy=True, cache_dir=cache_dir, **options).transform(paths)


def greys_of(images):
    return images[..., 0, 0, 0].tolist()


def test_nothing_is_decoded_before_it_is_read(paths, decoded):
    images = lazy(paths)
    assert (images.shape, images.dtype) == ((N_FILES, SIZE, SIZE, 3), np.uint8)
    assert (len(images), images.ndim, decoded) == (N_FILES, 4, [])


def test_as_an_array_they_are_what_the_loader_gives(paths, decoded):
    images = lazy(paths, n_jobs=2)
    expected = ImageLoader(SIZE, cache_dir=False).transform(paths)
    np.testing.assert_array_equal(np.asarray(images), expected)
    decoded.clear()
    np.testing.assert_array_equal(np.asarray(images, dtype=float), expected)
    assert decoded == [], "decoded a second time"


@given(rows=st.lists(st.integers(-N_FILES, N_FILES - 1), max_size=9))
def test_any_rows_are_read_in_the_order_asked(paths, rows):
    images = lazy(paths[:])
    assert greys_of(images[rows]) == [row % N_FILES for row in rows]


@pytest.mark.parametrize("rows", [3, -1, slice(2, 5), slice(None, None, 30)])
@pytest.mark.parametrize("read_before", [False, True])
def test_they_are_indexed_as_an_array_is(paths, rows, read_before):
    images = lazy(paths)
    if read_before:
        np.asarray(images)
    expected = np.asarray(lazy(paths))[rows]
    np.testing.assert_array_equal(images[rows], expected)
    assert images[rows].shape == expected.shape


def test_samplers_take_them_for_an_array(paths):
    y = np.repeat([0, 1], [50, 20])
    sampler = ImageSampler(RandomOverSampler(random_state=0), random_state=0)
    X, _ = sampler.fit_resample(lazy(paths), y)
    assert (X.shape, X.dtype) == ((100, SIZE, SIZE, 3), np.uint8)


def test_they_travel_to_another_process(paths):
    images = pickle.loads(pickle.dumps(lazy(paths)))
    assert greys_of(images[:3]) == [0, 1, 2]


def test_reading_a_few_names_all_bad_files(paths, tmp_path):
    files = [*paths[:3], tmp_path / "lost.png", *paths[3:], tmp_path / "gone.png"]
    with pytest.raises(ImageError, match=r"^2 image files") as caught:
        lazy(files).read(np.array([3]))
    assert list(caught.value.faults) == [str(tmp_path / n) for n in
                                         ("lost.png", "gone.png")]  # fmt: skip


# -- what is kept ----------------------------------------------------------------------


def test_a_file_is_decoded_once_for_all_loaders(paths, tmp_path, decoded):
    first = np.asarray(lazy(paths, tmp_path))
    assert len(decoded) == N_FILES
    second = ImageLoader(SIZE, cache_dir=tmp_path).transform(paths)
    np.testing.assert_array_equal(second, first)
    assert len(decoded) == N_FILES


def test_a_file_is_known_by_what_it_holds(paths, tmp_path, decoded):
    copy, moved = tmp_path / "a.png", tmp_path / "b.png"
    copy.write_bytes(paths[7].read_bytes())
    cache = tmp_path / "cache"
    lazy([copy], cache).read(np.array([0]))
    copy.rename(moved)
    assert greys_of(lazy([moved], cache)[:]) == [7]
    assert len(decoded) == 1


def test_a_file_replaced_within_the_same_tick_is_decoded_anew(paths, tmp_path):
    file, cache = tmp_path / "a.png", tmp_path / "cache"
    file.write_bytes(paths[7].read_bytes())
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    assert greys_of(lazy([file], cache)[:]) == [7]
    file.write_bytes(paths[8].read_bytes())
    os.utime(file, ns=times)
    assert greys_of(lazy([file], cache)[:]) == [8]


def test_a_file_replaced_while_it_is_read_is_not_kept(paths, tmp_path, monkeypatch):
    file, cache = tmp_path / "a.png", tmp_path / "cache"
    file.write_bytes(paths[7].read_bytes())
    read = lazy_images.read_image

    def replace_then_read(path, *args, **options):
        file.write_bytes(paths[8].read_bytes())
        os.utime(file, (0, 0))
        return read(path, *args, **options)

    monkeypatch.setattr(lazy_images, "read_image", replace_then_read)
    lazy([file], cache).read(np.array([0]))
    monkeypatch.undo()
    file.write_bytes(paths[7].read_bytes())
    assert greys_of(lazy([file], cache)[:]) == [7]


@pytest.mark.parametrize(
    "other", [{"resize": "stretch"}, {"max_pixels": 1600}, {"image_size": 16}], ids=str
)
def test_another_decoding_finds_no_images_of_the_first(paths, tmp_path, other, decoded):
    loader = ImageLoader(SIZE, cache_dir=tmp_path)
    loader.transform(paths[:3])
    loader.set_params(**other).transform(paths[:3])
    assert len(decoded) == 6


def test_a_bound_on_pixels_holds_for_kept_files_too(paths, tmp_path):
    loader = ImageLoader(SIZE, cache_dir=tmp_path)
    loader.transform(paths[:2])
    with pytest.raises(ImageError, match="at most 1,599"):
        loader.set_params(max_pixels=1599).transform(paths[:2])


def test_content_keys_are_known_once_a_file_was_decoded(paths, tmp_path, decoded):
    rows = np.arange(5)
    assert lazy(paths, tmp_path).known_keys(rows) == [None] * 5
    images = lazy(paths, tmp_path).read(rows)
    decoded.clear()
    assert lazy(paths, tmp_path).known_keys(rows) == content_keys(images)
    assert lazy(paths).known_keys(rows) == [None] * 5
    assert decoded == []


def test_a_new_file_is_hashed_before_it_is_decoded_and_after(
    paths, tmp_path, monkeypatch
):
    hashed = []
    key_of = lazy_images.file_key
    monkeypatch.setattr(
        lazy_images, "file_key", lambda path: hashed.append(path) or key_of(path)
    )
    images, rows = lazy(paths[:3], tmp_path), np.arange(3)
    images.known_keys(rows)
    images.read(rows)
    assert sorted(hashed) == sorted([*paths[:3], *paths[:3]])


def test_arrays_are_not_kept(tmp_path):
    images = lazy([np.zeros((50, 50, 3), np.uint8)] * 2, tmp_path)
    images.read(np.arange(2))
    assert images.known_keys(np.arange(2)) == [None, None]


def test_a_change_of_an_image_replaced_meanwhile_is_not_kept_as_the_old_ones(tmp_path):
    images = np.array([10, 20], np.uint8)[:, None, None, None]
    images = np.broadcast_to(images, (2, SIZE, SIZE, 3))
    source = ArraySource(images)
    source.known_keys = lambda rows: content_keys(images[::-1][rows])  # others' keys
    kept = PixelStore(tmp_path, "darkened")
    MappedImages(source, lambda image: image - 1, store=kept).read(np.arange(2))
    changed, found = kept.get(content_keys(images))
    assert found.all()
    assert greys_of(changed) == [9, 19]
