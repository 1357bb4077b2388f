"""ResNet-50 as PyTorch builds it: version 1.5, another function than Keras' own.

The stride of a stage is in its 3x3 convolution, padding is the same on both sides, the
epsilon of batch norm is 1e-5 and convolutions have no bias. Keras' has the stride in
the 1x1 convolution, an epsilon of 1.001e-5 and biases. The shapes of the weights agree,
so that either's would load into the other, and give other features.

References
----------
He, Zhang, Ren & Sun (2016), "Deep residual learning for image recognition"; Goyal et
al. (2017), "Accurate, large minibatch SGD", for the stride.
"""

from __future__ import annotations

from typing import Any

from .backend import keras

_EPSILON = 1e-5
_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))  # blocks, width, stride
_EXPANSION = 4


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
    for stage, (n_blocks, width, stride) in enumerate(_STAGES, start=1):
        for block in range(n_blocks):
            step = stride if block == 0 else 1
            x = _block(x, f"layer{stage}_{block}", width, step, is_first=block == 0)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, x, name="resnet50-v1.5")


def _block(x: Any, name: str, width: int, stride: int, *, is_first: bool) -> Any:
    """Add what three convolutions change to what came in."""
    layers, shortcut, wide = keras.layers, x, _EXPANSION * width
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
    return layers.BatchNormalization(epsilon=_EPSILON, name=norm)(x)


def resnet_torch_name(layer: str) -> str:
    """Return what PyTorch calls a layer of this network.

    Examples
    --------
    >>> from glomclf.network.resnet import resnet_torch_name
    >>> resnet_torch_name("layer1_0_downsample_1"), resnet_torch_name("conv1")
    ('layer1.0.downsample.1', 'conv1')
    """
    return layer.replace("_", ".")
