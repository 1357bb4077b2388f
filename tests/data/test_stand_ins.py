"""Cells that name nobody, people under two spellings, and what stands for them."""

import re

import pandas as pd
import pytest

from glomclf.data.manifest import read_manifest
from glomclf.data.participants import participant_kind
from glomclf.data.spellings import spelled_alike
from glomclf.errors import ParticipantWarning

NOBODY = ["NA", "nan", "None", "NULL", "#N/A", "-", "?", "", " ", "<NA>", "n/a", "–"]


@pytest.fixture
def csv(tmp_path):
    """Write a table of as many images as it has rows."""

    def write(header, *cells):
        rows = [header]
        for number, cell in enumerate(cells):
            (tmp_path / f"im{number}.png").touch()
            rows.append(f"im{number}.png,{cell}")
        path = tmp_path / "public.csv"
        path.write_text("\n".join(rows), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("cell", NOBODY)
def test_a_word_for_nobody_is_not_one_participant_of_many_people(csv, cell):
    path = csv("name,participant", "P1", cell, cell)
    with pytest.warns(ParticipantWarning) as log:
        manifest = read_manifest(path)
    (told,) = [str(one.message) for one in log]
    assert f"2 of 3 rows have no participant: their cells say {cell.strip()!r}." in told
    assert "The participants of 2 of 3 images are not known" in told
    assert manifest["participant"].tolist() == ["P1", "im1", "im2"]
    assert participant_kind(manifest) == "group"


def test_what_a_file_name_tells_fills_empty_cells(tmp_path):
    name = "18-162_PAS_5of6_a.png"
    for image in (name, "b.png"):
        (tmp_path / image).touch()
    path = tmp_path / "public.csv"
    path.write_text(f"name,participant,slide\n{name},NA,?\nb.png,P1,S1\n")
    with pytest.warns(ParticipantWarning, match=r"1 of 2 .* say 'NA'\.$"):
        manifest = read_manifest(path)
    assert manifest["participant"].tolist() == ["18-162", "P1"]
    assert manifest["slide"].tolist() == ["18-162_PAS_5of6", "S1"]
    assert participant_kind(manifest) == "participant"


@pytest.mark.parametrize("cell", NOBODY)
def test_a_word_for_no_slide_does_not_stand_for_participants(csv, cell):
    with pytest.warns(ParticipantWarning, match="3 of 3 images"):
        manifest = read_manifest(csv("name,slide", "S1", cell, cell))
    assert manifest["participant"].tolist() == ["S1", "im1", "im2"]


def test_a_word_for_no_centre_is_missing(csv):
    manifest = read_manifest(csv("name,participant,centre", "P,Lyon", "P,NA", "P,-"))
    assert manifest["centre"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *(("P7", "p7"), ("P7", "P 7"), ("P7", "P07"), ("7", "7.0"), ("7", "007")),
        *(("S-1", "S–1"), ("S-1", "S\u20111"), ("S-1", "S_1"), ("S-1", "S−1")),
        *(("Müller", "Mu\u0308ller"), ("P7", "Ｐ７"), ("P7", "P\u200b7")),
        *(("S-2010-0042", "S-2010-42"), ("STRASSE", "Straße"), ("A1", "A\u00a01")),
    ],
)
@pytest.mark.parametrize("column", ["participant", "centre"])
def test_names_that_differ_only_in_how_they_are_written_are_warned_of(
    csv, column, first, second
):
    others = {"participant": "name,participant", "centre": "name,participant,centre"}
    before = "" if column == "participant" else "P,"
    cells = [f"{before}{name}" for name in (first, second, "other")]
    with pytest.warns(ParticipantWarning) as log:
        manifest = read_manifest(csv(others[column], *cells))
    (told,) = [str(one.message) for one in log]
    pair = " and ".join(map(repr, sorted([first, second])))
    assert (
        f"{column.capitalize()}s that differ only in how they are written: {pair}."
        in told
    )
    assert manifest[column].tolist() == [first, second, "other"]
    assert log[0].filename == __file__


@pytest.mark.parametrize(
    ("first", "second"),
    [("P7", "P70"), ("1-11", "11-1"), ("1.5", "1.05"), ("10", "1.0"), ("P1", "P.1")],
)
def test_names_of_different_people_are_not_taken_for_one(first, second):
    assert spelled_alike([first, second]) == []


def test_many_pairs_are_shortened(csv):
    cells = [f"{letter}{n}" for n in range(30) for letter in "pP"]
    with pytest.warns(ParticipantWarning, match="10 more. Each counts as its own"):
        read_manifest(csv("name,participant", *cells))


@pytest.mark.parametrize(
    "title",
    ["patient", "patient_id", "Patient ID", "case", "CaseID", "subject", "donor"],
)
def test_a_column_that_looks_like_the_participants_is_named(csv, title):
    told = f"the column {title!r} may name them; then pass columns={{'participant': "
    with pytest.warns(ParticipantWarning, match=re.escape(f"{told}{title!r}}}")):
        read_manifest(csv(f"name,age,{title}", "1,P1", "2,P2"))


def test_columns_that_name_no_people_are_not_proposed(csv):
    titles = "name,caseload,patientage,subjective,note"
    with pytest.warns(ParticipantWarning, match="name them in a column 'participant'"):
        read_manifest(csv(titles, "1,2,3,4", "1,2,3,5"))


def test_a_chosen_column_is_not_proposed(csv):
    path = csv("name,patient", "P1", "P2")
    manifest = read_manifest(path, columns={"participant": "patient"})
    expected = pd.Series(["P1", "P2"], name="participant")
    pd.testing.assert_series_equal(manifest["participant"], expected)
