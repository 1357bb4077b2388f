"""Model files that somebody changed: refused by name when loaded, or the same model."""

import copy
import json

import numpy as np
import pytest
from fuzz_models import known_model, places_in, settings_of, small_models
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save
from sklearn.linear_model import LogisticRegression

from glomclf import GlomeruliClassifier, make_glomeruli, read_classifier
from glomclf.data.archive import _digest, read_model
from glomclf.errors import DivergenceError, ModelFileError
from glomclf.network import weights


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Small models of several kinds, with their description and predictions."""
    images, y, groups = make_glomeruli(
        40, n_participants=8, sclerotic_fraction=0.4, image_size=32, random_state=0
    )
    features = np.random.default_rng(0).normal(size=(len(y), 8)) + y[:, None]
    file = tmp_path_factory.mktemp("models") / "model"
    with pytest.MonkeyPatch.context() as patch:
        # As of weights that are not random: their arrays are in the file.
        patch.setattr("glomclf.network.known_backbone.are_made_again", lambda *_: False)
        return {
            name: known_model(name, model.fit(X, y, groups=groups), X, file)
            for name, model, X in small_models(images, features)
            if name in ("probe", "ensemble", "head", "encoder", "stain")
        }


def forged(tmp_path, header, arrays):
    """Write a model file whose checksum is right."""
    text = header if isinstance(header, str) else json.dumps(header)
    file = tmp_path / "forged.glomclf"
    metadata = {"glomclf": text, "sha256": _digest(text, arrays)}
    file.write_bytes(save(arrays, metadata=metadata))
    return file


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside),
    max_leaves=4,
)


@pytest.mark.parametrize("name", ["probe", "ensemble"])
@settings(max_examples=15)
@given(data=st.data())
def test_a_changed_description_is_refused_or_predicts_the_same(
    known, tmp_path_factory, name, data
):
    one = known[name]
    header = copy.deepcopy(one.header)
    *path, last = data.draw(st.sampled_from(places_in(header)))
    holder = header
    for step in path:
        holder = holder[step]
    if data.draw(st.booleans()):
        holder[last] = data.draw(PLAIN)
    else:
        del holder[last]
    try:
        model = read_classifier(
            forged(tmp_path_factory.getbasetemp(), header, one.arrays)
        )
    except ModelFileError:
        return
    probability = model.predict_proba(one.X)
    assert np.isfinite(probability).all()
    assume(settings_of(model) == one.settings)  # else it is another, sound model
    np.testing.assert_array_equal(probability, one.probability)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nothing", "cannot be read"),
        ("[1, 2]", "a list is no mapping"),
        ("[" * 100_000, "cannot be read"),
        ('{"kind": 1, "versions": {}}', "lacks its kind"),
        ('{"kind": NaN}', "no finite number"),
        ('{"kind": 1e999}', "no finite number"),
        ('{"kind": "a", "kind": "b"}', "stands twice"),
    ],
)
def test_a_description_that_is_none_is_a_named_error(tmp_path, text, told):
    with pytest.raises(ModelFileError, match=told):
        read_classifier(forged(tmp_path, text, {"a": np.zeros(1)}))


def _of_network(header):
    return header["parameters"]["network"]["parameters"]


def _with_other_density(header):
    header["steps"]["stain"]["parameters"]["min_density"] = 1.5


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("head", lambda h: _of_network(h).update(dense_units=30_000_000), "head"),
        ("head", lambda h: _of_network(h).update(dropout=2), "'dropout' parameter"),
        ("head", lambda h: _of_network(h).pop("dropout"), "more or other things"),
        ("head", lambda h: _of_network(h).update(checkpoint_dir="/x"), "or other th"),
        ("head", lambda h: h["parameters"].update(image_size=10**6), "too large"),
        ("head", lambda h: h["parameters"].update(n_jobs=0), "no number of threads"),
        ("head", lambda h: h["parameters"].update(n_jobs=10**8), "no number of thr"),
        ("stain", _with_other_density, "other settings"),
        ("head", lambda h: h["steps"].update(stain={}), "more or other things"),
        ("head", lambda h: h.update(n_features=10**12), "takes rows"),
        ("probe", lambda h: h.update(n_features=10**12), "holds fewer"),
        ("probe", lambda h: h.update(threshold=1.5), "'threshold' parameter"),
        ("probe", lambda h: h.update(classes=[1, 0]), "not two labels"),
        ("probe", lambda h: h.update(pos_label=True), "none of the classes"),
        ("probe", lambda h: h.update(history={"loss": ["x"]}), "history"),
        ("encoder", lambda h: h["steps"]["encode"].update(cut="x"), "described by cut"),
        (
            "encoder",
            lambda h: h["steps"]["encode"].update(fingerprint="x"),
            "not those",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused_when_loaded(
    known, tmp_path, name, change, told
):
    header = copy.deepcopy(known[name].header)
    change(header)
    with pytest.raises(ModelFileError, match=told):
        read_classifier(forged(tmp_path, header, known[name].arrays))


@pytest.mark.parametrize(
    ("name", "array", "change", "told"),
    [
        ("encoder", "encode/000", lambda a: a.ravel(), "not the shapes"),
        ("encoder", "encode/000", lambda a: a * 2, "not those that"),
        ("encoder", "classify/coef_", lambda a: a[:-1], "mismatch"),
        ("probe", "classify/coef_", lambda a: a * np.nan, "not finite"),
        ("head", "net/002", lambda a: a * np.inf, "not finite"),
        ("head", "net/002", lambda a: a[:-1], "weights of the head"),
        ("probe", "people/participant", lambda a: a + 10**9, "outside"),
        ("ensemble", "people/probability", lambda a: a + 1, "outside"),
    ],
)
def test_weights_of_another_kind_are_refused_when_loaded(
    known, tmp_path, name, array, change, told
):
    arrays = dict(known[name].arrays)
    whole = arrays.get(array, np.arange(4))
    arrays[array] = np.ascontiguousarray(change(whole))
    if name == "probe" and array.startswith("people/"):
        arrays |= {"people/probability": np.zeros(4), "people/label": np.arange(4) % 2}
    with np.errstate(all="ignore"), pytest.raises(ModelFileError, match=told):
        read_classifier(forged(tmp_path, known[name].header, arrays))


def test_a_file_that_lacks_its_backbone_fetches_none(known, tmp_path, monkeypatch):
    def fetch(*args, **kwargs):
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(weights, "fetch_keras_resnet50", fetch)
    header = copy.deepcopy(known["encoder"].header)
    encoder = header["parameters"]["encoder"]["parameters"]
    encoder.update(backbone="resnet50", weights="imagenet")
    arrays = {k: v for k, v in known["encoder"].arrays.items() if "encode/" not in k}
    with pytest.raises(ModelFileError, match="not the shapes"):
        read_classifier(forged(tmp_path, header, arrays))


def test_random_weights_are_made_again_from_their_name(known, tmp_path):
    one = known["encoder"]
    arrays = {k: v for k, v in one.arrays.items() if "encode/" not in k}
    assert len(arrays) < len(one.arrays)
    model = read_classifier(forged(tmp_path, one.header, arrays))
    np.testing.assert_array_equal(model.predict_proba(one.X), one.probability)
    model.save(tmp_path / "small")
    assert read_model(tmp_path / "small")[1].keys() == arrays.keys()


@pytest.mark.parametrize(
    ("places", "value"),
    [
        (("parameters", "encoder", "parameters", "weights"), "imagenet"),
        (("steps", "encode", "fingerprint"), "x"),
        (("steps", "encode", "normalization"), [[0.0] * 3, [1.0] * 3, False]),
    ],
)
def test_other_weights_are_not_made_up(known, tmp_path, places, value):
    header = copy.deepcopy(known["encoder"].header)
    *path, last = places
    holder = header
    for step in path:
        holder = holder[step]
    assert holder[last] != value
    holder[last] = value
    arrays = {k: v for k, v in known["encoder"].arrays.items() if "encode/" not in k}
    with pytest.raises(ModelFileError):
        read_classifier(forged(tmp_path, header, arrays))


def test_labels_that_are_text_come_back_with_any_network(tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.where(X[:, 0] > 0, "GS", "NGS")
    model = GlomeruliClassifier(None, network=LogisticRegression(), cache_dir=False)
    model.fit(X, y, pos_label="GS").save(tmp_path / "model")
    loaded = read_classifier(tmp_path / "model")
    assert loaded.predict(X).tolist() == model.predict(X).tolist()


# -- numbers that are not finite -------------------------------------------------------


def test_a_loss_that_is_not_finite_is_kept_in_the_record(known, tmp_path):
    losses = {"loss": [float("inf"), float("nan"), 0.5]}
    model = read_classifier(
        forged(tmp_path, known["head"].header, known["head"].arrays)
    )
    model.history_ = losses
    model.save(tmp_path / "model")
    loaded = read_classifier(tmp_path / "model")
    np.testing.assert_array_equal(loaded.history_["loss"], losses["loss"])


def test_probabilities_that_are_not_finite_are_a_named_error(known, tmp_path):
    model = read_classifier(
        forged(tmp_path, known["probe"].header, known["probe"].arrays)
    )
    model.pipeline_["classify"].coef_ = np.full(8, np.nan)
    with pytest.raises(DivergenceError, match="4 of 4 rows are not finite"):
        model.predict(known["probe"].X)


def test_settings_that_no_fit_takes_are_refused_before_they_are_written(
    known, tmp_path
):
    model = read_classifier(
        forged(tmp_path, known["probe"].header, known["probe"].arrays)
    )
    with pytest.raises(ValueError, match="predict_views"):
        model.set_params(predict_views=9).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()
