"""Checkpoints: a training that was killed goes on, and ends as if it had not been."""

import subprocess
import sys
import textwrap

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from glomclf import GlomeruliClassifier, ResNet50Classifier
from glomclf.errors import ModelFileError
from glomclf.network.checkpoints import (
    Checkpoint,
    _packed,
    _unpacked,
    training_fingerprint,
)

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
TREES = st.recursive(
    PLAIN | arrays(np.float32, st.integers(0, 3)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def net(folder, **changed):
    """Train a head on features: no other network is built as quickly."""
    settings = {
        "trainable_layers": 0,
        "dense_units": 4,
        "epochs": 4,
        "batch_size": 8,
        "optimizer": "adamw",
        "schedule": "cosine",
        "ema_momentum": 0.9,
        "patience": 3,
        "random_state": 0,
        "checkpoint_dir": folder,
    }
    return ResNet50Classifier(**{**settings, **changed})


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    y = np.arange(24) % 2
    return rng.normal(size=(24, 3)).astype(np.float32) + y[:, np.newaxis], y


def fitted(rows, folder, **changed):
    X, y = rows
    return net(folder, **changed).fit(X[:16], y[:16], X_val=X[16:], y_val=y[16:])


class Killed(Exception):
    """Stands for a kill between two epochs."""


@pytest.fixture
def killed_after(monkeypatch):
    """Return a function that lets training die once it has kept so many epochs."""

    def set_epochs(n_epochs):
        write, n_written = Checkpoint.write, []

        def write_and_die(self, state):
            write(self, state)
            n_written.append(state.epoch)
            if len(n_written) == n_epochs:
                raise Killed

        monkeypatch.setattr(Checkpoint, "write", write_and_die)
        return n_written

    return set_epochs


IMAGES = {
    "backbone": "cnn",
    "weights": None,
    "trainable_layers": "all",
    "augmentation": "geometry+stain",
}


@pytest.mark.parametrize(
    ("rows", "settings", "n_epochs"),
    [("features", {}, 1), ("features", {}, 3), ("patches", IMAGES, 2)],
)
def test_a_killed_training_ends_as_an_undisturbed_one(
    request, tmp_path, killed_after, monkeypatch, rows, settings, n_epochs
):
    rows = request.getfixturevalue(rows)
    whole = fitted(rows, None, **settings)
    killed_after(n_epochs)
    with pytest.raises(Killed):
        fitted(rows, tmp_path, **settings)
    monkeypatch.undo()
    resumed = fitted(rows, tmp_path, **settings)
    assert resumed.history_ == whole.history_
    np.testing.assert_array_equal(
        resumed.predict_proba(rows[0]), whole.predict_proba(rows[0])
    )


def test_a_finished_training_is_not_done_again(features, tmp_path, killed_after):
    first = fitted(features, tmp_path)
    written = killed_after(1)
    again = fitted(features, tmp_path)
    assert written == []
    assert again.history_ == first.history_
    np.testing.assert_array_equal(
        again.predict_proba(features[0]), first.predict_proba(features[0])
    )


def test_only_what_changes_a_number_has_another_file(features, tmp_path):
    fitted(features, tmp_path)
    fitted(features, str(tmp_path), verbose=1)
    assert len(list(tmp_path.iterdir())) == 1
    fitted(features, tmp_path, learning_rate=0.5)
    fitted(features, tmp_path, random_state=1)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_fold_never_takes_up_what_was_trained_on_other_rows(features, tmp_path):
    X, y = features
    one = net(tmp_path, epochs=1, patience=None)
    one.fit(X[:16], y[:16])
    one.fit(X[1:17], y[1:17])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_checkpoint_is_an_error_that_says_what_to_do(features, tmp_path):
    fitted(features, tmp_path)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match="remove it to train from the start"):
        fitted(features, tmp_path)


def test_the_front_door_keeps_checkpoints(patches, tmp_path):
    X, y = patches
    classifier = GlomeruliClassifier(
        None,
        backbone="cnn",
        weights=None,
        image_size=32,
        epochs=1,
        dense_units=4,
        checkpoint_dir=tmp_path,
        random_state=0,
    )
    classifier.fit(X, y, groups=np.arange(len(y)) // 2)
    assert len(list(tmp_path.glob("*.checkpoint"))) == 1


@pytest.mark.slow
def test_a_process_killed_in_an_epoch_goes_on_with_the_last_whole_one(
    features, tmp_path
):
    program = textwrap.dedent(
        """
        import os, sys
        import numpy as np
        from glomclf import ResNet50Classifier
        from glomclf.network.checkpoints import Checkpoint

        folder, rows = sys.argv[1:]
        write = Checkpoint.write

        def write_or_die(self, state):
            if state.epoch == 2:  # the second epoch is done, but not kept
                os.kill(os.getpid(), 9)
            write(self, state)

        Checkpoint.write = write_or_die
        net = ResNet50Classifier(
            trainable_layers=0, epochs=3, random_state=0, checkpoint_dir=folder
        )
        net.fit(**np.load(rows))
        """
    )
    X, y = features
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    arguments = [program, str(tmp_path / "kept"), str(tmp_path / "rows.npz")]
    died = subprocess.run([sys.executable, "-c", *arguments], check=False)
    assert died.returncode == -9
    settings = {"trainable_layers": 0, "epochs": 3, "random_state": 0}
    (file,) = (tmp_path / "kept").iterdir()
    before = file.stat().st_mtime_ns
    resumed = ResNet50Classifier(**settings, checkpoint_dir=tmp_path / "kept")
    whole = ResNet50Classifier(**settings)
    np.testing.assert_array_equal(
        resumed.fit(X, y).predict_proba(X), whole.fit(X, y).predict_proba(X)
    )
    assert resumed.history_ == whole.history_
    assert file.stat().st_mtime_ns > before


@given(TREES)
def test_a_state_comes_back_as_it_was(tree):
    kept = {}
    described = _packed({"tree": tree}, "tree", kept)
    np.testing.assert_equal(_unpacked(described, kept), {"tree": tree})


@given(arrays(np.float64, (3, 2)), st.integers(0, 2))
def test_a_fingerprint_is_that_of_every_row(rows, row):
    changed = rows.copy()
    changed[row] += 1e6
    of = [training_fingerprint({}, [one, None]) for one in (rows, changed)]
    assert (of[0] == of[1]) == np.array_equal(rows, changed, equal_nan=True)
