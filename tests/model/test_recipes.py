"""Recipes: what they set, what overrides them, and what contradicts them."""

import numpy as np
import pytest
from sklearn.base import clone

from glomclf import GlomeruliClassifier, RecallAtLeast, make_classifier
from glomclf.data.dihedral import dihedral_view
from glomclf.errors import ParameterError
from glomclf.model.recipes import RECIPES
from glomclf.model.validation import share_set_aside
from glomclf.network.backbones import load_backbone
from glomclf.network.known_layers import layers_of

TINY = {
    "image_size": 32,
    "random_state": 0,
    "network__backbone": "cnn",
    "network__weights": None,
    "network__dense_units": 8,
    "network__batch_size": 8,
    "network__epochs": 2,
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_writes_out_every_value(name):
    parameters = make_classifier(name).get_params(deep=True)
    for key, value in RECIPES[name].items():
        assert str(parameters[key]) == str(clone(value, safe=False)) or key == "network"
    assert "auto" not in [v for k, v in parameters.items() if k != "encoder__engine"]


@pytest.mark.parametrize("name", RECIPES)
def test_classifiers_of_one_recipe_share_no_part(name):
    first, second = make_classifier(name), make_classifier(name)
    assert first.network is not second.network
    assert first.network is not RECIPES[name]["network"]
    assert str(first) == str(second)


def test_the_linear_recipe_is_made_where_none_is_named():
    assert str(make_classifier()) == str(make_classifier("linear"))


def test_what_is_given_overrides_the_recipe():
    classifier = make_classifier("scratch", image_size=96, network__epochs=7)
    assert (classifier.image_size, classifier.network.epochs) == (96, 7)
    assert classifier.network.trainable_layers == "all"


def test_fine_tuning_begins_with_the_layers_of_the_lowest_resolution():
    network = make_classifier("fine-tune").network
    known = layers_of(network.backbone)
    place, _ = known.outputs["block10_out"]
    assert network.trainable_layers == known.n_layers - (place + 1)


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(ParameterError, match="linear, features, fine-tune, scratch"):
        make_classifier("auto")


def test_all_unknown_parameters_are_named_with_what_may_be_meant():
    with pytest.raises(ParameterError) as caught:
        make_classifier("features", epochs=3, network__learning_rat=1, colour="red")
    assert str(caught.value).splitlines() == [
        "'epochs' is not a parameter. Did you mean 'network__epochs'?",
        "'network__learning_rat' is not a parameter. Did you mean "
        "'network__learning_rate'?",
        "'colour' is not a parameter.",
    ]


@pytest.mark.parametrize(
    ("recipe", "settings", "told"),
    [
        ("scratch", {"sampling_space": "features"}, "trains from images"),
        ("scratch", {"encoder__engine": "openvino"}, "encoder__engine"),
        ("scratch", {"network__epochs": 3}, "does not end within the 3 epochs"),
        ("fine-tune", {"network__trainable_layers": 0}, "trains the head alone"),
        ("fine-tune", {"network__epochs": 2}, "head_epochs=2"),
        (
            "features",
            {"network__trainable_layers": "all", "sampling_space": "features"},
            "leaves none. Pass sampling_space",
        ),
        (
            "features",
            {"sampling_space": "features"},
            "transforms images",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_when_it_is_made(
    recipe, settings, told
):
    with pytest.raises(ParameterError, match=told):
        make_classifier(recipe, **settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"network__patience": 3}, 0.15),
        ({"threshold": "f1"}, 0.15),
        ({"threshold": RecallAtLeast(0.9)}, 0.15),
        ({"validation_fraction": 0.3}, 0.3),
        ({"network__patience": 3, "validation_fraction": 0.3}, 0.3),
    ],
)
def test_participants_are_set_aside_where_something_is_decided_on_them(
    settings, expected
):
    assert share_set_aside(make_classifier("features", **settings)) == expected


@pytest.fixture(scope="module")
def scratch(patches):
    X, y = patches
    classifier = make_classifier(
        "scratch",
        **{**TINY, "predict_views": 3, "network__warmup_epochs": 0, "cache_dir": False},
    )
    return classifier.fit(X, y, groups=np.arange(len(y)) // 2)


def test_a_fit_from_scratch_has_no_frozen_layers(scratch):
    assert list(scratch.pipeline_.named_steps) == ["load", "stain", "classify"]
    assert scratch.pipeline_["classify"].augmentation == "geometry"
    assert scratch.pipeline_["classify"].class_weight is None
    assert clone(scratch).get_params()["network__epochs"] == 2


def test_a_probability_is_the_mean_over_views(scratch, patches):
    X, _ = patches
    views = [dihedral_view(X, k) for k in range(3)]
    one_by_one = [scratch.pipeline_.predict_proba(view) for view in views]
    assert np.ptp([one[:, 1] for one in one_by_one], axis=0).max() > 1e-6
    expected = np.mean(one_by_one, axis=0)
    np.testing.assert_allclose(scratch.predict_proba(X), expected, atol=1e-6)


def test_a_model_file_carries_every_setting(scratch, patches, tmp_path):
    X, _ = patches
    scratch.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    assert str(loaded.get_params()) == str(scratch.get_params())
    np.testing.assert_allclose(
        loaded.predict_proba(X), scratch.predict_proba(X), atol=1e-6
    )


# Keras 3's TensorFlow variables still speak NumPy 1.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_fine_tuning_from_images_survives_its_weights_file(patches, tmp_path):
    """The frozen layers are in the model file, for there is no step that encodes."""
    X, y = patches
    weights = tmp_path / "own.weights.h5"
    load_backbone("cnn", None).model.save_weights(weights)
    settings = {**TINY, "network__weights": weights, "network__trainable_layers": 6}
    settings |= {"network__head_epochs": 1, "network__warmup_epochs": 0}
    classifier = make_classifier("fine-tune", cache_dir=False, **settings)
    classifier.fit(X, y, groups=np.arange(len(y)) // 2)
    classifier.save(tmp_path / "model.glomclf")
    expected = classifier.predict_proba(X)
    weights.unlink()
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    np.testing.assert_allclose(loaded.predict_proba(X), expected, atol=1e-6)


def test_the_normaliser_learns_from_training_rows_alone(patches):
    X, y = patches
    groups = np.arange(len(y)) // 2
    classifier = make_classifier(
        "features",
        sampler=None,
        stain_normalizer="reinhard",
        validation_fraction=0.3,
        **TINY,
    )
    first = classifier.fit(X, y, groups=groups).pipeline_["stain"]
    aside = classifier.validation_indices_
    assert len(aside)
    changed = X.copy()
    changed[aside] = 255 - changed[aside]
    again = clone(classifier).fit(changed, y, groups=groups)
    np.testing.assert_array_equal(again.validation_indices_, aside)
    for name, value in vars(first).items():
        if name.endswith("_"):
            np.testing.assert_array_equal(
                value, getattr(again.pipeline_["stain"], name)
            )
