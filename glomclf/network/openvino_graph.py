"""The trunk as an OpenVINO graph.

OpenVINO reports each import and conversion to its makers over the network.
This room imports it so that it does not: glomclf is used where data must not leave
the machine, and where there is no network.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import EngineError

_REPORTER = "openvino_telemetry"
# Larger batches gain nothing on a CPU, and cost memory.
_BATCH_SIZE = 8
_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
_reports_lock = threading.RLock()


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
