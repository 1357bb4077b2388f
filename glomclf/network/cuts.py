"""A backbone cut in two: the trunk, which never changes, and the tail.

It is cut at the last block output before the first trainable layer. What lies below
runs once per image; what lies above is copied afresh for every fit.
"""

from __future__ import annotations

import functools
from typing import Any

from .backbones import Backbone
from .backend import as_delivered, keras
from .fused import BatchNormalization
from .known_layers import layers_of

# Of batch-norm statistics where the whole network is trained: by Keras' own 0.99 they
# still tell of the untrained network when a small data set has been seen a few times.
LIVE_MOMENTUM = 0.9


@functools.lru_cache(maxsize=8)
@as_delivered()
def make_trunk(backbone: Backbone, cut: str) -> Any:
    """Return the frozen part as a model: uint8 images -> output of layer ``cut``."""
    images = keras.Input((None, None, 3), dtype="uint8", name="images")
    pixels = keras.ops.cast(images, "float32")
    body = keras.Model(backbone.model.input, backbone.model.get_layer(cut).output)
    trunk = keras.Model(images, body(backbone.preprocess(pixels)), name="trunk")
    trunk.trainable = False
    return trunk


@as_delivered()
def make_tail(
    backbone: Backbone, trainable_layers: int | str, policy: str = "float32"
) -> Any | None:
    """Return a fresh copy of the part above the cut, None where nothing lies there.

    Only the last ``trainable_layers`` Keras layers of the copy are trainable, but for
    batch norms, which stay in inference mode. Where no layer is frozen they are
    trained too, and their statistics follow training closely. ``policy`` is Keras' name
    of the precision the layers compute in.
    """
    cut = backbone.cut(trainable_layers)
    model = backbone.model
    if cut == model.layers[-1].name:
        return None
    shared = (
        model if cut is None else keras.Model(model.get_layer(cut).output, model.output)
    )
    changed: dict[str, Any] = {"dtype": policy}
    layers = layers_of(backbone.name)
    is_whole = layers.is_whole(trainable_layers)
    if is_whole:
        changed["momentum"] = LIVE_MOMENTUM
    tail = keras.models.clone_model(
        shared, clone_function=lambda layer: _copy_layer(layer, changed)
    )
    tail.set_weights(shared.get_weights())
    n_frozen = layers.n_layers - layers.n_trainable(trainable_layers)
    trained = {layer.name for layer in model.layers[n_frozen:]}
    for layer in tail.layers:
        # Statistics of small batches would undo what the weights were trained with.
        is_kept = isinstance(layer, BatchNormalization) and not is_whole
        layer.trainable = layer.name in trained and not is_kept
    return tail


def _copy_layer(layer: Any, changed: dict[str, Any]) -> Any:
    """Copy a layer, with other settings where it has them."""
    settings = layer.get_config()
    known = {name: value for name, value in changed.items() if name in settings}
    kind = type(layer)
    if kind is keras.layers.BatchNormalization:
        kind = BatchNormalization
    return kind.from_config({**settings, **known})
