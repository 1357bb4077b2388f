"""Compiled training of small heads, kept from one fit to the next.

Tracing what TensorFlow is to run takes as long as training a head on pooled features
does. A fold's head differs from that of the fold before in its rows and its weights
only, so the traced program is used again: the weights, drawn anew for each fit, are
lent to a network that no caller ever holds, trained there, and taken back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .backend import tf

__all__ = ["TrainingProgram", "lent_program", "shapes"]

_MOST_KEPT = 2  # the last ones: folds of one trial follow each other

_kept: OrderedDict[Any, TrainingProgram] = OrderedDict()


def shapes(arrays: list[np.ndarray]) -> tuple[Any, ...]:
    """Return shapes and types of arrays but for their number of rows."""
    return tuple((array.shape[1:], array.dtype.str) for array in arrays)


@contextmanager
def lent_program(
    key: Any, make: Callable[[], TrainingProgram]
) -> Iterator[TrainingProgram]:
    """Lend a program that nobody else uses meanwhile.

    Parameters
    ----------
    key : hashable
        All that is compiled in: shapes, layers, optimizer, size of batches.
    make : callable
        Makes one where none of the key is free.

    Yields
    ------
    TrainingProgram
    """
    program = _kept.pop(key, None) or make()
    yield program
    _kept[key] = program  # not after an error, in whatever state that left it
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)


class TrainingProgram:
    """A network whose epochs of training and of validation are one call each.

    Parameters
    ----------
    model : keras.Model
        Compiled; it belongs to the program.
    arrays : list of ndarray
        Rows, labels and, where there are any, weights, for their shapes and types.
    judged : list of ndarray
        The same for validation; empty for none.
    batch_size : int
    """

    def __init__(
        self,
        model: Any,
        arrays: list[np.ndarray],
        judged: list[np.ndarray],
        batch_size: int,
    ):
        self.model = model
        # All variables are made before a step is traced, or it would be traced twice.
        model.optimizer.build(model.trainable_variables)
        model.test_step(tuple(tf.constant(array[:2]) for array in arrays))
        self._first = [variable.numpy() for variable in model.optimizer.variables]
        self._train = _each_batch(model.train_step, arrays, batch_size)
        self._test = _each_batch(model.test_step, judged, batch_size)

    def begin(self, model: Any) -> None:
        """Take a model's weights and learning rate, and forget the last fit."""
        optimizer = self.model.optimizer
        for variable, value in zip(optimizer.variables, self._first, strict=True):
            variable.assign(value)
        optimizer.learning_rate = float(model.optimizer.learning_rate)
        _copy(model, self.model)
        self.model.stop_training = False

    def give_back(self, model: Any) -> None:
        """Give the trained weights to the model they began in."""
        _copy(self.model, model)

    def train(self, arrays: list[Any], order: np.ndarray) -> dict[str, float]:
        """Run an epoch of training, and return its metrics."""
        return self._run(self._train, arrays, order)

    def test(self, arrays: list[Any], order: np.ndarray) -> dict[str, float]:
        """Run an epoch of validation, and return its metrics."""
        return self._run(self._test, arrays, order)

    def _run(self, step: Any, arrays: list[Any], order: Any) -> dict[str, float]:
        self.model.reset_metrics()
        step(tf.constant(order), *arrays)
        metrics = self.model.get_metrics_result()
        return {name: float(value) for name, value in metrics.items()}


def _each_batch(step: Any, arrays: list[np.ndarray], batch_size: int) -> Any:
    """Return a TensorFlow function that runs a step on each batch of an order.

    Parameters
    ----------
    step : callable
        Given a batch, a tuple of tensors; it changes variables, and that is all.
    arrays : list of ndarray
        For their shapes and types; there may be any number of rows.
    batch_size : int

    Returns
    -------
    callable
        Given an order of rows, and the arrays.
    """

    def body(index: Any, order: Any, *rows_of: Any) -> tuple[Any, ...]:
        rows = order[index * batch_size : (index + 1) * batch_size]
        step(tuple(tf.gather(array, rows) for array in rows_of))
        return index + 1, order, *rows_of

    def run(order: Any, *rows_of: Any) -> None:
        n_batches = (tf.size(order) + batch_size - 1) // batch_size
        # One at a time: the next step needs the weights of the one before.
        tf.while_loop(
            lambda index, *_: index < n_batches,
            body,
            (tf.constant(0), order, *rows_of),
            parallel_iterations=1,
        )

    signature = [
        tf.TensorSpec((None,), tf.int64),
        *(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in arrays),
    ]
    return tf.function(
        tf.autograph.experimental.do_not_convert(run), input_signature=signature
    )


def _copy(source: Any, target: Any) -> None:
    """Copy weights, and where dropout is in its stream of random numbers."""
    pairs = zip(_variables(source), _variables(target), strict=True)
    for ours, theirs in pairs:
        theirs.assign(ours)


def _variables(model: Any) -> list[Any]:
    return [variable for layer in model.layers for variable in layer.variables]
