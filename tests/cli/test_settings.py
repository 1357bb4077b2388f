"""``--set`` and the options of the classifier become its parameters."""

import pytest
from click.testing import CliRunner
from sklearn.utils._param_validation import InvalidParameterError

from glomclf import RecallAtLeast
from glomclf.cli import main
from glomclf.cli.console import InputError
from glomclf.cli.options import setting
from glomclf.cli.settings import as_ensemble, checked_classifier, given_values


def small(recipe="features", settings=(), **options):
    part = "encoder" if recipe == "linear" else "network"
    settings = [(f"{part}.backbone", "cnn"), *settings]
    return checked_classifier(recipe, weights="none", settings=settings, **options)


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
    classifier = small(
        sampler="none",
        threshold=RecallAtLeast(0.9),
        settings=[("network.learning_rate", 1e-4), ("image_size", 64)],
        random_state=3,
    )
    assert classifier.sampler is None
    assert classifier.threshold == RecallAtLeast(0.9)
    assert classifier.image_size == 64
    assert classifier.random_state == 3
    network = classifier.network
    assert (network.backbone, network.weights) == ("cnn", None)
    assert network.learning_rate == 1e-4
    assert network.optimizer == "adamw"  # the recipe's


def test_without_options_it_is_the_recipe():
    assert given_values("scratch") == {}
    assert checked_classifier("scratch", weights="none").image_size == 64


def test_the_weights_are_those_of_the_part_that_has_them():
    assert small("linear").encoder.weights is None


def test_frozen_layers_of_the_network_have_settings_of_their_own():
    settings = [("encoder.engine", "keras")]
    encoder = small(settings=settings).encoder
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


def test_values_out_of_range_are_named():
    with pytest.raises(InvalidParameterError, match="'epochs' parameter of Patch"):
        small(settings=[("network.epochs", 0)])
    with pytest.raises(InvalidParameterError, match="'image_size' parameter"):
        small(settings=[("image_size", "big")])


def test_an_unknown_key_ends_with_exit_code_2(tmp_path):
    csv = tmp_path / "nowhere.csv"
    done = CliRunner().invoke(main, ["compare", str(csv), "--set", "epochs"])
    assert done.exit_code == 2
    assert "KEY=VALUE" in done.stderr


@pytest.mark.parametrize(
    ("recipe", "key"),
    [("features", "network.epochs"), ("linear", "network.C")],
)
def test_set_help_lists_the_keys_of_the_recipe_without_a_csv(recipe, key):
    done = CliRunner().invoke(main, ["train", "--recipe", recipe, "--set", "help"])
    assert done.exit_code == 0, done.output
    assert f"--recipe {recipe}" in done.stdout
    assert key in done.stdout
    assert " network " not in done.stdout


def test_train_takes_the_linear_recipe_where_none_is_named():
    done = CliRunner().invoke(main, ["train", "--set", "help"])
    assert "network.C" in done.stdout


def test_an_ensemble_takes_over_the_threshold():
    classifier = small(threshold="f1", random_state=1)
    ensemble = as_ensemble(classifier, 3)
    assert (ensemble.threshold, ensemble.cv, ensemble.random_state) == ("f1", 3, 1)
    assert ensemble.estimator.threshold == 0.5
