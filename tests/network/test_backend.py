"""Keras on TensorFlow: nothing else will do, and nothing is heard of it."""

import itertools
import json
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from glomclf import PatchClassifier, PatchEncoder
from glomclf.errors import BackendError
from glomclf.network import backend
from glomclf.network.backbones import _cached_backbone, load_backbone
from glomclf.network.cuts import make_trunk
from glomclf.network.engines import _compile_keras


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


def features_and_probabilities():
    """Build a network anew, in whatever state the process is."""
    for cached in (_cached_backbone, make_trunk, _compile_keras):
        cached.cache_clear()
    X = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    net = PatchClassifier(
        "cnn", weights=None, trainable_layers=6, epochs=1, random_state=0
    )
    encoder = PatchEncoder(
        "cnn", weights=None, trainable_layers=6, engine="keras", cache_dir=False
    )
    features = encoder.fit_transform(X)
    probability = net.fit(X, np.arange(6) % 2).predict_proba(X)
    return features, probability


STATES = {
    "floatx": ("float16",),
    "image_data_format": ("channels_first",),
    "dtype_policy": ("mixed_float16",),
}


@pytest.fixture
def settings_restored():
    config = backend.keras.config
    kept = {name: getattr(config, name)() for name in STATES}
    yield config
    for name, value in kept.items():
        getattr(config, f"set_{name}")(value)


def test_settings_of_keras_and_numpy_change_nothing_and_stay(settings_restored):
    features, probability = features_and_probabilities()
    config = settings_restored
    for values in itertools.zip_longest(*STATES.values()):
        given = dict(zip(STATES, values, strict=True))
        for name, value in given.items():
            if value is not None:
                getattr(config, f"set_{name}")(value)
        with np.errstate(all="raise"):
            found = features_and_probabilities()
        np.testing.assert_allclose(found[0], features, rtol=1e-5)
        np.testing.assert_allclose(found[1], probability, rtol=1e-5)
        assert found[0].dtype == np.float32
        assert config.floatx() == given["floatx"]
        assert config.image_data_format() == "channels_first"
        assert config.dtype_policy().name == "mixed_float16"


@pytest.fixture
def tf32():
    numbers = backend.tf.config.experimental
    kept = numbers.tensor_float_32_execution_enabled()
    numbers.enable_tensor_float_32_execution(True)
    yield
    numbers.enable_tensor_float_32_execution(kept)


def test_networks_run_without_tf32_which_is_then_as_before(tf32, monkeypatch):
    is_on = backend.tf.config.experimental.tensor_float_32_execution_enabled
    seen, call = [], backend.keras.Model.__call__

    def noted(*args, **kwargs):
        seen.append(is_on())
        return call(*args, **kwargs)

    monkeypatch.setattr(backend.keras.Model, "__call__", noted)
    features_and_probabilities()
    assert set(seen) == {False}
    assert is_on()


def test_settings_of_keras_return_when_the_last_thread_is_done(settings_restored):
    settings_restored.set_floatx("float64")
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with backend.as_delivered():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(60)
    with backend.as_delivered():
        assert settings_restored.floatx() == "float32"
    assert settings_restored.floatx() == "float32"
    leave.set()
    thread.join()
    assert settings_restored.floatx() == "float64"
