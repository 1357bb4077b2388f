"""``glomclf cache``: what is kept, and its removal."""

import numpy as np
import pytest
from click.testing import CliRunner

from glomclf import GlomeruliClassifier, PatchClassifier, make_glomeruli
from glomclf.cli import main
from glomclf.cli.console import text_of_bytes
from glomclf.data.store import FeatureStore


@pytest.fixture
def folder(tmp_path):
    store = FeatureStore(tmp_path, f"resnet50 {'0123abcd' * 8} avg_pool float32")
    store.put_many([b"a", b"b"], np.ones((2, 500), np.float32))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["cache", *map(str, arguments)])


def test_the_cache_is_shown_with_entries_size_and_time(folder):
    done = run("--cache-dir", folder)
    assert done.exit_code == 0
    assert "features of resnet50, weights 0123abcd" in done.output
    assert "4.0 kB" in done.output
    assert str(folder) in done.output


def test_what_is_kept_is_told_in_words_each_once_and_on_one_line(tmp_path):
    directory, kept = tmp_path / "patches", tmp_path / "kept"
    X = make_glomeruli(4, n_participants=2, image_size=32, directory=directory)
    network = PatchClassifier("cnn", weights=None)
    for size in (32, 48):
        options = {"image_size": size, "stain_normalizer": "fixed-reinhard"}
        made = GlomeruliClassifier(None, network=network, cache_dir=kept, **options)
        encode = made.pipeline[:-1].fit(X)
        encode.transform(X)
    shown = run("--cache-dir", kept).output.splitlines()
    cells = [row.split("│")[1:3] for row in shown if row.startswith("│")]
    weights = encode["encode"].fingerprint_[:8]
    assert sorted((what.strip(), int(n)) for what, n in cells) == [
        (f"features of cnn, weights {weights}", 8),
        ("fingerprints of networks", 1),
        ("images, 32 px, one stain (reinhard)", 4),
        ("images, 32 px, pad", 4),
        ("images, 48 px, one stain (reinhard)", 4),
        ("images, 48 px, pad", 4),
    ]


def test_a_cleared_cache_holds_nothing(folder):
    done = run("--cache-dir", folder, "--clear")
    assert done.exit_code == 0
    assert "kB removed." in done.output
    assert f"{folder / 'glomclf-features-v3'}: removed" in done.output
    assert run("--cache-dir", folder).output == f"{folder}: 0 bytes on disk\n"


def test_without_an_option_it_is_the_cache_of_the_environment(folder, monkeypatch):
    monkeypatch.setenv("GLOMCLF_CACHE_DIR", str(folder))
    assert str(folder) in run().output


def test_clearing_a_folder_without_a_cache_leaves_it_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    assert run("--cache-dir", tmp_path, "--clear").output == "0 bytes removed.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (2_500_000, "2.5 MB"),
        (3 * 10**12, "3000.0 GB"),
    ],
)
def test_sizes_have_units(n_bytes, text):
    assert text_of_bytes(n_bytes) == text
