"""Where weights come from, and how their images were scaled."""

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from glomclf import GlomeruliClassifier, PatchClassifier, PatchEncoder
from glomclf.errors import ParameterError, WeightsError
from glomclf.network.backbones import load_backbone
from glomclf.network.backend import keras
from glomclf.network.normalization import NORMALIZATIONS
from glomclf.network.weight_sources import normalization_of, weights_record

V15 = "resnet50-v1.5"

# Keras writes weights through a call that numpy 2 is leaving behind; only tests write.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def test_caffe_scales_as_keras_does_for_its_resnet50(patches):
    pixels = patches[0].astype(np.float32)
    expected = keras.applications.resnet50.preprocess_input(pixels.copy())
    scaled = NORMALIZATIONS["caffe"](pixels)
    np.testing.assert_allclose(scaled, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        ("resnet50", "caffe"),
        (V15, "imagenet"),
        ("efficientnet-lite0", "efficientnet-lite"),
        ("cnn", "inception"),
    ],
)
def test_each_backbone_has_the_scale_of_its_weights(backbone, name, tmp_path):
    for weights in (None, "imagenet", tmp_path / "a.pth"):
        assert normalization_of(backbone, weights, None) == NORMALIZATIONS[name]


def test_the_file_names_of_lunit_tell_their_scale(tmp_path):
    file = tmp_path / "mocov2_rn50_ep200.torch"
    assert normalization_of(V15, file, None) == NORMALIZATIONS["lunit"]
    assert normalization_of(V15, file, "imagenet") == NORMALIZATIONS["imagenet"]


def test_the_configuration_beside_the_weights_tells_their_scale(tmp_path):
    config = {"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = normalization_of(V15, tmp_path / "model.safetensors", None)
    assert found[:2] == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert normalization_of("cnn", tmp_path / "a.h5", None).mean == (0.5, 0.5, 0.5)


def test_the_source_of_weights_is_told_with_hash_and_licence(tmp_path):
    file = tmp_path / "model.safetensors"
    save_file({"a": np.zeros(2, np.float32)}, file, metadata={"license": "mit"})
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    expected = {"source": "model.safetensors", "sha256": sha256, "licence": "mit"}
    assert weights_record(V15, file) == expected


@pytest.mark.parametrize(
    ("name", "config", "licence"),
    [
        ("a.pth", {"pretrained_cfg": {"license": "cc-by-nc-4.0"}}, "cc-by-nc-4.0"),
        ("bt_rn50_ep200.torch", {}, "Lunit's own, not commercial"),
        ("a.pth", {}, None),
    ],
)
def test_a_licence_is_told_beside_the_file(tmp_path, name, config, licence):
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / name).write_bytes(b"weights")
    assert weights_record(V15, tmp_path / name)["licence"] == licence


def test_estimators_tell_of_their_weights_and_keep_it_in_a_model_file(
    patches, tmp_path
):
    X, y = patches
    file = tmp_path / "cnn.weights.h5"
    load_backbone("cnn", None).model.save_weights(file)
    groups = np.arange(len(y)) // 4
    classifier = GlomeruliClassifier(
        None,
        network=PatchClassifier(
            "cnn", weights=file, normalization="imagenet", epochs=1
        ),
        image_size=32,
        cache_dir=False,
        random_state=0,
    ).fit(X, y, groups=groups)
    told = classifier.training_record_["weights"]
    assert told["source"] == "cnn.weights.h5"
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    expected = classifier.predict_proba(X)
    classifier.save(tmp_path / "model.glomclf")
    file.unlink()
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    assert loaded.training_record_["weights"] == told
    assert loaded.pipeline_["encode"].weights_record_ == told
    np.testing.assert_allclose(loaded.predict_proba(X), expected, atol=1e-6)


@pytest.mark.parametrize("text", ["{", "[]", '{"pretrained_cfg": 3}'])
def test_a_configuration_that_cannot_be_read_is_an_error(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=r"config\.json lies beside the weights"):
        normalization_of(V15, tmp_path / "a.pth", None)


@pytest.mark.parametrize(
    "given",
    ["imagnet", (0.5, 0.5), ((0.5,) * 3, (0.0,) * 3), ((0.5,) * 2, (0.5,) * 2), [1, 2]],
)
def test_what_is_no_normalization_is_refused_by_both(given, patches):
    X, y = patches
    for estimator in (
        PatchEncoder("cnn", weights=None, normalization=given, cache_dir=False),
        PatchClassifier("cnn", weights=None, normalization=given),
    ):
        with pytest.raises(ParameterError, match=r"normalization=.*Expected one of"):
            estimator.fit(X, y)


def test_weights_under_another_scale_are_others(patches, tmp_path):
    fingerprints = []
    for given in (None, "imagenet", ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))):
        encoder = PatchEncoder(
            "cnn", weights=None, normalization=given, cache_dir=tmp_path
        )
        fingerprints.append(encoder.fit(patches[0]).fingerprint_)
    assert fingerprints[0] != fingerprints[1] == fingerprints[2]
