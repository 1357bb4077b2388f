"""The measurements behind the tables on speed: how they are made and written."""

import sys
import time

import numpy as np
import pytest
import speed
from speed_parts import cross_validation, processes, throughput
from speed_parts.arithmetic import saved_by_trunk
from speed_parts.figures import Figure, Setting, figure, in_turn
from speed_parts.timed import TimedClassifier

from glomclf.data.store import cache_info
from glomclf.data.synthetic import make_glomeruli
from glomclf.network.backbones import load_backbone


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """48 patches: SMOTE needs six sclerotic ones in each training fold."""
    folder = tmp_path_factory.mktemp("speed")
    manifest = make_glomeruli(
        48,
        n_participants=12,
        sclerotic_fraction=0.4,
        image_size=32,
        directory=folder / "patches",
        random_state=0,
    )
    return Setting(
        manifest, folder, image_size=32, repeats=1, backbone="cnn", n_layers=5
    )


def test_a_figure_is_the_median_with_its_range():
    found = figure("Pillow", [5.0, 1.0, 2.0], "images/s", "3 files")
    assert found == Figure("Pillow", 2.0, 1.0, 5.0, "images/s", "3 files")


def test_what_is_compared_runs_in_turn():
    order = []
    slow = {"a": lambda: order.append("a"), "b": lambda: time.sleep(0.01)}
    times = in_turn(slow, repeats=3)
    assert order == ["a"] * 3
    assert (times["b"] >= 0.01).all()


def test_a_table_holds_its_figures_and_names_its_command(
    setting, tmp_path, monkeypatch
):
    """A reader can make the table again, and takes every number from the figures."""
    found = [figure("Python alone", [0.02, 0.03, 0.01], "s", "fresh processes")]
    monkeypatch.setitem(speed.SECTIONS, "startup", lambda setting: iter(found))
    csv = str(setting.folder / "patches" / "public.csv")
    words = ["speed.py", "startup", csv, "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    speed.main()
    text = (tmp_path / "speed_startup.inc").read_text()
    assert "   * - Python alone\n     - 0.02\n     - 0.01 to 0.03\n     - s\n" in text
    assert "fresh processes" in text
    assert "``python examples/benchmarks/speed.py startup public.csv" in text
    assert str(tmp_path) not in text
    assert "with 48 patches; Python 3." in text


def test_start_up_is_that_of_fresh_processes(setting):
    figures = {found.name: found for found in processes.measure_startup(setting)}
    alone, whole = figures["Python alone"].value, figures["import glomclf"].value
    assert 0 < alone < whole + 0.05
    assert "glomclf --help" in figures


def test_memory_grows_by_what_more_images_take(setting, monkeypatch):
    def two_runs(setting, folder, n_images, repeat):
        assert len(list(folder.iterdir())) >= n_images
        return 200e6 + 5e3 * n_images, 0.5

    monkeypatch.setattr(processes, "_two_runs", two_runs)
    few = setting._replace(memory_images=(3, 6))
    figures = {found.name: found for found in processes.measure_memory(few)}
    assert set(figures) == {
        "3 images", "3 images, second run", "6 images", "6 images, second run",
        "growth",
    }  # fmt: skip
    assert figures["6 images"].value == pytest.approx(200.03)
    assert figures["6 images, second run"].value == 0.5
    assert figures["growth"].value == pytest.approx(5)


def test_two_parts_at_once_are_judged_by_their_processor_time(monkeypatch):
    monkeypatch.setattr(throughput, "n_threads", lambda: 2)
    taken = {"a": [[9.0, 1.0]], "b": [[9.0, 3.0]], "both": [[9.0, 4.4]]}
    arrays = {name: np.array(times) for name, times in taken.items()}
    found = {made.name: made.value for made in throughput._figures(arrays, 10)}
    assert found["b: rate of idle cores"] == pytest.approx(2 * 10 / 3)
    assert found["both over the sum of the parts"] == pytest.approx(1.1)
    assert found["both over the slower part on one core"] == pytest.approx(2.2 / 3)


def test_files_of_the_throughput_all_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(throughput, "_SIDE", 32)
    files = throughput._write_files(tmp_path / "large", 15)
    assert len({file.read_bytes() for file in files}) == 15


@pytest.mark.slow
def test_cross_validations_with_and_without_the_trunk_are_compared(
    setting, tmp_path, monkeypatch
):
    monkeypatch.setattr(cross_validation, "_ONE_IN", 1)  # SMOTE needs them all
    short_fit, n_kept = cross_validation._short_fit, []

    def counting(setting, pipeline):
        result = short_fit(setting, pipeline)
        n_kept.append(cache_info(tmp_path / "0-0").n_entries)
        return result

    monkeypatch.setattr(cross_validation, "_short_fit", counting)
    small = setting._replace(folder=tmp_path, folds=2, epochs=2)
    compared = cross_validation._compare(small, 5, {"as it is": {}})
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
    small = setting._replace(folder=tmp_path, folds=2, epochs=1)
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
