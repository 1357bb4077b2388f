"""Measures the batch-norm statistics of the fixed random networks.

    python -m glomclf.network.random_statistics

adds those of new backbones to ``random_statistics.npz``. The others stay as they are: a
measurement on another machine would differ in the last digits. To measure a backbone
again, remove the file.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from .._runtime import written_whole
from .backbones import BACKBONES, load_backbone
from .backend import keras, tf
from .known_layers import LAYERS_FILE, digest_of_shapes
from .random_weights import STATISTICS_FILE, batch_norms, draw_kernels, statistics_of
from .weight_sources import normalization_of

_SEED = 50
_N_IMAGES = 16
_IMAGE_SIZE = 224
# Optical density of PAS' magenta in red, green and blue: most light is lost in green.
_STAIN = (0.25, 0.65, 0.35)
# Outputs that every path from image to features runs through.
_BLOCK_OUTPUT = re.compile(r"_out$|^pool1_pool$|^avg_pool$")


def measure_statistics(model: Any, inputs: Any) -> None:
    """Set batch-norm statistics to those of a batch, layer by layer.

    Parameters
    ----------
    model : keras.Model
    inputs : tensor of shape (n_samples, height, width, 3)
        Preprocessed images.
    """
    norms = batch_norms(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # one pass replaces the statistics
    # Run layer by layer, Keras would hold the output of every layer at once.
    tf.function(model, autograph=False)(inputs, training=True)
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


def _layers(name: str) -> dict[str, Any]:
    """Describe a backbone as `known_layers` knows it."""
    backbone = load_backbone(name, None)
    model = backbone.model
    outputs = {
        layer.name: (place, int(layer.output.shape[-1]))
        for place, layer in enumerate(model.layers)
        if _BLOCK_OUTPUT.search(layer.name)
    }
    return {
        "n_layers": len(model.layers),
        "outputs": outputs,
        "shapes": digest_of_shapes(model.get_weights()),
        "random": backbone.fingerprint,
    }


def _main() -> None:
    images, measured = keras.ops.convert_to_tensor(calibration_batch()), {}
    if STATISTICS_FILE.is_file():
        with np.load(STATISTICS_FILE, allow_pickle=False) as opened:
            measured = dict(opened)
    for name in [name for name in BACKBONES if f"{name} kernel" not in measured]:
        model = BACKBONES[name].build()
        measured[f"{name} kernel"] = draw_kernels(model)
        measure_statistics(model, normalization_of(name, None, None)(images))
        measured[f"{name} statistics"] = statistics_of(model)
    with written_whole(STATISTICS_FILE) as temporary, temporary.open("wb") as file:
        np.savez(file, **measured)
    layers = {name: _layers(name) for name in BACKBONES}
    with written_whole(LAYERS_FILE) as temporary:
        temporary.write_text(json.dumps(layers, indent=1) + "\n")


if __name__ == "__main__":
    _main()
