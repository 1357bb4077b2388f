"""Keras on TensorFlow: nothing else will do, and nothing is heard of it."""

import json
import os
from types import SimpleNamespace

import pytest

from glomclf.errors import BackendError
from glomclf.network import backend
from glomclf.network.backbones import load_backbone


def test_another_backend_is_named_before_keras_is_imported(run_python):
    done = run_python(
        """
        import sys
        from glomclf.errors import BackendError
        try:
            import glomclf.network.backend
        except BackendError as error:
            print(error)
        print("keras" in sys.modules)
        """,
        KERAS_BACKEND="jax",
    )
    message, keras_is_loaded = done.stdout.splitlines()
    assert "Keras runs on 'jax'" in message
    assert "Set KERAS_BACKEND=tensorflow" in message
    assert keras_is_loaded == "False"


def test_the_backend_in_use_is_tensorflow():
    assert backend.keras.backend.backend() == "tensorflow"
    for name in ("torch", "no-such-backend"):
        with pytest.raises(BackendError, match=r"need 'tensorflow'.*KERAS_BACKEND"):
            backend._check_backend(name)


@pytest.fixture(scope="module")
def fresh(run_python):
    """Fit networks in a process of one thread; TensorFlow takes long to import."""
    return run_python(
        """
        import json
        import numpy as np
        from glomclf import PatchClassifier, PatchEncoder, make_glomeruli
        X, y, _ = make_glomeruli(8, n_participants=4, sclerotic_fraction=0.5,
                                 image_size=32, random_state=0)
        for seed in range(2):
            net = PatchClassifier("cnn", weights=None, epochs=1, random_state=seed)
            net.fit(X, y).predict(X)
        PatchEncoder("cnn", weights=None, cache_dir=False).fit_transform(X)
        from glomclf.network.backend import keras, tf
        from glomclf.network.backbones import load_backbone
        np.random.seed(1)
        keras.utils.set_random_seed(2)
        known = {
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "random": [load_backbone(name, None).fingerprint
                       for name in ("cnn", "resnet50")],
        }
        print(json.dumps(known))
        """,
        OMP_NUM_THREADS="1",
    )


@pytest.mark.slow
def test_fitting_two_networks_writes_nothing_to_standard_error(fresh):
    assert (fresh.returncode, fresh.stderr) == (0, "")
    assert len(fresh.stdout.splitlines()) == 1


def test_a_process_takes_its_share_of_the_cores(fresh):
    assert json.loads(fresh.stdout)["threads"] == 1


def test_random_weights_are_the_same_in_another_process(fresh):
    own = [load_backbone(name, None).fingerprint for name in ("cnn", "resnet50")]
    assert json.loads(fresh.stdout)["random"] == own


@pytest.mark.parametrize(
    ("variable", "set_before", "expected"),
    [(None, 0, [2]), ("3", 0, []), (None, 5, [])],
)
def test_the_number_of_threads_is_left_alone_where_the_user_set_it(
    monkeypatch, variable, set_before, expected
):
    taken = []
    threading = SimpleNamespace(
        get_intra_op_parallelism_threads=lambda: set_before,
        set_intra_op_parallelism_threads=taken.append,
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", variable)
    tensorflow = SimpleNamespace(config=SimpleNamespace(threading=threading))
    backend._take_share_of_cores(tensorflow)
    assert taken == expected


def test_what_was_held_back_is_dropped_on_success(capfd):
    with backend._standard_error_held_back():
        os.write(2, b"chatter\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "later\n"


def fail_to_import():
    with backend._standard_error_held_back():
        os.write(2, b"missing symbol\n")
        raise ImportError("no library")


def test_what_was_held_back_is_shown_on_failure(capfd):
    with pytest.raises(ImportError, match="no library"):
        fail_to_import()
    assert capfd.readouterr().err == "missing symbol\n"


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("0", "0")])
def test_onednn_is_on_unless_the_user_says_otherwise(monkeypatch, given, expected):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "before")
    if given is None:
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    else:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", given)
    backend._settle_kernels()
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == expected
