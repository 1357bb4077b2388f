"""The demo at the size users see is slow; here it runs small."""

import pandas as pd
import pytest
from click.testing import CliRunner

from glomclf import GlomeruliClassifier
from glomclf.cli import demo, main


@pytest.mark.slow
def test_demo_runs_the_commands_that_it_shows_and_names_its_files(
    tmp_path, monkeypatch, equal_pixels_alone, undrawn
):
    monkeypatch.setattr(demo, "_N_SAMPLES", 120)
    monkeypatch.setattr(demo, "_N_PARTICIPANTS", 15)
    monkeypatch.setattr(demo, "_IMAGE_SIZE", 32)
    commands = demo._commands

    def tiny(*arguments):
        split, train, evaluate = commands(*arguments)
        settings = ("network.backbone=cnn", "network.epochs=1")
        train += [word for setting in settings for word in ("--set", setting)]
        return split, train, evaluate

    monkeypatch.setattr(demo, "_commands", tiny)
    folder = tmp_path / "demo"
    result = CliRunner().invoke(main, ["demo", "--output", str(folder), "--quiet"])
    assert result.exit_code == 0, result.output
    shown = [line for line in result.stderr.splitlines() if line.startswith("$ ")]
    assert [line.split()[2] for line in shown] == ["split", "train", "evaluate"]
    assert shown[-1][2:] in (folder / "report.html").read_text(encoding="utf-8")
    listed = result.stdout.split("Files:")[-1].split()
    on_disk = {str(path) for path in folder.rglob("*") if path.is_file()}
    assert set(listed) == {one for one in on_disk if f"{folder / 'data'}" not in one}
    model = GlomeruliClassifier.load(folder / "model.glomclf")
    trained_on = model.training_record_["n_participants"]
    judged = pd.read_csv(folder / "predictions.csv")["participant"].nunique()
    assert trained_on + judged == 15
