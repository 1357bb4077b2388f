"""``--set`` and the options of the classifier become its parameters."""

import pytest
from click.testing import CliRunner

from glomclf import RecallAtLeast
from glomclf.cli import main
from glomclf.cli.console import InputError
from glomclf.cli.options import setting
from glomclf.cli.settings import as_ensemble, checked_classifier, given_values

TINY = {"backbone": "cnn", "weights": "none"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("5", 5),
        ("true", True),
        ("None", None),
        ("null", None),
        ("balanced", "balanced"),
        ("smote+augment", "smote+augment"),
        ("/data/a b.h5", "/data/a b.h5"),
        ("[1, 2]", [1, 2]),
        ("{[]: 1}", "{[]: 1}"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_values_are_numbers_words_or_text(text, value):
    assert setting(f"key={text}") == ("key", value)


def test_settings_are_written_into_the_classifier():
    classifier = checked_classifier(
        "features",
        **TINY,
        sampler="none",
        threshold=("recall", 0.9),
        cache_dir="none",
        settings=[("network.learning_rate", 1e-4), ("image_size", 64)],
        random_state=3,
    )
    assert classifier.sampler is None
    assert classifier.threshold == RecallAtLeast(0.9)
    assert classifier.cache_dir is False
    assert classifier.image_size == 64
    assert classifier.random_state == 3
    network = classifier.network
    assert (network.backbone, network.weights) == ("cnn", None)
    assert network.learning_rate == 1e-4
    assert network.optimizer == "adamw"  # the recipe's


def test_without_options_it_is_the_recipe():
    assert given_values("scratch") == {}
    assert checked_classifier("scratch", weights="none").image_size == 64


def test_the_backbone_is_that_of_the_part_that_has_one():
    linear = checked_classifier("linear", **TINY)
    assert (linear.encoder.backbone, linear.encoder.weights) == ("cnn", None)


def test_frozen_layers_of_the_network_have_settings_of_their_own():
    settings = [("encoder.engine", "keras")]
    encoder = checked_classifier("features", **TINY, settings=settings).encoder
    assert (encoder.engine, encoder.backbone, encoder.weights) == ("keras", "cnn", None)


def test_all_unknown_keys_are_listed_with_what_may_be_meant():
    settings = [("network.epoch", 5), ("patience", 3), ("xyz", 1), ("image_size", 64)]
    with pytest.raises(InputError) as caught:
        given_values("features", settings=settings)
    message = str(caught.value)
    assert "network.epoch is unknown; did you mean network.epochs?" in message
    assert "patience is unknown; did you mean network.patience?" in message
    assert "xyz is unknown." in message
    assert "image_size" not in message
    assert "--recipe features --set help` lists all keys" in message


def test_a_setting_given_twice_is_refused():
    with pytest.raises(InputError, match=r"network\.weights is given twice"):
        given_values("features", weights="none", settings=[("network.weights", None)])


def test_values_out_of_range_are_named_as_they_are_typed():
    settings = [("network.epochs", 0), ("image_size", "big")]
    with pytest.raises(InputError) as caught:
        checked_classifier("features", **TINY, settings=settings)
    message = str(caught.value)
    assert "network.epochs must be an int in the range [1, inf). Got 0" in message
    assert "image_size must be an int" in message


def test_an_unknown_key_ends_with_exit_code_2(tmp_path):
    csv = tmp_path / "nowhere.csv"
    done = CliRunner().invoke(main, ["compare", str(csv), "--set", "epochs"])
    assert done.exit_code == 2
    assert "KEY=VALUE" in done.stderr


@pytest.mark.parametrize(
    ("recipe", "key"),
    [("features", "network.epochs"), ("linear", "network.logisticregression.C")],
)
def test_set_help_lists_the_keys_of_the_recipe_without_a_csv(recipe, key):
    done = CliRunner().invoke(main, ["train", "--recipe", recipe, "--set", "help"])
    assert done.exit_code == 0, done.output
    assert f"--recipe {recipe}" in done.stdout
    assert key in done.stdout
    assert " network " not in done.stdout


def test_an_ensemble_takes_over_the_threshold():
    classifier = checked_classifier("features", **TINY, threshold="f1", random_state=1)
    ensemble = as_ensemble(classifier, 3)
    assert (ensemble.threshold, ensemble.cv, ensemble.random_state) == ("f1", 3, 1)
    assert ensemble.estimator.threshold == 0.5
