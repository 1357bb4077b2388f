"""Images are found however a csv writes their names, and only in their folder."""

import os
from pathlib import Path

import pytest

from glomclf.data.images import read_image
from glomclf.data.manifest import image_folder_manifest, read_manifest
from glomclf.errors import ImageError, ManifestError

COMPOSED, DECOMPOSED = "Mu\u0308ller/e\u0301.png", "M\u00fcller/\u00e9.png"
RAW = os.fsdecode(b"M\xfcller.png")


def touch(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


def table(folder, *names):
    path = folder / "public.csv"
    rows = ["name,participant", *(f'"{name}",P' for name in names)]
    path.write_text("\n".join(rows), encoding="utf-8", errors="backslashreplace")
    return path


def fault_of(*arguments, **reading):
    with pytest.raises(ManifestError) as caught:
        read_manifest(*arguments, **reading)
    return str(caught.value)


@pytest.mark.parametrize(
    ("on_disk", "named"),
    [
        *((COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)),
        *(("Mu\u0308ller/\u00e9.png", name) for name in (COMPOSED, DECOMPOSED)),
        ("globally_sclerotic_glomeruli/e\u0301.png", "\u00e9.png"),
    ],
)
def test_a_name_is_found_whatever_its_form_of_unicode(tmp_path, on_disk, named):
    path = touch(tmp_path, on_disk)
    assert read_manifest(table(tmp_path, named))["path"].tolist() == [path]


def test_the_form_of_unicode_that_is_named_is_taken_where_both_are_there(tmp_path):
    paths = [touch(tmp_path, name) for name in ("e\u0301.png", "\u00e9.png")]
    found = read_manifest(table(tmp_path, "\u00e9.png", "e\u0301.png"))["path"]
    assert found.tolist() == paths[::-1]
    paths = [touch(tmp_path, f"{name}/0.png") for name in ("u\u0308", "\u00fc")]
    touch(tmp_path, "u\u0308/a\u0300.png")
    touch(tmp_path, "\u00fc/\u00e0.png")
    both = "found in more than one folder"
    assert both not in fault_of(table(tmp_path, "\u00fc/none.png"))


def test_one_file_under_two_forms_of_unicode_is_named_twice(tmp_path):
    touch(tmp_path, "\u00e9.png")
    message = fault_of(table(tmp_path, "\u00e9.png", "e\u0301.png"))
    assert "named more than once" in message


def test_backslashes_part_folders_on_every_system(tmp_path):
    path = touch(tmp_path, "pas/sub/0.png")
    assert read_manifest(table(tmp_path, r"pas\sub\0.png"))["path"].tolist() == [path]
    touch(tmp_path, "pas/0.png")
    literal = touch(tmp_path, r"pas\0.png")
    assert read_manifest(table(tmp_path, r"pas\0.png"))["path"].tolist() == [literal]


def test_a_missing_name_with_backslashes_is_named_with_them(tmp_path):
    touch(tmp_path, "a.png")
    message = fault_of(table(tmp_path, "a.png", r"pas\0.png"))
    told = r"(a backslash was read as /, too):|    line 3: 'pas\\0.png'"
    assert told.replace("|", "\n") in message


@pytest.mark.parametrize(
    "name",
    [r"..\secret.png", r"C:\secret.png", r"\\host\share\secret.png", r"a\..\..\b"],
)
def test_backslashes_lead_out_of_no_folder(tmp_path, name):
    touch(tmp_path, "secret.png")
    (tmp_path / "inside").mkdir()
    assert "lead out of the image folder" in fault_of(table(tmp_path / "inside", name))


def test_an_absolute_name_inside_the_image_folder_is_found(tmp_path):
    paths = [touch(tmp_path, f"data/{name}") for name in ("a.png", "sub/b.png")]
    (tmp_path / "csvs").mkdir()
    csv = table(tmp_path / "csvs", *paths)
    assert read_manifest(csv, tmp_path / "data")["path"].tolist() == paths
    assert "lead out of the image folder" in fault_of(csv)


def test_an_absolute_name_is_followed_through_no_link(tmp_path):
    touch(tmp_path, "secret.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "secret.png")
    csv = table(tmp_path / "data", str(tmp_path / "data" / "link.png"))
    assert "lead out of the image folder" in fault_of(csv)


def test_a_name_that_is_not_utf8_is_found_by_what_glomclf_writes(tmp_path):
    path = touch(tmp_path, RAW)
    csv = table(tmp_path, RAW)
    assert rb"M\udcfcller.png" in csv.read_bytes()
    assert read_manifest(csv)["path"].tolist() == [path]


def test_a_name_keeps_an_apostrophe_of_its_own(tmp_path):
    path = touch(tmp_path, "'=a.png")
    assert read_manifest(table(tmp_path, "'=a.png"))["path"].tolist() == [path]


def test_links_in_a_circle_are_no_images(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "folder").symlink_to(tmp_path)
    assert "not found" in fault_of(table(tmp_path, "a.png"))
    with pytest.warns(match="2 of 2 images"):
        manifest = image_folder_manifest(tmp_path)
    with pytest.raises(ImageError, match=r"1 image file .*\n.*b\.png"):
        read_image(manifest["path"][1])


@pytest.mark.parametrize(
    "name", ["x" * 5000 + ".png", "a/" * 3000 + "b.png", "a\0b.png"]
)
def test_a_name_that_no_system_allows_is_not_found(tmp_path, name):
    csv = tmp_path / "public.csv"
    csv.write_text(f"name,participant\n{name},P\n")
    assert "not found" in fault_of(csv) or "NUL" in fault_of(csv)


def test_class_folders_of_other_names_are_listed_with_their_labels(tmp_path):
    for name in ("GS/a.png", "NGS/b.png", "Ob/c.png"):
        touch(tmp_path, name)
    labels = {"GS": 1, "NGS": 0, "Ob": 0}
    with pytest.warns(match="3 of 3 images"):
        manifest = image_folder_manifest(tmp_path, labels=labels)
    assert [Path(path).parent.name for path in manifest["path"]] == ["GS", "NGS", "Ob"]
    assert manifest["label"].tolist() == [1, 0, 0]


def test_a_class_folder_that_was_named_and_is_not_there_is_a_fault(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(ManifestError, match="missing:\n    'GS'\n    'NGS'"):
        image_folder_manifest(tmp_path, labels={"GS": 1, "NGS": 0})
