"""The measurements behind `glomclf bench`: what they say of this machine, and how."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from glomclf import benchmarks
from glomclf.benchmarks import (
    Figure,
    Setting,
    Study,
    cross_validation,
    estimate_study,
    loading,
    processes,
    training,
)
from glomclf.benchmarks.arithmetic import saved_by_trunk
from glomclf.benchmarks.figures import figure, in_turn
from glomclf.benchmarks.timed import TimedClassifier
from glomclf.cli import bench, main
from glomclf.data.cache import cache_info
from glomclf.data.manifest import read_manifest
from glomclf.data.synthetic import make_glomeruli
from glomclf.network.resnet50 import load_backbone


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    make_glomeruli(
        12,
        n_participants=4,
        sclerotic_fraction=0.5,
        image_size=48,
        directory=folder,
        random_state=0,
    )
    manifest = read_manifest(folder / "public.csv")
    return Setting(
        manifest, folder, image_size=32, repeats=2, backbone="cnn", n_layers=5
    )


def run(*arguments):
    return CliRunner().invoke(main, ["bench", *arguments])


def test_a_figure_is_the_median_with_its_range():
    found = figure("loading", "Pillow", [5.0, 1.0, 2.0], "images/s", "3 files")
    assert found == Figure("loading", "Pillow", 2.0, "images/s", 1.0, 5.0, 3, "3 files")


def test_what_is_compared_runs_in_turn():
    order = []
    times = in_turn(
        {"a": lambda: order.append("a"), "b": lambda: (order.append("b"),
                                                       time.sleep(0.01))},
        repeats=3,
    )  # fmt: skip
    assert order == ["a", "b"] * 3
    assert (times["b"] >= 0.01).all()


def test_decoders_are_measured_on_patches_of_both_sizes(setting, monkeypatch):
    monkeypatch.setattr(loading, "_N_FILES", 3)
    figures = loading.measure_loading(setting)
    names = [found.name for found in figures]
    for side in (224, 600):
        assert f"{side} px PNG: Pillow, one core" in names
    assert all(found.value > 0 and found.unit == "images/s" for found in figures)


def test_start_up_is_that_of_fresh_processes(setting):
    figures = {found.name: found for found in processes.measure_startup(setting)}
    alone, whole = figures["Python alone"].value, figures["import glomclf"].value
    assert 0 < alone < whole + 0.05
    assert figures["glomclf --help"].n == 5


@pytest.mark.slow
def test_memory_is_that_of_fresh_processes(setting, tmp_path):
    processes._write_images(setting, tmp_path, 3)
    peak, seconds = processes._two_runs(setting, tmp_path, n_images=3, repeat=0)
    assert peak > 100e6
    assert seconds > 0


def test_memory_grows_by_what_more_images_take(setting, monkeypatch):
    def two_runs(setting, folder, n_images, repeat):
        assert len(list(folder.iterdir())) >= n_images
        return 200e6 + 5e3 * n_images, 0.5

    monkeypatch.setattr(processes, "_two_runs", two_runs)
    few = replace(setting, repeats=1, memory_images=(3, 6))
    figures = {found.name: found for found in processes.measure_memory(few)}
    assert set(figures) == {
        "3 images", "3 images, second run", "6 images", "6 images, second run",
        "growth",
    }  # fmt: skip
    assert figures["6 images"].value == pytest.approx(200.03)
    assert figures["6 images, second run"].value == 0.5
    assert figures["growth"].value == pytest.approx(5)


@pytest.mark.slow
def test_cross_validations_with_and_without_the_trunk_are_compared(
    setting, tmp_path, monkeypatch
):
    # SMOTE needs six sclerotic patches in each training fold.
    manifest = make_glomeruli(
        48,
        n_participants=12,
        sclerotic_fraction=0.4,
        image_size=32,
        directory=tmp_path / "patches",
        random_state=0,
    )
    monkeypatch.setattr(cross_validation, "_ONE_IN", 1)  # SMOTE needs them all
    short_fit, n_kept = cross_validation._short_fit, []

    def counting(setting, pipeline):
        result = short_fit(setting, pipeline)
        n_kept.append(cache_info(tmp_path / "cv-0-0").n_entries)
        return result

    monkeypatch.setattr(cross_validation, "_short_fit", counting)
    small = replace(
        setting, manifest=manifest, folder=tmp_path, folds=2, epochs=3, repeats=1
    )
    compared = cross_validation._compare(small, "cv", 5, {"as it is": {}})
    figures = {found.name: found.value for found in compared}
    trunk = {
        name.removeprefix("last 5 layers, as it is: "): value
        for name, value in figures.items()
    }
    plain, cold = figures["last 5 layers: plain pipeline"], trunk["empty cache"]
    assert trunk["speed from an empty cache"] == pytest.approx(plain / cold)
    assert trunk["warm cache"] > 0
    first, second, _ = n_kept  # with an empty cache, with what that left, without one
    assert 0 < first == second
    assert trunk["largest change of a probability"] < 0.05
    assert abs(trunk["change of ROC AUC"]) < 0.2


@pytest.mark.slow
def test_a_cross_validation_scores_the_same_with_the_trunk(
    setting, tmp_path, monkeypatch
):
    pytest.importorskip("openvino")
    monkeypatch.setattr(cross_validation, "_SMALL_SIZE", 32)
    manifest = make_glomeruli(
        48,
        n_participants=12,
        sclerotic_fraction=0.4,
        image_size=32,
        directory=tmp_path / "patches",
        random_state=0,
    )
    small = replace(setting, manifest=manifest, folder=tmp_path, folds=2, epochs=3)
    plain, keras, openvino = cross_validation.measure_scores(small)
    assert 0 <= plain.low <= plain.high <= 1
    assert keras.high <= 1e-3
    assert openvino.name == "trunk by openvino: change of a fold's ROC AUC"


def test_what_takes_an_epoch_is_noted(patches):
    net = TimedClassifier("cnn", weights=None, epochs=3, random_state=0)
    net.fit(*patches)
    assert len(net.epoch_ends_) == 3
    assert (net.epoch_seconds() > 0).all()
    assert len(net.epoch_seconds()) == 2


@pytest.mark.slow
def test_training_is_measured_by_what_is_trained(setting, monkeypatch):
    monkeypatch.setattr(training, "_N_HEAD_ROWS", 64)
    figures = training.measure_training(replace(setting, repeats=1))
    rates = {found.name: found for found in figures if found.unit == "images/s"}
    assert "head, from features" in rates
    assert "all layers, from images" in rates
    assert all(found.value > 0 for found in rates.values())
    overheads = [found for found in figures if found.unit == "s a fit"]
    assert len(overheads) == len(rates)


def test_sections_of_the_command_are_those_there_are():
    assert bench._SECTIONS == benchmarks.SECTIONS


# -- the estimate ----------------------------------------------------------------------


def figures_of(reading=100.0, trunk=20.0, plain=10.0, head=1000.0, a_fit=2.0):
    return [
        figure("loading", "600 px PNG: Pillow, 2 cores", reading, "images/s"),
        figure("engines", "OpenVINO float32: rate", trunk, "images/s"),
        figure("engines", "tf.function: rate", plain, "images/s"),
        figure("training", "head, from features", head, "images/s"),
        figure("training", "head, from features: beside epochs", a_fit, "s a fit"),
    ]


def test_an_estimate_counts_images_once_and_heads_in_every_trial():
    one = estimate_study(Study(1000, 5, 10, 1), figures_of())
    ten = estimate_study(Study(1000, 5, 10, 10), figures_of())
    assert one["reading"] == ten["reading"] == 10
    assert one["trunk"] == ten["trunk"] == pytest.approx((1000 + 4 * 640) / 20)
    assert ten["heads"] == pytest.approx(10 * one["heads"])
    assert one["heads"] == pytest.approx(5 * 2 + 10 * 6560 / 1000)
    assert ten["plain pipeline"] == pytest.approx(10 * (10 * 6560 + 1000) / 10)
    assert one["total"] == pytest.approx(one["reading"] + one["trunk"] + one["heads"])


@pytest.mark.parametrize("section", ["loading", "engines", "training"])
def test_without_a_section_there_is_no_estimate(section):
    figures = [found for found in figures_of() if found.section != section]
    assert estimate_study(Study(1000), figures) is None


# -- the command -----------------------------------------------------------------------


def test_figures_are_printed_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        benchmarks, "measure", lambda setting, sections: iter(figures_of())
    )
    file = tmp_path / "figures.json"
    done = run("--patches", "40", "--study-images", "1000", "--json", str(file))
    assert done.exit_code == 0, done.output
    assert "A study of 1000 images, 5 folds, 10 epochs and 1 trials" in " ".join(
        done.output.split()
    )
    content = json.loads(file.read_text())
    assert content["patches"] == 40
    assert content["figures"][1]["value"] == 20
    assert np.isclose(content["estimate_s"]["reading"], 10)
    assert content["machine"]["cores"] >= 1


def test_one_section_alone_is_measured(tmp_path):
    done = run("--only", "startup", "--patches", "40", "--quiet")
    assert done.exit_code == 0, done.output
    assert "import glomclf beyond Python" in done.output
    assert "loading" not in done.stdout


def test_a_file_that_cannot_be_written_is_refused_before_the_measuring(tmp_path):
    done = run("--json", str(tmp_path))
    assert done.exit_code == 2
    assert "is a folder" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--memory-images", 300, 300], "two numbers that differ"),
        (["--patches", 40, "--folds", 6], "participants"),  # there are 5
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_measuring(options, message):
    words = ["bench", "--weights", "none", *map(str, options)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "startup" not in result.stderr


def test_figures_of_an_interrupted_run_are_kept(tmp_path, monkeypatch):
    def measure(setting, sections):
        yield figure("startup", "an undefined one", float("nan"), "s")
        raise KeyboardInterrupt

    monkeypatch.setattr("glomclf.benchmarks.measure", measure)
    file = tmp_path / "figures.json"
    words = ["bench", "--weights", "none", "--patches", "64", "--json", str(file)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 130
    assert str(file) in result.stderr
    content = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert content["figures"][0]["value"] is None


def test_a_folder_of_images_without_a_csv_is_refused(tmp_path):
    done = run("--images", str(tmp_path))
    assert done.exit_code == 2
    assert "--images belongs to a CSV" in done.output


@pytest.mark.parametrize(
    ("trainable_layers", "expected"),
    [
        # The last convolution alone: its output, and the gradient of its weights.
        (5, (3_981_312 + 1_179_648) / (2 * 1_179_648)),
        # The last two; the input of the last needs a gradient as well.
        (9, (3_981_312 + 3 * 1_179_648) / (5 * 1_179_648)),
    ],
)
def test_multiplications_are_those_counted_by_hand(trainable_layers, expected):
    backbone = load_backbone("cnn", None)
    assert saved_by_trunk(backbone, trainable_layers, 32) == pytest.approx(expected)
