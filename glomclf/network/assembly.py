"""The network that is trained: trunk (where images come in), tail, head, compiled."""

from __future__ import annotations

import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..data.augmenter import PatchAugmenter
from .backbones import Backbone
from .backend import as_delivered, keras, tf
from .batches import ArrayBatches
from .cuts import LIVE_MOMENTUM, make_tail, make_trunk
from .epochs import run_epochs
from .known_layers import layers_of
from .optimisation import Course, NetworkSpec, make_optimizer
from .programs import BatchEpochs, lent_program

_SMALL = 2**28  # bytes of an array of features that TensorFlow may hold whole
# The first network of its class has Keras exchange the bases of the class, which
# two threads (workers of dask, joblib's threads) must not do at once.
_MAKING = threading.Lock()


class BatchedModel(keras.Model):  # type: ignore[name-defined]
    """A Keras model whose ``fit`` and ``predict`` turn arrays into batches.

    SciKeras hands whole arrays to the model it wraps; this is where they are cut. The
    function that builds the model sets what follows.

    Attributes
    ----------
    spec : NetworkSpec
    course : Course
        What its training has beside weights and optimizer.
    """

    spec: NetworkSpec
    course: Course

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        sample_weight: np.ndarray | None = None,
        batch_size: int = 32,
        validation_data: tuple[np.ndarray, np.ndarray] | None = None,
        epochs: int = 1,
        augmenter: PatchAugmenter | None = None,
        between_epochs: dict[str, Any] | None = None,
        **_of_scikeras: Any,
    ) -> Any:
        """Measure the features of the training rows, then train in shuffled batches.

        ``between_epochs`` are further options of `run_epochs`.
        """
        options = {"epochs": epochs, **(between_epochs or {})}
        self._standardise(x, batch_size)
        smoothing = self.spec.label_smoothing
        train = ArrayBatches(
            x,
            y * np.float32(1 - smoothing) + np.float32(smoothing / 2),
            sample_weight,
            batch_size=batch_size,
            shuffle_seed=self.spec.seed,
            augmenter=augmenter,
            are_even=self.course.has_batch_statistics,
        )
        judged = validation_data and ArrayBatches(
            *validation_data, batch_size=batch_size
        )
        if _is_small(x):
            make = partial(build_network, self.spec, None)
            with lent_program(make, self, train, judged) as program:
                history = run_epochs(program, train, **options)
        else:
            history = run_epochs(BatchEpochs(self, train, judged), train, **options)
        return SimpleNamespace(history=history)

    def _standardise(self, x: Any, batch_size: int) -> None:
        """Give the head's first layer the mean and variance of the training rows."""
        layer = self.get_layer("standardise")
        features = x
        if layer.input is not self.inputs[0]:
            below = keras.Model(self.inputs, layer.input)
            features = below.predict(ArrayBatches(x, batch_size=batch_size), verbose=0)
        mean = features.mean(axis=0, dtype=np.float64)
        variance = features.var(axis=0, dtype=np.float64)
        variance[variance == 0.0] = 1.0  # a constant feature says nothing, at any scale
        layer.set_weights([mean.astype(np.float32), variance.astype(np.float32)])

    @as_delivered()
    def predict(self, x: Any, *, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Predict the array in its order: in batches, or small features whole."""
        if _is_small(x):
            # To trace a head's function takes longer than to run all of it.
            return self(tf.constant(x), training=False).numpy()
        return super().predict(ArrayBatches(x, batch_size=batch_size or 32), **kwargs)


def _is_small(x: np.ndarray) -> bool:
    return x.ndim == 2 and x.nbytes <= _SMALL


@as_delivered()
def build_network(spec: NetworkSpec, backbone: Backbone | None) -> BatchedModel:
    """Build and compile the network above its input.

    Parameters
    ----------
    spec : NetworkSpec
    backbone : Backbone or None
        None only where the input is pooled features, so that the head is all.

    Returns
    -------
    BatchedModel
    """
    inputs, x = _rows(spec, backbone)
    tail = None
    if backbone is not None:
        tail = make_tail(backbone, spec.trainable_layers, spec.policy)
        x = x if tail is None else tail(x)
    is_live = backbone is not None and layers_of(backbone.name).is_whole(
        spec.trainable_layers
    )
    outputs = _head(x, spec, is_live)
    with _MAKING:
        model = BatchedModel(inputs, outputs, name="glomeruli")
    trained = [] if tail is None else [la for la in tail.layers if la.trainable]
    moved = [] if tail is None else tail.trainable_variables
    model.compile(
        optimizer=make_optimizer(spec, frozenset(v.path for v in moved)),
        loss="binary_crossentropy",
        metrics=[accuracy],
        jit_compile=False,  # compiling costs more than these small heads gain
    )
    model.spec, model.course = spec, Course(model, spec, trained)
    return model


@as_delivered()
def build_map_network(model: BatchedModel, backbone: Backbone) -> Any:
    """Build the part of a network with a tail up to its last feature maps.

    Parameters
    ----------
    model : BatchedModel
        As from `build_network`; weights are shared with it.
    backbone : Backbone
        As there.

    Returns
    -------
    keras.Model
        Rows -> the maps that the pooling, the last layer of the tail, takes.
    """
    (tail,) = (la for la in _owned_layers(model) if isinstance(la, keras.Model))
    inputs, x = _rows(model.spec, backbone)
    if len(tail.layers) > 2:  # more than its input and the pooling
        x = keras.Model(tail.input, tail.layers[-2].output)(x)
    return keras.Model(inputs, x, name="maps")


def _rows(spec: NetworkSpec, backbone: Backbone | None) -> tuple[Any, Any]:
    """Return the input, and what the frozen part makes of it where images come in."""
    dtype = "uint8" if spec.from_images else "float32"
    x = inputs = keras.Input(spec.input_shape, dtype=dtype, name="rows")
    if backbone is not None and spec.from_images:
        cut = backbone.cut(spec.trainable_layers)
        if cut is None:
            x = backbone.preprocess(keras.ops.cast(x, "float32"))
        else:
            x = make_trunk(backbone, cut)(x)
    return inputs, x


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Compare predictions with labels, be these smoothed or not."""
    labels = keras.ops.cast(y_true > 0.5, "float32")
    return keras.metrics.binary_accuracy(labels, y_pred)


def _head(x: Any, spec: NetworkSpec, is_live: bool) -> Any:
    """Standardise the features, and add the head: Dense, Dropout, one sigmoid unit.

    The head is that of the published pipeline. Without standardising, the scale of the
    features, which differs from one set of weights to another, would decide whether
    the learning rate fits. Where the whole network is trained (``is_live``) its
    features leave the scale they began with behind, and their mean and variance follow
    them as in any batch norm.
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
    """Give the layers above the cut the weights that ``owned_weights`` returned.

    Raises
    ------
    ValueError
        If they are not as many, or of other shapes.
    """
    variables = [v for layer in _owned_layers(model) for v in layer.weights]
    for variable, array in zip(variables, weights, strict=True):
        variable.assign(array)
