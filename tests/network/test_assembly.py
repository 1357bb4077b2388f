"""The network that is trained: trunk, tail and head are one model, cut anywhere."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from glomclf import PatchClassifier
from glomclf.network import assembly
from glomclf.network.assembly import build_network, owned_weights, set_owned_weights
from glomclf.network.backbones import load_backbone
from glomclf.network.engines import compile_trunk
from glomclf.network.optimisation import NetworkSpec

SPEC = NetworkSpec((32, 32, 3), from_images=True, seed=3, dense_units=8)


@pytest.fixture(scope="module")
def cnn():
    return load_backbone("cnn", None)


def build_whole(backbone, trainable_layers, **changed):
    spec = replace(SPEC, trainable_layers=trainable_layers, **changed)
    return build_network(spec, backbone)


def predict_from_features(X, backbone, trainable_layers, weights):
    """Run the trunk, then a network above it with the given weights."""
    features = compile_trunk(backbone, backbone.cut(trainable_layers))(X)
    rows = {"input_shape": features.shape[1:], "from_images": False}
    rest = build_whole(backbone, trainable_layers, **rows)
    set_owned_weights(rest, weights)
    return rest.predict(features, verbose=0)


@pytest.mark.parametrize("trainable_layers", [0, 2, 10])
def test_trunk_and_rest_predict_what_the_whole_predicts(cnn, patches, trainable_layers):
    X, _ = patches
    whole = build_whole(cnn, trainable_layers)
    whole._standardise(X, batch_size=8)
    in_two = predict_from_features(X, cnn, trainable_layers, owned_weights(whole))
    assert np.ptp(in_two) > 1e-3
    np.testing.assert_allclose(in_two, np.asarray(whole(X)), atol=1e-4)


def test_trunk_and_rest_predict_what_the_fitted_whole_predicts(cnn, patches):
    (X, y), trainable_layers = patches, 6
    net = PatchClassifier(
        "cnn", weights=None, trainable_layers=trainable_layers, dense_units=8,
        epochs=1, batch_size=8, random_state=0,
    ).fit(X, y)  # fmt: skip
    fitted = owned_weights(net.net_.model_)
    in_two = predict_from_features(X, cnn, trainable_layers, fitted)
    assert np.ptp(in_two) > 1e-3
    np.testing.assert_allclose(in_two[:, 0], net.predict_proba(X)[:, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("trainable_layers", "trained"),
    [
        (0, {"hidden", "output"}),
        (5, {"block4_conv", "hidden", "output"}),
        ("all", None),
    ],
)
def test_only_the_last_layers_and_the_head_are_trained(cnn, trainable_layers, trained):
    whole = build_whole(cnn, trainable_layers)
    variables = {variable.path.split("/")[-2] for variable in whole.trainable_variables}
    if trained is None:
        assert len(whole.trainable_variables) == 4 * 4 + 4
    else:
        assert variables == trained


@pytest.mark.parametrize(
    ("trainable_layers", "momentum", "is_live"),
    [(5, 0.99, False), (17, 0.99, False), (18, 0.9, True), ("all", 0.9, True)],
)
def test_statistics_follow_training_where_no_layer_is_frozen(
    cnn, trainable_layers, momentum, is_live
):
    whole = build_whole(cnn, trainable_layers)
    norms = {
        layer.name: layer
        for layer in whole._flatten_layers()
        if hasattr(layer, "moving_mean")
    }
    assert len(cnn.model.layers) == 18
    assert norms["block4_bn"].momentum == momentum
    assert norms["standardise"].trainable is is_live
    rows = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    before = norms["standardise"].get_weights()
    whole(rows, training=True)
    after = norms["standardise"].get_weights()
    changed = [not np.allclose(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [is_live, is_live]


def test_owned_weights_are_all_but_the_trunks(cnn):
    whole = build_whole(cnn, 1)
    assert len(owned_weights(whole)) == 2 + 4  # mean, variance; two dense layers
    assert len(whole.get_weights()) > 6


def test_owned_weights_come_back_into_another_network(cnn):
    first, second = build_whole(cnn, 6), build_whole(cnn, 6)
    weights = [w + 1.0 for w in owned_weights(first)]
    set_owned_weights(second, weights)
    for given, found in zip(weights, owned_weights(second), strict=True):
        np.testing.assert_array_equal(given, found)


def test_too_many_and_too_few_weights_are_errors(cnn):
    whole = build_whole(cnn, 0)
    weights = owned_weights(whole)
    with pytest.raises(ValueError, match="longer"):
        set_owned_weights(whole, [*weights, weights[0]])
    with pytest.raises(ValueError, match="shorter"):
        set_owned_weights(whole, weights[:-1])


def test_networks_are_made_by_one_thread_at_a_time(cnn, monkeypatch):
    is_made = threading.Lock()

    class Watched(assembly.BatchedModel):
        def __init__(self, *args, **kwargs):
            assert is_made.acquire(blocking=False), "by two threads at once"
            time.sleep(0.05)
            super().__init__(*args, **kwargs)
            is_made.release()

    monkeypatch.setattr(assembly, "BatchedModel", Watched)
    with ThreadPoolExecutor(3) as threads:
        made = [threads.submit(build_whole, cnn, 0) for _ in range(3)]
    assert {type(one.result()) for one in made} == {Watched}


def test_the_head_starts_from_its_seed_alone(cnn):
    first, same = build_whole(cnn, 0), build_whole(cnn, 0)
    other = build_whole(cnn, 0, seed=4)
    kernels = [model.get_layer("hidden").get_weights()[0] for model in
               (first, same, other)]  # fmt: skip
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.allclose(kernels[0], kernels[2])


@pytest.mark.parametrize("trainable_layers", [0, "all"])
def test_in_bfloat16_weights_and_probabilities_stay_in_float32(
    cnn, patches, trainable_layers
):
    X, _ = patches
    exact = build_whole(cnn, trainable_layers)
    mixed = build_whole(cnn, trainable_layers, training_precision="bfloat16")
    assert mixed.get_layer("hidden").compute_dtype == "bfloat16"
    assert {w.dtype for w in owned_weights(mixed)} == {np.dtype("float32")}
    for model in (exact, mixed):
        model._standardise(X, batch_size=8)
    found = mixed.predict(X, verbose=0)
    assert found.dtype == np.float32
    difference = np.abs(found - exact.predict(X, verbose=0)).max()
    assert 0 < difference < 0.05


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_the_optimizer_is_the_one_asked_for_at_its_rate(name):
    settings = {"dense_units": 4, "dropout": 0.25, "learning_rate": 0.02}
    model = build_network(NetworkSpec((3,), optimizer=name, **settings), None)
    assert type(model.optimizer).__name__.lower() == name
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert model.get_layer("dropout").rate == 0.25
    assert model.get_layer("hidden").units == 4
