"""A folder of new biopsies, read at any depth."""

import pytest

from glomclf.data import biopsy_folder_manifest
from glomclf.errors import ManifestError


@pytest.fixture
def folder(tmp_path):
    """A function that makes a folder with these empty files, and returns it."""

    def make(*names):
        root = tmp_path / "new"
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return root

    return make


def test_the_folder_that_holds_an_image_is_its_biopsy(folder):
    root = folder("P1/a.png", "P1/slide2/b.PNG", "P2/a.png", "P2/notes.txt")
    table = biopsy_folder_manifest(root)
    assert table["participant"].tolist() == ["P1", "P1/slide2", "P2"]
    assert table["path"].tolist()[0] == str(root / "P1/a.png")


def test_class_folders_are_no_biopsies(folder):
    root = folder("P1/globally_sclerotic_glomeruli/a.png", "P1/b.png")
    assert biopsy_folder_manifest(root)["participant"].tolist() == ["P1", "P1"]


def test_images_beside_each_other_are_one_biopsy_or_as_their_names_tell(folder):
    root = folder("S-2010-000007_PAS_1of2_a.png", "S-2010-000006_PAS_2of2_b.png")
    told = biopsy_folder_manifest(root)["participant"]
    assert told.tolist() == ["S-2010-000006"] * 2
    (root / "other.png").touch()
    assert biopsy_folder_manifest(root)["participant"].tolist() == ["new"] * 3


def test_hidden_files_and_folders_are_passed_over(folder):
    root = folder("P1/a.png", "P1/.b.png", ".thumbs/a.png")
    assert len(biopsy_folder_manifest(root)) == 1


def test_links_out_of_the_folder_and_empty_folders_are_refused(folder, tmp_path):
    root = folder("P1/notes.txt")
    with pytest.raises(ManifestError, match="no images"):
        biopsy_folder_manifest(root)
    (tmp_path / "x.png").touch()
    (root / "P1/x.png").symlink_to(tmp_path / "x.png")
    (root / "P2").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(ManifestError, match=r"lead out[\s\S]*'P2'[\s\S]*'P1/x.png'"):
        biopsy_folder_manifest(root)
    with pytest.raises(ManifestError, match="not a folder"):
        biopsy_folder_manifest(root / "P3")
