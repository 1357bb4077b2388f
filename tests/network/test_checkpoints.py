"""Checkpoints: a training that was killed goes on, and ends as if it had not been."""

import shutil
import subprocess
import sys
import textwrap

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from glomclf import GlomeruliClassifier, PatchClassifier
from glomclf.errors import ModelFileError
from glomclf.network.checkpoints import Checkpoint, training_fingerprint


def net(folder, **changed):
    """Train a head on features: no other network is built as quickly."""
    settings = {
        "trainable_layers": 0,
        "dense_units": 4,
        "epochs": 4,
        "batch_size": 8,
        "optimizer": "adamw",
        "schedule": "cosine",
        "patience": 3,
        "random_state": 0,
        "checkpoint_dir": folder,
    }
    return PatchClassifier(**{**settings, **changed})


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
def watch(monkeypatch):
    """Return a function that notes the epochs that are kept, and acts after one."""

    def note(act=None, after=None):
        monkeypatch.undo()
        write, kept = Checkpoint.write, []

        def write_and_act(self, state):
            write(self, state)
            kept.append(state.epoch)
            if state.epoch == after:
                act()

        monkeypatch.setattr(Checkpoint, "write", write_and_act)
        return kept

    return note


def die():
    raise Killed


IMAGES = {
    "backbone": "cnn",
    "weights": None,
    "trainable_layers": "all",
    "augmentation": "geometry+stain",
}


def assert_resumed(resumed, whole, X, kept, n_epochs):
    """Epochs that were kept before were not trained again, and show nowhere."""
    assert kept == list(range(n_epochs + 1, len(whole.history_["loss"]) + 1))
    assert kept
    assert resumed.history_ == whole.history_
    # Another process may add up a row in another order.
    found, expected = resumed.predict_proba(X), whole.predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("n_epochs", [1, 3])
def test_a_killed_training_ends_as_an_undisturbed_one(
    features, tmp_path, watch, n_epochs
):
    whole = fitted(features, None)
    watch(die, after=n_epochs)
    with pytest.raises(Killed):
        fitted(features, tmp_path)
    kept = watch()
    resumed = fitted(features, tmp_path)
    assert_resumed(resumed, whole, features[0], kept, n_epochs)


def test_a_killed_training_from_images_ends_as_an_undisturbed_one(
    patches, tmp_path, watch
):
    """What a kill leaves is copied in passing: networks of images take seconds."""
    folders = tmp_path / "whole", tmp_path / "killed"
    watch(lambda: shutil.copytree(*folders), after=2)
    whole = fitted(patches, folders[0], **IMAGES)
    kept = watch()
    resumed = fitted(patches, folders[1], **IMAGES)
    assert_resumed(resumed, whole, patches[0], kept, 2)


def test_a_finished_training_is_not_done_again(features, tmp_path, watch):
    first = fitted(features, tmp_path)
    kept = watch()
    again = fitted(features, tmp_path)
    assert kept == []
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
    network = PatchClassifier(
        "cnn", weights=None, epochs=1, dense_units=4, checkpoint_dir=tmp_path
    )
    classifier = GlomeruliClassifier(
        None, network=network, image_size=32, random_state=0
    )
    classifier.fit(X, y, groups=np.arange(len(y)) // 2)
    assert len(list(tmp_path.glob("*.checkpoint"))) == 1


@pytest.mark.slow
def test_a_process_killed_in_an_epoch_goes_on_with_the_last_whole_one(
    features, tmp_path, watch
):
    program = textwrap.dedent(
        """
        import os, sys
        import numpy as np
        from glomclf import PatchClassifier
        from glomclf.network.checkpoints import Checkpoint

        folder, rows = sys.argv[1:]
        write = Checkpoint.write

        def write_or_die(self, state):
            if state.epoch == 2:  # the second epoch is done, but not kept
                os.kill(os.getpid(), 9)
            write(self, state)

        Checkpoint.write = write_or_die
        net = PatchClassifier(
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
    kept = watch()
    resumed = PatchClassifier(**settings, checkpoint_dir=tmp_path / "kept")
    whole = PatchClassifier(**settings)
    assert_resumed(resumed.fit(X, y), whole.fit(X, y), X, kept, 1)


@given(arrays(np.float64, (3, 2)), st.integers(0, 2))
def test_a_fingerprint_is_that_of_every_row(rows, row):
    changed = rows.copy()
    changed[row] += 1e6
    of = [training_fingerprint({}, [one, None]) for one in (rows, changed)]
    assert (of[0] == of[1]) == np.array_equal(rows, changed, equal_nan=True)
