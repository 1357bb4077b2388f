"""One fixed random network a backbone: kernels from a seed, statistics from a file.

Features of a random network are usable where its activations keep their scale, that is
with the batch-norm statistics of its own kernels. Measuring them takes a pass through
the whole network, and their last digits depend on processor and threads. So they were
measured once (``random_statistics.py``) and lie beside this file: the network is the
same everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError
from .backend import keras

STATISTICS_FILE = Path(__file__).with_name("random_statistics.npz")
_SEED = 50
_N_COMPARED = 16  # numbers at the end of all draws that tell whether they are the same


def randomise(name: str, model: Any) -> None:
    """Give a model the fixed random weights of its backbone.

    Kernels follow He et al. (2015), "Delving deep into rectifiers".

    Parameters
    ----------
    name : str
        Key in ``BACKBONES``.
    model : keras.Model
        Freshly built.

    Raises
    ------
    WeightsError
        If this NumPy draws other numbers than those that were measured with.
    """
    last = draw_kernels(model)
    with np.load(STATISTICS_FILE, allow_pickle=False) as kept:
        drawn, statistics = kept[f"{name} kernel"], kept[f"{name} statistics"]
    if not np.array_equal(last, drawn):
        raise WeightsError(
            f"NumPy {np.__version__} draws other random numbers than those that the "
            f"random weights of {name!r} are made of. Pass a weights file, or install "
            "another release of NumPy."
        )
    parts = np.split(statistics, np.cumsum([part.shape[0] for part in _parts(model)]))
    for part, values in zip(_parts(model), parts[:-1], strict=True):
        part.assign(values)


def statistics_of(model: Any) -> np.ndarray:
    """Return the means and variances of all batch-norm layers, one after the other.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    ndarray of shape (n_statistics,), dtype float32
    """
    return np.concatenate([np.asarray(part) for part in _parts(model)])


def draw_kernels(model: Any) -> np.ndarray:
    """Draw all kernels in turn; return the end of the last one.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    ndarray of shape (16,), dtype float32
    """
    rng = np.random.default_rng(_SEED)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            shape = tuple(layer.kernel.shape)
            is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            scale = np.sqrt(2.0 / np.prod(shape[: 2 if is_depthwise else -1]))
            kernel = rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)
            layer.kernel.assign(kernel)
    return kernel.ravel()[-_N_COMPARED:]


def batch_norms(model: Any) -> list[Any]:
    """Return the batch-norm layers of a model."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in model.layers if isinstance(layer, kind)]


def _parts(model: Any) -> list[Any]:
    norms = batch_norms(model)
    return [part for norm in norms for part in (norm.moving_mean, norm.moving_variance)]
