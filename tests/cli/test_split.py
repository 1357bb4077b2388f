"""``glomclf split`` on files."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from glomclf import make_glomeruli, read_manifest
from tests import commands


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("split") / "data"
    make_glomeruli(
        60,
        n_participants=12,
        sclerotic_fraction=0.4,
        image_size=32,
        directory=folder,
        random_state=0,
    )
    return folder


@pytest.fixture
def data(drawn, tmp_path):
    """Copy the files: some tests change them."""
    return shutil.copytree(drawn, tmp_path / "data")


@pytest.fixture(autouse=True)
def working_directory(data, monkeypatch):
    """Work where the data lie: there the files are written by default."""
    monkeypatch.chdir(data)


def run(*arguments, code=0):
    return commands.run("split", *arguments, code=code)


def test_no_participant_is_in_both_files_and_no_row_is_lost(data):
    run(data / "public.csv", "--test-size", "0.3")
    sides = [read_manifest(data / f"{name}.csv") for name in ("train", "test")]
    assert not set(sides[0]["participant"]) & set(sides[1]["participant"])
    paths = [path for side in sides for path in side["path"]]
    assert sorted(paths) == sorted(read_manifest(data / "public.csv")["path"])
    assert all(set(side["label"]) == {0, 1} for side in sides)


def test_columns_are_kept_and_inferred_participants_added(data):
    csv = data / "public.csv"
    table = pd.read_csv(csv).drop(columns="participant").assign(centre="Lyon")
    table.to_csv(csv, index=False)
    run(csv)
    train = pd.read_csv(data / "train.csv")
    assert list(train.columns) == [*table.columns, "participant"]
    assert set(train["centre"]) == {"Lyon"}


def test_another_folder_says_where_the_images_are(data, tmp_path):
    result = run(data / "public.csv", "--output", tmp_path / "split")
    assert f"--images {data}" in result.stderr
    manifest = read_manifest(tmp_path / "split" / "test.csv", data)
    assert len(manifest)


def test_a_table_is_enough(data):
    before = pd.read_csv(data / "public.csv")
    for image in data.rglob("*.png"):
        image.unlink()
    run(data / "public.csv")
    sides = [pd.read_csv(data / f"{name}.csv") for name in ("train", "test")]
    assert not set(sides[0]["participant"]) & set(sides[1]["participant"])
    assert sorted(pd.concat(sides)["name"]) == sorted(before["name"])


def test_files_go_to_the_working_directory_beside_data_that_cannot_be_written(
    data, tmp_path, monkeypatch
):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    before = sorted(data.rglob("*"))
    run(data / "public.csv")
    assert sorted(path.name for path in Path().iterdir()) == ["test.csv", "train.csv"]
    assert sorted(data.rglob("*")) == before


def test_empty_rows_at_the_end_are_passed_over(data):
    csv = data / "public.csv"
    n_commas = csv.read_text().splitlines()[0].count(",")
    csv.write_text(csv.read_text() + "," * n_commas + "\n")
    run(csv)
    assert sum(len(pd.read_csv(data / f"{n}.csv")) for n in ("train", "test")) == 60


def test_rows_of_another_width_than_the_header_are_named(data):
    csv = data / "public.csv"
    lines = csv.read_text().splitlines()
    csv.write_text("\n".join([lines[0], *(f"{line},more" for line in lines[1:])]))
    assert "fields of the header:\n    line 2:" in run(csv, code=2).stderr
    csv.write_text("\n".join([*lines, f"{lines[1]},,,"]))
    assert f"line {len(lines) + 1}:" in run(csv, code=2).stderr


def test_cells_are_kept_as_they_are(data):
    """Also titles twice, titles and cells that pandas would change, and empty rows."""
    csv = data / "public.csv"
    header, *lines = csv.read_text().splitlines()
    rows = [f"{line},NA,,1e5,007, x " for line in lines]
    csv.write_text("\r\n".join([f"{header},,, 7 ,A,Unnamed: 0", *rows, ",,"]))
    run(csv)
    written = (data / "train.csv").read_text().splitlines()
    assert written[0] == f"{header},,, 7 ,A,Unnamed: 0"
    assert len(written) > 10
    assert set(written[1:]) < set(rows)


def test_the_input_is_not_overwritten(data):
    (data / "public.csv").rename(data / "train.csv")
    result = run(data / "train.csv", code=2)
    assert "would be overwritten" in result.stderr


def test_missing_labels_name_the_columns_found(data):
    csv = data / "public.csv"
    pd.read_csv(csv).drop(columns="ground truth").to_csv(csv, index=False)
    result = run(csv, code=2)
    assert "its columns are name" in result.stderr
    assert "'ground truth' (or 'label')" in result.stderr


def test_files_are_kept_unless_overwriting_is_asked_for(data):
    run(data / "public.csv")
    first = (data / "test.csv").read_text()
    refused = run(data / "public.csv", "--seed", 1, code=2)
    assert "Pass --overwrite" in refused.stderr
    assert (data / "test.csv").read_text() == first
    run(data / "public.csv", "--seed", 1, "--overwrite")


def test_single_images_that_stand_for_participants_are_not_written_as_such(data):
    csv = data / "public.csv"
    table = pd.read_csv(csv)
    for row, name in enumerate(table["name"]):
        image = next(data.rglob(name))
        image.rename(image.with_name(f"im{row}.png"))
        table.loc[row, "name"] = f"im{row}.png"
    table[["name", "ground truth"]].to_csv(csv, index=False)
    result = run(csv)
    assert "Warning: The participants" in result.stderr
    assert "Split by image" in result.stdout
    assert "participant" not in pd.read_csv(data / "train.csv")
