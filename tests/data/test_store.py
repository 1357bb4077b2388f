"""The store of features: what is found is what was put, whatever befell the file."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import glomclf
from glomclf.data.store import (
    FeatureStore,
    cache_info,
    clear_cache,
    content_keys,
    database,
    default_cache_dir,
    feature_store,
)
from glomclf.errors import CacheError, CacheWarning

N_FEATURES = 512
ROOT = Path(glomclf.__file__).parents[1]

# Child processes import the store alone, without scikit-learn and TensorFlow.
CHILD = f"""
import hashlib, os, sys, time, types
sys.path.insert(0, {str(ROOT)!r})
package = types.ModuleType("glomclf.data")
package.__path__ = [{str(ROOT / "glomclf" / "data")!r}]
sys.modules["glomclf.data"] = package
import numpy as np
from glomclf.data.store import FeatureStore, clear_cache, database

database._LOCK_WAIT_S = 600  # a busy machine is no fault

def value_of(key, n_features={N_FEATURES}):
    return np.frombuffer(hashlib.shake_128(key).digest(2 * n_features), np.float16)

def keys_from(start, n_keys=16):
    return [b"key%d" % i for i in range(start, start + n_keys)]

def put(store, keys):
    store.put_many(keys, np.stack([value_of(key) for key in keys]))
"""


def value_of(key: bytes, n_features: int = N_FEATURES) -> np.ndarray:
    """Any bits at all, NaN and infinity among them, and the same for the same key."""
    return np.frombuffer(hashlib.shake_128(key).digest(2 * n_features), np.float16)


def keys_from(start: int, n_keys: int = 16) -> list[bytes]:
    return [b"key%d" % i for i in range(start, start + n_keys)]


def put(store: FeatureStore, keys: list[bytes], n_features: int = N_FEATURES) -> None:
    store.put_many(keys, np.stack([value_of(key, n_features) for key in keys]))


def n_entries(store: FeatureStore) -> int:
    held = cache_info(store.cache_dir).namespaces
    return sum(one.n_entries for one in held if one.fingerprint == store.fingerprint)


def assert_never_wrong(store: FeatureStore, keys: list[bytes]) -> np.ndarray:
    """What is found is right to the bit; return what was found."""
    values, found = store.get_many(keys)
    for key, value, is_found in zip(keys, values, found, strict=True):
        assert not is_found or value.tobytes() == value_of(key).tobytes()
    return found


def start_child(code: str, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(child: subprocess.Popen) -> str:
    out, err = child.communicate(timeout=600)
    assert child.returncode == 0, err
    return out


def store_file(folder: Path) -> Path:
    (file,) = folder.glob("glomclf-features-v*/features.sqlite")
    return file


def sqlite_check(folder: Path) -> str:
    connection = sqlite3.connect(store_file(folder))
    try:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()


@pytest.fixture(autouse=True)
def _no_flushing(monkeypatch):
    # Flushing guards against power cuts, which no test makes, and a busy disk is slow
    # at it. Child processes flush.
    monkeypatch.setattr(
        database, "_SETTINGS", (*database._SETTINGS, "synchronous = OFF")
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def store(folder):
    return FeatureStore(folder, "a trunk")


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    now = [1_000_000]
    monkeypatch.setattr(feature_store, "now", lambda: now[0])
    return now


@pytest.fixture
def limit(monkeypatch):
    """Set the largest size of the stores that are made from now on."""
    return lambda n_bytes: monkeypatch.setenv("GLOMCLF_CACHE_MAX_BYTES", str(n_bytes))


@pytest.fixture
def as_ordinary_user():
    """Permissions mean nothing to root, who becomes somebody else meanwhile."""
    if os.name != "posix":
        pytest.skip("POSIX permissions")
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() != 0:
            yield Path(name)
            return
        os.chown(name, 65534, 65534)
        os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


# --- keys ---------------------------------------------------------------------------


def test_content_keys_depend_on_pixels_alone():
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 6, 3), dtype=np.uint8)
    keys = content_keys(images)
    assert len(set(keys)) == 7
    assert content_keys(images[::-1]) == keys[::-1]
    assert content_keys(np.asfortranarray(images)) == keys
    assert content_keys(images[3:4]) == keys[3:4]


@pytest.mark.parametrize("where", [(0, 0, 0), (4, 5, 2), (2, 3, 1)])
def test_content_keys_differ_when_one_bit_of_one_pixel_differs(where):
    image = np.zeros((1, 5, 6, 3), np.uint8)
    changed = image.copy()
    changed[(0, *where)] = 1
    assert content_keys(image) != content_keys(changed)


def test_content_keys_differ_when_the_same_pixels_have_another_shape():
    pixels = np.arange(4 * 9 * 3, dtype=np.uint8)
    assert content_keys(pixels.reshape(1, 4, 9, 3)) != content_keys(
        pixels.reshape(1, 9, 4, 3)
    )


def test_content_keys_of_no_images_are_none():
    assert content_keys(np.empty((0, 8, 8, 3), np.uint8)) == []


# --- round trip ---------------------------------------------------------------------


def test_get_returns_what_was_put_in_the_order_asked(store):
    put(store, keys_from(0))
    asked = [b"key3", b"absent", b"key0", b"key3"]
    values, found = store.get_many(asked)
    assert found.tolist() == [True, False, True, True]
    assert values.dtype == np.float16
    assert values.shape == (4, N_FEATURES)
    assert values[0].tobytes() == values[3].tobytes() == value_of(b"key3").tobytes()
    assert values[2].tobytes() == value_of(b"key0").tobytes()
    assert not values[1].any()


def test_get_from_an_empty_store_finds_nothing(store):
    values, found = store.get_many(keys_from(0, 3))
    assert values.shape == (3, 0)
    assert found.tolist() == [False] * 3


def test_no_keys_are_no_work(store):
    store.put_many([], np.empty((0, 4), np.float32))
    values, found = store.get_many([])
    assert len(values) == len(found) == n_entries(store) == 0


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_array_under_any_key_comes_back_bit_by_bit(data):
    keys = data.draw(
        st.lists(
            st.binary(min_size=0, max_size=40), min_size=1, max_size=5, unique=True
        )
    )
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=9))
    dtype = data.draw(st.sampled_from(["float16", "float32", "uint8"]))
    values = data.draw(hnp.arrays(dtype, (len(keys), *shape)))
    fingerprint = data.draw(st.text(min_size=1).filter(_is_storable))
    with tempfile.TemporaryDirectory() as name:
        store = FeatureStore(name, fingerprint)
        store.put_many(keys, values)
        got, found = store.get_many(keys[::-1])
    assert found.all()
    assert got.dtype == values.dtype
    assert got.shape == values.shape
    assert got.tobytes() == values[::-1].tobytes()


def _is_storable(text: str) -> bool:
    return not any(0xD800 <= ord(letter) < 0xE000 for letter in text)


@settings(max_examples=12, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "get", "clear"]),
            st.sampled_from(["one trunk", "another"]),
            st.lists(st.integers(0, 9), min_size=1, max_size=6),
        ),
        max_size=12,
    )
)
def test_any_sequence_of_steps_leaves_what_a_dict_would_hold(steps):
    with tempfile.TemporaryDirectory() as name:
        held: dict[str, set[bytes]] = {"one trunk": set(), "another": set()}
        for verb, fingerprint, numbers in steps:
            store = FeatureStore(name, fingerprint)
            keys = [b"key%d" % number for number in numbers]
            if verb == "put":
                put(store, keys)
                held[fingerprint].update(keys)
            elif verb == "get":
                expected = [key in held[fingerprint] for key in keys]
                assert assert_never_wrong(store, keys).tolist() == expected
            else:
                clear_cache(name)
                held = {"one trunk": set(), "another": set()}
            assert n_entries(store) == len(held[fingerprint])


def test_more_values_than_a_query_and_a_transaction_hold_come_back(store, monkeypatch):
    monkeypatch.setattr(feature_store, "_TRANSACTION_BYTES", 40 * 2 * N_FEATURES)
    keys = keys_from(0, 3 * feature_store._KEYS_PER_QUERY + 1)
    put(store, keys)
    assert assert_never_wrong(store, keys).all()
    assert n_entries(store) == len(keys)


def test_putting_a_key_again_keeps_one_entry(store):
    put(store, keys_from(0, 4))
    put(store, [*keys_from(2, 4), *keys_from(2, 4)])
    assert n_entries(store) == 6
    assert assert_never_wrong(store, keys_from(0, 6)).all()


def test_feature_maps_larger_than_pages_come_back(store):
    maps = np.random.default_rng(0).random((3, 14, 14, 1024), np.float32)
    maps = maps.astype(np.float16)
    store.put_many(keys_from(0, 3), maps)
    values, found = store.get_many(keys_from(0, 3))
    assert found.all()
    np.testing.assert_array_equal(values, maps)


def test_a_view_that_is_not_contiguous_is_put_as_it_looks(store):
    values = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::3]
    store.put_many([b"a", b"b"], values)
    np.testing.assert_array_equal(store.get_many([b"a", b"b"])[0], values)


def test_two_fingerprints_share_a_folder_and_no_value(folder):
    one, other = FeatureStore(folder, "one"), FeatureStore(folder, "other")
    put(one, keys_from(0, 2))
    other.put_many([b"key0"], np.ones((1, 3), np.float32))
    assert one.get_many([b"key0"])[0].dtype == np.float16
    assert other.get_many(keys_from(0, 2))[1].tolist() == [True, False]
    np.testing.assert_array_equal(other.get_many([b"key0"])[0], np.ones((1, 3)))


# --- limits of values -------------------------------------------------------------


def test_a_value_beyond_the_limit_is_refused(folder, limit):
    limit(1024**2)
    store = FeatureStore(folder, "a")
    with pytest.raises(ValueError, match="has no room for values of 1000000; set"):
        store.put_many([b"a"], np.zeros((1, 1_000_000), np.uint8))


# --- damage -------------------------------------------------------------------------


def flip(file: Path, offset: int) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= 0x5A
    file.write_bytes(data)


@pytest.mark.filterwarnings("ignore::glomclf.errors.CacheWarning")
def test_a_flipped_byte_anywhere_never_gives_a_wrong_value(folder, tmp_path):
    store = FeatureStore(folder, "a trunk")
    keys = keys_from(0, 60)
    put(store, keys)
    pristine = store_file(folder).read_bytes()
    generator = random.Random(0)
    # The header and the tables' roots are few bytes and matter most.
    offsets = [
        *range(0, 108, 6),
        *(generator.randrange(len(pristine)) for _ in "x" * 30),
    ]
    for offset in offsets:
        store_file(folder).write_bytes(pristine)
        flip(store_file(folder), offset)
        assert_never_wrong(store, keys)
        put(store, keys)
        assert assert_never_wrong(store, keys).all()


def test_a_damaged_entry_costs_the_file_and_all_is_computed_again(store):
    put(store, keys_from(0))
    file = store_file(store.cache_dir)
    flip(file, file.read_bytes().index(value_of(b"key5").tobytes()[-200:]))
    with pytest.warns(CacheWarning, match="is damaged .* computed again"):
        assert not assert_never_wrong(store, keys_from(0)).any()
    put(store, keys_from(0))
    assert assert_never_wrong(store, keys_from(0)).all()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET value = 'text' WHERE id = 3",
        "UPDATE entries SET value = substr(value, 2) WHERE id = 3",
        "UPDATE entries SET value = (SELECT value FROM entries WHERE id = 4)"
        " WHERE id = 3",
        "UPDATE entries SET checksum = 0 WHERE id = 3",
        "UPDATE makers SET layout = '[\"<f2\", [511]]'",
        "UPDATE makers SET layout = x'ff'",
        "UPDATE makers SET used = 'then'",
    ],
)
def test_an_entry_that_is_not_whole_is_computed_again(store, statement):
    put(store, keys_from(0, 5))
    with sqlite3.connect(store_file(store.cache_dir)) as connection:
        connection.execute(statement)
    connection.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = assert_never_wrong(store, keys_from(0, 5))
    assert len(caught) == (0 if found.all() else 1)
    assert found.all() == ("used" in statement)
    put(store, keys_from(0, 5))
    assert assert_never_wrong(store, keys_from(0, 5)).all()


def test_a_value_under_another_fingerprint_is_not_taken_for_ones_own(folder):
    one, other = FeatureStore(folder, "one"), FeatureStore(folder, "other")
    put(one, keys_from(0, 2))
    put(other, keys_from(2, 2))
    with sqlite3.connect(store_file(folder)) as connection:
        connection.execute("UPDATE entries SET maker = 2 WHERE maker = 1")
    connection.close()
    with pytest.warns(CacheWarning, match="is damaged"):
        assert not assert_never_wrong(other, keys_from(0, 4)).any()


DAMAGES = {
    "garbage": lambda data: random.Random(0).randbytes(len(data)),
    "garbage after the header": lambda data: (
        data[:100] + random.Random(0).randbytes(len(data) - 100)
    ),
    "half of it": lambda data: data[: len(data) // 2],
    "a few bytes": lambda data: data[:50],
    "zeros": lambda data: bytes(len(data)),
    "text": lambda _: b"to whom it may concern\n",
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_file_is_rebuilt_with_a_warning(store, how):
    put(store, keys_from(0, 300))
    file = store_file(store.cache_dir)
    file.write_bytes(DAMAGES[how](file.read_bytes()))
    with pytest.warns(CacheWarning, match=r"is damaged \(.*computed again"):
        assert not assert_never_wrong(store, keys_from(0, 300)).any()
    put(store, keys_from(0, 300))
    assert assert_never_wrong(store, keys_from(0, 300)).all()


@pytest.mark.parametrize("table", ["makers", "entries"])
def test_a_file_without_a_table_is_rebuilt_with_a_warning(store, table):
    put(store, keys_from(0, 3))
    with sqlite3.connect(store_file(store.cache_dir)) as connection:
        connection.execute(f"DROP TABLE {table}")
    connection.close()
    with pytest.warns(CacheWarning, match="no such table"):
        assert not assert_never_wrong(store, keys_from(0, 3)).any()
    put(store, keys_from(0, 3))
    assert assert_never_wrong(store, keys_from(0, 3)).all()


def test_an_empty_file_is_a_new_store(store):
    put(store, keys_from(0, 3))
    store_file(store.cache_dir).write_bytes(b"")
    assert not assert_never_wrong(store, keys_from(0, 3)).any()
    put(store, keys_from(0, 3))
    assert assert_never_wrong(store, keys_from(0, 3)).all()


def test_a_folder_removed_meanwhile_is_made_anew(store):
    put(store, keys_from(0, 3))
    shutil.rmtree(store.cache_dir)
    assert not assert_never_wrong(store, keys_from(0, 3)).any()
    put(store, keys_from(0, 3))
    assert assert_never_wrong(store, keys_from(0, 3)).all()


def test_many_processes_that_meet_a_damaged_file_all_go_on(folder):
    store = FeatureStore(folder, "a trunk")
    put(store, keys_from(0))
    file = store_file(folder)
    file.write_bytes(DAMAGES["garbage"](file.read_bytes()))
    code = """
    store = FeatureStore(sys.argv[1], "a trunk")
    for round in range(5):
        values, found = store.get_many(keys_from(0))
        for key, value, is_found in zip(keys_from(0), values, found):
            assert not is_found or value.tobytes() == value_of(key).tobytes()
        put(store, keys_from(0))
    """
    for child in [start_child(code, folder) for _ in range(2)]:
        finish(child)
    assert assert_never_wrong(store, keys_from(0)).all()


# --- limits and eviction ------------------------------------------------------------


def test_what_was_not_used_for_longest_is_evicted_first(folder, clock, limit):
    limit(1024**2)
    stores = [FeatureStore(folder, f"trunk {i}") for i in range(4)]
    for store in stores:
        put(store, keys_from(0), 4096)
        clock[0] += feature_store._ACCESS_GRANULARITY_S
    stores[0].get_many(keys_from(0))  # the oldest is now the one used last
    clock[0] += feature_store._ACCESS_GRANULARITY_S
    for i in range(4):
        put(FeatureStore(folder, "another"), keys_from(100 * i), 4096)
    kept = [store.get_many(keys_from(0))[1].mean() for store in stores]
    assert kept[0] == 1
    assert kept[1] == 0
    assert kept == [1, *sorted(kept[1:])]


def test_the_limit_is_that_of_the_environment(folder, monkeypatch):
    monkeypatch.setenv("GLOMCLF_CACHE_MAX_BYTES", str(2 * 1024**2))
    assert FeatureStore(folder, "a").max_bytes == 2 * 1024**2
    for text in ("1000", "10 GB"):
        monkeypatch.setenv("GLOMCLF_CACHE_MAX_BYTES", text)
        with pytest.raises(CacheError, match=rf"'{text}'.*at least 1048576"):
            FeatureStore(folder, "a")


def test_ctrl_c_while_values_are_put_keeps_what_was_there(store, monkeypatch):
    put(store, keys_from(0))

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FeatureStore, "_checksum", interrupted)
        with pytest.raises(KeyboardInterrupt):
            put(store, keys_from(100))
    put(store, keys_from(200))
    found = assert_never_wrong(store, [*keys_from(0), *keys_from(100)])
    assert found.tolist() == [True] * 16 + [False] * 16


def test_eviction_takes_the_oldest_of_all_fingerprints(folder, clock, limit):
    limit(1024**2)
    old = FeatureStore(folder, "old")
    new = FeatureStore(folder, "new")
    put(old, keys_from(0, 64), 4096)
    clock[0] += feature_store._ACCESS_GRANULARITY_S
    put(new, keys_from(0, 64), 4096)
    put(new, keys_from(64, 32), 4096)
    assert n_entries(new) == 96
    assert n_entries(old) < 30


def test_access_times_are_written_once_an_hour_and_not_at_each_reading(store, clock):
    put(store, keys_from(0))

    def last_used() -> int:
        return cache_info(store.cache_dir).namespaces[0].last_used

    start = clock[0]
    clock[0] += feature_store._ACCESS_GRANULARITY_S - 1
    store.get_many(keys_from(0))
    assert last_used() == start
    clock[0] += 1
    store.get_many(keys_from(0))
    assert last_used() == clock[0]


def test_reading_goes_on_while_another_process_writes(store):
    put(store, keys_from(0))
    other = sqlite3.connect(store_file(store.cache_dir), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert assert_never_wrong(store, keys_from(0)).all()
    other.execute("ROLLBACK")
    other.close()


@pytest.mark.parametrize("n_features", [N_FEATURES, 4096, 60_000])
def test_the_file_stays_within_the_limit(folder, n_features, limit):
    limit(1024**2)
    store = FeatureStore(folder, "a trunk")
    per_batch = max(1, 80_000 // (2 * n_features + 200))
    for start in range(0, 20 * per_batch, per_batch):
        put(store, keys_from(start, per_batch), n_features)
        assert store_file(folder).stat().st_size <= 1024**2
        assert store.get_many(keys_from(start, per_batch))[1].all()
    (held,) = cache_info(folder).namespaces
    assert held.n_bytes > 0.4 * 1024**2


def test_a_file_beyond_a_lower_limit_grows_no_more(folder, limit):
    put(FeatureStore(folder, "a trunk"), keys_from(0, 400), 4096)
    size = store_file(folder).stat().st_size
    assert size > 3 * 1024**2
    limit(1024**2)
    store = FeatureStore(folder, "a trunk")
    put(store, keys_from(1000), 4096)
    assert store_file(folder).stat().st_size <= size
    assert cache_info(folder).namespaces[0].n_bytes < 1024**2
    assert store.get_many(keys_from(1000))[1].all()
    assert sqlite_check(folder) == "ok"


# --- obstacles ----------------------------------------------------------------------


def test_a_read_only_folder_is_a_warning_that_names_the_remedy(as_ordinary_user):
    as_ordinary_user.chmod(0o500)
    store = FeatureStore(as_ordinary_user, "a trunk")
    assert not store.get_many([b"a"])[1].any()
    with pytest.warns(CacheWarning, match=r"denied.*not kept.*cache_dir=False"):
        put(store, [b"a"])
    as_ordinary_user.chmod(0o700)


def test_a_store_that_became_read_only_is_read_and_not_written(as_ordinary_user, clock):
    store = FeatureStore(as_ordinary_user, "a trunk")
    put(store, keys_from(0))
    file = store_file(as_ordinary_user)
    file.chmod(0o400)
    file.parent.chmod(0o500)
    assert assert_never_wrong(store, keys_from(0)).all()
    with pytest.warns(CacheWarning, match=r"readonly.*GLOMCLF_CACHE_DIR.*=False"):
        put(store, keys_from(100))
    clock[0] += feature_store._ACCESS_GRANULARITY_S
    with pytest.warns(CacheWarning, match="readonly"):
        assert assert_never_wrong(store, keys_from(0)).all()
    file.parent.chmod(0o700)


def test_a_file_in_place_of_the_folder_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    store = FeatureStore(tmp_path / "file", "a trunk")
    assert not store.get_many([b"a"])[1].any()
    with pytest.warns(CacheWarning, match="cache_dir=False"):
        put(store, [b"a"])


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_only_the_owner_may_enter_the_folder(store):
    put(store, keys_from(0))
    assert store_file(store.cache_dir).parent.stat().st_mode & 0o077 == 0


def test_a_full_disk_is_a_warning_and_what_was_there_stays(store, monkeypatch):
    put(store, keys_from(0))
    n_pages = store_file(store.cache_dir).stat().st_size // 4096
    with monkeypatch.context() as patch:
        full = (*database._SETTINGS, f"max_page_count = {n_pages}")
        patch.setattr(database, "_SETTINGS", full)
        with pytest.warns(
            CacheWarning, match=r"disk is full\): values are computed and not"
        ):
            put(store, keys_from(100, 300))
    assert assert_never_wrong(store, keys_from(0)).all()
    assert not store.get_many(keys_from(100, 300))[1].any()
    put(store, keys_from(100, 300))
    assert assert_never_wrong(store, keys_from(100, 300)).all()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the size of files")
def test_a_failing_disk_is_a_warning_and_what_was_there_stays(folder):
    code = """
    import resource, warnings
    store = FeatureStore(sys.argv[1], "a trunk")
    put(store, keys_from(0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        put(store, keys_from(100, 300))
    print([w.category.__name__ for w in caught])
    """
    assert finish(start_child(code, folder)) == "['CacheWarning']\n"
    store = FeatureStore(folder, "a trunk")
    assert assert_never_wrong(store, keys_from(0)).all()
    assert not store.get_many(keys_from(100, 300))[1].any()
    assert sqlite_check(folder) == "ok"


def test_a_file_that_stays_locked_is_a_warning(store, monkeypatch):
    monkeypatch.setattr(database, "_LOCK_WAIT_S", 0)
    put(store, keys_from(0))
    other = sqlite3.connect(store_file(store.cache_dir), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.warns(CacheWarning, match="database is locked"):
        put(store, keys_from(100))
    other.execute("ROLLBACK")
    other.close()
    assert store.get_many([*keys_from(0), *keys_from(100)])[1].sum() == 16


# --- processes and threads ----------------------------------------------------------


def test_pickling_keeps_the_parameters(store):
    put(store, keys_from(0))
    data = pickle.dumps(store)
    assert len(data) < 1000
    copy = pickle.loads(data)
    assert vars(copy) == vars(store)
    assert assert_never_wrong(copy, keys_from(0)).all()


def test_a_relative_folder_means_the_same_after_a_change_of_directory(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    store = FeatureStore("cache", "a trunk")
    put(store, keys_from(0))
    monkeypatch.chdir("/")
    assert assert_never_wrong(store, keys_from(0)).all()


def test_threads_share_a_store(store):
    faults = []

    def work(start):
        try:
            for i in range(start, start + 64, 16):
                put(store, keys_from(i))
                assert assert_never_wrong(store, keys_from(i)).all()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(48 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert n_entries(store) == 5 * 48 + 64


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_and_its_parent_go_on_side_by_side(folder):
    code = """
    import threading
    store = FeatureStore(sys.argv[1], "a trunk")
    put(store, keys_from(0))
    stop = threading.Event()
    def write():
        start = 1000
        while not stop.is_set():
            put(store, keys_from(start))
            start += 16
            time.sleep(0.003)
    thread = threading.Thread(target=write)
    thread.start()
    children = []
    for child in range(5):
        pid = os.fork()
        if pid == 0:
            put(store, keys_from(100 * (child + 1)))
            os._exit(0 if store.get_many(keys_from(0))[1].all() else 1)
        children.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    stop.set()
    thread.join()
    print(codes, store.get_many(keys_from(0))[1].all())
    """
    assert finish(start_child(code, folder)) == "[0, 0, 0, 0, 0] True\n"
    store = FeatureStore(folder, "a trunk")
    for child in range(5):
        assert assert_never_wrong(store, keys_from(100 * (child + 1))).all()
    assert sqlite_check(folder) == "ok"


def test_concurrent_writers_lose_nothing(folder):
    code = """
    store = FeatureStore(sys.argv[1], "a trunk")
    for start in range(int(sys.argv[2]), int(sys.argv[2]) + 20 * 8, 8):
        put(store, keys_from(start))  # half of each batch is also another's
        values, found = store.get_many(keys_from(start))
        assert found.all()
    """
    children = [start_child(code, folder, first) for first in (0, 4)]
    for child in children:
        finish(child)
    store = FeatureStore(folder, "a trunk")
    n_keys = 20 * 8 + 12
    assert n_entries(store) == n_keys
    assert assert_never_wrong(store, keys_from(0, n_keys)).all()
    assert sqlite_check(folder) == "ok"


def test_concurrent_evictions_and_clearings_give_no_wrong_value(folder):
    code = """
    os.environ["GLOMCLF_CACHE_MAX_BYTES"] = str(1024**2)
    store = FeatureStore(sys.argv[1], "a trunk")
    for start in range(0, 600, 100):
        put(store, keys_from(start + int(sys.argv[2]), 100))
        if start % 300 == 100:
            clear_cache(sys.argv[1])
        time.sleep(0.003)
        values, found = store.get_many(keys_from(start, 100))
        for key, value, is_found in zip(keys_from(start, 100), values, found):
            assert not is_found or value.tobytes() == value_of(key).tobytes()
    """
    children = [start_child(code, folder, first) for first in (0, 50)]
    for child in children:
        finish(child)
    assert store_file(folder).stat().st_size <= 1024**2


KILLED = """
os.environ["GLOMCLF_CACHE_MAX_BYTES"] = sys.argv[3]
store = FeatureStore(sys.argv[1], "a trunk")
start = int(sys.argv[2])
while True:
    put(store, keys_from(start, 64))
    print(start, flush=True)
    start += 64
    time.sleep(0.003)  # as a trunk leaves the lock to others between two batches
"""


def kill_and_check(folder: Path, generator: random.Random, n_kills: int) -> None:
    """Kill two writers at a random moment; what they had put must be there, whole."""
    store = FeatureStore(folder, "a trunk")
    for turn in range(n_kills):
        first = 1_000_000 * turn
        children = [
            start_child(KILLED, folder, first + half, 10**10) for half in (0, 500_000)
        ]
        acknowledged = [int(child.stdout.readline()) for child in children]
        threading.Event().wait(generator.uniform(0, 0.15))
        for child in children:
            child.send_signal(signal.SIGKILL)
            out, _ = child.communicate()
            acknowledged += map(int, out.splitlines())
        assert sqlite_check(folder) == "ok"
        for start in acknowledged:
            assert assert_never_wrong(store, keys_from(start, 64)).all()
        assert assert_never_wrong(store, keys_from(first, 8 * 64)).any()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed_writers_leave_all_that_was_put(folder):
    """``GLOMCLF_TEST_KILLS=20`` kills more often than an ordinary test run."""
    n_kills = int(os.environ.get("GLOMCLF_TEST_KILLS", "2"))
    kill_and_check(folder, random.Random(1), n_kills)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_writer_killed_while_it_evicts_leaves_a_sound_file(folder):
    generator = random.Random(2)
    for turn in range(2):
        child = start_child(KILLED, folder, 100_000 * turn, 2**20)
        for _ in range(20):  # by now the file is at its limit
            child.stdout.readline()
        threading.Event().wait(generator.uniform(0, 0.05))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert sqlite_check(folder) == "ok"
        store = FeatureStore(folder, "a trunk")
        assert assert_never_wrong(store, keys_from(100_000 * turn, 6000)).any()
        assert store_file(folder).stat().st_size <= 2**20


# --- the cache as a whole -----------------------------------------------------------


def test_the_default_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("GLOMCLF_CACHE_DIR", str(tmp_path))
    assert default_cache_dir() == tmp_path
    assert FeatureStore(None, "a trunk").cache_dir == tmp_path
    monkeypatch.setenv("GLOMCLF_CACHE_DIR", "")
    assert default_cache_dir().name == "glomclf"
    monkeypatch.delenv("GLOMCLF_CACHE_DIR")
    assert default_cache_dir().name == "glomclf"


def test_cache_info_tells_what_each_fingerprint_holds(folder, clock):
    put(FeatureStore(folder, "older"), keys_from(0, 3))
    clock[0] += 10
    put(FeatureStore(folder, "newer"), keys_from(0, 5))
    info = cache_info(folder)
    assert info.n_entries == 8
    assert info.n_bytes >= 8 * 2 * N_FEATURES
    described = [(n.fingerprint, n.n_entries, n.n_bytes) for n in info.namespaces]
    assert described == [
        ("newer", 5, 10 * N_FEATURES),
        ("older", 3, 6 * N_FEATURES),
    ]
    assert info.namespaces[0].last_used - info.namespaces[1].last_used == 10


def test_cache_info_of_no_cache_makes_none(folder):
    info = cache_info(folder)
    assert (info.n_entries, info.n_bytes, info.namespaces) == (0, 0, ())
    assert not folder.exists()


def test_clear_cache_removes_the_cache_and_no_other_file(store):
    put(store, keys_from(0))
    others = {store.cache_dir / "notes.txt", store.cache_dir / "glomclf-features-vgg"}
    for other in others:
        other.write_text("mine")
    before = cache_info(store.cache_dir).n_bytes
    assert clear_cache(store.cache_dir) == before > 0
    assert set(store.cache_dir.iterdir()) == others
    assert clear_cache(store.cache_dir) == 0


def test_what_a_killed_clearing_left_goes_with_the_next(store):
    leftover = store.cache_dir / "glomclf-features-v1.0123.discarded"
    leftover.mkdir(parents=True)
    (leftover / "features.sqlite").write_bytes(bytes(1000))
    assert cache_info(store.cache_dir).n_bytes == 1000
    assert clear_cache(store.cache_dir) == 1000
    assert not leftover.exists()


def test_clear_cache_follows_no_link_and_leaves_what_others_put_there(store):
    put(store, keys_from(0))
    own = store_file(store.cache_dir).parent
    (own / "notes.txt").write_text("mine")
    outside = store.cache_dir.parent / "outside"
    outside.mkdir()
    (outside / "features.sqlite").write_text("mine")
    link = store.cache_dir / "glomclf-features-v1"
    link.symlink_to(outside)
    near = store.cache_dir / "glomclf-features-v2-notes"
    near.mkdir()
    (near / "features.sqlite").write_text("mine")
    assert clear_cache(store.cache_dir) > 0
    assert (own / "notes.txt").read_text() == "mine"
    assert [file.name for file in own.iterdir()] == ["notes.txt"]
    assert (outside / "features.sqlite").read_text() == "mine"
    assert link.is_symlink()
    assert (near / "features.sqlite").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
@pytest.mark.parametrize("place", ["cache_dir", "folder", "file"])
def test_a_store_that_everybody_can_write_to_is_passed_over(store, place):
    put(store, keys_from(0))
    file = store_file(store.cache_dir)
    unsafe = {"cache_dir": store.cache_dir, "folder": file.parent, "file": file}[place]
    unsafe.chmod(0o777)
    with pytest.warns(CacheWarning, match=rf"everybody can write to {unsafe}\)"):
        assert not store.get_many(keys_from(0))[1].any()
    unsafe.chmod(0o700)
    assert assert_never_wrong(store, keys_from(0)).all()


def test_a_store_of_another_user_is_passed_over(as_ordinary_user, monkeypatch):
    store = FeatureStore(as_ordinary_user, "a trunk")
    put(store, keys_from(0))
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.warns(CacheWarning, match="belongs to another user"):
        assert not store.get_many(keys_from(0))[1].any()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_store_behind_a_link_is_passed_over(store):
    put(store, keys_from(0))
    folder = store_file(store.cache_dir).parent
    folder.rename(store.cache_dir / "elsewhere")
    folder.symlink_to(store.cache_dir / "elsewhere")
    with pytest.warns(CacheWarning, match="is a link"):
        assert not store.get_many(keys_from(0))[1].any()


def test_values_are_stored_as_plain_bytes(store):
    put(store, keys_from(0, 4))
    with sqlite3.connect(store_file(store.cache_dir)) as connection:
        rows = connection.execute("SELECT typeof(value), value FROM entries").fetchall()
    connection.close()
    assert Counter(kind for kind, _ in rows) == {"blob": 4}
    assert {value for _, value in rows} == {
        value_of(key).tobytes() for key in keys_from(0, 4)
    }
