"""One fixed random network a backbone: kernels from a seed, statistics from a file.

Features of a random network are usable where its activations keep their scale, that is
with the batch-norm statistics of its own kernels. Measuring them takes a pass through
the whole network, and their last digits depend on processor and threads. So they were
measured once and lie beside this file: the network is the same everywhere.

    python -m glomclf.network.random_weights

measures them again and writes them there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from .._runtime import written_whole
from ..errors import WeightsError
from .backend import keras, tf

__all__ = ["calibration_batch", "measure_statistics", "randomise", "statistics_of"]

_FILE = Path(__file__).with_name("random_statistics.npz")
_SEED = 50
_N_IMAGES = 16
_IMAGE_SIZE = 224
# Optical density of PAS' magenta in red, green and blue: most light is lost in green.
_STAIN = (0.25, 0.65, 0.35)
_N_COMPARED = 16  # numbers at the end of all draws that tell whether they are the same


def randomise(name: str, model: Any) -> None:
    """Give a model the fixed random weights of its backbone.

    Kernels follow He et al. (2015), "Delving deep into rectifiers".

    Parameters
    ----------
    name : {"resnet50", "cnn"}
    model : keras.Model
        Freshly built.

    Raises
    ------
    WeightsError
        If this NumPy draws other numbers than those that were measured with.
    """
    last = _draw_kernels(model)
    with np.load(_FILE, allow_pickle=False) as kept:
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


def measure_statistics(model: Any, inputs: Any) -> None:
    """Set batch-norm statistics to those of a batch, layer by layer.

    Parameters
    ----------
    model : keras.Model
    inputs : tensor of shape (n_samples, height, width, 3)
        Preprocessed images.
    """
    norms = _norms(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # one pass replaces the statistics
    # Run layer by layer, Keras would hold the output of every layer at once.
    tf.function(model)(inputs, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def calibration_batch() -> np.ndarray:
    """Draw images: blobs of all sizes in the colours of a stain.

    Beer and Lambert's law turns the density of the stain into colour.

    Returns
    -------
    ndarray of shape (16, 224, 224, 3), dtype float32
        In [0, 255].
    """
    rng = np.random.default_rng(_SEED)
    side = _IMAGE_SIZE
    images = np.empty((_N_IMAGES, side, side, 3), dtype=np.float32)
    for image in images:
        blobs = sum(
            size * gaussian_filter(rng.normal(size=(side, side)), size)
            for size in (1, 3, 8, 20)
        )
        blobs /= np.std(blobs)
        density = np.clip(0.55 + 0.35 * blobs + 0.12 * rng.normal(), 0.0, None)
        stain = np.array(_STAIN) + 0.06 * rng.normal(size=3)
        image[:] = 255.0 * np.exp(-density[..., None] * stain)
    return images


def _draw_kernels(model: Any) -> np.ndarray:
    """Draw all kernels in turn; return the end of the last one."""
    rng = np.random.default_rng(_SEED)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            shape = tuple(layer.kernel.shape)
            scale = np.sqrt(2.0 / np.prod(shape[:-1]))
            kernel = rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)
            layer.kernel.assign(kernel)
    return kernel.ravel()[-_N_COMPARED:]


def _norms(model: Any) -> list[Any]:
    kind = keras.layers.BatchNormalization
    return [layer for layer in model.layers if isinstance(layer, kind)]


def _parts(model: Any) -> list[Any]:
    norms = _norms(model)
    return [part for norm in norms for part in (norm.moving_mean, norm.moving_variance)]


def _measure_all() -> dict[str, np.ndarray]:
    from .resnet50 import BACKBONES

    images, measured = keras.ops.convert_to_tensor(calibration_batch()), {}
    for name, (build, preprocess) in BACKBONES.items():
        model = build(None)
        measured[f"{name} kernel"] = _draw_kernels(model)
        measure_statistics(model, preprocess(images))
        measured[f"{name} statistics"] = statistics_of(model)
    return measured


if __name__ == "__main__":
    arrays: dict[str, Any] = _measure_all()
    with written_whole(_FILE) as temporary, temporary.open("wb") as opened:
        np.savez(opened, **arrays)
