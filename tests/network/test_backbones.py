"""The backbones: how they are built, given weights, counted and cut."""

import urllib.error

import h5py
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from glomclf.errors import WeightsError
from glomclf.network import backbones
from glomclf.network.backbones import (
    BACKBONES,
    find_backbone,
    freeze_backbone,
    load_backbone,
)
from glomclf.network.backend import keras
from glomclf.network.cuts import make_tail, make_trunk
from glomclf.network.known_backbone import KnownBackbone
from glomclf.network.known_layers import layers_of
from glomclf.network.normalization import NORMALIZATIONS
from glomclf.network.random_statistics import _layers

# Keras writes weights through a call that numpy 2 is leaving behind; only tests write.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def resnet50():
    """ResNet-50 with random weights: building it takes seconds."""
    return load_backbone("resnet50", None)


@pytest.fixture(scope="module")
def cnn():
    return load_backbone("cnn", None)


@pytest.fixture
def trained_cnn():
    """A network whose weights differ from the fixed random ones."""
    model = BACKBONES["cnn"].build()
    rng = np.random.default_rng(7)
    model.set_weights([rng.uniform(0.1, 1.0, w.shape) for w in model.get_weights()])
    return model


def frozen(name, model, normalization="inception"):
    return freeze_backbone(name, model, NORMALIZATIONS[normalization])


def write_legacy(model, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


# -- layers and cuts -------------------------------------------------------------------


def test_resnet50_has_176_layers_with_its_pooling(resnet50):
    assert len(resnet50.model.layers) == 176
    assert resnet50.model.output.shape == (None, 2048)


@pytest.mark.parametrize(
    ("trainable_layers", "cut"),
    [
        (0, "avg_pool"),
        (1, "conv5_block3_out"),
        (2, "conv5_block2_out"),
        (25, "conv4_block6_out"),
        (169, "pool1_pool"),
        (170, None),
        (176, None),
        ("all", None),
    ],
)
def test_resnet50_is_cut_at_the_last_block_below_what_is_trained(
    resnet50, trainable_layers, cut
):
    assert resnet50.cut(trainable_layers) == cut


@pytest.mark.parametrize(
    ("trainable_layers", "cut"),
    [(0, "avg_pool"), (1, "block4_out"), (2, "block3_out"), (14, None), ("all", None)],
)
def test_the_cnn_is_cut_by_the_same_rule(cnn, trainable_layers, cut):
    assert cnn.cut(trainable_layers) == cut


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_path_to_the_features_runs_through_the_cut(name):
    backbone = load_backbone(name, None)
    layers = [layer.name for layer in backbone.model.layers]
    cuts = [backbone.cut(n) for n in range(len(layers) + 1)]
    for n_trainable, cut in enumerate(cuts):
        assert cut is None or layers.index(cut) < len(layers) - n_trainable
    for cut in sorted(set(cuts) - {None, "avg_pool"})[::4]:  # blocks are alike
        # Keras refuses a graph that is not closed at its new input.
        keras.Model(backbone.model.get_layer(cut).output, backbone.model.output)


def test_more_trainable_layers_than_there_are_is_an_error(cnn):
    message = r"trainable_layers=19 .* 'cnn' has 18 Keras layers.*smaller.*\"all\""
    with pytest.raises(ValueError, match=message):
        cnn.cut(19)


def test_trunk_and_tail_together_are_the_whole_backbone(cnn, patches):
    X, _ = patches
    whole = cnn.model(cnn.preprocess(X.astype(np.float32)))
    for n_trainable in (1, 2, 6):
        trunk = make_trunk(cnn, cnn.cut(n_trainable))
        halves = make_tail(cnn, n_trainable)(trunk(X))
        np.testing.assert_allclose(halves, whole, atol=1e-5)


def test_only_the_last_layers_of_a_tail_are_trainable_and_no_batch_norm(resnet50):
    tail = make_tail(resnet50, 25)
    trained = [layer.name for layer in tail.layers if layer.trainable]
    last = [layer.name for layer in resnet50.model.layers[-25:]]
    assert trained == [name for name in last if not name.endswith("_bn")]
    assert len(trained) < len(last)
    assert len(tail.layers) > 25


def test_there_is_no_tail_above_the_last_layer(cnn):
    assert make_tail(cnn, 0) is None


def test_training_a_tail_leaves_the_backbone_alone(cnn):
    tail = make_tail(cnn, "all")
    tail.set_weights([np.zeros_like(w) for w in tail.get_weights()])
    assert frozen("cnn", cnn.model).fingerprint == cnn.fingerprint


def test_random_features_tell_images_apart(cnn, patches):
    X, _ = patches
    features = make_trunk(cnn, "avg_pool").predict(X, verbose=0)
    assert np.isfinite(features).all()
    assert (features.std(axis=0) > 1e-3).mean() > 0.9


# -- weights files ---------------------------------------------------------------------


def test_weights_are_read_from_what_keras_writes(tmp_path, trained_cnn):
    path = tmp_path / "cnn.weights.h5"
    trained_cnn.save_weights(path)
    loaded = load_backbone("cnn", path)
    for read, written in zip(
        loaded.model.get_weights(), trained_cnn.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(read, written)
    assert not loaded.model.trainable_weights


@pytest.mark.parametrize("group", ["/", "/model_weights"])
def test_weights_are_read_from_a_legacy_file(tmp_path, trained_cnn, group):
    path = tmp_path / "cnn.h5"
    with h5py.File(path, "w") as file:
        place = file.require_group(group)
        legacy_h5_format.save_weights_to_hdf5_group(place, trained_cnn)
    expected = frozen("cnn", trained_cnn).fingerprint
    assert load_backbone("cnn", str(path)).fingerprint == expected


def test_a_backbone_is_built_once_while_its_file_stays_the_same(tmp_path, trained_cnn):
    path = write_legacy(trained_cnn, tmp_path / "cnn.h5")
    assert load_backbone("cnn", path) is load_backbone("cnn", str(path))


def test_a_missing_weights_file_is_named_with_the_other_choices(tmp_path):
    message = r"none\.weights\.h5' is not a file.*\"imagenet\", or None"
    with pytest.raises(WeightsError, match=message):
        load_backbone("cnn", tmp_path / "none.weights.h5")


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "a.keras"])
def test_a_file_that_is_not_hdf5_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04 not HDF5")
    with pytest.raises(WeightsError, match="is not an HDF5 file"):
        load_backbone("cnn", tmp_path / name)


@pytest.mark.parametrize("name", ["other.weights.h5", "other.h5"])
def test_weights_of_another_network_are_refused(tmp_path, name):
    inputs = keras.Input((None, None, 3))
    other = keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs))
    path = tmp_path / name
    if name.endswith(".weights.h5"):
        other.save_weights(path)
    else:
        write_legacy(other, path)
    with pytest.raises(WeightsError, match=r"does not hold the weights of 'cnn'"):
        load_backbone("cnn", path)


@pytest.mark.parametrize("name", ["wide.weights.h5", "wide.h5"])
def test_weights_of_other_shapes_are_refused(tmp_path, name):
    layers = keras.layers
    x = inputs = keras.Input((None, None, 3), name="image")
    for block in range(1, 5):
        x = layers.Conv2D(8, 3, padding="same", name=f"block{block}_conv")(x)
        x = layers.BatchNormalization(name=f"block{block}_bn")(x)
    wide = keras.Model(inputs, x, name="cnn")
    path = tmp_path / name
    if name.endswith(".weights.h5"):
        wide.save_weights(path)
    else:
        write_legacy(wide, path)
    with pytest.raises(WeightsError, match=r"does not hold .*save_weights"):
        load_backbone("cnn", path)


def test_an_empty_hdf5_file_is_refused_under_either_ending(tmp_path):
    for name in ("empty.weights.h5", "empty.h5"):
        h5py.File(tmp_path / name, "w").close()
        with pytest.raises(WeightsError, match="does not hold the weights"):
            load_backbone("cnn", tmp_path / name)


def link_group(file, secret):
    file["inner/linked"] = h5py.ExternalLink(str(secret), "/")


def link_softly(file, secret):
    file["inner/linked"] = h5py.SoftLink("/elsewhere")


def store_outside(file, secret):
    outside = [(str(secret), 0, 4)]
    file.create_dataset("inner/linked", (1,), "f4", external=outside)


def store_virtually(file, secret):
    layout = h5py.VirtualLayout((1,), "f4")
    layout[0] = h5py.VirtualSource(str(secret), "data", (1,))[0]
    file.create_virtual_dataset("inner/linked", layout)


@pytest.mark.parametrize(
    "reach_out", [link_group, link_softly, store_outside, store_virtually]
)
@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5"])
def test_a_file_that_reaches_outside_itself_is_refused(tmp_path, reach_out, name):
    with h5py.File(tmp_path / name, "w") as file:
        reach_out(file, tmp_path / "secret")
    with pytest.raises(WeightsError, match=r"links to data outside .*inner/linked"):
        load_backbone("cnn", tmp_path / name)


# -- the backbone of a fit -------------------------------------------------------------


def known(fingerprint, weights=None, arrays=None):
    return KnownBackbone(
        "cnn", weights, NORMALIZATIONS["inception"], fingerprint, {}, arrays
    )


def test_a_weights_file_that_changed_since_the_fit_is_an_error(tmp_path, trained_cnn):
    path = write_legacy(trained_cnn, tmp_path / "cnn.h5")
    fingerprint = load_backbone("cnn", path).fingerprint
    assert find_backbone(known(fingerprint, path)).fingerprint == fingerprint
    trained_cnn.set_weights([2 * w for w in trained_cnn.get_weights()])
    path.unlink()
    write_legacy(trained_cnn, path)
    with pytest.raises(WeightsError, match=r"no longer the weights.*Restore them"):
        find_backbone(known(fingerprint, path))


def test_a_backbone_out_of_a_model_file_is_built_once(trained_cnn):
    fingerprint = frozen("cnn", trained_cnn).fingerprint
    held = known(fingerprint, "no/such/file", trained_cnn.get_weights())
    restored = find_backbone(held)
    assert restored.fingerprint == fingerprint
    assert find_backbone(held) is restored


def test_arrays_with_another_fingerprint_are_refused_and_not_remembered(trained_cnn):
    arrays = [3 * w for w in trained_cnn.get_weights()]
    trained_cnn.set_weights(arrays)
    fingerprint = frozen("cnn", trained_cnn).fingerprint
    with pytest.raises(WeightsError, match="no longer the weights"):
        find_backbone(known(fingerprint, None, [w + 1 for w in arrays]))
    found = find_backbone(known(fingerprint, None, arrays))
    assert found.fingerprint == fingerprint


def test_a_fingerprint_is_that_of_name_and_every_weight(trained_cnn):
    first = frozen("cnn", trained_cnn).fingerprint
    assert frozen("resnet50", trained_cnn).fingerprint != first
    assert frozen("cnn", trained_cnn, "imagenet").fingerprint != first
    weights = trained_cnn.get_weights()
    weights[-1][0] = np.nextafter(weights[-1][0], np.float32(9))
    trained_cnn.set_weights(weights)
    assert frozen("cnn", trained_cnn).fingerprint != first


# -- ImageNet --------------------------------------------------------------------------


@pytest.fixture
def get_file(monkeypatch):
    """Stand in for Keras' download; what was asked for is kept."""
    from keras.src.applications import resnet

    def stand_in(answer):
        asked = []

        def fetch(name, origin, **keywords):
            asked.append((name, origin, keywords))
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        monkeypatch.setattr(resnet.file_utils, "get_file", fetch)
        return asked

    backbones._cached_backbone.cache_clear()
    yield stand_in
    backbones._cached_backbone.cache_clear()


@pytest.mark.slow
def test_imagenet_weights_are_what_keras_fetches_without_the_top(
    tmp_path, get_file, resnet50
):
    path = write_legacy(resnet50.model, tmp_path / "fetched_notop.h5")
    asked = get_file(path)
    assert load_backbone("resnet50", "imagenet").fingerprint == resnet50.fingerprint
    ((name, origin, keywords),) = asked
    assert name == "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert origin.endswith(name)
    assert len(keywords["file_hash"]) == 32


def test_without_a_connection_the_error_names_every_remedy(get_file):
    get_file(urllib.error.URLError("Name or service not known"))
    with pytest.raises(WeightsError, match="Name or service not known") as caught:
        load_backbone("resnet50", "imagenet")
    message = str(caught.value)
    assert "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5" in message
    assert "~/.keras/models" in message
    assert "weights=PATH" in message
    assert "weights=None" in message


def test_the_cnn_has_no_imagenet_weights():
    with pytest.raises(WeightsError, match=r"'cnn'.*do not exist.*weights=None"):
        load_backbone("cnn", "imagenet")


@pytest.mark.parametrize("name", BACKBONES)
def test_what_is_known_of_layers_is_what_the_backbone_has(name):
    known = layers_of(name)._asdict()
    assert known.pop("name") == name
    outputs = {place: tuple(told) for place, told in known.pop("outputs").items()}
    assert known | {"outputs": outputs} == _layers(name)
