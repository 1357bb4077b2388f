"""What runs the trunk: the fastest way at hand from uint8 images to features.

OpenVINO reports each import and conversion to its makers over the network. It is
imported here so that it does not: glomclf is used where data must not leave the
machine, and where there is no network.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils._param_validation import StrOptions

from .._runtime import n_threads
from ..errors import EngineError

if TYPE_CHECKING:
    from .backbones import Backbone


ENGINE_CONSTRAINTS: dict[str, list] = {
    "engine": [StrOptions({"auto", "keras", "openvino"})],
    "precision": [StrOptions({"float32", "bfloat16"})],
}
Forward = Callable[[np.ndarray], np.ndarray]
_compiling = threading.RLock()
_REPORTER = "openvino_telemetry"
# Larger batches gain nothing on a CPU, and cost memory.
_BATCH_SIZE = 8
_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
_reports_lock = threading.RLock()


def choose_engine(engine: str, precision: str) -> str:
    """Return the engine to use: with "auto" the fastest one that is installed.

    OpenVINO gives Keras' features to 1e-5 of their size in float32, in less time. At a
    lower precision there is no other.

    Parameters
    ----------
    engine : {"auto", "keras", "openvino"}
    precision : {"float32", "bfloat16"}

    Returns
    -------
    {"keras", "openvino"}

    Raises
    ------
    EngineError
        If what is asked for is not installed, or not offered by the engine.

    Examples
    --------
    >>> from glomclf.network.engines import choose_engine
    >>> choose_engine("keras", "float32")
    'keras'
    """
    if engine == "keras" and precision != "float32":
        raise EngineError(
            f"engine='keras' computes in float32, but precision={precision!r} was "
            "given. Pass engine='openvino' or 'auto', or precision='float32'."
        )
    is_there = importlib.util.find_spec("openvino") is not None
    if engine == "keras" or (
        (engine, precision) == ("auto", "float32") and not is_there
    ):
        return "keras"
    if not is_there:
        raise EngineError(
            f"engine={engine!r} with precision={precision!r} needs openvino, which "
            "cannot be imported. Install with python -m pip install openvino, or pass "
            "engine='auto' with precision='float32'."
        )
    return "openvino"


def numerics(precision: str) -> str:
    """Name what decides a feature's digits beside weights, cut and image.

    In float32 the engines differ by as little as two batch sizes of one engine do, so
    that they share features. A lower precision is rounded where a version of OpenVINO
    chooses to.
    """
    if precision == "float32":
        return precision
    return f"{precision} openvino-{version('openvino')}"


def compile_trunk(
    backbone: Backbone, cut: str, engine: str = "keras", precision: str = "float32"
) -> Forward:
    """Compile the frozen part, once per process.

    Parameters
    ----------
    backbone : Backbone
    cut : str
        Layer whose output is given.
    engine : {"keras", "openvino"}, default="keras"
    precision : {"float32", "bfloat16"}, default="float32"

    Returns
    -------
    callable
        uint8 images (n, height, width, 3) -> float32 output of layer ``cut``. It may be
        called from several threads.

    Raises
    ------
    EngineError
        If OpenVINO cannot be imported, or this processor lacks bfloat16.
    """
    with _compiling:  # the caches below let two threads compile the same
        if engine == "keras":
            return _compile_keras(backbone, cut)
        return _compile_openvino(backbone, cut, precision)


def trunk_function(backbone: Backbone, cut: str) -> Any:
    """Return the trunk as a ``tf.function`` of any batch and image size."""
    from .backend import tf
    from .cuts import make_trunk

    model = make_trunk(backbone, cut)
    signature = [tf.TensorSpec((None, None, None, 3), tf.uint8)]
    # Autograph would write a module into the folder of temporary files.
    return tf.function(
        lambda images: model(images, training=False),
        input_signature=signature,
        autograph=False,
    )


@functools.lru_cache(maxsize=8)
def _compile_keras(backbone: Backbone, cut: str) -> Forward:
    """Trace a function, which is quicker than Keras' ``predict``."""
    from .backend import as_delivered

    forward = trunk_function(backbone, cut)
    return as_delivered()(lambda images: forward(images).numpy())


@functools.lru_cache(maxsize=8)
def _compile_openvino(backbone: Backbone, cut: str, precision: str) -> Forward:
    graph = convert(trunk_function(backbone, cut))
    return OpenVinoTrunk(graph, precision, n_threads())


@contextmanager
def _without_reports() -> Iterator[None]:
    """Let the package that sends reports be missing, as its users allow for.

    One thread at a time: all of them share the table of modules.
    """
    with _reports_lock:
        loaded = {n: m for n, m in sys.modules.items() if n.split(".")[0] == _REPORTER}
        for name in loaded:
            del sys.modules[name]
        sys.modules[_REPORTER] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            del sys.modules[_REPORTER]
            sys.modules.update(loaded)


def import_quietly(name: str) -> ModuleType:
    """Import a part of OpenVINO without its reports.

    Raises
    ------
    EngineError
        If the package is there and cannot be imported.
    """
    try:
        with _without_reports():
            return importlib.import_module(name)
    except Exception as error:  # a broken installation raises what it likes
        raise EngineError(
            f"{name} cannot be imported ({type(error).__name__}: {error}). Install it "
            "anew, or pass engine='keras' with precision='float32'."
        ) from error


@contextmanager
def _tensorflow_known() -> Iterator[None]:
    """Tell OpenVINO which TensorFlow there is, which it fails to find out itself.

    It sets a local variable with ``exec``, and Python 3.13 and later drop it.
    """
    from .backend import tf

    utils: Any = import_quietly("openvino.frontend.tensorflow.utils")
    original = utils.get_environment_setup
    utils.get_environment_setup = lambda _: {"tensorflow": tf.__version__}
    try:
        yield
    finally:
        utils.get_environment_setup = original


def convert(function: Any) -> Any:
    """Return a ``tf.function`` as an ``openvino.Model``."""
    openvino = import_quietly("openvino")
    with _without_reports(), _tensorflow_known():
        return openvino.convert_model(function.get_concrete_function())


class OpenVinoTrunk:
    """A compiled graph: uint8 images -> float32 features.

    Parameters
    ----------
    graph : openvino.Model
        Images of any size and number -> output of the cut.
    precision : {"float32", "bfloat16"}
        What its floats are computed in.
    n_threads : int
        Cores to use.

    Raises
    ------
    EngineError
        If this processor does not compute in bfloat16.
    """

    def __init__(self, graph: Any, precision: str, n_threads: int):
        core = import_quietly("openvino").Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bfloat16" and "BF16" not in able:
            raise EngineError(
                "precision='bfloat16' was given, but this processor has no bfloat16 "
                f"instructions (it has {', '.join(able)}). Pass precision='float32'."
            )
        self._core, self._graph = core, graph
        self._settings = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
            "INFERENCE_NUM_THREADS": n_threads,
            "NUM_STREAMS": 1,
        }
        # One batch at a time has all cores; a second would only wait for them.
        self._lock = threading.Lock()
        self._request_for_size = functools.lru_cache(maxsize=2)(self._compile)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Run the images through the graph, a few at a time."""
        parts = []
        with self._lock:
            request = self._request_for_size(images.shape[1:3])
            for start in range(0, len(images), _BATCH_SIZE):
                batch = np.ascontiguousarray(images[start : start + _BATCH_SIZE])
                request.infer({0: batch}, share_inputs=True)
                parts.append(request.get_output_tensor(0).data.copy())
        return np.concatenate(parts)

    def _compile(self, size: tuple[int, int]) -> Any:
        """Fix height and width, which lets OpenVINO choose faster kernels."""
        graph = self._graph.clone()
        graph.reshape([-1, *size, 3])
        compiled = self._core.compile_model(graph, "CPU", self._settings)
        return compiled.create_infer_request()
