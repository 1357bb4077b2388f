"""How weights are moved: the optimizer, its pace, and the parts of training.

All that may differ between two fits of one compiled program (rates, numbers of steps)
lies in variables, never in the graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from .backend import keras
from .fused import OPTIMIZERS

# Sutskever et al. (2013), "On the importance of initialization and momentum".
_OWN_SETTINGS = {"sgd": {"momentum": 0.9, "nesterov": True}}


@dataclass(frozen=True)
class NetworkSpec:
    """What decides a network and its training: its rows, a seed, what the user chose.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row: (height, width, 3) of an image, or what the trunk gives.
    from_images : bool
        Whether uint8 images come in rather than the trunk's output.
    seed : int
    trainable_layers, ...
        As in :class:`PatchClassifier`.
    """

    input_shape: tuple[int, ...]
    from_images: bool = False
    seed: int = 0
    trainable_layers: int | str = 0
    dense_units: int = 256
    dropout: float = 0.5
    optimizer: str = "rmsprop"
    learning_rate: float = 1e-3
    training_precision: str = "float32"
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    weight_decay: float | None = None
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    head_epochs: int = 0
    tail_learning_rate: float | None = None

    @property
    def policy(self) -> str:
        """Keras' name of the precision: in bfloat16 products, weights in float32."""
        is_mixed = self.training_precision == "bfloat16"
        return "mixed_bfloat16" if is_mixed else "float32"

    @property
    def moves_rate(self) -> bool:
        """Whether the learning rate changes while a network is trained."""
        return self.schedule != "constant" or self.warmup_epochs > 0

    @property
    def compiled_in(self) -> NetworkSpec:
        """Return what is compiled into steps; the rest lies in variables."""
        return replace(self, learning_rate=0.0, seed=0)


class Pace(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[name-defined]
    """A learning rate that may warm up, and decay along a cosine, step by step.

    Parameters
    ----------
    rate : float
        Reached at the end of the warm-up.
    decays : bool
        Whether it then falls to 0 (Loshchilov & Hutter 2017, "SGDR").

    Attributes
    ----------
    variables : list of keras.Variable
        What may differ between fits: the rate, steps of the warm-up, and of all.
    """

    def __init__(self, rate: float, *, decays: bool):
        self.decays = decays
        self.variables = [
            keras.Variable(value, trainable=False, dtype="float32")
            for value in (rate, 0.0, math.inf)
        ]

    def start(self, *values: float) -> None:
        """Begin at step 0, with other values of the variables."""
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        ops = keras.ops
        done = ops.cast(step, "float32")
        rate, warmup, end = map(ops.convert_to_tensor, self.variables)
        rate = rate * ops.minimum(1.0, (done + 1.0) / ops.maximum(warmup, 1.0))
        if not self.decays:
            return rate
        share = ops.clip((done - warmup) / (end - warmup), 0.0, 1.0)
        return rate * 0.5 * (1.0 + ops.cos(math.pi * share))


def make_optimizer(spec: NetworkSpec, tail: frozenset[str] = frozenset()) -> Any:
    """Make an optimizer whose learning rate is a :class:`Pace`.

    Parameters
    ----------
    spec : NetworkSpec
    tail : frozenset of str, default=frozenset()
        Paths of the variables that move at the rate of the tail.

    Returns
    -------
    keras.optimizers.Optimizer
    """
    optimizer = OPTIMIZERS[spec.optimizer](
        Pace(spec.learning_rate, decays=spec.schedule == "cosine"),
        global_clipnorm=spec.clip_norm,
        **_OWN_SETTINGS.get(spec.optimizer, {}),
    )
    optimizer.tail = tail
    optimizer.tail_factor = (spec.tail_learning_rate or spec.learning_rate) / (
        spec.learning_rate
    )
    optimizer.decays_all = spec.weight_decay is None  # as Keras does by itself
    optimizer.decay = spec.weight_decay or 0.0
    if optimizer.decays_all:
        optimizer.decay = optimizer.weight_decay or 0.0
    optimizer.weight_decay = None  # Keras' own would be at the head's rate
    return optimizer


class Course:
    """The course of a network's training: its parts and its rates.

    A network whose head is trained alone first has two parts, each with an optimizer
    that starts afresh. In the first the rate is constant; the schedule is the second's.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    spec : NetworkSpec
    tail : list of keras.layers.Layer
        Those that are trained, beside the head's.
    """

    def __init__(self, model: Any, spec: NetworkSpec, tail: list[Any]):
        self.spec, self.learning_rate = spec, spec.learning_rate
        self._model, self._tail = model, tail
        self.pace = model.optimizer._learning_rate
        self.has_batch_statistics = any(
            isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for layer in model._flatten_layers(include_self=False)
        )

    def prepare(self) -> None:
        """Make all variables of training; a network that only predicts has none."""
        model = self._model
        if not model.optimizer.built:
            # In the order that both parts of training know.
            model.optimizer.build(model.trainable_variables)

    @property
    def variables(self) -> list[Any]:
        """Return what tells the state of training, beside the network's variables."""
        return [*self._model.optimizer.variables, *self.pace.variables]

    def first_epoch_of_part(self, epoch: int) -> int:
        """Return the epoch that the part of training with an epoch begins at."""
        return self.spec.head_epochs if epoch >= self.spec.head_epochs else 0

    def start_part(self, epoch: int, epochs: int, n_batches: int) -> None:
        """Begin the part of training whose first epoch this is.

        Parameters
        ----------
        epoch, epochs : int
            Counted from 0, and in all.
        n_batches : int
            Steps an epoch.
        """
        is_whole = epoch >= self.spec.head_epochs
        for layer in self._tail:
            layer.trainable = is_whole
        for variable in self._model.optimizer.variables:  # slots, and the count
            variable.assign(keras.ops.zeros_like(variable))
        warmup, n_epochs = 0.0, math.inf
        if is_whole:
            warmup, n_epochs = self.spec.warmup_epochs, epochs - epoch
        self.pace.start(self.learning_rate, warmup * n_batches, n_epochs * n_batches)

    def rate_of_last_step(self) -> float | None:
        """Return the learning rate of the step before, None where it never changes."""
        if not self.spec.moves_rate:
            return None
        return float(self.pace(self._model.optimizer.iterations - 1))
