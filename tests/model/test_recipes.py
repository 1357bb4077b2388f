"""Recipes: what they set, what overrides them, and which one "auto" takes."""

import inspect

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.base import clone

from glomclf import GlomeruliClassifier, PatchClassifier
from glomclf.data.dihedral import dihedral_view
from glomclf.errors import ParameterError
from glomclf.model.recipes import (
    RECIPE_PARAMETERS,
    RECIPES,
    choose_recipe,
    resolve_recipe,
)
from glomclf.network import processor

TINY = {
    "backbone": "cnn",
    "weights": None,
    "image_size": 32,
    "dense_units": 8,
    "batch_size": 8,
    "epochs": 2,
    "random_state": 0,
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_sets_the_same_parameters(name):
    assert sorted(RECIPES[name]) == list(RECIPE_PARAMETERS)


def test_the_front_door_leaves_to_the_recipe_what_recipes_set_and_nothing_else():
    parameters = inspect.signature(GlomeruliClassifier).parameters
    left = {name for name, p in parameters.items() if p.default == "auto"}
    assert left - {"engine"} == set(RECIPE_PARAMETERS)


@pytest.mark.parametrize("name", RECIPES)
def test_the_values_of_a_recipe_are_allowed_by_the_front_door_and_the_net(name):
    GlomeruliClassifier(recipe=name, **RECIPES[name])._validate_params()
    of_net = set(inspect.signature(PatchClassifier).parameters)
    same = {k: v for k, v in RECIPES[name].items() if k in of_net}
    PatchClassifier(**same)._validate_params()


@given(st.sampled_from([None, "imagenet", "file.h5"]), st.integers(2, 10**5))
def test_auto_chooses_by_weights_and_number_and_says_both(weights, n_samples):
    name, reason = choose_recipe(weights, n_samples)
    assert name in {"features", "scratch" if weights is None else "fine-tune"}
    assert str(n_samples) in reason
    assert ("random" in reason) == (weights is None)
    # More images never lead back to the simpler recipe.
    if name != "features":
        assert choose_recipe(weights, n_samples + 1)[0] == name


@given(st.sampled_from(list(RECIPES)), st.sets(st.sampled_from(RECIPE_PARAMETERS)))
def test_what_is_given_overrides_and_the_rest_is_the_recipes(name, overridden):
    told = dict.fromkeys(RECIPE_PARAMETERS, "auto")
    told |= {parameter: ("mine", parameter) for parameter in overridden}
    recipe = resolve_recipe(name, told, weights=None, n_samples=10)
    expected = {**RECIPES[name], **{p: ("mine", p) for p in overridden}}
    free = {"training_precision", "validation_fraction"} - overridden
    for parameter in set(RECIPE_PARAMETERS) - free:
        assert recipe.parameters[parameter] == expected[parameter]
    assert "auto" not in recipe.parameters.values()


def test_inner_folds_follow_the_recipe_of_the_whole(patches, monkeypatch):
    X, y = patches
    fewest = {"fine-tune": 200, "scratch": len(y)}  # a fold has fewer rows
    monkeypatch.setattr("glomclf.model.recipes._FEWEST", fewest)
    names, resolve = [], GlomeruliClassifier.resolve

    def told(self, *arguments, **options):
        recipe = resolve(self, *arguments, **options)
        names.append(recipe.name)
        return recipe

    monkeypatch.setattr(GlomeruliClassifier, "resolve", told)
    classifier = GlomeruliClassifier(
        recipe="auto",
        threshold="validation",
        validation_fraction=None,
        warmup_epochs=0,
        trainable_layers=0,  # the head alone, and from features, takes the least time
        augmentation=None,
        cache_dir=False,
        **TINY,
    )
    classifier.fit(X, y, groups=np.arange(len(y)) % 3)  # three folds are quicker
    assert classifier.training_record_["threshold_chosen_on"] == "inner folds"
    assert len(names) > 2
    assert set(names) == {"scratch"}


@pytest.mark.parametrize(
    ("has_it", "expected"), [(True, "bfloat16"), (False, "float32")]
)
def test_scratch_computes_in_bfloat16_where_the_processor_does(
    monkeypatch, tmp_path, has_it, expected
):
    file = tmp_path / "cpuinfo"
    file.write_text("flags: avx2 amx_bf16" if has_it else "flags: avx2")
    monkeypatch.setattr(processor, "_CPU_FILE", file)
    classifier = GlomeruliClassifier(recipe="scratch", weights=None)
    assert classifier.resolve(10).parameters["training_precision"] == expected
    classifier.set_params(training_precision="float32")
    assert classifier.resolve(10).parameters["training_precision"] == "float32"
    features = GlomeruliClassifier(weights=None).resolve(10).parameters
    assert features["training_precision"] == "float32"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"recipe": "scratch", "sampling_space": "features"}, "trains from images"),
        ({"recipe": "scratch", "engine": "openvino"}, "predicts from images"),
        ({"recipe": "fine-tune", "precision": "int8"}, "Leave precision out"),
        ({"recipe": "scratch", "epochs": 3}, "does not end within the 3 epochs"),
        ({"recipe": "fine-tune", "trainable_layers": 0}, "trains the head alone"),
        ({"trainable_layers": "all", "precision": "int8"}, "Leave precision out"),
        (
            {"trainable_layers": "all", "sampling_space": "features"},
            "leaves none. Pass sampling_space",
        ),
        ({"patience": 2, "validation_fraction": None}, "patience=2 stops on"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, told):
    classifier = GlomeruliClassifier(weights=None, **settings)
    with pytest.raises(ParameterError, match=told):
        classifier.resolve(10)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"recipe": "scratch"}, None),
        ({"patience": 3}, 0.15),
        ({"threshold": "validation"}, 0.15),
        ({"validation_fraction": 0.3}, 0.3),
        ({"patience": 3, "validation_fraction": 0.3}, 0.3),
        ({"threshold": "validation", "validation_fraction": None}, None),
    ],
)
def test_participants_are_set_aside_where_something_is_decided_on_them(
    settings, expected
):
    recipe = GlomeruliClassifier(weights=None, **settings).resolve(10)
    assert recipe.parameters["validation_fraction"] == expected
    told = {"has_X_val": True, "has_y_val": True}
    with_X_val = GlomeruliClassifier(weights=None, **settings).resolve(10, **told)
    mine = settings.get("validation_fraction")
    assert with_X_val.parameters["validation_fraction"] == mine


def test_a_refusal_tells_which_settings_were_the_recipes_own():
    """Otherwise one reads that `head_epochs=3` was given, which nobody typed."""
    classifier = GlomeruliClassifier(recipe="fine-tune", epochs=2, batch_size=8)
    with pytest.raises(ParameterError) as caught:
        classifier.resolve(10)
    last = str(caught.value).splitlines()[-1]
    assert last == 'From recipe="fine-tune": head_epochs=3.'
    with pytest.raises(ParameterError) as caught:
        classifier.set_params(head_epochs=2).resolve(10)
    assert "From recipe" not in str(caught.value)


@pytest.fixture(scope="module")
def scratch(patches):
    X, y = patches
    classifier = GlomeruliClassifier(
        recipe="scratch",
        predict_views=3,
        warmup_epochs=0,
        cache_dir=False,
        **TINY,
    )
    return classifier.fit(X, y, groups=np.arange(len(y)) // 2)


def test_a_fit_from_scratch_has_no_trunk_and_says_what_it_was_set_to(scratch):
    assert list(scratch.pipeline_.named_steps) == ["load", "stain", "net"]
    assert scratch.recipe_.name == "scratch"
    assert scratch.recipe_.parameters["epochs"] == 2
    assert scratch.pipeline_["net"].augmentation == "geometry"
    assert scratch.pipeline_["net"].class_weight is None
    assert clone(scratch).get_params()["epochs"] == 2
    assert scratch.get_params()["optimizer"] == "auto"


def test_a_probability_is_the_mean_over_views(scratch, patches):
    X, _ = patches
    views = [dihedral_view(X, k) for k in range(3)]
    one_by_one = [scratch.pipeline_.predict_proba(view) for view in views]
    assert np.ptp([one[:, 1] for one in one_by_one], axis=0).max() > 1e-6
    expected = np.mean(one_by_one, axis=0)
    np.testing.assert_allclose(scratch.predict_proba(X), expected, atol=1e-6)


def test_a_model_file_carries_the_recipe(scratch, patches, tmp_path):
    X, _ = patches
    scratch.save(tmp_path / "model.glomclf")
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    assert loaded.recipe_ == scratch.recipe_
    assert loaded.get_params() == scratch.get_params()
    np.testing.assert_allclose(
        loaded.predict_proba(X), scratch.predict_proba(X), atol=1e-6
    )


# Keras 3's TensorFlow variables still speak NumPy 1.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_fine_tuning_from_images_survives_its_weights_file(patches, tmp_path):
    """The frozen layers are in the model file, for there is no trunk step."""
    from glomclf.network.resnet50 import load_backbone

    X, y = patches
    weights = tmp_path / "own.weights.h5"
    load_backbone("cnn", None).model.save_weights(weights)
    settings = {**TINY, "weights": weights, "trainable_layers": 6, "head_epochs": 1}
    settings["warmup_epochs"] = 0
    classifier = GlomeruliClassifier(recipe="fine-tune", cache_dir=False, **settings)
    classifier.fit(X, y, groups=np.arange(len(y)) // 2)
    classifier.save(tmp_path / "model.glomclf")
    expected = classifier.predict_proba(X)
    weights.unlink()
    loaded = GlomeruliClassifier.load(tmp_path / "model.glomclf")
    np.testing.assert_allclose(loaded.predict_proba(X), expected, atol=1e-6)


def test_the_normaliser_learns_from_training_rows_alone(patches):
    X, y = patches
    groups = np.arange(len(y)) // 2
    classifier = GlomeruliClassifier(
        None, stain_normalizer="reinhard", validation_fraction=0.3, **TINY
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
