"""OnnxEncoder: what it computes, what it keeps, and which files it refuses."""

import pickle
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from glomclf import GlomeruliClassifier, OnnxEncoder, make_glomeruli, read_classifier
from glomclf.errors import EngineError, ModelFileError, ParameterError, WeightsError
from glomclf.network import onnx_file
from glomclf.report import evaluation_report

WEIGHTS = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
MEAN, STD = np.array([0.7, 0.5, 0.6]), np.array([0.2, 0.3, 0.4])
HALF = {"mean": MEAN.tolist(), "std": STD.tolist()}
NCHW = ("n", 3, "h", "w")


def write_onnx(path, shape=NCHW, weights=WEIGHTS, nodes=(), outputs=None, **kinds):
    """Write a network that gives the mean colour times weights."""
    axes = [1, 2] if shape[3] == 3 else [2, 3]
    made = [
        helper.make_node("ReduceMean", ["x", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "W"], ["features"]),
        *nodes,
    ]
    outputs = outputs or {"features": ("n", 8)}
    graph = helper.make_graph(
        made,
        "tiny",
        [helper.make_tensor_value_info("x", kinds.get("kind", 1), shape)],
        [helper.make_tensor_value_info(k, 1, s) for k, s in outputs.items()],
        [
            numpy_helper.from_array(weights, "W"),
            numpy_helper.from_array(np.array(axes), "axes"),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("odd.ops", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    helper.set_model_props(model, {"license": "for research only"})
    save(model, path, **kinds.get("saved", {}))
    return path


@pytest.fixture
def file(tmp_path):
    return write_onnx(tmp_path / "tiny.onnx")


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, size=(11, 32, 32, 3), dtype=np.uint8)


def encoder_of(file, **given):
    return OnnxEncoder(file, **{"image_size": 32, "cache_dir": False, **HALF, **given})


def features_of(images, weights=WEIGHTS):
    colour = images.mean(axis=(1, 2)) / 255
    return ((colour - MEAN) / STD) @ weights


# -- what it computes -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [NCHW, ("n", "h", "w", 3), (1, 3, 32, 32)])
def test_features_are_those_of_the_network(tmp_path, images, shape):
    file = write_onnx(tmp_path / "tiny.onnx", shape, outputs={"features": None})
    features = encoder_of(file).fit_transform(images)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, features_of(images), rtol=1e-4, atol=1e-5)


def test_images_of_another_size_are_resized(file, images):
    features = encoder_of(file, image_size=16).fit_transform(images)
    np.testing.assert_allclose(features, features_of(images), atol=0.1)
    assert features.shape == (11, 8)


def test_an_output_is_chosen_by_its_name(tmp_path, images):
    double = helper.make_node("Add", ["features", "features"], ["double"])
    outputs = {"features": ("n", 8), "double": ("n", 8)}
    file = write_onnx(tmp_path / "two.onnx", nodes=[double], outputs=outputs)
    features = encoder_of(file, output="double").fit_transform(images)
    wanted = 2 * features_of(images)
    np.testing.assert_allclose(features, wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(WeightsError, match=r"Name one: 'features'.*'double' \(None, 8"):
        encoder_of(file).fit(images)
    with pytest.raises(WeightsError, match=r"no output 'triple'.*are 'features'"):
        encoder_of(file, output="triple").fit(images)


def test_tokens_are_taken_as_asked(tmp_path, images):
    three = [f"t{i}" for i in range(3)]
    nodes = [
        helper.make_node("Mul", ["features", f"k{i}"], [name])
        for i, name in enumerate(three)
    ]
    nodes[:0] = [
        helper.make_node("Constant", [], [f"k{i}"], value_float=float(i + 1))
        for i in range(3)
    ]
    nodes += [
        helper.make_node("Constant", [], ["axis"], value_ints=[1]),
        *(helper.make_node("Unsqueeze", [n, "axis"], [f"{n}u"]) for n in three),
        helper.make_node("Concat", [f"{n}u" for n in three], ["tokens"], axis=1),
    ]
    file = write_onnx(tmp_path / "t.onnx", nodes=nodes, outputs={"tokens": ("n", 3, 8)})
    once = features_of(images)
    for tokens, times in {"class": 1, "mean": 2.5}.items():
        features = encoder_of(file, tokens=tokens).fit_transform(images)
        np.testing.assert_allclose(features, times * once, rtol=1e-4, atol=1e-5)
    with pytest.raises(WeightsError, match=r"\(None, 3, 8\).*tokens='class'"):
        encoder_of(file).fit(images)


def test_what_is_kept_is_known_by_file_and_settings(tmp_path, images):
    kept = {"cache_dir": tmp_path / "cache"}
    file = write_onnx(tmp_path / "a.onnx")
    first = encoder_of(file, **kept).fit_transform(images)
    again = encoder_of(file, **kept).fit(images)
    again._file = None  # nothing is run
    np.testing.assert_array_equal(again.transform(images), first)
    write_onnx(file, weights=2 * WEIGHTS)
    changed = encoder_of(file, **kept).fit_transform(images)
    np.testing.assert_allclose(changed, 2 * first, rtol=1e-4)
    scaled = encoder_of(file, **kept, std=[1, 1, 1]).fit_transform(images)
    assert not np.allclose(scaled, changed)


def test_numbers_beside_the_file_are_read_and_known(tmp_path, images):
    saved = {"save_as_external_data": True, "size_threshold": 50, "location": "w.bin"}
    file = write_onnx(tmp_path / "e.onnx", saved=saved)
    encoder = encoder_of(file).fit(images)
    np.testing.assert_allclose(
        encoder.transform(images), features_of(images), rtol=1e-4, atol=1e-5
    )
    (tmp_path / "w.bin").write_bytes((2 * WEIGHTS).tobytes() + bytes(64))
    assert encoder_of(file).fit(images).sha256_ != encoder.sha256_
    (tmp_path / "w.bin").unlink()
    with pytest.raises(WeightsError, match=r"w\.bin, which is not a file beside it"):
        encoder_of(file).fit(images)


@pytest.mark.parametrize("place", ["../w.bin", "/etc/passwd", ".."])
def test_numbers_elsewhere_are_refused(tmp_path, images, place):
    import onnx

    saved = {"save_as_external_data": True, "size_threshold": 50, "location": "w.bin"}
    file = write_onnx(tmp_path / "e.onnx", saved=saved)
    (tmp_path.parent / "w.bin").touch()
    model = onnx.load(file, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = place
    file.write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match="not a file beside it"):
        encoder_of(file).fit(images)


def test_onnx_runtime_serves_where_openvino_is_not_there(file, images, monkeypatch):
    class InferenceSession:
        def __init__(self, source, options, providers):
            assert isinstance(source, bytes)

        def run(self, names, given):
            ((name, batch),) = given.items()
            assert (names, name, batch.shape[1:]) == (["features"], "x", (3, 32, 32))
            return [batch.mean(axis=(2, 3)) @ WEIGHTS]

    class OnnxRuntime:
        SessionOptions = type("SessionOptions", (), {})

    OnnxRuntime.InferenceSession = InferenceSession
    monkeypatch.setitem(sys.modules, "onnxruntime", OnnxRuntime)
    monkeypatch.setattr(onnx_file, "choose_runtime", lambda: "onnxruntime")
    monkeypatch.setattr(onnx_file, "compile_onnx", onnx_file.compile_onnx.__wrapped__)
    found = encoder_of(file).fit(images)
    scaling = found._scaling()
    forward = onnx_file.compile_onnx(found._file, "features", scaling)
    np.testing.assert_allclose(forward(images), features_of(images), rtol=1e-4)


# -- what is refused ------------------------------------------------------------------


def test_nothing_to_run_it_is_told_with_the_install(file, images, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineError, match="pip install openvino"):
        encoder_of(file).fit(images)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"shape": ("n", 4, "h", "w")}, "Expected float32 images"),
        ({"shape": ("n", 3, "h")}, "Expected float32 images"),
        ({"kind": TensorProto.UINT8}, "type 2"),
        ({"shape": ("n", 3, 64, 64)}, "images of 64 x 64 pixels, and image_size=32"),
        ({"outputs": {"features": ("n", 8, 4, 4)}}, "export it with its pooling"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(tmp_path, images, made, message):
    shape = made.pop("shape", NCHW)
    if len(shape) == 3:
        graph_input = helper.make_tensor_value_info("x", 1, shape)
        node = helper.make_node("Identity", ["x"], ["y"])
        output = helper.make_tensor_value_info("y", 1, shape)
        graph = helper.make_graph([node], "g", [graph_input], [output])
        file = tmp_path / "bad.onnx"
        save(helper.make_model(graph), file)
    else:
        file = write_onnx(tmp_path / "bad.onnx", shape, **made)
    with pytest.raises(WeightsError, match=message):
        encoder_of(file).fit(images)


def test_what_is_no_onnx_file_is_refused(tmp_path, images):
    (tmp_path / "bad.onnx").write_bytes(b"\x80\x05 no model of any kind")
    with pytest.raises(WeightsError, match="is not an ONNX file, or is damaged"):
        encoder_of(tmp_path / "bad.onnx").fit(images)
    with pytest.raises(WeightsError, match=r"none\.onnx is not a file"):
        encoder_of(tmp_path / "none.onnx").fit(images)


def test_an_operator_that_nobody_knows_is_told(tmp_path, images):
    odd = helper.make_node("Odd", ["features"], ["y"], domain="odd.ops")
    file = write_onnx(tmp_path / "o.onnx", nodes=[odd], outputs={"y": ("n", 8)})
    with pytest.raises(EngineError, match=r"cannot run .*o\.onnx.*odd\.ops\.Odd"):
        encoder_of(file).fit_transform(images)


def test_features_that_are_not_finite_are_refused(tmp_path, images):
    file = write_onnx(tmp_path / "nan.onnx", weights=np.full_like(WEIGHTS, np.nan))
    with pytest.raises(EngineError, match="not finite"):
        encoder_of(file).fit_transform(images)


@pytest.mark.parametrize("given", [{"mean": [0.5]}, {"std": [0, 1, 1]}])
def test_other_than_three_numbers_are_refused(file, images, given):
    with pytest.raises(ParameterError, match="mean and standard deviation"):
        encoder_of(file, **given).fit(images)


# -- in a classifier ------------------------------------------------------------------


@pytest.fixture(scope="module")
def glomeruli():
    return make_glomeruli(
        24, n_participants=6, sclerotic_fraction=0.5, image_size=32, random_state=0
    )


@pytest.fixture
def classifier(file):
    return GlomeruliClassifier(
        None,
        network=LogisticRegression(),
        encoder=OnnxEncoder(file, image_size=32),
        image_size=32,
        random_state=0,
    )


def test_a_saved_model_finds_its_encoder_where_it_was_or_beside_it(
    classifier, glomeruli, file, tmp_path
):
    X, y, groups = glomeruli
    wanted = classifier.fit(X, y, groups).predict_proba(X)
    model = tmp_path / "models" / "model.glomclf"
    model.parent.mkdir()
    classifier.save(model)
    assert WEIGHTS.tobytes() not in model.read_bytes()
    np.testing.assert_allclose(read_classifier(model).predict_proba(X), wanted)
    moved = file.rename(model.parent / file.name)
    np.testing.assert_allclose(read_classifier(model).predict_proba(X), wanted)
    write_onnx(moved, weights=2 * WEIGHTS)
    sha256 = classifier.pipeline_["encode"].sha256_
    with pytest.raises(ModelFileError, match=rf"has changed\. Put .*{sha256} beside"):
        read_classifier(model)
    moved.unlink()
    with pytest.raises(ModelFileError, match=r"tiny\.onnx is not there"):
        read_classifier(model)


def test_it_goes_to_other_processes(file, images):
    encoder = encoder_of(file).fit(images)
    there = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(there.transform(images), encoder.transform(images))


def test_folds_fit_clones_of_it(classifier, glomeruli):
    X, y, _ = glomeruli
    probability = cross_val_predict(classifier, X, y, cv=2, method="predict_proba")
    assert np.isfinite(probability).all()
    assert not hasattr(classifier.encoder, "sha256_")


def test_the_report_names_the_file_that_the_model_needs(classifier, glomeruli, undrawn):
    X, y, groups = glomeruli
    classifier.fit(X, y, groups)
    score = classifier.predict_proba(X)[:, 1]
    page = evaluation_report(None, y, score, classifier=classifier).render()
    sha256 = classifier.pipeline_["encode"].sha256_
    assert f"tiny.onnx (SHA-256 {sha256}), an encoder that is not in the model" in page
    assert "for research only" in page
    assert str(classifier.encoder.file.parent) not in page
