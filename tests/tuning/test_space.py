"""The default space: what it gives fits the classifier, and fits together."""

from functools import partial

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FixedTrial

from glomclf import make_classifier
from glomclf.errors import ParameterError
from glomclf.model.checks import refuse_contradictions
from glomclf.samplers import needs_images
from glomclf.tuning import feature_search_space, linear_search_space, search_space


def draw(space, seed):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    return space(trial), trial.params


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_whatever_is_drawn_is_valid_and_does_not_contradict_itself(seed):
    chosen, _ = draw(search_space, seed)
    classifier = make_classifier("features").set_params(**chosen)
    classifier._validate_params()
    classifier.network._validate_params()
    refuse_contradictions(classifier)
    assert repr({name: classifier.get_params()[name] for name in chosen}) == repr(
        chosen
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_the_space_of_features_needs_no_image(seed):
    chosen, _ = draw(feature_search_space, seed)
    assert chosen["sampling_space"] == "features" or chosen["sampler"] is None
    assert chosen["network__trainable_layers"] == 0
    assert not needs_images(chosen["sampler"])


def test_a_part_can_be_a_value_or_another_function():
    space = partial(
        search_space,
        sampler="smote",
        network__dropout=0.25,
        network__learning_rate=lambda trial: trial.suggest_float("rate", 0.5, 0.6),
    )
    chosen, params = draw(space, 0)
    assert (chosen["sampler"], chosen["network__dropout"]) == ("smote", 0.25)
    assert 0.5 <= chosen["network__learning_rate"] == params["rate"] <= 0.6
    assert "dropout" not in params
    assert "sampling_ratio" not in params


def test_where_the_sampling_space_is_no_choice_none_is_suggested():
    for sampler in (None, "augment"):
        chosen, params = draw(partial(search_space, sampler=sampler), 0)
        assert chosen["sampling_space"] == "pixels"
        assert "sampling_space" not in params


def test_a_fixed_contradiction_is_refused():
    space = partial(search_space, sampler="augment", sampling_space="features")
    with pytest.raises(ParameterError, match="transforms images"):
        draw(space, 0)


def test_a_frozen_trial_gives_the_same_parameters_again():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    trial = study.ask()
    first = search_space(trial)
    again = search_space(FixedTrial(trial.params))
    assert repr(first) == repr(again)


def test_the_linear_space_fits_the_linear_recipe():
    chosen, params = draw(linear_search_space, 0)
    classifier = make_classifier("linear").set_params(**chosen)
    assert params["C"] == classifier.network.C
    fixed, params = draw(partial(linear_search_space, network__C=0.5), 0)
    assert fixed["network__C"] == 0.5
    assert "C" not in params


def test_the_linear_space_never_contradicts_itself_and_needs_no_images():
    samplers = set()
    for seed in range(20):
        chosen, params = draw(linear_search_space, seed)
        refuse_contradictions(make_classifier("linear").set_params(**chosen))
        samplers.add(params["sampler"])
        assert chosen["sampling_space"] == "features"
        assert chosen["stain_normalizer"] in (None, "fixed-reinhard")
    assert samplers == {"none", "smote", "oversample", "undersample"}
