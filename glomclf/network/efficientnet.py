"""EfficientNet-Lite0, whose ImageNet weights install with pip.

EfficientNet-B0 without squeeze-and-excitation, with ReLU6 in place of swish and a stem
and head of fixed width, made for small processors. Layers are named after those of the
weights' package.

References
----------
Tan & Le (2019), "EfficientNet: rethinking model scaling for convolutional neural
networks"; Google (2020), "Higher accuracy on vision models with EfficientNet-Lite".
"""

from __future__ import annotations

import re
from typing import Any

from .backend import keras

# Blocks, side of the depthwise kernel, stride of the first block, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD = 32, 1280


def build_efficientnet_lite0() -> Any:
    """Build the network from preprocessed images to 1280 pooled features.

    Returns
    -------
    keras.Model
    """
    layers = keras.layers
    x = inputs = keras.Input((None, None, 3), name="image")
    stem = {"strides": 2, "padding": "same", "use_bias": False}
    x = layers.Conv2D(_STEM, 3, **stem, name="conv_stem")(x)
    x = _normalise(x, "bn0", "stem_out")
    place = 0
    for n_blocks, side, stride, expansion, n_channels in _STAGES:
        for i in range(n_blocks):
            step = stride if i == 0 else 1
            x = _block(x, f"block{place}", side, step, expansion, n_channels)
            place += 1
    x = layers.Conv2D(_HEAD, 1, use_bias=False, name="conv_head")(x)
    x = _normalise(x, "bn1", "head_relu")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, x, name="efficientnet-lite0")


def _normalise(x: Any, name: str, relu: str) -> Any:
    x = keras.layers.BatchNormalization(name=name)(x)
    return keras.layers.Activation("relu6", name=relu)(x)


def _block(
    x: Any, name: str, side: int, stride: int, expansion: int, n_channels: int
) -> Any:
    """Expand channels, convolve each alone, project them onto fewer."""
    layers, inputs, n_inputs = keras.layers, x, x.shape[-1]
    plain: dict[str, Any] = {"use_bias": False}
    if expansion != 1:
        n_wide = expansion * n_inputs
        x = layers.Conv2D(n_wide, 1, **plain, name=f"{name}_expand_conv")(x)
        x = _normalise(x, f"{name}_bn0", f"{name}_expand_relu")
    each = {**plain, "strides": stride, "padding": "same"}
    x = layers.DepthwiseConv2D(side, **each, name=f"{name}_depthwise_conv")(x)
    x = _normalise(x, f"{name}_bn1", f"{name}_depthwise_relu")
    x = layers.Conv2D(n_channels, 1, **plain, name=f"{name}_project_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn2")(x)
    if stride == 1 and n_channels == n_inputs:
        return layers.Add(name=f"{name}_out")([x, inputs])
    return layers.Identity(name=f"{name}_out")(x)


def lite0_torch_name(layer: str) -> str:
    """Return what the weights' package calls a layer of this network.

    Examples
    --------
    >>> from glomclf.network.efficientnet import lite0_torch_name
    >>> lite0_torch_name("block3_expand_conv"), lite0_torch_name("bn1")
    ('_blocks.3._expand_conv', '_bn1')
    """
    inside = re.sub(r"^block(\d+)_", r"blocks.\1._", layer)
    return f"_{inside}"
