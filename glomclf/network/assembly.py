"""The network that is trained: trunk (where images come in), tail, head, compiled."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from .backbones import Backbone
from .backend import as_delivered, keras
from .batches import BatchedModel
from .cuts import LIVE_MOMENTUM, make_tail, make_trunk
from .optimisation import Course, TrainingSpec, make_optimizer

__all__ = [
    "HeadSpec",
    "build_map_network",
    "build_network",
    "owned_weights",
    "set_owned_weights",
]

# bfloat16 takes products; weights and their updates stay in float32.
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
# The first network of its class has Keras exchange the bases of the class, which
# two threads (workers of dask, joblib's threads) must not do at once.
_MAKING = threading.Lock()


@dataclass(frozen=True)
class HeadSpec:
    """What the user chose for the head and its training."""

    dense_units: int
    dropout: float
    optimizer: str
    learning_rate: float
    seed: int
    precision: str = "float32"
    training: TrainingSpec = field(default_factory=TrainingSpec)

    @property
    def policy(self) -> str:
        """Keras' name of the precision."""
        return _POLICIES[self.precision]

    @property
    def compiled_in(self) -> HeadSpec:
        """Return what is compiled into steps; the rest lies in variables."""
        return replace(self, learning_rate=0.0, seed=0)


@as_delivered()
def build_network(
    input_shape: tuple[int, ...],
    backbone: Backbone | None,
    trainable_layers: int | str,
    spec: HeadSpec,
    *,
    from_images: bool,
) -> BatchedModel:
    """Build and compile the network above its input.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row: (height, width, 3) of an image, or what the trunk gives.
    backbone : Backbone or None
        None only where the input is pooled features, so that the head is all.
    trainable_layers : int or "all"
    spec : HeadSpec
    from_images : bool
        Whether uint8 images come in rather than the trunk's output.

    Returns
    -------
    BatchedModel
    """
    dtype = "uint8" if from_images else "float32"
    x = inputs = keras.Input(input_shape, dtype=dtype, name="rows")
    tail = None
    if backbone is not None:
        if from_images:
            x = _frozen_part(x, backbone, trainable_layers)
        tail = make_tail(backbone, trainable_layers, spec.policy)
        x = x if tail is None else tail(x)
    is_live = backbone is not None and backbone.is_whole(trainable_layers)
    outputs = _head(x, spec, is_live)
    with _MAKING:
        model = BatchedModel(inputs, outputs, name="glomeruli")
    model.shuffle_seed = spec.seed
    model.compiled_in = (input_shape, spec.compiled_in)
    model.make_again = partial(
        build_network,
        input_shape,
        backbone,
        trainable_layers,
        spec,
        from_images=from_images,
    )
    _compile(model, spec, tail)
    return model


@as_delivered()
def build_map_network(
    model: BatchedModel,
    backbone: Backbone,
    trainable_layers: int | str,
    *,
    from_images: bool,
) -> Any:
    """Build the part of a network with a tail up to its last feature maps.

    Parameters
    ----------
    model : BatchedModel
        As from `build_network`; weights are shared with it.
    backbone, trainable_layers, from_images
        As there.

    Returns
    -------
    keras.Model
        Rows -> the maps that the pooling, the last layer of the tail, takes.
    """
    (tail,) = (la for la in _owned_layers(model) if isinstance(la, keras.Model))
    dtype = "uint8" if from_images else "float32"
    x = inputs = keras.Input(model.input_shape[1:], dtype=dtype, name="rows")
    if from_images:
        x = _frozen_part(x, backbone, trainable_layers)
    if len(tail.layers) > 2:  # more than its input and the pooling
        x = keras.Model(tail.input, tail.layers[-2].output)(x)
    return keras.Model(inputs, x, name="maps")


def _compile(model: BatchedModel, spec: HeadSpec, tail: Any | None) -> None:
    """Give a network its optimizer, its loss and the course of its training."""
    trained = [] if tail is None else [la for la in tail.layers if la.trainable]
    moved = [] if tail is None else tail.trainable_variables
    if (smoothing := spec.training.label_smoothing) > 0:
        model.training_loss = keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
    model.compile(
        optimizer=make_optimizer(
            spec.optimizer,
            spec.learning_rate,
            spec.training,
            frozenset(variable.path for variable in moved),
        ),
        loss="binary_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # compiling costs more than these small heads gain
    )
    model.course = Course(model, spec.learning_rate, spec.training, trained)


def _frozen_part(images: Any, backbone: Backbone, trainable_layers: int | str) -> Any:
    cut = backbone.cut(trainable_layers)
    if cut is None:
        return backbone.preprocess(keras.ops.cast(images, "float32"))
    return make_trunk(backbone, cut)(images)


def _head(x: Any, spec: HeadSpec, is_live: bool) -> Any:
    """Add the seed's head (Dense, Dropout, one sigmoid unit) to standardised features.

    Otherwise the scale of the features, which differs from one set of weights to
    another, would decide whether the learning rate fits. Where the whole network is
    trained (``is_live``) its features leave the scale they began with behind, and
    their mean and variance follow them as in any batch norm.
    """
    layers, glorot = keras.layers, keras.initializers.GlorotUniform
    # Frozen, it only applies the mean and variance that fit measures before training,
    # which the features of frozen layers keep, and those of the last few nearly so.
    x = layers.BatchNormalization(
        center=False,
        scale=False,
        momentum=LIVE_MOMENTUM,
        trainable=is_live,
        dtype="float32",
        name="standardise",
    )(x)
    hidden = layers.Dense(
        spec.dense_units,
        activation="relu",
        kernel_initializer=glorot(seed=spec.seed),
        dtype=spec.policy,
        name="hidden",
    )
    output = layers.Dense(
        1,
        activation="sigmoid",
        kernel_initializer=glorot(seed=spec.seed + 1),
        dtype="float32",  # a probability has more digits than bfloat16
        name="output",
    )
    dropout = layers.Dropout(
        spec.dropout, seed=spec.seed, dtype=spec.policy, name="dropout"
    )
    return output(dropout(hidden(x)))


def _owned_layers(model: BatchedModel) -> list[Any]:
    return [layer for layer in model.layers if layer.name != "trunk"]


def owned_weights(model: BatchedModel) -> list[np.ndarray]:
    """Return the weights above the cut: all that a fit can change."""
    return [array for layer in _owned_layers(model) for array in layer.get_weights()]


def set_owned_weights(model: BatchedModel, weights: list[np.ndarray]) -> None:
    """Give the layers above the cut the weights that ``owned_weights`` returned."""
    remaining = list(weights)
    for layer in _owned_layers(model):
        n_arrays = len(layer.get_weights())
        layer.set_weights(remaining[:n_arrays])
        del remaining[:n_arrays]
    if remaining:
        raise ValueError(f"{len(remaining)} more weight arrays than the network holds.")
