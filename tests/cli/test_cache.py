"""``glomclf cache``: what is kept, and its removal."""

import numpy as np
import pytest
from click.testing import CliRunner

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
    assert "resnet50 0123abcd avg_pool float32" in done.output
    assert "4.0 kB" in done.output
    assert str(folder) in done.output


def test_a_cleared_cache_holds_nothing(folder):
    done = run("--cache-dir", folder, "--clear")
    assert done.exit_code == 0
    assert "kB removed." in done.output
    assert f"{folder / 'glomclf-features-v2'}: removed" in done.output
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
