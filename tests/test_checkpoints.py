"""Checkpoints: a training that was killed goes on, and ends as if it had not been."""

import subprocess
import sys
import textwrap

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from sklearn.base import clone

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
)


def net(folder, **changed):
    settings = {
        "weights": None,
        "trainable_layers": "all",
        "dense_units": 8,
        "epochs": 3,
        "batch_size": 8,
        "optimizer": "adamw",
        "schedule": "cosine",
        "ema_momentum": 0.9,
        "augmentation": "geometry+stain",
        "patience": 2,
        "random_state": 0,
        "checkpoint_dir": folder,
    }
    return ResNet50Classifier("cnn", **{**settings, **changed})


def fitted(patches, folder, **changed):
    X, y = patches
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


@pytest.mark.parametrize("n_epochs", [1, 2])
def test_a_killed_training_ends_as_an_undisturbed_one(
    patches, tmp_path, killed_after, monkeypatch, n_epochs
):
    X, _ = patches
    whole = fitted(patches, None)
    killed_after(n_epochs)
    with pytest.raises(Killed):
        fitted(patches, tmp_path)
    monkeypatch.undo()
    resumed = fitted(patches, tmp_path)
    assert resumed.history_ == whole.history_
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


def test_a_finished_training_is_not_done_again(patches, tmp_path, killed_after):
    X, _ = patches
    first = fitted(patches, tmp_path)
    written = killed_after(1)
    again = fitted(patches, tmp_path)
    assert written == []
    assert again.history_ == first.history_
    np.testing.assert_array_equal(again.predict_proba(X), first.predict_proba(X))


@pytest.mark.parametrize(
    "changed",
    [{"learning_rate": 0.5}, {"random_state": 1}, {"augmentation": "dihedral"}],
)
def test_another_training_has_another_file(patches, tmp_path, changed):
    fitted(patches, tmp_path, epochs=1, patience=None)
    fitted(patches, tmp_path, epochs=1, patience=None, **changed)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_changes_no_number_finds_the_same_file(patches, tmp_path):
    fitted(patches, tmp_path, epochs=1, patience=None)
    fitted(patches, str(tmp_path), epochs=1, patience=None, verbose=1)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_row_of_the_other_fold_has_another_file(patches, tmp_path):
    """A fold never takes up what was trained on another fold's rows."""
    X, y = patches
    one = clone(net(tmp_path, epochs=1, patience=None))
    one.fit(X[:16], y[:16])
    one.fit(X[1:17], y[1:17])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_checkpoint_is_an_error_that_says_what_to_do(patches, tmp_path):
    fitted(patches, tmp_path, epochs=1, patience=None)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match="remove it to train from the start"):
        fitted(patches, tmp_path, epochs=1, patience=None)


def test_the_front_door_keeps_checkpoints(patches, tmp_path):
    X, y = patches
    classifier = GlomeruliClassifier(
        recipe="scratch",
        backbone="cnn",
        weights=None,
        image_size=32,
        epochs=1,
        warmup_epochs=0,
        dense_units=8,
        checkpoint_dir=tmp_path,
        random_state=0,
    )
    classifier.fit(X, y, groups=np.arange(len(y)) // 2)
    assert len(list(tmp_path.glob("*.checkpoint"))) == 1


@pytest.mark.slow
def test_a_process_killed_in_an_epoch_goes_on_with_the_last_whole_one(
    patches, tmp_path
):
    program = textwrap.dedent(
        """
        import os, sys
        import numpy as np
        from glomclf import ResNet50Classifier, make_glomeruli
        from glomclf.network import checkpoints

        folder, dies = sys.argv[1], sys.argv[2] == "dies"
        write = checkpoints.Checkpoint.write
        def write_and_die(self, state):
            if dies and state.epoch == 2:  # the second epoch is done, but not kept
                os.kill(os.getpid(), 9)
            write(self, state)
        checkpoints.Checkpoint.write = write_and_die
        X, y, _ = make_glomeruli(
            16, n_participants=4, sclerotic_fraction=0.5, image_size=32, random_state=0
        )
        net = ResNet50Classifier(
            "cnn", weights=None, trainable_layers="all", epochs=3, batch_size=8,
            random_state=0, checkpoint_dir=folder,
        )
        print(net.fit(X, y).predict_proba(X)[:, 1].tolist())
        """
    )

    def run(folder, word):
        arguments = [sys.executable, "-c", program, str(folder), word]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    died = run(tmp_path / "a", "dies")
    assert died.returncode == -9
    resumed, whole = run(tmp_path / "a", "lives"), run(tmp_path / "b", "lives")
    assert whole.returncode == 0, whole.stderr
    assert resumed.stdout == whole.stdout


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
