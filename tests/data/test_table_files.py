"""Tables as others wrote them: separators, encodings, Excel, titles, cells."""

import io
import os
import sys
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glomclf.data import table_files
from glomclf.data.manifest import read_manifest
from glomclf.data.table_files import as_cell, read_table
from glomclf.errors import ManifestError, ParameterError

TABLE = "name;ground truth;participant\na.png;0;P,1\nb.png;1;P,2\n"


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder, content, name="public.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault_of(csv, **reading):
    with pytest.raises(ManifestError) as caught:
        read_manifest(csv, **reading)
    return str(caught.value)


# -- separators and encodings ---------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_separator_and_encoding_are_found(folder, separator, encoding):
    text = TABLE.replace(",", "ü").replace(";", separator)
    manifest = read_manifest(write(folder, text.encode(encoding)))
    assert manifest["label"].tolist() == [0, 1]
    assert manifest["participant"].tolist() == ["Pü1", "Pü2"]


def test_known_titles_decide_about_the_separator_before_their_number(folder):
    header = "name;ground truth;participant;age, in years, at biopsy, or sampling"
    text = TABLE.replace("name;ground truth;participant", header)
    manifest = read_manifest(
        write(folder, text.replace("1\n", "1;7\n").replace("2\n", "2;8\n"))
    )
    assert manifest["participant"].tolist() == ["P,1", "P,2"]
    assert manifest.iloc[:, -1].tolist() == [7, 8]


def test_chosen_titles_decide_about_the_separator(folder):
    text = "file;what, where, when\na.png;x\nb.png;y\n"
    manifest = read_manifest(
        write(folder, text),
        columns={"name": "file", "participant": "what, where, when"},
    )
    assert manifest["participant"].tolist() == ["x", "y"]


def test_excels_line_about_the_separator_is_followed(folder):
    csv = write(folder, "sep=|\r\n" + TABLE.replace(";", "|"))
    assert len(read_manifest(csv)) == 2
    message = fault_of(write(folder, "sep=;\n" + TABLE.replace("b.png", "c.png")))
    assert "line 4: 'c.png'" in message


def test_labels_with_a_decimal_comma_are_understood(folder):
    text = TABLE.replace(";0;", ";0,0;").replace(";1;", ";1,0;")
    assert read_manifest(write(folder, text))["label"].tolist() == [0, 1]


# -- titles and labels ----------------------------------------------------------------


def test_columns_are_chosen_by_their_titles(folder):
    text = "name,File,Class,Patient ID\nAnna,a.png,GS,007\nBert,b.png,NGS,07\n"
    columns = {"name": "file", "label": "class", "participant": "patient_id"}
    with pytest.warns(match="'007' and '07'"):
        manifest = read_manifest(
            write(folder, text), columns=columns, labels={"GS": 1, "NGS": 0}
        )
    assert list(manifest.columns) == ["path", "label", "slide", "participant"]
    assert manifest["path"].tolist() == [str(folder / n) for n in ("a.png", "b.png")]
    assert manifest["label"].tolist() == [1, 0]
    assert manifest["participant"].tolist() == ["007", "07"]


def test_labels_that_are_numbers_may_mean_other_ones(folder):
    csv = write(folder, TABLE.replace(";1;", ";2;").replace(";0;", ";1;"))
    assert read_manifest(csv, labels={1: 0, 2: 1})["label"].tolist() == [0, 1]
    assert "unknown labels; '2' or '3' was expected" in fault_of(
        csv, labels={2: 0, 3: 1}
    )


def test_a_label_in_many_rows_is_one_fault(folder):
    rows = "".join(f"{number}.png;GS;P\n" for number in range(50))
    message = fault_of(write(folder, TABLE + rows))
    assert "line 4: 'GS', and in 49 more rows" in message
    assert "labels={'GS': 1, 'NGS': 0}" in message


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        ({"columns": {"person": "patient"}}, "must give some of name, label"),
        ({"columns": {"name": "a", "label": "A"}}, "a column each"),
        ({"columns": ["name"]}, "a column each"),
        ({"labels": {"GS": 1}}, "which texts mean 1"),
        ({"labels": {"GS": 1, "NGS": 2}}, "which texts mean 1"),
        ({"labels": ["GS", "NGS"]}, "which texts mean 1"),
    ],
)
def test_what_names_no_columns_or_labels_is_refused(folder, reading, message):
    with pytest.raises(ParameterError, match=message):
        read_manifest(write(folder, TABLE), **reading)


def test_columns_that_are_not_there_are_named_beside_those_that_are(folder):
    message = fault_of(write(folder, TABLE), columns={"participant": "patient"})
    told = "not have:\n    'patient'\n    its columns are 'name', 'ground truth'"
    assert told in message


def test_thousands_of_columns_of_one_title_are_one_short_fault(folder):
    header = ";".join(["name", *["x"] * 4000])
    message = fault_of(write(folder, f"{header}\na.png{';' * 4000}\n"))
    assert "columns given twice; keep one:\n    'x' and 'x'" in message
    assert "and 3980 more" in message
    assert len(message) < 500


@pytest.mark.parametrize("labels", [{"GS": 1, "NGS": 0}, {"GS": 1, "NGS": 0, "Ob": 0}])
def test_class_folders_may_have_other_names(tmp_path, labels):
    for name in labels:
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.png").touch()
    csv = write(
        tmp_path, "name,participant\n" + "".join(f"{n}.png,P\n" for n in labels)
    )
    assert len(read_manifest(csv, labels=labels)) == len(labels)
    csv = write(tmp_path, "name,label,participant\nGS.png,NGS,P\n")
    assert "class folder of the other label" in fault_of(csv, labels=labels)


# -- cells ----------------------------------------------------------------------------


def test_names_made_of_digits_stay_as_they_are(folder):
    text = "name,participant,centre,block,age\na.png,07,01,002,7\nb.png,08,02,003,8\n"
    manifest = read_manifest(write(folder, text))
    assert manifest["participant"].tolist() == ["07", "08"]
    assert manifest["centre"].tolist() == ["01", "02"]
    assert manifest["block"].tolist() == ["002", "003"]
    assert manifest["age"].tolist() == [7, 8]
    text = "name,participant,centre\na.png,7,1\nb.png,8,2\n"
    assert read_manifest(write(folder, text))["centre"].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        *(("=1+1", "'=1+1"), ("@a", "'@a"), ("+a", "'+a"), ("-a.png", "'-a.png")),
        *(("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("＝1", "'＝1"), ("'=1", "''=1")),
        *(("-1.5", "-1.5"), ("+4", "+4"), ("-1e5", "-1e5"), ("-", "-"), ("", "")),
        *(("'a", "'a"), ("a=1", "a=1"), ("'-1", "'-1"), ("S-7", "S-7")),
    ],
)
def test_what_a_spreadsheet_would_calculate_gets_an_apostrophe(text, cell):
    assert as_cell(text) == cell


@settings(max_examples=20)
@given(text=st.text("'=+-@\t\r\nab1.,", max_size=6))
def test_what_is_written_for_spreadsheets_is_read_as_it_was(text):
    assert table_files._from_cell(as_cell(text)) == text


# -- files that are none --------------------------------------------------------------


def test_a_table_that_is_too_large_is_refused_unread(folder, monkeypatch):
    monkeypatch.setattr(table_files, "_MAX_BYTES", 40)
    assert "holds 54 bytes; a csv of at most 40" in fault_of(write(folder, TABLE))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_pipe_or_a_device_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.csv")
    for path in (folder / "pipe.csv", Path("/dev/zero")):
        assert f"{path} is not a regular file; a csv was" in fault_of(path)


# -- Excel ----------------------------------------------------------------------------


def sheet(folder, rows, name="public.xlsx"):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("other").append(["not", "this"])
    book.save(folder / name)
    return folder / name


def test_the_first_sheet_of_an_excel_file_is_read(folder):
    rows = [
        ["name", "label", "participant", "age", "seen", "day"],
        ["a.png", 0, "007", 41.0, True, pd.Timestamp("2020-01-02")],
        [None, None],
        ["b.png", 1, 7, 2.5, None, None],
    ]
    with pytest.warns(match="'007' and '7'"):
        manifest = read_manifest(sheet(folder, rows))
    assert manifest["label"].tolist() == [0, 1]
    assert manifest["participant"].tolist() == ["007", "7"]
    assert manifest["age"].tolist() == [41, 2.5]
    assert manifest["seen"].tolist()[0] == "TRUE"
    assert manifest["day"].tolist()[0] == "2020-01-02 00:00:00"
    rows[3][0] = "c.png"
    assert "line 4: 'c.png'" in fault_of(sheet(folder, rows))


def test_an_excel_file_is_known_by_its_content_and_read_as_the_csv(folder):
    rows = [line.split(";") for line in TABLE.splitlines()]
    found = read_manifest(sheet(folder, rows, "public.csv"))
    pd.testing.assert_frame_equal(found, read_manifest(write(folder, TABLE)))


def test_excel_without_its_reader_says_what_to_install(folder, monkeypatch):
    csv = sheet(folder, [["name"], ["a.png"]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "pip install 'glomclf[excel]'" in fault_of(csv)


def test_files_that_excel_cannot_be_read_from_are_refused(folder):
    csv = sheet(folder, [["name"], ["a.png"]])
    content = csv.read_bytes()
    assert "cannot be read as an Excel file" in fault_of(write(folder, content[:900]))
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    assert "old kind, or has a password" in fault_of(write(folder, old))


def edited(csv, old, new):
    """Change the XML of the first sheet."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(csv) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            text = source.read(name)
            target.writestr(name, text.replace(old, new) if "sheet1" in name else text)
    csv.write_bytes(buffer.getvalue())
    return csv


def test_an_excel_file_that_claims_to_be_huge_takes_no_memory(folder, monkeypatch):
    """A cell in the last corner makes pandas ask for 130 GB."""
    monkeypatch.setattr(table_files, "_MAX_ROWS", 20_000)
    csv = sheet(folder, [["name"], ["a.png"]])
    far = edited(csv, b'<row r="2">', b'<row r="9999">')
    far = edited(far, b'r="A2"', b'r="XFD9999"')
    assert "1 fields of the header:\n    line 9999: 16384 fields" in fault_of(far)
    beyond = edited(csv, b'r="9999"', b'r="9999999999"')
    assert "holds 1 rows" in fault_of(beyond)
    monkeypatch.setattr(table_files, "_MAX_CELLS", 100)
    csv = sheet(folder, [["name", *range(60)], ["a.png"]])
    assert "more than 100 cells" in fault_of(csv)


def test_an_excel_file_is_refused_by_its_size_unpacked(folder, monkeypatch):
    csv = sheet(folder, [["name"], ["a" * 50_000 + ".png"]])
    monkeypatch.setattr(table_files, "_MAX_BYTES", 40_000)
    assert csv.stat().st_size < 40_000
    assert "bytes unpacked" in fault_of(csv)


def test_an_entity_bomb_in_an_excel_file_is_refused(folder):
    bomb = b'<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    csv = sheet(folder, [["name"], ["a.png"]])
    csv = edited(csv, b"<worksheet", bomb + b"]><worksheet")
    assert "cannot be read as an Excel file" in fault_of(csv)


def test_read_table_gives_rows_by_line(folder):
    header, lines = read_table(write(folder, "name,x\n\na.png,1\n,\nb.png,2\n"))
    assert header == ["name", "x"]
    assert lines == {3: ["a.png", "1"], 5: ["b.png", "2"]}
