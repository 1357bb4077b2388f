"""Tables of others on the command line: their titles, and what their labels mean."""

import shutil

import pandas as pd
import pytest

from glomclf import make_glomeruli, read_manifest
from glomclf.data.archive import write_model
from glomclf.errors import ManifestError
from tests.commands import run


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A table as another laboratory keeps it, beside the images."""
    folder = tmp_path_factory.mktemp("options") / "data"
    make_glomeruli(
        24,
        n_participants=6,
        sclerotic_fraction=0.5,
        image_size=32,
        directory=folder,
        random_state=0,
    )
    table = pd.read_csv(folder / "public.csv")
    table = table.rename(
        columns={
            "name": "Datei",
            "ground truth": "Diagnose, final",
            "participant": "patient",
        }
    )
    table["Diagnose, final"] = table["Diagnose, final"].map({1: "GS", 0: "NGS"})
    table.to_csv(folder / "labor.csv", index=False, sep=";")
    return folder


@pytest.fixture
def data(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(drawn, tmp_path / "data")


COLUMNS = ["--columns", "name=Datei,label=Diagnose, final,participant=patient"]
AS = {
    "columns": {"name": "Datei", "label": "Diagnose, final", "participant": "patient"},
    "labels": {"GS": 1, "NGS": 0},
}
READING = [*COLUMNS, "--labels", "GS=1,NGS=0"]


def test_a_split_of_a_table_is_read_as_the_table_itself(data):
    split = run("split", data / "labor.csv", *READING)
    again = (
        f"Give the next commands --images {data} "
        "--columns 'name=Datei,label=Diagnose, final,participant=patient' "
        "--labels GS=1,NGS=0\nIf the images are not in the folder of the csv"
    )
    assert again in split.stderr
    images = ["--images", data]
    run("audit", "train.csv", "--test", "test.csv", *images, *READING, "-q")
    sides = [read_manifest(f"{side}.csv", data, **AS) for side in ("train", "test")]
    whole = read_manifest(data / "labor.csv", **AS)
    both = pd.concat(sides).sort_values("path", ignore_index=True)
    pd.testing.assert_frame_equal(both, whole.sort_values("path", ignore_index=True))


@pytest.mark.parametrize(
    "words",
    [
        *(["split"], ["audit"], ["train"], ["compare"], ["tune"]),
        *(["evaluate", "--model", "m"], ["predict", "--model", "m"]),
    ],
    ids=lambda words: words[0],
)
def test_every_command_that_reads_a_csv_is_told_how(data, words, monkeypatch):
    given = []

    def read(csv, images, **reading):
        given.append(reading)
        raise ManifestError("seen")

    monkeypatch.setattr("glomclf.data.manifest.read_manifest", read)
    monkeypatch.setattr("glomclf.cli.new_biopsies.read_manifest", read)
    write_model("m", {}, {})
    name, *more = words
    assert "seen" in run(name, data / "labor.csv", *more, *READING, code=2).stderr
    assert given == [AS]


def test_titles_and_labels_may_be_given_one_at_a_time(data):
    words = ["name=Datei", "label=Diagnose, final", "participant=patient"]
    columns = [word for title in words for word in ("--columns", title)]
    labels = ["--labels", "GS=1", "--labels", "NGS=0"]
    run("split", data / "labor.csv", *columns, *labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "its columns are 'Datei', 'Diagnose, final'"),
        (COLUMNS, "other texts need --labels GS=1,NGS=0"),
        (COLUMNS, "line 3: '"),
        (["--columns", "person=patient"], "'person=patient' is not of the form"),
        (["--columns", "name"], "'name' is not of the form participant=patient"),
        (["--columns", "name=file"], "columns that it does not have:\n    'file'"),
        (["--labels", "GS=2"], "'GS=2' is not of the form GS=1 or NGS=0"),
        (["--labels", "GS=1"], "--labels GS=1 must say which texts mean 1"),
        (["--columns", "name=a,label=a"], "columns name=a,label=a must give"),
    ],
)
def test_what_is_wrong_with_them_is_said_in_words_of_the_command_line(
    data, options, message
):
    assert message in run("split", data / "labor.csv", *options, code=2).stderr


def test_a_column_that_looks_like_the_participants_is_named(data):
    csv = data / "labor.csv"
    table = pd.read_csv(csv, sep=";")
    for row, name in enumerate(table["Datei"]):
        image = next(data.rglob(name))
        image.rename(image.with_name(f"{row}.png"))
    table.assign(Datei=[f"{row}.png" for row in range(len(table))]).to_csv(csv)
    told = "the column 'patient' may name them; then pass --columns participant=patient"
    assert (
        told in run("split", csv, *READING[:1], COLUMNS[1][:-20], *READING[2:]).stderr
    )
