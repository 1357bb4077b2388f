"""What runs the trunk: the fastest way at hand from uint8 images to features."""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Callable
from importlib.metadata import version
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
    from .openvino_graph import OpenVinoTrunk, convert

    graph = convert(trunk_function(backbone, cut))
    return OpenVinoTrunk(graph, precision, n_threads())
