"""The architectures: what builds each backbone, without weights.

To add one, add a line to ``BACKBONES``.

ResNet-50 is there twice. PyTorch builds version 1.5, another function than Keras' own:
the stride of a stage is in its 3x3 convolution, padding is the same on both sides, the
epsilon of batch norm is 1e-5 and convolutions have no bias. Keras' has the stride in
the 1x1 convolution, an epsilon of 1.001e-5 and biases. The shapes of the weights agree,
so that either's would load into the other, and give other features.

EfficientNet-Lite0 is EfficientNet-B0 without squeeze-and-excitation, with ReLU6 in
place of swish and a stem and head of fixed width, made for small processors. Its
ImageNet weights install with pip; layers are named after theirs.

References
----------
He, Zhang, Ren & Sun (2016), "Deep residual learning for image recognition"; Goyal et
al. (2017), "Accurate, large minibatch SGD", for the stride; Tan & Le (2019),
"EfficientNet: rethinking model scaling for convolutional neural networks"; Google
(2020), "Higher accuracy on vision models with EfficientNet-Lite".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from .backend import keras

# Blocks, side of the depthwise kernel, stride of the first block, expansion, channels.
_LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LITE0_STEM, _LITE0_HEAD = 32, 1280
_TORCH_EPSILON = 1e-5
# Blocks, width, stride.
_RESNET_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
_RESNET_EXPANSION = 4


def _build_resnet50() -> Any:
    return keras.applications.ResNet50(
        include_top=False, weights=None, pooling="avg", input_shape=(None, None, 3)
    )


def _build_cnn() -> Any:
    """Build four convolution blocks, as in the published pipeline's first attempt."""
    layers = keras.layers
    x = inputs = keras.Input((None, None, 3), name="image")
    for block, n_filters in enumerate((16, 32, 64, 128), start=1):
        x = layers.Conv2D(n_filters, 3, padding="same", name=f"block{block}_conv")(x)
        x = layers.BatchNormalization(name=f"block{block}_bn")(x)
        x = layers.Activation("relu", name=f"block{block}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_out")(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, x, name="cnn")


def build_resnet50_v15() -> Any:
    """Build the network from preprocessed images to 2048 pooled features.

    Returns
    -------
    keras.Model
    """
    layers = keras.layers
    x = inputs = keras.Input((None, None, 3), name="image")
    x = _convolution(x, "conv1", "bn1", 64, 7, 2)
    x = layers.Activation("relu", name="relu")(x)
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)  # no value is below 0
    x = layers.MaxPooling2D(3, strides=2, name="stem_out")(x)
    for stage, (n_blocks, width, stride) in enumerate(_RESNET_STAGES, start=1):
        for block in range(n_blocks):
            step = stride if block == 0 else 1
            x = _resnet_block(
                x, f"layer{stage}_{block}", width, step, is_first=block == 0
            )
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, x, name="resnet50-v1.5")


def _resnet_block(x: Any, name: str, width: int, stride: int, *, is_first: bool) -> Any:
    """Add what three convolutions change to what came in."""
    layers, shortcut, wide = keras.layers, x, _RESNET_EXPANSION * width
    x = _convolution(x, f"{name}_conv1", f"{name}_bn1", width, 1, 1)
    x = layers.Activation("relu", name=f"{name}_relu1")(x)
    x = _convolution(x, f"{name}_conv2", f"{name}_bn2", width, 3, stride)
    x = layers.Activation("relu", name=f"{name}_relu2")(x)
    x = _convolution(x, f"{name}_conv3", f"{name}_bn3", wide, 1, 1)
    if is_first:
        names = f"{name}_downsample_0", f"{name}_downsample_1"
        shortcut = _convolution(shortcut, *names, wide, 1, stride)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _convolution(
    x: Any, name: str, norm: str, n_filters: int, side: int, stride: int
) -> Any:
    """Convolve, padded by the same on all sides, and normalise."""
    layers = keras.layers
    if side > 1:
        x = layers.ZeroPadding2D(side // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(n_filters, side, strides=stride, use_bias=False, name=name)(x)
    return layers.BatchNormalization(epsilon=_TORCH_EPSILON, name=norm)(x)


def resnet_torch_name(layer: str) -> str:
    """Return what PyTorch calls a layer of this network.

    Examples
    --------
    >>> from glomclf.network.architectures import resnet_torch_name
    >>> resnet_torch_name("layer1_0_downsample_1"), resnet_torch_name("conv1")
    ('layer1.0.downsample.1', 'conv1')
    """
    return layer.replace("_", ".")


def build_efficientnet_lite0() -> Any:
    """Build the network from preprocessed images to 1280 pooled features.

    Returns
    -------
    keras.Model
    """
    layers = keras.layers
    x = inputs = keras.Input((None, None, 3), name="image")
    stem = {"strides": 2, "padding": "same", "use_bias": False}
    x = layers.Conv2D(_LITE0_STEM, 3, **stem, name="conv_stem")(x)
    x = _normalise(x, "bn0", "stem_out")
    place = 0
    for n_blocks, side, stride, expansion, n_channels in _LITE0_STAGES:
        for i in range(n_blocks):
            step = stride if i == 0 else 1
            x = _lite0_block(x, f"block{place}", side, step, expansion, n_channels)
            place += 1
    x = layers.Conv2D(_LITE0_HEAD, 1, use_bias=False, name="conv_head")(x)
    x = _normalise(x, "bn1", "head_relu")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, x, name="efficientnet-lite0")


def _normalise(x: Any, name: str, relu: str) -> Any:
    x = keras.layers.BatchNormalization(name=name)(x)
    return keras.layers.Activation("relu6", name=relu)(x)


def _lite0_block(
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
    >>> from glomclf.network.architectures import lite0_torch_name
    >>> lite0_torch_name("block3_expand_conv"), lite0_torch_name("bn1")
    ('_blocks.3._expand_conv', '_bn1')
    """
    inside = re.sub(r"^block(\d+)_", r"blocks.\1._", layer)
    return f"_{inside}"


class Architecture(NamedTuple):
    """How a backbone is built.

    Attributes
    ----------
    build : callable
        Returns a fresh Keras model: preprocessed images -> pooled features.
    torch_name : callable or None
        Name of a layer -> its name in PyTorch, whose files hold the weights; None
        where Keras' do.
    """

    build: Callable[[], Any]
    torch_name: Callable[[str], str] | None = None


BACKBONES = {
    "resnet50": Architecture(_build_resnet50),
    "resnet50-v1.5": Architecture(build_resnet50_v15, resnet_torch_name),
    "efficientnet-lite0": Architecture(build_efficientnet_lite0, lite0_torch_name),
    "cnn": Architecture(_build_cnn),
}
