"""Compiled training: a call a batch, or a call an epoch, kept from one fit to the next.

A head's steps on pooled features are so small that handing over batches would cost
more than they do: TensorFlow holds small arrays whole, and an epoch is one call.
Tracing what it is to run takes as long as training such a head does. A fold's head
differs from that of the fold before in its rows and its weights only, so the traced
program is used again: the weights, drawn anew for each fit, are lent to a network that
no caller ever holds, trained there, and taken back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .backend import tf
from .batches import ArrayBatches

_MOST_KEPT = 2  # the last ones: folds of one trial follow each other

_kept: OrderedDict[Any, WholeEpochs] = OrderedDict()


class BatchEpochs:
    """Epochs of a call a batch, for rows that are too many or too large to hold.

    Parameters
    ----------
    model : BatchedModel
    train : ArrayBatches
    judged : ArrayBatches or None
        Batches of validation rows.
    """

    def __init__(self, model: Any, train: ArrayBatches, judged: ArrayBatches | None):
        self.model = model
        self._batches, self._judged = train, judged
        _make_variables(model, train.arrays)
        if judged is not None:
            self._judge = _on_batch(model.test_step, judged)

    def start_part(self) -> None:
        """Compile the step anew: the layers that are trained are part of it."""
        self._train = _on_batch(self.model.train_step, self._batches)

    def train(self) -> dict[str, float]:
        """Run an epoch of training, and return its metrics."""
        return self._run(self._train, self._batches)

    def judge(self) -> dict[str, float]:
        """Return metrics of the validation rows; none without any."""
        return {} if self._judged is None else self._run(self._judge, self._judged)

    def _run(self, step: Any, batches: ArrayBatches) -> dict[str, float]:
        self.model.reset_metrics()
        for batch in batches.read_ahead():
            step(*batch)
        return _metrics(self.model)


class WholeEpochs(BatchEpochs):
    """Epochs of a call each, of rows that TensorFlow holds whole.

    Parameters
    ----------
    model : BatchedModel
        Compiled; it belongs to the program.
    train, judged
        As in `BatchEpochs`; for the shapes and types of their arrays.
    """

    def __init__(self, model: Any, train: ArrayBatches, judged: ArrayBatches | None):
        self.model = model
        _make_variables(model, train.arrays)
        self._train = _each_batch(model.train_step, train)
        if judged is not None:
            self._judge = _each_batch(model.test_step, judged)

    def begin(
        self, model: Any, train: ArrayBatches, judged: ArrayBatches | None
    ) -> None:
        """Take a model's weights and its rate, and the rows of its training."""
        _copy(model, self.model)
        self.model.course.learning_rate = model.course.learning_rate
        self._batches, self._judged = train, judged
        self._held = {
            id(batches): [tf.constant(array) for array in batches.arrays]
            for batches in (train, judged)
            if batches is not None
        }

    def give_back(self, model: Any) -> None:
        """Give the trained weights to the model they began in, and let go of rows."""
        _copy(self.model, model)
        del self._batches, self._judged, self._held

    def start_part(self) -> None:
        """Do nothing: there is one part where the head is all that is trained."""

    def _run(self, step: Any, batches: ArrayBatches) -> dict[str, float]:
        self.model.reset_metrics()
        step(tf.constant(batches.order), *self._held[id(batches)])
        return _metrics(self.model)


@contextmanager
def lent_program(
    make: Callable[[], Any],
    model: Any,
    train: ArrayBatches,
    judged: ArrayBatches | None,
) -> Iterator[WholeEpochs]:
    """Lend a model a program that nobody else uses meanwhile.

    Parameters
    ----------
    make : callable
        Makes the like of the model, where no program of its kind is free.
    model : BatchedModel
        The one that is trained in the end.
    train, judged
        As in `BatchEpochs`.
    """
    shapes = [
        [(array.shape[1:], array.dtype.str) for array in batches.arrays]
        for batches in (train, judged)
        if batches is not None
    ]
    key = (model.spec.compiled_in, train.batch_size, repr(shapes))
    program = _kept.pop(key, None) or WholeEpochs(make(), train, judged)
    program.begin(model, train, judged)
    yield program
    program.give_back(model)
    _kept[key] = program  # not after an error, in whatever state that left it
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)


def _make_variables(model: Any, arrays: list[np.ndarray]) -> None:
    """Make all variables before a step is traced, or it would be traced twice."""
    model.course.prepare()
    model.test_step(tuple(tf.constant(array[:2]) for array in arrays))


def _metrics(model: Any) -> dict[str, float]:
    metrics = model.get_metrics_result()
    return {name: float(value) for name, value in metrics.items()}


def _on_batch(step: Callable[[tuple[Any, ...]], Any], batches: ArrayBatches) -> Any:
    return _compiled(lambda *batch: step(batch), batches.arrays)


def _compiled(function: Callable[..., Any], arrays: list[np.ndarray]) -> Any:
    """Compile a function of some rows of each array; there may be any number."""
    return tf.function(
        tf.autograph.experimental.do_not_convert(function),
        input_signature=[tf.TensorSpec((None, *a.shape[1:]), a.dtype) for a in arrays],
    )


def _each_batch(step: Any, batches: ArrayBatches) -> Any:
    """Return a TensorFlow function that runs a step on each batch of an order.

    Parameters
    ----------
    step : callable
        Given a batch, a tuple of tensors; it changes variables, and that is all.
    batches : ArrayBatches
        For their size, and the shapes and types of arrays of any number of rows.

    Returns
    -------
    callable
        Given an order of rows, and the arrays.
    """
    batch_size = batches.batch_size

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

    return _compiled(run, [np.arange(0), *batches.arrays])


def _copy(source: Any, target: Any) -> None:
    """Copy weights, and where dropout is in its stream of random numbers."""
    for ours, theirs in zip(_variables(source), _variables(target), strict=True):
        theirs.assign(ours)


def _variables(model: Any) -> list[Any]:
    return [variable for layer in model.layers for variable in layer.variables]
