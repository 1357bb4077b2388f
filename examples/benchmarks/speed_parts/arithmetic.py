"""How many multiplications a step of training takes, with the trunk and without.

What the trunk saves an epoch cannot be more than this, however it is computed, as long
as all of it is computed in the same precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glomclf.network.backbones import Backbone
from glomclf.network.known_layers import layers_of


def saved_by_trunk(backbone: Backbone, trainable_layers: int, image_size: int) -> float:
    """Divide the multiplications of an epoch from images by those from feature maps.

    Each convolution multiplies once for its output; once more for the gradient of its
    weights where they are trained; and once more for that of its input where a trained
    layer lies below it.

    Parameters
    ----------
    backbone : Backbone
    trainable_layers : int
        At least 1.
    image_size : int

    Returns
    -------
    float
        At least 1.
    """
    layers = backbone.model.layers
    forward = _multiplications(backbone.model, image_size)
    place = {layer.name: number for number, layer in enumerate(layers)}
    trained = len(layers) - layers_of(backbone.name).n_trainable(trainable_layers)
    first = min(n for n, count in enumerate(forward) if count and n >= trained)
    backward = forward[first:].sum() + forward[first + 1 :].sum()
    cut = backbone.cut(trainable_layers)
    above = 0 if cut is None else place[cut] + 1
    return float((forward.sum() + backward) / (forward[above:].sum() + backward))


def _multiplications(model: Any, image_size: int) -> np.ndarray:
    """Count those of each layer's output for one image, in the model's order."""
    from glomclf.network.backend import keras

    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    outputs = keras.Model(model.input, [layer.output for layer in layers])
    image = keras.KerasTensor((1, image_size, image_size, 3))
    shapes = [made.shape for made in outputs.compute_output_spec(image)]
    counts = {
        layer.name: np.prod(shape[1:-1]) * np.prod(layer.kernel.shape)
        for layer, shape in zip(layers, shapes, strict=True)
    }
    return np.array([counts.get(layer.name, 0.0) for layer in model.layers])
