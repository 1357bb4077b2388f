"""Compiled training: a call a batch, or a call an epoch, kept from one fit to the next.

Tracing what TensorFlow is to run takes as long as training a head on pooled features
does. A fold's head differs from that of the fold before in its rows and its weights
only, so the traced program is used again: the weights, drawn anew for each fit, are
lent to a network that no caller ever holds, trained there, and taken back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from .backend import tf

__all__ = [
    "BatchEpochs",
    "TrainingProgram",
    "WholeEpochs",
    "lent_program",
    "read_ahead",
    "shapes",
]

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
    model : BatchedModel
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
        model.course.prepare()
        model.test_step(tuple(tf.constant(array[:2]) for array in arrays))
        self._train = _each_batch(model.train_step, arrays, batch_size)
        self._test = _each_batch(model.test_step, judged, batch_size)

    def begin(self, model: Any) -> None:
        """Take a model's weights, and the numbers of its training."""
        _copy(model, self.model)
        self.model.course.follow(model.course)

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
        return _metrics(self.model)


class WholeEpochs:
    """Epochs of rows that TensorFlow holds whole, by a program that is lent.

    Parameters
    ----------
    program : TrainingProgram
    train, judged : ArrayBatches
        Batches of training, and of validation rows or None.
    """

    def __init__(self, program: TrainingProgram, train: Any, judged: Any):
        self.model = program.model
        self._program, self._batches, self._judged = program, train, judged
        self._rows = [tf.constant(array) for array in train.arrays]
        self._rows_val = (
            [] if judged is None else [tf.constant(array) for array in judged.arrays]
        )

    def start_part(self) -> None:
        """Do nothing: there is one part where the head is all that is trained."""

    def train(self) -> dict[str, float]:
        """Run an epoch of training, and return its metrics."""
        return self._program.train(self._rows, self._batches.order)

    def judge(self) -> dict[str, float]:
        """Return metrics of the validation rows."""
        return self._program.test(self._rows_val, self._judged.order)


class BatchEpochs:
    """Epochs of a call a batch, for rows that are too many or too large to hold.

    Parameters
    ----------
    model : BatchedModel
    train, judged : ArrayBatches
        Batches of training, and of validation rows or None.
    """

    def __init__(self, model: Any, train: Any, judged: Any):
        self.model = model
        self._batches, self._judged = train, judged
        model.test_step(tuple(tf.constant(array[:2]) for array in train.arrays))
        if judged is not None:
            self._judge = _compiled(_on_batch(model.test_step), judged.arrays)

    def start_part(self) -> None:
        """Compile the step anew: the layers that are trained are part of it."""
        self._train = _compiled(_on_batch(self.model.train_step), self._batches.arrays)

    def train(self) -> dict[str, float]:
        """Run an epoch of training, and return its metrics."""
        self.model.reset_metrics()
        for batch in read_ahead(self._batches):
            self._train(*batch)
        return _metrics(self.model)

    def judge(self) -> dict[str, float]:
        """Return metrics of the validation rows."""
        self.model.reset_metrics()
        for batch in read_ahead(self._judged):
            self._judge(*batch)
        return _metrics(self.model)


def read_ahead(batches: Any) -> Iterator[tuple[np.ndarray, ...]]:
    """Give batches in their order; the next is made while one is worked on."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(batches.__getitem__, 0)
        for index in range(1, len(batches) + 1):
            batch = following.result()
            if index < len(batches):
                following = thread.submit(batches.__getitem__, index)
            yield batch


def _metrics(model: Any) -> dict[str, float]:
    metrics = model.get_metrics_result()
    return {name: float(value) for name, value in metrics.items()}


def _on_batch(step: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    return lambda *batch: step(batch)


def _compiled(function: Callable[..., Any], arrays: list[np.ndarray]) -> Any:
    """Compile a function of some rows of each array; there may be any number."""
    return tf.function(
        tf.autograph.experimental.do_not_convert(function),
        input_signature=[_some_rows(array) for array in arrays],
    )


def _some_rows(array: np.ndarray) -> Any:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)


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

    return _compiled(run, [np.arange(0), *arrays])


def _copy(source: Any, target: Any) -> None:
    """Copy weights, and where dropout is in its stream of random numbers."""
    pairs = zip(_variables(source), _variables(target), strict=True)
    for ours, theirs in pairs:
        theirs.assign(ours)


def _variables(model: Any) -> list[Any]:
    return [variable for layer in model.layers for variable in layer.variables]
