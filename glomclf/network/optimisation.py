"""How weights are moved: the optimizer, its pace, and the parts of training.

All that may differ between two fits of one compiled program (rates, numbers of steps)
lies in variables, never in the graph.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from .backend import keras
from .fused import OPTIMIZERS

__all__ = [
    "Course",
    "Pace",
    "TrainingSpec",
    "make_optimizer",
    "restart",
]

# Sutskever et al. (2013), "On the importance of initialization and momentum".
_OWN_SETTINGS = {"sgd": {"momentum": 0.9, "nesterov": True}}


@dataclass(frozen=True)
class TrainingSpec:
    """What the user chose for the training of a network, beside rate and optimizer."""

    schedule: str = "constant"
    warmup_epochs: float = 0.0
    weight_decay: float | None = None
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    head_epochs: int = 0
    tail_learning_rate: float | None = None

    @property
    def moves_rate(self) -> bool:
        """Whether the learning rate changes while a network is trained."""
        return self.schedule != "constant" or self.warmup_epochs > 0


class Pace(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[name-defined]
    """A learning rate that warms up, and may decay along a cosine, step by step.

    Parameters
    ----------
    rate : float
        Reached at the end of the warm-up.
    decays : bool
        Whether it then falls to 0 (Loshchilov & Hutter 2017, "SGDR").

    Attributes
    ----------
    rate, warmup_steps, n_steps : keras.Variable
    """

    def __init__(self, rate: float, *, decays: bool):
        self.decays = decays
        self.rate = _number(rate)
        self.warmup_steps = _number(0.0)
        self.n_steps = _number(math.inf)

    @property
    def variables(self) -> list[Any]:
        """Return what may differ between fits."""
        return [self.rate, self.warmup_steps, self.n_steps]

    def start(self, rate: float, warmup_steps: float, n_steps: float) -> None:
        """Begin at step 0."""
        for variable, value in zip(
            self.variables, (rate, warmup_steps, n_steps), strict=True
        ):
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


def _number(value: float) -> Any:
    return keras.Variable(value, trainable=False, dtype="float32")


def make_optimizer(
    name: str, learning_rate: float, spec: TrainingSpec, tail: frozenset[str]
) -> Any:
    """Make an optimizer, without what would keep every network it trains.

    Parameters
    ----------
    name : {"adam", "adamw", "rmsprop", "sgd"}
    learning_rate : float
    spec : TrainingSpec
    tail : frozenset of str
        Paths of the variables that move at the rate of the tail.

    Returns
    -------
    keras.optimizers.Optimizer
        Its learning rate is a :class:`Pace` where the rate changes.
    """
    kind = OPTIMIZERS[name]
    rate: Any = learning_rate
    if spec.moves_rate:
        rate = Pace(learning_rate, decays=spec.schedule == "cosine")
    settings: dict[str, Any] = {"global_clipnorm": spec.clip_norm}
    settings |= _OWN_SETTINGS.get(name, {})
    if spec.weight_decay is None and spec.tail_learning_rate is None:
        optimizer = kind(rate, **settings)
    else:
        optimizer = _by_part(kind)(rate, **settings)
        optimizer.choose_parts(learning_rate, spec, tail)
    # Keras sums gradients over replicas even where there is one, by a gradient of its
    # own that TensorFlow registers for good, the weights of the network with it.
    optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: (
        gradients_and_variables
    )
    return optimizer


@functools.cache
def _by_part(kind: Any) -> Any:
    """Return a kind of optimizer that treats kernels and the tail in their own way."""

    class ByPart(kind):
        """Decays kernels alone, if told to; moves the tail at another rate."""

        weight_decay: float | None

        def choose_parts(
            self, rate: float, spec: TrainingSpec, tail: frozenset[str]
        ) -> None:
            """Say which variables are decayed, and which move at the tail's rate."""
            decays_kernels = spec.weight_decay is not None
            self._decay = spec.weight_decay if decays_kernels else self.weight_decay
            self._decays_all = not decays_kernels  # as Keras does by itself
            self.weight_decay = None  # Keras' own would be at the head's rate
            self._factor = (spec.tail_learning_rate or rate) / rate
            self._tail = tail

        def build(self, variables: Any) -> None:
            """Note the parts by their place among the variables."""
            super().build(variables)
            self._factors = tuple(
                self._factor if v.path in self._tail else 1.0 for v in variables
            )
            self._is_decayed = tuple(
                self._decays_all or v.name == "kernel" for v in variables
            )

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Decay as Loshchilov & Hutter (2019) do, then move as Keras does."""
            index = self._get_variable_index(variable)
            rate = learning_rate * self._factors[index]
            if self._decay is not None and self._is_decayed[index]:
                self.assign_sub(variable, variable * (self._decay * rate))
            super().update_step(gradient, variable, rate)

    ByPart.__name__ = kind.__name__
    return ByPart


def restart(optimizer: Any) -> None:
    """Forget the steps an optimizer has made: its slots and its count are 0 again."""
    for variable in optimizer.variables:
        if variable is not optimizer._learning_rate:
            variable.assign(keras.ops.zeros_like(variable))


class Course:
    """The course of a network's training: its parts and its rates.

    A network whose head is trained alone first has two parts, each with an optimizer
    that starts afresh. In the first the rate is constant; the schedule is the second's.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    learning_rate : float
    spec : TrainingSpec
    tail : list of keras.layers.Layer
        Those that are trained, beside the head's.
    """

    def __init__(
        self,
        model: Any,
        learning_rate: float,
        spec: TrainingSpec,
        tail: list[Any],
    ):
        self.spec, self.learning_rate = spec, learning_rate
        self._model, self._tail = model, tail
        rate = model.optimizer._learning_rate
        self.pace = rate if isinstance(rate, Pace) else None
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

    def follow(self, other: Course) -> None:
        """Take the rate, in which fits of one compiled program may differ."""
        self.learning_rate = other.learning_rate

    @property
    def variables(self) -> list[Any]:
        """Return what tells the state of training, beside the network's variables."""
        pace = [] if self.pace is None else self.pace.variables
        return [*self._model.optimizer.variables, *pace]

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
        restart(self._model.optimizer)
        if self.pace is None:
            self._model.optimizer.learning_rate = self.learning_rate
        else:
            warmup, n_epochs = 0.0, math.inf
            if is_whole:
                warmup, n_epochs = self.spec.warmup_epochs, epochs - epoch
            self.pace.start(
                self.learning_rate, warmup * n_batches, n_epochs * n_batches
            )

    def rate_of_last_step(self) -> float | None:
        """Return the learning rate of the step before, None where it never changes."""
        if self.pace is None:
            return None
        return float(self.pace(self._model.optimizer.iterations - 1))
