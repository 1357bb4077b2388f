"""`glomclf predict`: predictions, biopsies and a report of patches without labels."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from glomclf import GlomeruliClassifier, read_manifest
from glomclf.cli import main
from glomclf.cli.inputs import PatchTable
from glomclf.cli.new_biopsies import read_new
from glomclf.model.known_people import keep_record
from tests.commands import run


@pytest.fixture
def biopsies(data, tmp_path):
    """A folder of two biopsies, 5 and 3 patches of the training data."""
    folder = tmp_path / "new"
    for row, path in enumerate(sorted(data.rglob("*.png"))[:8]):
        place = folder / ("left" if row < 5 else "right") / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    return folder


def test_predict_writes_a_row_a_patch_a_row_a_biopsy_and_a_report(
    model, biopsies, tmp_path, undrawn
):
    out = tmp_path / "out"
    result = run("predict", biopsies, "--model", model, "-o", out, "-q")
    assert "8 patches of 2 biopsies" in result.stderr
    assert "left (5), right (3)" in result.stderr
    assert {path.name for path in out.iterdir()} == {
        *("predictions.csv", "biopsies.csv", "biopsies.png", "report.html")
    }
    table = pd.read_csv(out / "predictions.csv")
    wanted = ["name", "probability", "prediction", "borderline", "participant"]
    assert list(table) == wanted
    told = pd.read_csv(out / "biopsies.csv").set_index("participant")
    assert told["n_glomeruli"].to_dict() == {"left": 5, "right": 3}
    left = table[table["participant"] == "left"]
    assert told.loc["left", "n_predicted"] == left["prediction"].sum()
    assert (told["biopsy_low"] <= told["biopsy_high"]).all()
    assert not told["unlike_training"].any()  # they are of the training data
    assert "unlike" not in result.stderr
    page = (out / "report.html").read_text("utf-8")
    for words in ("Biopsy left", "Of the kidney:", "12 training participants"):
        assert words in page


def test_a_biopsy_unlike_the_training_is_named(model, biopsies, tmp_path, undrawn):
    for path in (biopsies / "right").iterdir():
        Image.new("RGB", (64, 64), "blue").save(path)
    result = run("predict", biopsies, "--model", model, "-o", tmp_path / "o", "-q")
    said = " ".join(result.stderr.split())
    assert "unlike anything that the model was trained on: right." in said


def test_predict_marks_what_is_left_to_a_person(model, biopsies, tmp_path, undrawn):
    known = GlomeruliClassifier.load(model)
    paths = [str(path) for path in biopsies.rglob("*.png")]
    ordered = np.sort(known.predict_proba(paths)[:, 1])
    low, high = ordered[1:3].mean(), ordered[5:7].mean()
    y = np.tile([0, 1, 1], 70)  # all is sclerotic from `low` on
    scores = np.tile([low / 2, low, (1 + high) / 2], 70)
    keep_record(known, y, scores, np.repeat(np.arange(70), 3))
    known.threshold_ = high
    known.save(tmp_path / "known.glomclf")
    out, words = tmp_path / "out", ("predict", biopsies, "-q", "--max-miss", 0.05)
    result = run(*words, "--model", tmp_path / "known.glomclf", "-o", out)
    table = pd.read_csv(out / "predictions.csv")
    left = table["probability"].between(low, high, inclusive="left")
    assert left.any()
    np.testing.assert_array_equal(table["left_to_person"], left)
    assert f"Left to a person: {left.sum()} of 8 (from" in result.stdout
    assert "the 70 of the record" in result.stdout
    told = pd.read_csv(out / "biopsies.csv")
    assert told["n_left_to_person"].sum() == left.sum()
    page = (out / "report.html").read_text("utf-8")
    assert f"Left to a person: {left.sum()} of 8 patches" in page
    assert page.count('class="marked"') == left.sum()


def test_predict_draws_what_the_model_looked_at(model, biopsies, tmp_path, undrawn):
    out = tmp_path / "out"
    run("predict", biopsies, "--model", model, "-o", out, "-q", "--explain")
    page = (out / "report.html").read_text("utf-8")
    # Three of the right biopsy, and of the left no more than twice as many.
    assert 6 <= page.count("what the model looked at in it") <= 8
    assert "by how far the log odds fall where a square is covered" in page


def test_what_is_explained_is_drawn_into_a_report(model, biopsies, tmp_path):
    csv = tmp_path / "new.csv"
    for row, path in enumerate(sorted(biopsies.rglob("*.png"))):
        path.rename(tmp_path / f"{row}.png")
    pd.DataFrame({"name": [f"{row}.png" for row in range(8)]}).to_csv(csv, index=False)
    words = ("predict", csv, "--model", model, "-o", tmp_path / "out", "-q")
    result = run(*words, "--explain", code=2)
    assert "--explain draws into report.html, and none is written" in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_promised_is_refused(model, biopsies, tmp_path):
    words = ("predict", biopsies, "-q", "--max-miss", 0.05, "-o", tmp_path / "out")
    assert "participants with sclerotic" in run(*words, "--model", model, code=2).stderr
    alone = GlomeruliClassifier.load(model)
    del alone.out_of_fold_record_
    alone.save(tmp_path / "alone.glomclf")
    result = run(*words, "--model", tmp_path / "alone.glomclf", code=2)
    assert "train it with --cv 5" in result.stderr
    assert not (tmp_path / "out").exists()


def test_predict_of_a_csv_takes_its_participants(model, data, tmp_path, undrawn):
    csv = data / "public.csv"
    run("predict", csv, "--model", model, "-o", tmp_path, "-q")
    manifest = read_manifest(csv)
    wanted = GlomeruliClassifier.load(model).predict_proba(manifest)[:, 1]
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert table["probability"].to_numpy() == pytest.approx(wanted, abs=1e-6)
    told = pd.read_csv(tmp_path / "biopsies.csv").set_index("participant")
    sizes = manifest.groupby("participant").size()
    assert told["n_glomeruli"].to_dict() == sizes.to_dict()


def test_a_model_without_a_record_tells_of_sampling_alone(
    model, biopsies, tmp_path, undrawn
):
    alone = GlomeruliClassifier.load(model)
    del alone.out_of_fold_record_
    alone.save(tmp_path / "alone.glomclf")
    out, words = tmp_path / "out", ("predict", biopsies, "-q", "--overwrite")
    result = run(*words, "--model", tmp_path / "alone.glomclf", "-o", out)
    assert "keeps no record of people it had not seen" in result.stderr
    told = pd.read_csv(out / "biopsies.csv")
    assert told["kidney_low"].isna().all()
    assert told["sampling_low"].notna().all()
    assert set(told["kidney_verdict_20"]) == {"not known"}
    assert "as if every prediction were right" in (out / "report.html").read_text()


def test_patches_of_nobody_are_predicted_and_no_biopsy_is_made_up(
    model, biopsies, tmp_path
):
    for row, path in enumerate(sorted(biopsies.rglob("*.png"))):
        path.rename(tmp_path / f"{row}.png")
    csv, out = tmp_path / "new.csv", tmp_path / "out"
    pd.DataFrame({"name": [f"{row}.png" for row in range(8)]}).to_csv(csv, index=False)
    result = run("predict", csv, "--model", model, "-o", out, "-q")
    assert "Add a column 'participant'" in result.stderr
    assert [path.name for path in out.iterdir()] == ["predictions.csv"]
    assert "participant" not in pd.read_csv(out / "predictions.csv")


def test_output_of_predict_is_a_folder(model, biopsies, tmp_path):
    out = tmp_path / "new.csv"
    result = run("predict", biopsies, "--model", model, "-o", out, code=2)
    assert "--output names a folder" in result.stderr


def test_predict_does_not_overwrite_what_it_reads(model, data, tmp_path):
    csv = tmp_path / "predictions.csv"
    csv.write_bytes((data / "public.csv").read_bytes())
    words = ("predict", csv, "--model", model, "-o", tmp_path, "--overwrite")
    assert "overwritten" in run(*words, code=2).stderr
    assert csv.read_bytes() == (data / "public.csv").read_bytes()


def test_a_missing_model_is_named_before_anything_is_read(tmp_path, monkeypatch):
    def read(*args, **kwargs):
        raise AssertionError("patches were read")

    monkeypatch.setattr("glomclf.cli.new_biopsies.read_new", read)
    model = tmp_path / "no.glomclf"
    result = CliRunner().invoke(main, ["predict", str(tmp_path), "--model", str(model)])
    assert result.exit_code == 2
    assert f"No such file: {model}." in result.output


def test_a_folder_whose_files_are_named_like_several_biopsies_is_said(
    tmp_path, monkeypatch, capsys
):
    for name in ("B10_001", "B10_002", "B11_001"):
        Image.new("RGB", (32, 32)).save(tmp_path / f"{name}.png")
    read_new(PatchTable(tmp_path))
    assert "begin in 2 ways: B10, B11" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "B11_001.png").unlink()
    read_new(PatchTable(tmp_path))
    assert "Caution" not in capsys.readouterr().err
