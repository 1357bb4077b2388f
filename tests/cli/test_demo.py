"""The demo at the size users see is slow; here it runs small."""

import functools

import pandas as pd
import pytest
from click.testing import CliRunner

from glomclf import GlomeruliClassifier
from glomclf.cli import demo, main


@pytest.mark.slow
def test_demo_replaces_an_earlier_one_and_names_its_files(
    tmp_path, monkeypatch, equal_pixels_alone, undrawn
):
    monkeypatch.setattr(demo, "_N_SAMPLES", 120)
    monkeypatch.setattr(demo, "_N_PARTICIPANTS", 15)
    monkeypatch.setattr(demo, "_IMAGE_SIZE", 32)
    tiny = functools.partial(
        demo._classifier, network__backbone="cnn", network__epochs=1
    )
    monkeypatch.setattr(demo, "_classifier", tiny)
    folder = tmp_path / "demo"
    (folder / "data").mkdir(parents=True)
    for left in (".glomclf-demo", "data/old.png", "old.csv"):
        (folder / left).touch()
    result = CliRunner().invoke(main, ["demo", "--output", str(folder), "--quiet"])
    assert result.exit_code == 0, result.output
    assert not (folder / "data" / "old.png").exists()
    listed = result.stdout.split("Files:")[1].split()
    on_disk = {str(path) for path in folder.iterdir() if path.is_file()}
    assert set(listed) == on_disk - {str(folder / ".glomclf-demo")}
    scores = pd.read_csv(folder / "cross_validation.csv")
    assert scores["sampler"].unique().tolist() == [
        "none",
        "smote+augment",
        "undersample+augment",
    ]
    model = GlomeruliClassifier.load(folder / "model.glomclf")
    trained_on = model.training_record_["n_participants"]
    judged = pd.read_csv(folder / "predictions.csv")["participant"].nunique()
    assert trained_on + judged == 15
