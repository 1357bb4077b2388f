"""``glomclf extract`` on a drawn slide."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from glomclf import read_manifest
from tests import commands


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Draw a slide with three polygons, and work beside it."""
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "s1.png")
    features = [
        {
            "type": "Feature",
            "id": name,
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, 9], [x + 20, 9], [x + 20, 30], [x, 9]]],
            },
            "properties": {"classification": {"name": kind}},
        }
        for x, (name, kind) in zip(
            (5, 40, 70), [("a", "GS"), ("b", "NGS"), ("c", "artery")], strict=True
        )
    ]
    (tmp_path / "s1.geojson").write_text(json.dumps(features))
    monkeypatch.chdir(tmp_path)
    return tmp_path


LABELS = ("--label", "GS=1", "--label", "NGS=0", "--label", "artery=skip")


def run(*words, code=0):
    return commands.run("extract", *words, code=code)


def test_a_slide_becomes_patches_and_a_csv(folder):
    result = run(
        *("s1.png", "s1.geojson", *LABELS, "--mpp", "0.5", "--margin", "0"),
        *("--participant", "P1", "--centre", "Lyon", "--output", "out"),
    )
    patches = read_manifest("out/patches.csv")
    assert patches["label"].to_list() == [1, 0]
    assert set(patches["participant"]) == {"P1"}
    assert set(patches["centre"]) == {"Lyon"}
    assert "out/patches.csv" in result.stdout


@pytest.mark.parametrize("name", ["slides.csv", "slides.xlsx"])
def test_a_table_of_pairs_is_read(folder, name):
    row = {"slide": "s1.png", "annotations": "s1.geojson", "participant": "P7"}
    table = pd.DataFrame([{**row, "mpp": 0.5}])
    write = table.to_csv if name.endswith(".csv") else table.to_excel
    write(folder / name, index=False)
    run(name, *LABELS)
    assert set(read_manifest("patches/patches.csv")["participant"]) == {"P7"}
    assert "make it a column" in run(name, "--centre", "A", code=2).stderr


def test_unknown_classes_are_listed_with_the_option_that_names_them(folder):
    result = run("s1.png", "s1.geojson", "--mpp", "1", "--label", "gs=1", code=2)
    assert "--label NAME=1, 0, none or skip" in result.stderr
    assert "'NGS': 1 polygon\n" in result.stderr
    assert "'artery': 1 polygon\n" in result.stderr
    assert not (folder / "patches").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("s1.png",), "Give the file of polygons after it"),
        (("s1.png", "s1.geojson", *LABELS), "--mpp NUMBER"),
        (("s1.geojson", "s1.geojson", *LABELS), "is not a PNG"),
        (("s1.png", "absent.json", *LABELS, "--mpp", 1), "cannot be read"),
        (("s1.png", "s1.geojson", "--label", "GS"), "not of the form NAME=1"),
        (("s1.png", "s1.geojson", "--images", "x"), "belongs to a csv"),
        (("s1.png", "s1.geojson", "-o", "s1.png"), "Nothing can be written"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(folder, words, message):
    result = run(*words, code=2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_finished_run_is_kept_unless_overwriting_is_asked_for(folder):
    words = ("s1.png", "s1.geojson", *LABELS, "--mpp", "0.5", "--participant", "P1")
    run(*words)
    assert "Pass --overwrite" in run(*words, code=2).stderr
    run(*words, "--overwrite", "--scale", "1")
