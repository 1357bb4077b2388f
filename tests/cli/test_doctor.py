"""`glomclf doctor`: what was found, what to do, and no download."""

import pytest
from click.testing import CliRunner

from glomclf.cli import doctor, main


@pytest.fixture
def unmeasured(monkeypatch):
    """Take the place of half a minute of measurement."""
    monkeypatch.setattr(doctor, "_measured", lambda: doctor._Speed(100.0, 10.0, 200.0))


def lines(*words):
    done = CliRunner().invoke(main, ["doctor", *words], env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    rows = [line.split("│") for line in done.stdout.splitlines() if "│" in line]
    return {row[1].strip(): (row[2].strip(), row[3].strip()) for row in rows}


def test_every_line_has_a_name_and_what_was_found(unmeasured):
    found = lines()
    assert {
        *("python", "glomclf", "tensorflow", "keras", "scikit-learn", "optuna"),
        *("processor", "bfloat16", "openvino", "ImageNet weights", "cache"),
        *("decoding", "frozen ResNet-50"),
        *("training on 1000 images", "study on 1000 images"),
    } == set(found)
    assert all(what for what, _ in found.values())


def test_what_is_missing_comes_with_what_to_do(unmeasured, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    monkeypatch.setattr("glomclf.network.processor.has_bfloat16", lambda: True)
    found = lines()
    assert found["optuna"] == ("not installed", "python -m pip install optuna")
    assert "pip install 'glomclf[openvino]'" in found["openvino"][1]
    assert "--weights FILE" in found["ImageNet weights"][1]
    assert "--set network.training_precision=bfloat16" in found["bfloat16"][1]


def test_weights_that_are_there_are_found(unmeasured, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / doctor._WEIGHTS).touch()
    assert lines()["ImageNet weights"] == (str(tmp_path / doctor._WEIGHTS), "")


def test_times_grow_with_the_images(unmeasured):
    # 1000 / 100 s decoding, 1640 / 10 frozen, 1640 / 200 for the head.
    assert lines()["training on 1000 images"][0] == "about 3.0 min"
    assert lines("--images", "10000")["training on 10000 images"][0] == "about 30.4 min"


@pytest.mark.slow
def test_speeds_are_measured(monkeypatch):
    for name, small in (("_SIDE", 64), ("_N_PATCHES", 16), ("_N_ROWS", 64)):
        monkeypatch.setattr(doctor, name, small)
    speed = doctor._measured()
    assert all(value > 0 for value in speed)
