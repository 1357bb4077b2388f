"""``~`` is the home folder wherever a user names a file, and no folder called so."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sklearn.linear_model import LogisticRegression

from glomclf import (
    GlomeruliClassifier,
    ImageLoader,
    image_folder_manifest,
    make_glomeruli,
    read_annotations,
    read_embeddings,
    read_manifest,
    write_annotations,
)
from glomclf._runtime import user_path
from glomclf.cli import main
from glomclf.data import biopsy_folder_manifest, read_image
from glomclf.data.store import resolve_cache_dir
from glomclf.errors import CacheError, StudyError
from glomclf.network.checkpoints import Checkpoint
from glomclf.network.weight_sources import weights_identity
from glomclf.tuning import open_storage


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home that is not the working folder, with one patch."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    home = tmp_path / "home"
    Image.new("RGB", (4, 4)).save(home / "18-162_PAS_5of6_a.png")
    (home / "public.csv").write_text("name,label\n18-162_PAS_5of6_a.png,1\n")
    yield home
    assert not list(Path().iterdir())  # no folder called ~


PATCH = "~/18-162_PAS_5of6_a.png"


def test_what_is_read(home):
    assert len(read_manifest("~/public.csv", "~")) == 1
    assert len(image_folder_manifest("~")) == len(biopsy_folder_manifest("~")) == 1
    assert read_image(PATCH).shape == (4, 4, 3)
    for paths in ([PATCH], np.array([PATCH]), [Path(PATCH)]):
        images = ImageLoader(4, cache_dir=False).fit_transform(paths)
        assert np.asarray(images).shape == (1, 4, 4, 3)
    np.savez(home / "e.npz", features=np.ones((1, 2)), names=["18-162_PAS_5of6_a"])
    assert read_embeddings("~/e.npz", read_manifest("~/public.csv")).shape == (1, 2)
    assert weights_identity("resnet50", "~/public.csv")


def test_polygons(home):
    outline = [[[0, 0], [9, 0], [9, 9], [0, 0]]]
    polygon = {"type": "Polygon", "coordinates": outline}
    (home / "a.json").write_text(json.dumps({"type": "Feature", "geometry": polygon}))
    annotations = read_annotations("~/a.json", labels=None)
    write_annotations("~/a.json", "~/b.json", {annotations[0].id: 0.9})
    assert (home / "b.json").is_file()


def test_what_is_written(home):
    make_glomeruli(4, n_participants=2, image_size=32, directory="~/drawn")
    assert (home / "drawn" / "public.csv").is_file()
    classifier = GlomeruliClassifier(None, network=LogisticRegression())
    classifier.fit(np.eye(4), [0, 1, 0, 1]).save("~/m.glomclf")
    assert GlomeruliClassifier.load("~/m.glomclf").classes_.tolist() == [0, 1]
    assert Checkpoint("~/kept", "print").path.parent == home / "kept"


def test_the_cache(home, monkeypatch):
    assert resolve_cache_dir("~/cache") == home / "cache"
    monkeypatch.setenv("GLOMCLF_CACHE_DIR", "~/other")
    assert resolve_cache_dir(None) == home / "other"


def test_studies(home):
    open_storage("~/s.journal")
    open_storage("sqlite:///~/s.db").remove_session()
    assert (home / "s.journal").is_file()
    assert (home / "s.db").is_file()


def test_commands(home):
    names = [f"18-{n}_PAS_5of6_a.png" for n in range(8)]
    for name in names:
        (home / name).touch()
    rows = [f"{name},{n % 2}" for n, name in enumerate(names)]
    (home / "many.csv").write_text("\n".join(["name,label", *rows]))
    words = ["split", "~/many.csv", "--output", "~/out"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert (home / "out" / "train.csv").is_file()


def test_a_file_whose_name_begins_so_is_a_file(home):
    assert user_path("~nobody.png") == Path("~nobody.png")
    assert user_path("a/~") == Path("a/~")


def test_without_a_home_folder_it_is_said_what_to_do(home, monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.delenv("GLOMCLF_CACHE_DIR", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: "~/.cache/glomclf")
    with pytest.raises(CacheError, match="Set HOME, or GLOMCLF_CACHE_DIR"):
        resolve_cache_dir(None)
    with pytest.raises(FileNotFoundError, match=r"home folder.*write it in full.*~/p"):
        read_manifest("~/public.csv")
    with pytest.raises(StudyError, match="home folder"):
        open_storage("~/s.journal")
    result = CliRunner().invoke(main, ["split", "~/public.csv"])
    assert result.exit_code == 2
    assert "~/public.csv: the home folder" in result.stderr
