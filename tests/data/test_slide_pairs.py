"""The csv of slides and polygons: what is found, and all that is wrong at once."""

import pytest

from glomclf.data.slide_pairs import read_pairs
from glomclf.errors import ManifestError


@pytest.fixture
def folder(tmp_path):
    for name in ("s1.svs", "s2.svs", "s1.json", "s2.json"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder, text, name="slides.csv"):
    file = folder / name
    file.write_text(text)
    return file


def test_files_are_found_beside_the_csv_or_in_the_folder(folder):
    (folder / "tables").mkdir()
    text = f"Slide,annotations,mpp\ns1.svs, s1.json,0.5\n{folder}/s2.svs,s2.json,1\n"
    csv = write(folder / "tables", text)
    pairs = read_pairs(csv, folder)
    assert pairs["slide"].to_list() == [str(folder / f"s{n}.svs") for n in (1, 2)]
    assert pairs["annotations"].to_list() == [
        str(folder / f"s{n}.json") for n in (1, 2)
    ]
    assert pairs["mpp"].to_list() == [0.5, 1.0]


def test_all_faults_are_listed_at_once(folder):
    inner = folder / "inner"
    inner.mkdir()
    rows = ["slide,annotations,participant,mpp", "../s1.svs,absent.json,,x"]
    with pytest.raises(ManifestError) as caught:
        read_pairs(write(inner, "\n".join(rows)))
    text = str(caught.value)
    for fault in ("lead out of", "not found in", "without participant", "no number"):
        assert fault in text
    assert "line 2: '../s1.svs'" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slide,polygons\ns1.svs,s1.json\n", "no column 'annotations':\n"),
        ("", "holds 0 rows"),
        ("slide,annotations\n", "holds 1 rows"),
        ("slide,annotations\na,b,c\n", "the 2 fields of the header:\n    line 2"),
        ("slide,Slide,annotations\na,b,c\n", "given twice.*\n    'slide' and"),
    ],
)
def test_a_csv_that_names_no_pairs_is_refused(folder, text, message):
    with pytest.raises(ManifestError, match=message):
        read_pairs(write(folder, text))
    with pytest.raises(ManifestError, match="cannot be read"):
        read_pairs(folder / "absent.csv")
