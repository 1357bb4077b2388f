"""What others wrote into names is harmless in spreadsheets and terminals, and kept."""

import csv
import os
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from glomclf import read_manifest
from glomclf.cli import main
from glomclf.cli.console import InputError, note, print_table, say
from glomclf.cli.outputs import list_files, write_csv
from glomclf.cli.tables import predictions_table
from glomclf.data.manifest import image_folder_manifest
from glomclf.errors import ImageError, ManifestError

ESCAPE = "\x1b[2J\x1b[31m"
RAW = os.fsdecode(b"M\xfcller.png")
EVIL = ["=1+1.png", "@SUM(1).png", "+a.png", "-a.png", "'=q.png", "a.png"]


def split(*arguments, code=0):
    result = CliRunner().invoke(main, ["split", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def cells_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


def is_calculated(cell):
    try:
        float(cell)
    except ValueError:
        return cell[:1] in tuple("=+-@\t\r") and cell != "-"
    return False


def test_no_cell_that_is_written_is_a_formula_and_all_are_read_as_they_were(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in EVIL:
        (tmp_path / name).touch()
    table = pd.DataFrame(
        {
            "name": EVIL,
            "label": [0, 1] * 3,
            "participant": ["=P", "+P", "-P", "@P", "'=P", "-5"],
            '=HYPERLINK("http://x")': ["-7.5", "-", "=1", "'x", "", "+4"],
        }
    )
    write_csv(table, tmp_path / "public.csv")
    manifest = read_manifest("public.csv")
    assert [Path(path).name for path in manifest["path"]] == EVIL
    split("public.csv", "--test-size", 0.5)
    written = [*cells_of("train.csv"), *cells_of("test.csv")]
    assert not [cell for cell in written if is_calculated(cell)]
    both = pd.concat([read_manifest(f"{side}.csv") for side in ("train", "test")])
    both = both.sort_values("path", ignore_index=True)
    pd.testing.assert_frame_equal(both, manifest.sort_values("path", ignore_index=True))
    assert both['=HYPERLINK("http://x")'].tolist().count("=1") == 1


@pytest.mark.parametrize("index", [True, False])
def test_numbers_and_missing_values_are_written_as_they_are(tmp_path, index):
    table = pd.DataFrame(
        {"a": [-1.5, None], "b": pd.array([1, None], "Int64"), "c": [True, False]},
        index=pd.Index(["=x", "y"], name="who"),
    )
    write_csv(table, tmp_path / "t.csv", index=index)
    before = ["who,", "'=x,", "y,"] if index else ["", "", ""]
    lines = ["a,b,c", "-1.5,1,True", ",,False"]
    text = "".join(f"{b}{line}\n" for b, line in zip(before, lines, strict=True))
    assert (tmp_path / "t.csv").read_text() == text
    write_csv(pd.DataFrame(columns=["a", "b"]), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,b\n"


@pytest.mark.filterwarnings("ignore::glomclf.errors.ParticipantWarning")
def test_predictions_of_names_that_are_not_utf8_are_written(tmp_path):
    (tmp_path / "new").mkdir()
    for name in (RAW, "a.png"):
        (tmp_path / "new" / name).touch()
    manifest = image_folder_manifest(tmp_path / "new")
    table = predictions_table(manifest, pd.Series([0.2, 0.9]).to_numpy(), 0.5)
    write_csv(table, tmp_path / "predictions.csv")
    assert rb"M\udcfcller.png,0.2,0" in (tmp_path / "predictions.csv").read_bytes()
    again = read_manifest(tmp_path / "predictions.csv", tmp_path / "new")
    assert set(again["path"]) == set(manifest["path"])
    assert again["probability"].tolist() == [0.2, 0.9]


# -- the terminal ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", [f"P{ESCAPE}", "P\nError: none", "P\u202e1", "P\u2028x"]
)
def test_names_of_people_that_move_a_cursor_are_refused(tmp_path, cell):
    (tmp_path / "a.png").touch()
    path = tmp_path / "public.csv"
    path.write_text(f'name,label,participant\na.png,1,"{cell}"\n')
    message = split(path, code=2).stderr
    line = 3 if "\n" in cell else 2
    assert f"control characters:\n    line {line}: {cell!r}\n" in message
    assert ESCAPE not in message


def test_files_whose_names_move_a_cursor_are_refused(tmp_path):
    for name in ("a\nb.png", f"{ESCAPE}.png", "c.png"):
        (tmp_path / name).touch()
    with pytest.raises(ManifestError) as caught:
        image_folder_manifest(tmp_path)
    told = str(caught.value).splitlines()[2:]
    assert told == [r"    '\x1b[2J\x1b[31m.png'", r"    'a\nb.png'"]


def test_nothing_that_a_command_says_is_obeyed_by_a_terminal(capsys):
    name = f"{ESCAPE}{RAW}\r"
    for tell in (note, say):
        tell(f"one\n{name}")
    print_table(name, (name,), [(name,)])
    InputError(name).show()
    out, err = capsys.readouterr()
    for text in (out, err):
        assert r"\x1b[2J" in text
        assert not {"\x1b", "\r", "\udcfc"} & set(text)
        assert "one\n" in text
    assert str(ImageError({"a\nb.png": "is empty"})).endswith(r"  'a\nb.png': is empty")


def test_files_that_were_written_are_one_line_each(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "glomclf.cli.outputs.written_files", lambda: [tmp_path / "a\nError: b.csv"]
    )
    list_files()
    assert capsys.readouterr().out.splitlines()[2] == rf"  {tmp_path}/a\nError: b.csv"
