"""Arrays that may be larger than memory."""

import errno
import os
import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed

from glomclf.data import large_arrays
from glomclf.data.large_arrays import empty_array
from glomclf.errors import CacheError


@pytest.fixture
def all_are_large(monkeypatch):
    monkeypatch.setattr(large_arrays, "LARGE_BYTES", 1)


def is_mapped(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return array is not None


def test_small_arrays_lie_in_memory():
    assert not is_mapped(empty_array((10, 10), np.float32))


def test_large_arrays_lie_in_a_file_without_a_name(all_are_large, tmp_path):
    folder = tmp_path / "made" / "here"
    array = empty_array((300, 4, 5), np.float16, folder)
    array[:] = np.arange(5)
    assert is_mapped(array)
    assert (array.shape, array.dtype, array.sum()) == ((300, 4, 5), np.float16, 12000)
    assert list(folder.iterdir()) == []


def test_a_mapped_array_is_an_ordinary_one_elsewhere(all_are_large):
    array = empty_array((400_000,), np.float32)
    array[:] = 2
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array)), array)
    sums = Parallel(n_jobs=2)(delayed(np.sum)(part) for part in (array, array[:10]))
    assert sums == [800_000, 20]


def test_no_room_on_the_disk_is_an_error_that_names_the_remedy(
    all_are_large, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(large_arrays, "_reserve", full)
    message = rf"0\.0 GB cannot be kept in {tmp_path}: No space.*GLOMCLF_CACHE_DIR"
    with pytest.raises(CacheError, match=message):
        empty_array((4,), np.uint8, tmp_path)
    with pytest.raises(CacheError, match=r"cache_dir, or the .* TMPDIR"):
        empty_array((4,), np.uint8)


def test_an_array_beyond_the_disk_is_refused_before_it_is_used(tmp_path):
    with pytest.raises(CacheError, match="cannot be kept"):
        empty_array((2**60,), np.uint8, tmp_path)


def test_they_lie_where_the_block_says(all_are_large, tmp_path, monkeypatch):
    chosen, make = [], large_arrays.tempfile.TemporaryFile

    def noted(dir=None):
        chosen.append(dir)
        return make(dir=dir)

    monkeypatch.setattr(large_arrays.tempfile, "TemporaryFile", noted)
    with large_arrays.arrays_in(tmp_path), large_arrays.arrays_in(None):
        large_arrays.empty_array((2, 3), "uint8")
        large_arrays.empty_array((2, 3), "uint8", tmp_path / "other")
    large_arrays.empty_array((2, 3), "uint8")
    assert chosen == [tmp_path, tmp_path / "other", None]
