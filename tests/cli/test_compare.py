"""`glomclf compare`: files, table, and what is kept after an interruption."""

from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from glomclf import GlomeruliClassifier
from glomclf.cli.compare import COMPARISON_FILES
from glomclf.cli.compare import command as compare
from glomclf.cli.train import command as train
from glomclf.model.approach_comparison import COMPARED_SCORES
from glomclf.model.approaches import APPROACHES
from tests.commands import run, without_pictures

TINY = (
    *("--set", "network.backbone=cnn", "--weights", "none", "--cv", "2"),
    *("--set", "image_size=32"),
)


def fit(self, X, y, groups=None):
    """Learn nothing: a network takes too long for tests of files."""
    self.threshold_ = self.threshold
    return self


def predict_proba(self, X):
    """Take grey for a probability."""
    positive = 1 - X.mean(axis=(1, 2, 3)) / 255
    return np.column_stack([1 - positive, positive])


@contextmanager
def without_network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GlomeruliClassifier, "fit", fit)
        patch.setattr(GlomeruliClassifier, "predict_proba", predict_proba)
        yield patch


@pytest.fixture
def quick():
    with without_network() as patch:
        yield patch


@pytest.fixture(scope="module")
def written(data):
    """One run for all tests that only read: pictures and report take seconds."""
    out = data.parent / "compared"
    with without_pictures(), without_network():
        return out, run("compare", data / "public.csv", *TINY, "-o", out, "-q")


def test_compare_has_the_options_of_train_but_for_the_sampler():
    own = {"csv", "images", "folder", "n_folds"}
    names = {option.name for option in compare.params}
    theirs = {option.name for option in train.params}
    assert names - own == theirs - {
        "csv",
        "images",
        "model",
        "overwrite",
        "embeddings",
        "ensemble",
        "readers",
        "n_folds",
        "sampler",
    }


def test_compare_writes_tables_and_pictures_and_names_each_once(written):
    out, result = written
    listed = result.stdout.split("Files:")[1].split()
    assert sorted(listed) == sorted(str(out / name) for name in COMPARISON_FILES)
    assert {path.name for path in out.iterdir()} == set(COMPARISON_FILES)


def test_tables_hold_every_approach_and_agree(written):
    out, _ = written
    names = [one.name for one in APPROACHES]
    scores = pd.read_csv(out / "comparison.csv", dtype={"approach": str})
    assert scores["approach"].unique().tolist() == names
    assert scores["score"].tolist() == list(COMPARED_SCORES) * len(names)
    counts = pd.read_csv(out / "test_sets.csv", dtype={"approach": str})
    titles = {one.name: one.title for one in APPROACHES}
    for frame in (scores, counts):
        assert (frame["title"] == frame["approach"].map(titles)).all()
    predictions = pd.read_csv(out / "predictions.csv", dtype={"approach": str})
    sizes = predictions[predictions["part"] == "reported"].groupby("approach").size()
    total = counts.set_index("approach")[["reported_0", "reported_1"]].sum(axis=1)
    pd.testing.assert_series_equal(total, sizes[names], check_names=False)
    assert sorted(predictions["fold"].unique()) == [0, 1]


def test_report_shows_every_approach_and_the_command(written):
    out, _ = written
    page = (out / "report.html").read_text()
    assert all(one.title in page for one in APPROACHES)
    assert "glomclf compare" in page


def test_table_on_the_screen_fits_80_columns_and_says_what_is_what(written):
    _, result = written
    table = result.stdout.split("Files:")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "…" not in table
    for approach in APPROACHES:
        assert approach.title in table
        assert table.index(approach.title) < table.index("F1")
    assert "ROC AUC" in table


def test_what_is_done_is_kept_after_an_interruption(data, tmp_path, quick):
    n_fits = []

    def interrupted(self, X, y, groups=None):
        n_fits.append(1)
        if len(n_fits) > 4:
            raise KeyboardInterrupt
        return fit(self, X, y)

    arguments = ("compare", data / "public.csv", *TINY, "-o", tmp_path, "-q")
    quick.setattr(GlomeruliClassifier, "fit", interrupted)
    result = run(*arguments, code=130)
    assert result.stderr.count("comparison.csv") == 1
    scores = pd.read_csv(tmp_path / "comparison.csv", dtype={"approach": str})
    assert scores["approach"].unique().tolist() == ["1", "2"]
    assert not (tmp_path / "comparison.png").exists()


def test_another_seed_gives_another_file(data, tmp_path, written, quick):
    # Tables are written as approaches end, before what is drawn of them.
    quick.setattr("glomclf.cli.compare.write_report", lambda *_: None)
    run("compare", data / "public.csv", *TINY, "--seed", 1, "-o", tmp_path, "-q")
    tables = [folder / "comparison.csv" for folder in (written[0], tmp_path)]
    assert tables[0].read_text() != tables[1].read_text()


def test_too_few_participants_are_the_users_to_mend(data, tmp_path):
    table = pd.read_csv(data / "public.csv")
    table["participant"] = np.where(table.index % 2 == 0, "a", "b")
    csv = tmp_path / "two.csv"
    table.to_csv(csv, index=False)
    arguments = ("compare", csv, "--images", data, *TINY, "-o", tmp_path / "out")
    result = run(*arguments, code=2)
    assert "class 1 is found in 2 participants; it takes 4" in result.stderr
    assert not (tmp_path / "out").exists()


def test_csv_is_not_overwritten(data, tmp_path):
    csv = tmp_path / "predictions.csv"
    csv.write_bytes((data / "public.csv").read_bytes())
    result = run("compare", csv, "--images", data, *TINY, "-o", tmp_path, code=2)
    assert "would be overwritten" in result.stderr


def test_a_model_is_compared(data, tmp_path, monkeypatch):
    monkeypatch.setattr("glomclf.cli.compare.write_report", lambda *_: None)
    recipe = ("--recipe", "linear", "--set", "encoder.backbone=cnn", *TINY[2:])
    recipe += ("--set", "network.C=0.1")
    result = run("compare", data / "public.csv", *recipe, "-o", tmp_path / "out")
    assert "10/10" in result.stderr
    scores = pd.read_csv(tmp_path / "out" / "comparison.csv", dtype={"approach": str})
    assert scores["approach"].nunique() == len(APPROACHES)
