"""PatchClassifier: an estimator that is honest in what it trains and stops on."""

import copy
import gc
import pickle
import random
import warnings

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from glomclf import ImageSampler, PatchClassifier, PatchEncoder
from glomclf.data.augmenter import PatchAugmenter
from glomclf.errors import DivergenceError, ParameterError
from glomclf.network.assembly import build_network, owned_weights, set_owned_weights
from glomclf.network.backbones import _cached_backbone, freeze_backbone, load_backbone
from glomclf.network.engines import compile_trunk
from glomclf.network.optimisation import NetworkSpec

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a repeated row changes the batches of stochastic gradient descent, a weight "
        "does not"
    ),
}


def make_head(**parameters):
    """Return a small head over features: it learns blobs in a few quick epochs."""
    small = {"dense_units": 16, "dropout": 0.0, "learning_rate": 0.01, "epochs": 15}
    return PatchClassifier(**{**small, "random_state": 0, **parameters})


def close(x, y, *, atol, err_msg):
    np.testing.assert_allclose(x, y, atol=max(atol, 1e-6), err_msg=err_msg)


@parametrize_with_checks(
    [make_head()],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_passes_the_checks_of_scikit_learn(estimator, check, monkeypatch):
    if check.func.__name__ == "check_methods_sample_order_invariance":
        # In float32 the last digit of a row depends, on some processors, on its place
        # in the batch; the check allows 1e-9.
        monkeypatch.setattr(estimator_checks, "assert_allclose_dense_sparse", close)
    with warnings.catch_warnings():
        # A check that skips itself says so in a warning.
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.fixture(scope="module")
def features():
    """120 rows of eight features, two noisy classes; the last 40 for validation."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    X = rng.normal(size=(120, 8)) + 0.5 * y[:, None]
    return X[:80], y[:80], X[80:], y[80:]


# -- what it is ------------------------------------------------------------------------


def test_it_and_a_pipeline_that_ends_in_it_are_classifiers():
    net = PatchClassifier()
    assert is_classifier(net)
    sampler = ImageSampler(SMOTE())
    assert is_classifier(Pipeline([("sample", sampler), ("net", net)]))


def test_one_row_has_one_pair_of_probabilities(tiny_net, patches):
    X, _ = patches
    assert tiny_net.predict_proba(X[:1]).shape == (1, 2)
    assert tiny_net.predict(X[:1]).shape == (1,)


def test_probabilities_are_float64_and_sum_to_one(tiny_net, patches):
    proba = tiny_net.predict_proba(patches[0])
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    assert ((proba >= 0) & (proba <= 1)).all()


def test_labels_of_any_kind_come_back(features):
    X, y, _, _ = features
    named = np.array(["other", "sclerotic"])[y]
    net = make_head().fit(X, named)
    assert net.classes_.tolist() == ["other", "sclerotic"]
    positive = net.predict_proba(X)[:, 1] >= 0.5
    np.testing.assert_array_equal(net.predict(X) == "sclerotic", positive)
    assert net.score(X, named) > 0.7


def test_history_has_a_value_an_epoch_for_each_name(features, tiny_net):
    X, y, X_val, y_val = features
    assert {k: len(v) for k, v in tiny_net.history_.items()} == {
        "loss": 2, "accuracy": 2,
    }  # fmt: skip
    history = make_head(epochs=3).fit(X, y, X_val=X_val, y_val=y_val).history_
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {len(values) for values in history.values()} == {3}
    assert all(type(v) is float for values in history.values() for v in values)


# -- copies ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))],
    ids=["deepcopy", "pickle"],
)  # fmt: skip
def test_a_copy_predicts_the_same(tiny_net, patches, copied):
    X, _ = patches
    twin = copied(tiny_net)
    np.testing.assert_allclose(
        twin.predict_proba(X), tiny_net.predict_proba(X), atol=1e-6
    )
    assert twin.history_ == tiny_net.history_


def test_a_pickle_holds_the_weights_that_were_fitted_and_no_more(tiny_net):
    n_bytes = sum(w.nbytes for w in owned_weights(tiny_net.net_.model_))
    assert len(pickle.dumps(tiny_net)) < n_bytes + 5000


def test_a_clone_is_not_fitted(tiny_net, patches):
    twin = clone(tiny_net)
    assert twin.get_params() == tiny_net.get_params()
    with pytest.raises(NotFittedError):
        twin.predict(patches[0])


# -- seeds -----------------------------------------------------------------------------


def test_predictions_follow_the_seed_whatever_was_fitted_before(features):
    X, y, _, _ = features
    first = make_head().fit(X, y).predict_proba(X)
    make_head(random_state=5, epochs=2).fit(-X, 1 - y)
    dropping = {"dropout": 0.5, "epochs": 3}
    with_dropout = make_head(**dropping).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(make_head().fit(X, y).predict_proba(X), first, atol=1e-6)
    again = make_head(**dropping).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(again, with_dropout, atol=1e-6)
    other = make_head(random_state=1).fit(X, y).predict_proba(X)
    assert not np.allclose(other, first, atol=1e-4)


def test_a_seeded_fit_leaves_the_global_random_states_alone(features):
    X, y, _, _ = features
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    make_head(epochs=1, dropout=0.5).fit(X, y).predict(X)
    assert random.getstate() == of_python
    for before, after in zip(of_numpy, np.random.get_state(), strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(before, after)


# -- validation rows -------------------------------------------------------------------


@pytest.mark.parametrize("patience", [2, 100])
def test_early_stopping_restores_the_weights_of_the_best_epoch(features, patience):
    X, y, X_val, y_val = features
    net = make_head(learning_rate=0.05, epochs=30, patience=patience)
    net.fit(X, y, X_val=X_val, y_val=y_val)
    losses = net.history_["val_loss"]
    best = int(np.argmin(losses))
    assert best < len(losses) - 1  # else this test shows nothing
    assert len(losses) == min(30, best + 1 + patience)
    restored = log_loss(y_val, net.predict_proba(X_val))
    assert restored == pytest.approx(losses[best], abs=1e-4)


def test_patience_without_validation_rows_is_an_error(features):
    X, y, X_val, _ = features
    with pytest.raises(ValueError, match=r"patience=3 .*no X_val and y_val.*=None"):
        make_head(patience=3).fit(X, y)
    with pytest.raises(ValueError, match="pass both or neither"):
        make_head(patience=3).fit(X, y, X_val=X_val)


def test_validation_rows_change_nothing_that_is_fitted(features):
    X, y, X_val, y_val = features
    alone = make_head().fit(X, y).predict_proba(X)
    watched = make_head().fit(X, y, X_val=100 * X_val + 7, y_val=1 - y_val)
    np.testing.assert_allclose(watched.predict_proba(X), alone, atol=1e-6)


def test_features_are_standardised_by_the_training_rows_alone(features):
    X, y, X_val, y_val = features
    net = make_head(epochs=1).fit(X, y, X_val=X_val + 50, y_val=y_val)
    mean, variance = net.net_.model_.get_layer("standardise").get_weights()
    np.testing.assert_allclose(mean, X.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(variance, X.var(axis=0), rtol=1e-4)


def test_validation_labels_that_training_lacks_are_named(features):
    X, y, X_val, y_val = features
    with pytest.raises(ValueError, match=r"y_val holds \[2\], but y has \[0, 1\]"):
        make_head().fit(X, y, X_val=X_val, y_val=y_val + 1)


# -- weights of rows and classes -------------------------------------------------------


@pytest.mark.parametrize("weight", [0, -1.0, float("nan"), float("inf"), "5", None])
def test_a_class_weight_that_is_no_positive_number_is_refused(features, weight):
    X, y, *_ = features
    with pytest.raises(ParameterError, match=r"no number greater than 0 for \[1\]"):
        make_head(class_weight={0: 1.0, 1: weight}).fit(X, y)


def test_a_class_weight_of_a_label_that_y_has_not_is_refused(features):
    X, y, *_ = features
    with pytest.raises(ParameterError, match=r"weighs \['1'\].*labels of y are \[0, 1"):
        make_head(class_weight={0: 1.0, 1: 2.0, "1": 5.0}).fit(X, y)


def test_a_negative_sample_weight_is_refused(features):
    X, y, *_ = features
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        make_head().fit(X, y, sample_weight=np.where(y, -1.0, 1.0))


def test_class_weight_multiplies_sample_weight_and_leaves_the_callers_alone(features):
    X, y, _, _ = features
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(y)).astype(np.float32)
    given = weight.copy()
    both = make_head(class_weight={0: 1.0, 1: 5.0}).fit(X, y, sample_weight=given)
    np.testing.assert_array_equal(given, weight)
    by_hand = make_head().fit(X, y, sample_weight=weight * np.where(y, 5.0, 1.0))
    np.testing.assert_allclose(
        both.predict_proba(X), by_hand.predict_proba(X), atol=1e-5
    )


@pytest.mark.parametrize("heavy", [0, 1])
def test_a_heavier_class_is_predicted_more_often(features, heavy):
    X, y, _, _ = features
    plain = make_head().fit(X, y).predict_proba(X)[:, heavy].mean()
    weighted = make_head(class_weight={heavy: 10.0, 1 - heavy: 1.0}).fit(X, y)
    assert weighted.predict_proba(X)[:, heavy].mean() > plain + 0.1


def test_rows_without_weight_teach_nothing(features):
    X, y, _, _ = features
    doubled, labels = np.vstack([X, X]), np.concatenate([y, 1 - y])
    weight = np.repeat([1.0, 0.0], len(X))
    net = make_head().fit(doubled, labels, sample_weight=weight)
    assert net.score(X, y) > 0.7


# -- rows of another form --------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.astype(np.float32), r"dtype float32\. Expected uint8 images"),
        (lambda X: X[:, :, :31], r"fitted on rows of shape \(32, 32, 3\).*uint8"),
        (lambda X: X[0], r"Expected uint8 images of shape \(n_samples"),
        (lambda X: np.zeros((2, 2, 2, 128)), r"\(2, 2, 128\) and dtype float32, but"),
        (lambda X: np.zeros((2, 128)), r"rows of shape \(128,\).*fitted on rows"),
    ],
    ids=["float images", "smaller", "one image", "feature maps", "features"],
)
def test_a_net_fitted_on_images_names_rows_of_another_form(
    tiny_net, patches, change, message
):
    with pytest.raises(ValueError, match=message):
        tiny_net.predict_proba(change(patches[0]))


def test_a_net_fitted_on_features_refuses_images(features, patches):
    X, y, _, _ = features
    net = make_head(epochs=1).fit(X, y)
    with pytest.raises(
        ValueError, match=r"uint8, but .*shape \(8,\) and dtype float32"
    ):
        net.predict(patches[0])


def test_behind_any_encoder_a_head_alone_needs_no_backbone(features, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a backbone was asked for")

    monkeypatch.setattr("glomclf.network.backbones.find_backbone", refuse)
    monkeypatch.setattr("glomclf.network.backbones.load_backbone", refuse)
    X, y, _, _ = features
    net = make_head(backbone="resnet50", weights="imagenet").fit(X, y)
    assert net.backbone_fingerprint_ is None
    restored = pickle.loads(pickle.dumps(net))
    np.testing.assert_allclose(restored.predict_proba(X), net.predict_proba(X))


def test_the_dtype_of_features_does_not_matter(features):
    X, y, _, _ = features
    X = np.round(10 * X - 10 * X.min()).astype(np.uint8)
    expected = make_head().fit(X, y).predict_proba(X)
    for dtype in (np.float32, np.int64):
        found = make_head().fit(X.astype(dtype), y).predict_proba(X)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("trainable_layers", "shape", "expected"),
    [
        (0, (2, 2, 128), r"take \(n_features,\)"),
        (1, (2, 2, 64), r"take \(None, None, 128\), the output of block4_out"),
        (1, (128,), r"take \(None, None, 128\)"),
        ("all", (2, 2, 64), "take uint8 images, since all layers are trained"),
    ],
)
def test_features_of_another_cut_are_named(trainable_layers, shape, expected):
    net = PatchClassifier("cnn", weights=None, trainable_layers=trainable_layers)
    with pytest.raises(ValueError, match=rf"{expected}.*same backbone"):
        net.fit(np.zeros((4, *shape)), [0, 1, 0, 1])


def test_labels_that_are_not_two_classes_are_errors(features):
    X, _, _, _ = features
    with pytest.raises(ValueError, match=r"one class only: .*1.* in all 80 rows"):
        make_head().fit(X, np.ones(80, dtype=int))
    with pytest.raises(ValueError, match="Only binary classification"):
        make_head().fit(X, np.arange(80) % 3)


@pytest.mark.parametrize(
    "parameters",
    [{"dropout": 1.0}, {"learning_rate": 0.0}, {"epochs": 0}, {"patience": -1},
     {"optimizer": "lbfgs"}, {"class_weight": "auto"}, {"dense_units": 0}],
    ids=str,
)  # fmt: skip
def test_a_parameter_out_of_its_range_is_named(features, parameters):
    X, y, _, _ = features
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter of PatchCl"):
        make_head(**parameters).fit(X, y)


def test_a_bar_with_losses_is_shown_only_where_asked_for(features, capsys):
    X, y, _, _ = features
    make_head(epochs=2).fit(X, y).predict(X)
    assert capsys.readouterr() == ("", "")
    make_head(epochs=2, verbose=1).fit(X, y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err
    assert "loss 0." in err


# -- frozen layers ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet50_net(patches):
    """The last 25 layers of ResNet-50, trained once for all: it takes many seconds."""
    net = PatchClassifier(
        weights=None, trainable_layers=25, dense_units=8, epochs=1, batch_size=8,
        random_state=0,
    )  # fmt: skip
    return net.fit(*patches)


def weights_by_layer(model):
    return {layer.name: layer.get_weights() for layer in model.layers}


def is_same(before, after):
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_of_the_last_25_layers_all_but_the_batch_norms_change(resnet50_net):
    backbone = load_backbone("resnet50", None)
    model = resnet50_net.net_.model_
    (tail,) = [layer for layer in model.layers if hasattr(layer, "layers")
               and layer.name != "trunk"]  # fmt: skip
    before, after = weights_by_layer(backbone.model), weights_by_layer(tail)
    last = {layer.name for layer in backbone.model.layers[-25:]}
    trained = {name for name in last if not name.endswith("_bn")}
    with_weights = {name for name, weights in after.items() if weights}
    frozen = with_weights - trained
    assert any(name.endswith("_bn") for name in frozen & last)
    assert all(is_same(before[name], after[name]) for name in frozen)
    assert not any(
        is_same(before[name], after[name]) for name in with_weights & trained
    )


@pytest.mark.slow
def test_a_fit_leaves_the_shared_backbone_as_it_was(resnet50_net):
    backbone = load_backbone("resnet50", None)
    again = freeze_backbone("resnet50", backbone.model, backbone.preprocess)
    assert again.fingerprint == resnet50_net.backbone_fingerprint_


@pytest.mark.slow
def test_trunk_and_rest_predict_what_the_whole_resnet50_predicts(resnet50_net, patches):
    X, _ = patches
    backbone = load_backbone("resnet50", None)
    features = compile_trunk(backbone, "conv4_block6_out")(X)
    settings = {"trainable_layers": 25, "dense_units": 8}
    rest = build_network(NetworkSpec(features.shape[1:], **settings), backbone)
    set_owned_weights(rest, owned_weights(resnet50_net.net_.model_))
    in_two = rest.predict(features, verbose=0)[:, 0]
    np.testing.assert_allclose(in_two, resnet50_net.predict_proba(X)[:, 1], atol=1e-4)


@pytest.mark.parametrize(("trainable_layers", "same"), [(17, True), ("all", False)])
def test_batch_norm_is_trained_only_where_no_layer_is_frozen(
    patches, trainable_layers, same
):
    X, y = patches
    net = PatchClassifier(
        "cnn", weights=None, trainable_layers=trainable_layers, dense_units=8,
        epochs=1, batch_size=8, random_state=0,
    )  # fmt: skip
    model = net.fit(X, y).net_.model_
    (norm,) = [
        found
        for layer in model._flatten_layers()
        if (found := layer).name == "block1_bn"
    ]
    before = load_backbone("cnn", None).model.get_layer("block1_bn").get_weights()
    assert is_same(before, norm.get_weights()) is same
    # In inference mode a batch's rows do not depend on one another.
    inputs = np.random.default_rng(0).normal(size=(4, 2, 2, 16)).astype(np.float32)
    alone = np.asarray(norm(inputs[:1], training=True))
    together = np.asarray(norm(inputs, training=True))[:1]
    assert np.allclose(alone, together, atol=1e-6) is same


def test_trunk_output_with_all_layers_trained_is_the_image(patches):
    X, y = patches
    parameters = {"weights": None, "trainable_layers": "all"}
    net = PatchClassifier("cnn", **parameters, epochs=1, random_state=0).fit(X, y)
    rows = PatchEncoder("cnn", **parameters, cache_dir=False).fit_transform(X)
    np.testing.assert_allclose(net.predict_proba(rows), net.predict_proba(X), atol=1e-4)


# -- augmentation ----------------------------------------------------------------------


class Recorder(PatchAugmenter):
    """Gives images as they are, and tells what it was asked for."""

    seen = ()

    def transform(self, images, keys, *, n_threads=1):
        type(self).seen += tuple(zip(keys, images.copy(), strict=True))
        return images


def test_every_training_image_is_augmented_in_every_epoch_and_no_other(patches):
    X, y = patches
    Recorder.seen = ()
    parameters = {
        "weights": None, "trainable_layers": "all", "dense_units": 8,
        "epochs": 2, "batch_size": 8, "random_state": 0,
    }  # fmt: skip
    net = PatchClassifier("cnn", **parameters, augmentation=Recorder())
    rows = {"X_val": X[16:], "y_val": y[16:]}
    net.fit(X[:16], y[:16], **rows).predict(X)
    seeds, epochs, numbers = zip(*(key for key, _ in Recorder.seen), strict=True)
    assert len(set(seeds)) == 1
    assert sorted(zip(epochs, numbers, strict=True)) == [
        (epoch, row) for epoch in range(2) for row in range(16)
    ]
    for (_, _, row), image in Recorder.seen:
        np.testing.assert_array_equal(image, X[row])
    plain = PatchClassifier("cnn", **parameters).fit(X[:16], y[:16], **rows)
    assert plain.history_ == net.history_


def test_augmented_training_follows_the_seed(patches):
    X, y = patches

    def fit(augmentation):
        return PatchClassifier(
            "cnn", weights=None, trainable_layers=2, dense_units=8, epochs=1,
            batch_size=24, random_state=0, augmentation=augmentation,
        ).fit(X, y).history_["loss"]  # fmt: skip

    by_name = fit("geometry+stain")
    assert fit(PatchAugmenter()) == by_name
    assert fit("dihedral") != by_name


def test_features_cannot_be_augmented(features, patches):
    X, y, _, _ = features
    message = r"augmentation='dihedral' changes images, but X has rows of shape \(8,\)"
    with pytest.raises(ParameterError, match=message):
        make_head(augmentation="dihedral").fit(X, y)
    with pytest.raises(ParameterError, match=r"Give None, one of the names dihedral"):
        make_head(augmentation="flip").fit(*patches)


# -- parts of a model file -------------------------------------------------------------


# Keras writes weights through a call that numpy 2 is leaving behind; only tests write.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
@pytest.mark.parametrize(
    ("trainable_layers", "has_backbone"), [(2, True), ("all", False)]
)
def test_a_net_of_images_is_restored_without_the_weights_it_began_with(
    patches, tmp_path, trainable_layers, has_backbone
):
    X, y = patches
    path = tmp_path / "cnn.weights.h5"
    model = load_backbone("cnn", None).model
    model.save_weights(path)
    parameters = {"weights": path, "trainable_layers": trainable_layers}
    net = PatchClassifier("cnn", **parameters, epochs=1, random_state=0).fit(X, y)
    expected = net.predict_proba(X)
    header, arrays = net._to_parts()
    assert any(name.startswith("backbone/") for name in arrays) is has_backbone
    path.unlink()
    _cached_backbone.cache_clear()
    restored = PatchClassifier("cnn", **parameters)
    restored._set_parts(header, arrays, net.classes_)
    np.testing.assert_allclose(restored.predict_proba(X), expected, atol=1e-6)
    np.testing.assert_allclose(
        copy.deepcopy(restored).predict_proba(X), expected, atol=1e-6
    )


# -- memory ----------------------------------------------------------------------------


def graphs_after_a_fit(net, X, y):
    clone(net).fit(X, y, X_val=X, y_val=y).predict(X)
    gc.collect()
    kinds = [type(item).__name__ for item in gc.get_objects()]
    return kinds.count("FuncGraph")


@pytest.mark.parametrize("trainable_layers", [0, 6])
def test_tensorflow_keeps_nothing_of_a_network_that_is_gone(patches, trainable_layers):
    X, y = patches
    parameters = {"weights": None, "trainable_layers": trainable_layers}
    features = PatchEncoder("cnn", **parameters, cache_dir=False).fit_transform(X)
    net = PatchClassifier("cnn", **parameters, epochs=1, random_state=0)
    before = graphs_after_a_fit(net, features, y)
    assert graphs_after_a_fit(net, features, y) == before


def test_nor_does_it_of_one_trained_in_steps(features, monkeypatch):
    """By any optimizer: all of them share what would keep it."""
    X, y, _, _ = features
    monkeypatch.setattr("glomclf.network.assembly._SMALL", 0)  # steps as of images
    net = make_head(optimizer="adamw", epochs=1, batch_size=80)
    before = graphs_after_a_fit(net, X, y)
    assert graphs_after_a_fit(net, X, y) == before


def test_a_training_that_diverged_is_a_named_error():
    X = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    net = PatchClassifier(learning_rate=1e38, epochs=2, optimizer="sgd", dense_units=4)
    with pytest.raises(DivergenceError, match=r"not finite after 2 epochs.*1e\+38"):
        net.fit(X, np.arange(32) % 2)


def test_probabilities_that_are_not_finite_are_a_named_error():
    X = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    net = PatchClassifier(epochs=1, dense_units=4).fit(X, np.arange(8) % 2)
    set_owned_weights(net.net_.model_, [a * np.nan for a in net._owned_weights()])
    with pytest.raises(DivergenceError, match="8 of 8 rows are not finite"):
        net.predict(X)
