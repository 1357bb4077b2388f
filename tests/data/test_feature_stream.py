"""The pass from images to features: the same as all at once, each computed once."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glomclf.data import feature_stream, large_arrays
from glomclf.data.feature_stream import stream_features
from glomclf.data.image_source import ArraySource, ImageSource
from glomclf.data.store import FeatureStore, cache_info, content_keys

SIZE = 4


class Network:
    """Stands for the trunk: mean colours, and a count of what it was shown."""

    def __init__(self, maps=False, scale=1.0):
        self.n_computed, self.maps, self.scale = 0, maps, scale

    def __call__(self, images):
        self.n_computed += len(images)
        values = images.astype(np.float32) * self.scale
        return values if self.maps else values.mean(axis=(1, 2))


class Reader(ImageSource):
    """Stands for files: keys are unknown until an image was read once."""

    def __init__(self, images, known=()):
        super().__init__(images.shape)
        self.images = images
        self.known = set(known)
        self.n_read, self.most_ahead, self.threads = 0, 0, set()

    def known_keys(self, rows):
        keys = content_keys(self.images[rows])
        pairs = zip(rows.tolist(), keys, strict=True)
        return [key if row in self.known else None for row, key in pairs]

    def read(self, rows):
        self.n_read += len(rows)
        self.threads.add(threading.current_thread())
        return self.images[rows]


def images_of(values):
    values = np.asarray(values, np.uint8)
    return np.broadcast_to(values[:, None, None, None], (len(values), SIZE, SIZE, 3))


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path, "mean colours")


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(feature_stream, "ROWS_AT_ONCE", 4)


def stream(source, network, store, batch_size=3, advance=lambda n: None):
    return stream_features(
        source, network, store, batch_size=batch_size, advance=advance
    )


@pytest.mark.parametrize("kind", [ArraySource, Reader])
def test_arrays_and_readers_are_sources(kind):
    assert isinstance(kind(images_of([1])), ImageSource)
    assert not isinstance(images_of([1]), ImageSource)


@settings(max_examples=15)
@given(
    values=st.lists(st.integers(0, 255), min_size=1, max_size=40),
    known=st.sets(st.integers(0, 39)),
    stored=st.sets(st.integers(0, 255)),
    batch_size=st.integers(1, 9),
)
def test_each_row_gets_its_features_and_each_image_is_computed_once(
    tmp_path_factory, values, known, stored, batch_size
):
    store = FeatureStore(tmp_path_factory.mktemp("cache"), "mean colours")
    if stored:
        kept = images_of(sorted(stored))
        store.put_many(content_keys(kept), Network()(kept))
    network, n_done = Network(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_stream, "ROWS_AT_ONCE", 4)
        features = stream(
            Reader(images_of(values), known), network, store, batch_size, n_done.append
        )
    np.testing.assert_array_equal(features, np.repeat(values, 3).reshape(-1, 3))
    assert network.n_computed == len(set(values) - stored)
    assert sum(n_done) == len(values)
    assert store.get_many(content_keys(images_of(values)))[1].all()


@pytest.mark.usefixtures("small_chunks")
def test_without_a_store_every_image_is_computed_and_none_hashed(monkeypatch):
    monkeypatch.setattr(feature_stream, "content_keys", None)
    network = Network()
    features = stream(Reader(images_of([5] * 11)), network, None)
    np.testing.assert_array_equal(features, np.full((11, 3), 5))
    assert network.n_computed == 11


@pytest.mark.usefixtures("small_chunks")
def test_images_whose_features_are_stored_are_not_read(store):
    values = range(20)
    stream(ArraySource(images_of(values)), Network(), store)
    reader, network = Reader(images_of(values), known=range(20)), Network()
    features = stream(reader, network, store)
    np.testing.assert_array_equal(features[:, 0], values)
    assert (reader.n_read, network.n_computed) == (0, 0)


def test_an_image_replaced_since_its_key_was_read_is_kept_as_what_it_is(store):
    before, after = images_of([1, 2, 3]), images_of([1, 2, 9])
    source = Reader(after, known=range(3))
    source.known_keys = lambda rows: content_keys(before[rows])
    stream(source, Network(), store)
    found = store.get_many(content_keys(before))[1]
    assert found.tolist() == [True, True, False]
    assert store.get_many(content_keys(after))[1].all()


@pytest.mark.usefixtures("small_chunks")
def test_reading_goes_on_in_another_thread_one_chunk_ahead(store):
    reader = Reader(images_of(range(40)))
    most_ahead, n_computed = 0, 0

    def network(images):
        nonlocal most_ahead, n_computed
        n_computed += len(images)
        most_ahead = max(most_ahead, reader.n_read - n_computed)
        return Network()(images)

    stream(reader, network, store, batch_size=4)
    assert threading.current_thread() not in reader.threads
    assert most_ahead <= 8


@pytest.mark.usefixtures("small_chunks")
def test_an_image_that_cannot_be_read_ends_the_pass(store):
    class Broken(Reader):
        def read(self, rows):
            if 9 in rows:
                raise ValueError("row 9 is broken")
            return super().read(rows)

    network = Network()
    with pytest.raises(ValueError, match="row 9 is broken"):
        stream(Broken(images_of(range(20))), network, store)
    kept = cache_info(store.cache_dir).n_entries
    assert kept == network.n_computed > 0, "what was computed is kept"


def test_feature_maps_come_back_as_they_were_computed(store):
    images = images_of(range(9))
    for _ in range(2):
        features = stream(ArraySource(images), Network(maps=True, scale=0.1), store)
        np.testing.assert_array_equal(features, images * np.float32(0.1))


def test_large_features_lie_in_a_file(store, monkeypatch):
    monkeypatch.setattr(large_arrays, "LARGE_BYTES", 1)
    features = stream(ArraySource(images_of(range(9))), Network(), store)
    np.testing.assert_array_equal(features[:, 0], range(9))
    assert features.base is not None
