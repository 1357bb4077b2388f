"""Keras on TensorFlow, imported in one place and without its start-up chatter.

Only modules that need Keras import this one, and they are imported on first use.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType

from .._runtime import n_threads
from ..errors import BackendError

_MODULES = ("keras", "tensorflow", "scikeras.wrappers")
_QUIET = "3"


@contextmanager
def _standard_error_held_back() -> Iterator[None]:
    """Keep what compiled code writes to standard error, show it only on failure."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(original, held.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


def _import_backend() -> tuple[ModuleType, ...]:
    """Import Keras and TensorFlow, quietly unless ``TF_CPP_MIN_LOG_LEVEL`` is set.

    TensorFlow's libraries log before they read their own log level, so that only
    holding standard error back while they load keeps the user's screen clean. The level
    set here is inherited by worker processes, which must be as quiet.
    """
    if "keras" not in sys.modules:  # else its backend is settled already
        _check_backend(os.environ.setdefault("KERAS_BACKEND", "tensorflow"))
    _settle_kernels()
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _QUIET)
    if level != _QUIET or "tensorflow" in sys.modules:
        return tuple(importlib.import_module(name) for name in _MODULES)
    with _standard_error_held_back():
        modules = tuple(importlib.import_module(name) for name in _MODULES)
    # Every fit builds a network of its own, which TensorFlow calls a mistake.
    modules[1].get_logger().setLevel("ERROR")
    return modules


def _settle_kernels() -> None:
    """Have TensorFlow run with oneDNN, where nobody has said otherwise.

    TensorFlow turns it on by itself for the newest processors only; on others too it
    trains networks faster than TensorFlow's own kernels. Digits depend on it. It is
    read when TensorFlow starts.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _take_share_of_cores(tensorflow: ModuleType) -> None:
    """Leave the other workers of joblib their cores, unless the user set a number."""
    is_untouched = tensorflow.config.threading.get_intra_op_parallelism_threads() == 0
    if is_untouched and "TF_NUM_INTRAOP_THREADS" not in os.environ:
        # Fails where TensorFlow runs already: then its user chose the threads.
        with suppress(RuntimeError):
            tensorflow.config.threading.set_intra_op_parallelism_threads(n_threads())


def _check_backend(name: str) -> None:
    if name != "tensorflow":
        raise BackendError(
            f"Keras runs on {name!r}, but glomclf's networks need 'tensorflow'. Set "
            "KERAS_BACKEND=tensorflow in the environment before Keras is imported."
        )


_settings = threading.Lock()
_found: tuple[str, str, bool] = ("float32", "channels_last", True)
_n_inside = 0


@contextmanager
def as_delivered() -> Iterator[None]:
    """Build and run networks in float32 with channels last, whatever the user has set.

    Layers, losses, optimizers and SciKeras take the precision and the order of
    channels of the whole process where they are not told. Those are set here while any
    thread is inside, and then set back. So is TF32, in which newer GPUs round what is
    multiplied to 10 bits: features of a CPU and of a GPU share one cache.
    """
    global _found, _n_inside
    config, numbers = keras.config, tf.config.experimental
    policy = config.dtype_policy()  # of this thread alone
    with _settings:
        if _n_inside == 0:
            tf32 = numbers.tensor_float_32_execution_enabled()
            _found = config.floatx(), config.image_data_format(), tf32
            numbers.enable_tensor_float_32_execution(False)
            config.set_floatx("float32")
            config.set_image_data_format("channels_last")
        _n_inside += 1
    config.set_dtype_policy("float32")
    try:
        yield
    finally:
        config.set_dtype_policy(policy)
        with _settings:
            _n_inside -= 1
            if _n_inside == 0:
                config.set_floatx(_found[0])
                config.set_image_data_format(_found[1])
                numbers.enable_tensor_float_32_execution(_found[2])


_is_forked = False


def _note_fork() -> None:
    global _is_forked
    _is_forked = True


def refuse_fork() -> None:
    """Refuse to run in a fork of a process that has loaded TensorFlow.

    Its threads do not survive a fork, and the child would wait for them for ever.

    Raises
    ------
    BackendError
        If this process is such a fork.
    """
    if _is_forked:
        raise BackendError(
            "This process was forked from one that had loaded TensorFlow, which cannot "
            "run in it. Use workers that start afresh: joblib's 'loky' (its default) "
            "instead of 'multiprocessing', Dask, or multiprocessing's 'spawn'."
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
keras, tf, wrappers = _import_backend()
_check_backend(keras.backend.backend())
_take_share_of_cores(tf)
