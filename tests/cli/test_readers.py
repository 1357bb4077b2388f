"""Columns of readers: what is no label is refused, what is blank is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glomclf import GlomeruliClassifier
from glomclf.cli.console import InputError
from glomclf.cli.evaluate import _compare_readers
from glomclf.cli.readers import LABEL_WEIGHT, label_by_readers, reader_columns
from glomclf.data.participants import KIND, participant_kind
from tests.commands import run

TEST = pd.DataFrame(
    {
        "participant": np.repeat(list("abcdefgh"), 5).tolist(),
        "A": np.tile([0, 1, 0, 0, 1], 8),
        "B": np.tile([0, 1, 0, np.nan, 0], 8),
        "C": np.tile(["x", "0", "1", "0", "1"], 8),
    }
)


def test_readers_are_compared_and_written(tmp_path):
    readers = reader_columns(TEST, ("A", "B"), Path("t.csv"))
    (section,) = _compare_readers(TEST, readers, (TEST["A"] == 1).to_numpy(), tmp_path)
    assert section.title == "Readers"
    table = pd.read_csv(tmp_path / "readers.csv", index_col="score")
    assert table.loc["kappa A / model", "value"] == 1
    assert table.loc["percent_agreement", "value"] == 0.75


def test_without_readers_nothing_is_written(tmp_path):
    readers = reader_columns(TEST, (), Path("t.csv"))
    assert _compare_readers(TEST, readers, np.zeros(40, bool), tmp_path) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("readers", "told"),
    [
        (("A", "D"), "no column 'D'"),
        (("A",), "twice or more"),
        (("A", "C"), "'C' holds 'x'"),
    ],
)
def test_what_cannot_be_compared_is_refused(readers, told):
    with pytest.raises(InputError, match=told):
        reader_columns(TEST, readers, Path("t.csv"))


def test_patches_without_a_majority_are_left_out_and_named(capsys):
    manifest = TEST[["participant", "A", "B"]].assign(
        path=[f"{n}.png" for n in range(40)], slide=TEST["participant"], label=0
    )
    manifest.attrs[KIND] = "slide"
    found = label_by_readers(manifest, ("A", "B"), Path("t.csv"))
    kept = np.arange(40) % 5 != 4  # there A says 1 and B says 0
    assert found["path"].tolist() == manifest["path"][kept].tolist()
    assert found["label"].tolist() == manifest["A"][kept].tolist()
    assert (found[LABEL_WEIGHT] == 1).all()
    assert participant_kind(found) == "slide"
    told = capsys.readouterr().err
    assert "Labels are the majority's of 2 readers" in told
    assert "without a majority: 8 patches (4.png, 9.png, 14.png, ...)" in told


def test_readers_who_never_agree_are_refused():
    manifest = pd.DataFrame({"path": ["a", "b"], "A": [0, 1], "B": [1, 0]})
    with pytest.raises(InputError, match="no patch have a majority"):
        label_by_readers(manifest, ("A", "B"), Path("t.csv"))


@pytest.fixture
def read_by_three(tmp_path):
    """Embeddings of 60 patches of 12 participants, which three people have labelled."""
    rng = np.random.default_rng(0)
    names = [f"{n}.png" for n in range(60)]
    truth = np.tile([0, 0, 1, 0, 1], 12)
    features = rng.normal(size=(60, 6)) + truth[:, None]
    np.savez(tmp_path / "features.npz", features=features, names=names)
    readers = {
        reader: np.where(rng.random(60) < 0.2, 1 - truth, truth).astype(float)
        for reader in ("Dr A", "Dr B", "Dr C")
    }
    readers["Dr C"][:20] = np.nan
    table = {"name": names, "participant": np.repeat(np.arange(12), 5), **readers}
    pd.DataFrame(table).to_csv(tmp_path / "train.csv", index=False)
    return tmp_path


def train_words(folder, *readers):
    options = [word for reader in readers for word in ("--reader", reader)]
    files = ("--embeddings", folder / "features.npz", "-o", folder / "model.glomclf")
    return ("train", folder / "train.csv", *files, *options, "-q")


def test_a_model_learns_the_majority_weighted_by_agreement(read_by_three, monkeypatch):
    seen, fit = [], GlomeruliClassifier.fit

    def spy(self, X, y, groups=None, sample_weight=None, **given):
        seen.append((len(X), y, sample_weight))
        return fit(self, X, y, groups=groups, sample_weight=sample_weight, **given)

    monkeypatch.setattr(GlomeruliClassifier, "fit", spy)
    run(*train_words(read_by_three, "Dr A", "Dr B", "Dr C"), "--cv", 2)
    table = pd.read_csv(read_by_three / "train.csv")[["Dr A", "Dr B", "Dr C"]]
    share = table.mean(axis=1)[table.mean(axis=1) != 0.5]
    assert len(share) < 60
    n_rows, y, weight = seen[-1]
    assert n_rows == len(share)
    assert y.tolist() == (share > 0.5).tolist()
    assert weight == pytest.approx((2 * share - 1).abs())
    assert sum(len(fold) for fold in [one[2] for one in seen[:2]]) == len(share)
    record = GlomeruliClassifier.load(read_by_three / "model.glomclf").training_record_
    assert record["labels"] == "majority of Dr A, Dr B, Dr C, weighted by agreement"


def test_a_row_for_each_reading_is_refused_for_a_patch_could_be_on_two_sides(
    read_by_three,
):
    csv = read_by_three / "train.csv"
    table = pd.read_csv(csv)
    pd.concat([table, table]).to_csv(csv, index=False)
    result = run(*train_words(read_by_three, "Dr A", "Dr B"), code=2)
    assert "images named more than once" in result.stderr


def test_weights_of_readers_do_not_go_with_a_sampler_that_mixes_rows(read_by_three):
    words = train_words(read_by_three, "Dr A", "Dr B")
    result = run(*words, "--sampler", "smote", code=2)
    assert "--reader: sampler='smote' makes rows out of several" in result.stderr
    assert not (read_by_three / "model.glomclf").exists()
