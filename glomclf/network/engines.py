"""What runs the trunk: the fastest way at hand from uint8 images to features."""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils._param_validation import StrOptions

from .._runtime import n_threads
from ..errors import EngineError

if TYPE_CHECKING:
    from .backbones import Backbone

__all__ = [
    "ENGINE_CONSTRAINTS",
    "choose_engine",
    "compile_trunk",
    "numerics",
]

ENGINE_CONSTRAINTS: dict[str, list] = {
    "engine": [StrOptions({"auto", "keras", "openvino"})],
    "precision": [StrOptions({"float32", "bfloat16", "int8"})],
}
# Raised whenever the graph that int8 is quantised into may change.
_INT8_RECIPE = 1
_compiling = threading.RLock()


def choose_engine(engine: str, precision: str) -> str:
    """Return the engine to use: with "auto" the fastest one that is installed.

    OpenVINO gives Keras' features to 1e-5 of their size in float32, in less time. At a
    lower precision there is no other.

    Parameters
    ----------
    engine : {"auto", "keras", "openvino"}
    precision : {"float32", "bfloat16", "int8"}

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
    needed = ["openvino", "nncf"] if precision == "int8" else ["openvino"]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if engine == "keras" or (engine == "auto" and precision == "float32" and missing):
        return "keras"
    if missing:
        raise EngineError(
            f"engine={engine!r} with precision={precision!r} needs "
            f"{' and '.join(missing)}, which cannot be imported. Install with "
            f"python -m pip install {' '.join(missing)}, or pass engine='auto' with "
            "precision='float32'."
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
    name = f"{precision} openvino-{version('openvino')}"
    if precision == "int8":
        name += f" nncf-{version('nncf')} recipe-{_INT8_RECIPE}"
    return name


def compile_trunk(
    backbone: Backbone,
    cut: str,
    engine: str = "keras",
    precision: str = "float32",
    cache_dir: str | Path | bool | None = False,
) -> Callable[[np.ndarray], np.ndarray]:
    """Compile the frozen part, once per process.

    Parameters
    ----------
    backbone : Backbone
    cut : str
        Layer whose output is given.
    engine : {"keras", "openvino"}, default="keras"
    precision : {"float32", "bfloat16", "int8"}, default="float32"
    cache_dir : path, None or False, default=False
        Where an int8 graph is kept, as calibration takes a while.

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
        # Only int8 keeps a graph: others are the same whatever the folder.
        folder = cache_dir if precision == "int8" else False
        return _compile_openvino(backbone, cut, precision, folder)


@functools.lru_cache(maxsize=8)
def _compile_keras(backbone: Backbone, cut: str) -> Callable[[np.ndarray], np.ndarray]:
    """Trace a ``tf.function`` of any batch and image size: quicker than ``predict``."""
    from .backend import as_delivered, tf
    from .cuts import make_trunk

    model = make_trunk(backbone, cut)
    signature = [tf.TensorSpec((None, None, None, 3), tf.uint8)]

    @tf.function(input_signature=signature, autograph=False)
    def forward(images):
        return model(images, training=False)

    return as_delivered()(lambda images: forward(images).numpy())


@functools.lru_cache(maxsize=8)
def _compile_openvino(
    backbone: Backbone, cut: str, precision: str, cache_dir: str | Path | bool | None
) -> Callable[[np.ndarray], np.ndarray]:
    from .openvino_graph import OpenVinoTrunk, convert_trunk

    if precision != "int8":
        graph = convert_trunk(backbone, cut)
        return OpenVinoTrunk(graph, precision, n_threads())
    from .quantisation import int8_graph

    name = f"{backbone.name} {backbone.fingerprint} {cut} {numerics(precision)}"
    graph = int8_graph(lambda: convert_trunk(backbone, cut), name, cache_dir)
    return OpenVinoTrunk(graph, "float32", n_threads())
