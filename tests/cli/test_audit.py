"""`glomclf audit`: files, verdict and exit code."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from glomclf import make_glomeruli, read_manifest
from glomclf.cli import main
from tests import commands


def run(*arguments, code=0):
    return commands.run("audit", *arguments, "-q", code=code)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """24 files of 8 participants, no two alike."""
    folder = tmp_path_factory.mktemp("audit") / "data"
    make_glomeruli(
        24,
        n_participants=8,
        sclerotic_fraction=0.5,
        image_size=64,
        directory=folder,
        random_state=2,
    )
    return folder


def rows(data):
    return pd.read_csv(data / "public.csv")


def written(table, data, name):
    table.to_csv(data / name, index=False)
    return data / name


def test_folds_by_participant_pass(data, tmp_path, equal_pixels_alone):
    result = run(data / "public.csv", "--cv", 2, "-o", tmp_path / "out")
    assert "No leak found: 24 rows, 2 folds." in result.stdout
    listed = [Path(line).name for line in result.stdout.split("Files:")[1].split()]
    assert listed == ["findings.csv", "folds.csv", "audit.json"]
    assert pd.read_csv(tmp_path / "out" / "findings.csv").empty
    assert not json.loads((tmp_path / "out" / "audit.json").read_text())["is_leaky"]


def test_a_copy_in_the_test_csv_is_found_named_and_drawn(data, tmp_path):
    everything = rows(data)
    first = everything["participant"] == everything["participant"][0]
    source = next(data.glob(f"*/{everything['name'][0]}"))
    copy = source.with_name("renamed.jpg")
    Image.open(source).convert("RGB").save(copy, quality=85)
    planted = {**everything.iloc[0], "name": copy.name, "participant": "somebody"}
    judged = pd.concat([everything[~first], pd.DataFrame([planted])])
    train = written(everything[first], data, "train.csv")
    test = written(judged, data, "test.csv")
    out = tmp_path / "out"
    result = run(train, "--test", test, "-o", out, code=2)
    assert "re-encoded" in result.stderr
    assert "renamed.jpg of somebody" in result.stderr
    assert (out / "pairs.png").read_bytes().startswith(b"\x89PNG")
    copy.unlink()


def test_a_picture_of_an_earlier_run_does_not_stay(data, tmp_path, equal_pixels_alone):
    (tmp_path / "pairs.png").write_bytes(b"old")
    run(data / "public.csv", "--cv", 2, "-o", tmp_path)
    assert not (tmp_path / "pairs.png").exists()


def test_two_csv_files_of_different_participants_pass(
    data, tmp_path, equal_pixels_alone
):
    everything = rows(data)
    first = everything["participant"].isin(everything["participant"].unique()[:5])
    train = written(everything[first], data, "part1.csv")
    test = written(everything[~first], data, "part2.csv")
    result = run(train, "--test", test, "-o", tmp_path / "out")
    assert "No leak found" in result.stdout


def test_parts_of_a_biopsy_in_two_files_are_one_participant(
    data, tmp_path, equal_pixels_alone
):
    images = sorted(data.glob("*/*.png"))
    names = [
        *(f"S-2102-000100_PAS_1of3_{i}.png" for i in range(2)),
        *(f"S-2102-000101_PAS_2of3_{i}.png" for i in range(2)),
    ]
    for name, image in zip(names, images, strict=False):
        (tmp_path / name).write_bytes(image.read_bytes())
    table = pd.DataFrame({"name": names, "ground truth": [0, 1, 0, 1]})
    train = written(table[:2], tmp_path, "train.csv")
    test = written(table[2:], tmp_path, "test.csv")
    result = run(train, "--test", test, "-o", tmp_path / "out", code=2)
    assert "participant on both sides" in result.stderr
    table = pd.read_csv(tmp_path / "out" / "findings.csv")  # is written even so
    for who in table["train_participant"]:
        assert who in result.stderr


def test_what_cannot_be_audited_is_one_message(data, tmp_path):
    out = tmp_path / "out"
    unlabelled = written(rows(data)[["name", "participant"]], data, "unlabelled.csv")
    result = run(data / "public.csv", "--test", unlabelled, "-o", out, code=2)
    assert "unlabelled.csv" in result.stderr
    assert "no labels" in result.stderr
    result = run(data / "public.csv", "--cv", 20, "-o", out, code=2)
    assert "participants" in result.stderr
    assert not out.exists()
    result = run(unlabelled, "--test", unlabelled, "--cv", 3, code=2)
    assert "--cv has nothing to split" in result.stderr


def test_progress_goes_to_standard_error(data, tmp_path, equal_pixels_alone):
    options = ["--cv", "2", "-o", str(tmp_path)]
    result = CliRunner().invoke(main, ["audit", str(data / "public.csv"), *options])
    assert "Comparing images" in result.stderr
    assert "Comparing images" not in result.stdout


def audit_again(csv, embeddings, out):
    """What was filled in is not lost, and may be looked at a second time."""
    again = (*embeddings, "--check-labels", "--cv", 4, "-o")
    filled = (out / "labels.csv").read_bytes()
    lost = run(csv, *again, out, code=2).stderr
    assert "corrected labels in it would be lost" in " ".join(lost.split())
    run(csv, *embeddings, "-o", out)  # an audit without the labels leaves them alone
    assert (out / "labels.csv").read_bytes() == filled
    run(out / "labels.csv", *again, out.parent / "second")
    first, second = (
        pd.read_csv(folder / "labels.csv") for folder in (out, out.parent / "second")
    )
    assert second.columns.tolist() == first.columns.tolist()
    assert len(second) == len(first)


def test_corrected_labels_are_read_back_by_train(data, tmp_path):
    everything = rows(data)
    wrong = everything["name"][5]
    everything.loc[5, "ground truth"] = 1 - everything["ground truth"][5]
    everything["participant"] = everything["participant"].map("p{}".format)
    flat = tmp_path / "flat"
    flat.mkdir()
    for image in data.glob("*/*.png"):
        (flat / image.name).write_bytes(image.read_bytes())
    csv = written(everything, flat, "train.csv")
    features = pd.DataFrame({"name": everything["name"]})
    for place in range(4):
        noise = 0.002 * (place + 1) * features.index
        features[f"f{place}"] = rows(data)["ground truth"] + noise
    features.to_csv(tmp_path / "features.csv", index=False)
    out, embeddings = tmp_path / "out", ["--embeddings", tmp_path / "features.csv"]
    run(csv, *embeddings, "--cv", 4, "--check-labels", "-o", out)
    table = pd.read_csv(out / "labels.csv")
    assert len(table) == len(everything)
    assert table["name"][table["suspect"] == 1].tolist() == [wrong]
    assert wrong in (out / "labels.html").read_text()
    table["corrected label"] = table["corrected label"].astype(object)
    table.loc[0, "corrected label"] = 1 - table["ground truth"][0]
    table.to_csv(out / "labels.csv", index=False)
    audit_again(csv, embeddings, out)
    manifest = read_manifest(out / "labels.csv", flat)
    found = dict(
        zip(
            manifest["path"].map(lambda path: Path(path).name),
            manifest["label"],
            strict=True,
        )
    )
    assert found == dict(
        zip(everything["name"], rows(data)["ground truth"], strict=True)
    )


def test_labels_of_two_files_are_not_checked(data):
    csv = data / "public.csv"
    result = run(csv, "--test", csv, "--check-labels", code=2)
    assert "--check-labels has nothing to split" in result.stderr
