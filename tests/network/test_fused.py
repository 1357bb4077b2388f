"""Kernels give what Keras' own operations give."""

import numpy as np
import pytest

from glomclf.network.backend import keras, tf
from glomclf.network.fused import OPTIMIZERS, BatchNormalization


def moved(optimizer):
    """Return weights after a few steps along the same random gradients."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((5, 7)).astype("float32")
    weights = [keras.Variable(start), keras.Variable(start[0])]
    optimizer.build(weights)
    for _ in range(5):
        gradients = [rng.standard_normal(w.shape).astype("float32") for w in weights]
        optimizer.apply([tf.constant(gradient) for gradient in gradients], weights)
    return [weight.numpy() for weight in weights]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_moves_weights_as_that_of_keras(name):
    settings = {"momentum": 0.9, "nesterov": True} if name == "sgd" else {}
    ours = OPTIMIZERS[name]
    by_keras = getattr(keras.optimizers, ours.__name__)
    for array, expected in zip(
        moved(ours(0.05, **settings)), moved(by_keras(0.05, **settings)), strict=True
    ):
        np.testing.assert_allclose(array, expected, atol=1e-5)


def passed_through(kind, shape, precision):
    """Return output, gradients and statistics of a batch norm in training."""
    rng = np.random.default_rng(1)
    x = tf.constant(rng.normal(1, 3, shape).astype("float32"))
    layer = kind(momentum=0.9, dtype=precision)
    layer.build(shape)
    layer.gamma.assign(np.linspace(0.5, 2, shape[-1]))
    layer.beta.assign(np.linspace(-1, 1, shape[-1]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = tf.cast(layer(x, training=True), "float32")
        loss = tf.reduce_sum(output**2 * rng.normal(size=shape).astype("float32"))
    watched = [x, layer.gamma.value, layer.beta.value]
    return [
        output,
        *tape.gradient(loss, watched),
        layer.moving_mean.numpy(),
        layer.moving_variance.numpy(),
    ]


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [(4, 5, 6, 8), (2, 1, 1, 8)])
def test_a_batch_norm_gives_and_keeps_what_that_of_keras_does(shape, precision):
    ours = passed_through(BatchNormalization, shape, precision)
    by_keras = passed_through(keras.layers.BatchNormalization, shape, precision)
    for array, expected in zip(ours, by_keras, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-4)


def test_a_frozen_batch_norm_keeps_its_statistics_in_training():
    layer = BatchNormalization(trainable=False)
    x = np.full((2, 3, 3, 4), 5.0, "float32")
    output = layer(x, training=True)
    np.testing.assert_allclose(output, x / np.sqrt(1 + layer.epsilon), rtol=1e-6)
    assert layer.moving_mean.numpy().max() == 0
