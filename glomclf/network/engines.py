"""What runs the trunk: the fastest way at hand from uint8 images to features."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from .backend import tf
from .resnet50 import Backbone, make_trunk

__all__ = ["compile_trunk"]


@functools.lru_cache(maxsize=8)
def compile_trunk(backbone: Backbone, cut: str) -> Callable[[np.ndarray], np.ndarray]:
    """Compile the frozen part once per process.

    A ``tf.function`` of any batch and image size is quicker than ``predict``.

    Returns
    -------
    callable
        uint8 images (n, height, width, 3) -> float32 output of layer ``cut``.
    """
    model = make_trunk(backbone, cut)
    signature = [tf.TensorSpec((None, None, None, 3), tf.uint8)]

    @tf.function(input_signature=signature)
    def forward(images):
        return model(images, training=False)

    return lambda images: forward(images).numpy()
