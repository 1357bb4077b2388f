"""Batches: each row once an epoch, its label and weight with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glomclf.network.assembly import build_network
from glomclf.network.backend import tf
from glomclf.network.batches import ArrayBatches
from glomclf.network.optimisation import NetworkSpec
from glomclf.network.programs import _each_batch, _kept

N_ROWS = st.integers(1, 70)
BATCH_SIZES = st.integers(1, 40)


def rows_of(batches):
    return [np.concatenate(parts) for parts in zip(*batches_in(batches), strict=True)]


def batches_in(batches):
    return [batches[index] for index in range(len(batches))]


@settings(max_examples=20)
@given(n_rows=N_ROWS, batch_size=BATCH_SIZES)
def test_without_a_seed_batches_keep_the_order(n_rows, batch_size):
    X = np.arange(n_rows)
    batches = ArrayBatches(X, batch_size=batch_size)
    for _ in range(2):
        (rows,) = rows_of(batches)
        np.testing.assert_array_equal(rows, X)
        batches.on_epoch_begin()


@settings(max_examples=20)
@given(n_rows=N_ROWS, batch_size=BATCH_SIZES, seed=st.integers(0, 2**31))
def test_every_epoch_holds_each_row_once_with_its_label_and_weight(
    n_rows, batch_size, seed
):
    X = np.arange(n_rows)
    batches = ArrayBatches(X, -X, X / 2, batch_size=batch_size, shuffle_seed=seed)
    for _ in range(3):
        batches.on_epoch_begin()
        rows, labels, weights = rows_of(batches)
        np.testing.assert_array_equal(np.sort(rows), X)
        np.testing.assert_array_equal(labels, -rows)
        np.testing.assert_array_equal(weights, rows / 2)


@settings(max_examples=20)
@given(n_rows=N_ROWS, batch_size=BATCH_SIZES)
def test_all_batches_but_the_last_are_full(n_rows, batch_size):
    *full, last = batches_in(ArrayBatches(np.zeros((n_rows, 2)), batch_size=batch_size))
    assert {len(X) for (X,) in full} <= {batch_size}
    assert 1 <= len(last[0]) <= batch_size


def test_the_order_changes_between_epochs_and_follows_the_seed():
    def two_epochs(seed):
        batches = ArrayBatches(np.arange(50), batch_size=8, shuffle_seed=seed)
        batches.on_epoch_begin()
        first = rows_of(batches)[0]
        batches.on_epoch_begin()
        return [first.tolist(), rows_of(batches)[0].tolist()]

    first, second = two_epochs(0)
    assert first != second
    assert first != list(range(50))
    assert two_epochs(0) == [first, second]
    assert two_epochs(1) != [first, second]


def test_shuffling_leaves_the_callers_arrays_alone():
    X = np.arange(50)
    ArrayBatches(X, shuffle_seed=0)
    np.testing.assert_array_equal(X, np.arange(50))


@settings(max_examples=20)
@given(n_rows=N_ROWS, batch_size=BATCH_SIZES, seed=st.integers(0, 2**31))
def test_even_batches_hold_each_row_once_and_differ_by_one_row(
    n_rows, batch_size, seed
):
    X = np.arange(n_rows)
    batches = ArrayBatches(X, batch_size=batch_size, shuffle_seed=seed, are_even=True)
    assert len(batches) == len(ArrayBatches(X, batch_size=batch_size))
    batches.on_epoch_begin()
    sizes = [len(rows) for (rows,) in batches_in(batches)]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= batch_size
    np.testing.assert_array_equal(np.sort(rows_of(batches)[0]), X)


# -- augmentation ----------------------------------------------------------------------


class Keys:
    """Writes what an image was drawn by where its first pixels were."""

    def transform(self, images, keys, *, n_threads):
        assert n_threads >= 1
        seen = images.copy()
        seen[:, 0, 0] = np.array(keys)
        return seen


def test_images_are_drawn_by_seed_epoch_and_row_whatever_the_order():
    X = np.zeros((10, 2, 2, 3), np.uint8)
    X[:, 1, 1, 0] = np.arange(10)
    batches = ArrayBatches(X, X[:, 1, 1, 0], batch_size=4, shuffle_seed=7,
                           augmenter=Keys())  # fmt: skip
    orders = []
    for epoch in range(3):
        batches.on_epoch_begin()
        images, labels = rows_of(batches)
        expected = [(7, epoch, row) for row in labels]
        np.testing.assert_array_equal(images[:, 0, 0], expected)
        orders.append(labels.tolist())
    assert orders[0] != orders[1]
    assert not X[:, 0, 0].any()


def test_batches_read_ahead_are_those_of_the_epoch_in_their_order():
    batches = ArrayBatches(np.arange(10), batch_size=4, shuffle_seed=0)
    batches.on_epoch_begin()
    ahead_of = batches.read_ahead()
    for (ahead,), (rows,) in zip(ahead_of, batches_in(batches), strict=True):
        np.testing.assert_array_equal(ahead, rows)


def test_an_error_while_batches_are_read_ahead_is_raised():
    class Broken(ArrayBatches):
        def __getitem__(self, index):
            raise OSError("no such image")

    with pytest.raises(OSError, match="no such image"):
        list(Broken(np.arange(3)).read_ahead())


@pytest.fixture(scope="module")
def head():
    """A head over three features, built once: no test trains it."""
    return build_network(NetworkSpec((3,), dense_units=4), None)


@pytest.mark.parametrize("batch_size", [4, 32, None])
def test_predictions_keep_the_order_of_rows_at_every_batch_size(
    head, monkeypatch, batch_size
):
    if batch_size is not None:  # else small features are predicted whole
        monkeypatch.setattr("glomclf.network.assembly._SMALL", 0)
    X = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    at_once = np.asarray(head(X))
    predicted = head.predict(X, batch_size=batch_size, verbose=0)
    np.testing.assert_allclose(predicted, at_once, atol=1e-6)


def test_features_are_standardised_in_float64_and_constants_left_alone(head):
    X = np.random.default_rng(0).normal(1000.0, 0.1, size=(500, 3)).astype(np.float32)
    X[:, 2] = 7.0
    head._standardise(X, batch_size=32)
    mean, variance = head.get_layer("standardise").get_weights()
    np.testing.assert_allclose(mean, X.mean(axis=0, dtype=np.float64), rtol=1e-6)
    expected = X[:, :2].var(axis=0, dtype=np.float64)
    np.testing.assert_allclose(variance[:2], expected, rtol=1e-5)
    assert variance[2] == 1.0


@pytest.mark.parametrize(("n_rows", "batch_size"), [(8, 4), (9, 4), (3, 8)])
def test_one_call_runs_a_step_on_every_batch_of_an_order(n_rows, batch_size):
    X = np.arange(n_rows, dtype=np.float32)
    batches = ArrayBatches(X, -X, batch_size=batch_size, shuffle_seed=0)
    batches.on_epoch_begin()
    seen = tf.Variable(np.zeros((0, 3), dtype=np.float32), shape=(None, 3))

    def step(batch):
        size = tf.fill(tf.shape(batch[0]), tf.cast(tf.size(batch[0]), tf.float32))
        rows = tf.stack([*batch, size], axis=1)
        seen.assign(tf.concat([seen.read_value(), rows], axis=0))

    _each_batch(step, batches)(batches.order, *batches.arrays)
    expected = [
        np.column_stack([rows, labels, np.full(len(rows), len(rows))])
        for rows, labels in batches_in(batches)
    ]
    np.testing.assert_array_equal(seen.numpy(), np.concatenate(expected))


def test_a_program_used_again_trains_as_a_fresh_one_and_shares_no_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.float32)

    def fit(n_rows, seed, learning_rate):
        settings = {"dense_units": 8, "learning_rate": learning_rate}
        model = build_network(NetworkSpec((6,), seed=seed, **settings), None)
        options = {"batch_size": 8, "epochs": 3, "validation_data": (X[40:], y[40:])}
        return model, model.fit(X[:n_rows], y[:n_rows], **options).history

    _kept.clear()
    fresh, history = fit(40, 1, 1e-2)
    before = fresh.get_weights()
    _kept.clear()
    other, _ = fit(33, 2, 1e-1)
    assert len(_kept) == 1
    again, history_again = fit(40, 1, 1e-2)
    assert len(_kept) == 1
    assert history_again == history
    for ours, theirs in zip(before, again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(before, fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(other.get_weights()[2], again.get_weights()[2])


def test_small_features_train_the_same_whole_as_in_batches(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70, 12)).astype(np.float32)
    y = (X[:, :1] > 0).astype(np.float32)
    weight = rng.uniform(0.5, 2, 50).astype(np.float32)
    histories, weights = [], []
    for largest in (2**28, 0):
        monkeypatch.setattr("glomclf.network.assembly._SMALL", largest)
        settings = {"dense_units": 8, "learning_rate": 1e-2}
        model = build_network(NetworkSpec((12,), seed=3, **settings), None)
        history = model.fit(
            X[:50],
            y[:50],
            sample_weight=weight,
            batch_size=16,
            epochs=2,
            validation_data=(X[50:], y[50:]),
        )
        histories.append(history.history)
        weights.append(model.get_weights())
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)
    for whole, batched in zip(*weights, strict=True):
        np.testing.assert_allclose(whole, batched, atol=1e-6)
