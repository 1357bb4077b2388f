"""The epochs of a fit: one loop, whatever runs the steps of an epoch.

At the end of an epoch training is told in full by the network's variables, those of its
optimizer and its course, the number of the epoch, and the state of the callbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .backend import keras

if TYPE_CHECKING:
    from .programs import BatchEpochs, WholeEpochs

__all__ = [
    "TrainingState",
    "run_epochs",
    "take_state",
    "training_variables",
]


class TrainingState(NamedTuple):
    """All there is to know of training at the end of an epoch.

    Attributes
    ----------
    epoch : int
        Epochs that are done.
    arrays : list of ndarray
        Values of all variables, in the order of ``training_variables``.
    callbacks : list of dict
        State of each callback that has one, in their order.
    history : dict of str to list of float
    is_over : bool
        Whether a callback stopped training after this epoch.
    """

    epoch: int
    arrays: list[np.ndarray]
    callbacks: list[dict[str, Any]]
    history: dict[str, list[float]]
    is_over: bool


def training_variables(model: Any) -> list[Any]:
    """Return all variables that training changes, or that it depends on."""
    own = [variable for layer in model.layers for variable in layer.variables]
    return [*own, *model.course.variables]


def take_state(model: Any, epoch: int, callbacks: list[Any]) -> TrainingState:
    """Return the state of training; called by a callback at the end of an epoch.

    Parameters
    ----------
    model : BatchedModel
        The callback's ``model``.
    epoch : int
        As the callback was given it, counted from 0.
    callbacks : list of Callback
        All that ``fit`` was given; those before this one have seen the epoch.

    Returns
    -------
    TrainingState
    """
    return TrainingState(
        epoch + 1,
        [np.asarray(variable) for variable in training_variables(model)],
        [callback.state() for callback in _with_state(callbacks)],
        {name: list(values) for name, values in model.history.history.items()},
        bool(model.stop_training),
    )


def _with_state(callbacks: list[Any]) -> list[Any]:
    return [callback for callback in callbacks if hasattr(callback, "set_state")]


def run_epochs(
    runner: BatchEpochs | WholeEpochs,
    train: Any,
    *,
    epochs: int,
    callbacks: list[Any],
    is_validated: bool,
    resume: TrainingState | None = None,
) -> Any:
    """Train until the last epoch, or until a callback stops it.

    Parameters
    ----------
    runner : BatchEpochs or WholeEpochs
        What runs the steps of an epoch.
    train : ArrayBatches
        Rows in an order that is drawn anew for every epoch.
    epochs : int
    callbacks : list of keras.callbacks.Callback
    is_validated : bool
        Whether there are validation rows.
    resume : TrainingState, default=None
        State of the same training to go on from.

    Returns
    -------
    keras.callbacks.History
    """
    model = runner.model
    model.course.prepare()
    model.history = history = keras.callbacks.History()
    # The history first, so that every callback finds the epoch in it.
    watchers = keras.callbacks.CallbackList(
        [history, *callbacks], model=model, epochs=epochs, verbose=0
    )
    model.stop_training = False
    watchers.on_train_begin()
    to_come = range(epochs)
    if resume is not None:
        _take_up(resume, runner, train, epochs, callbacks)
        to_come = range(epochs if resume.is_over else resume.epoch, epochs)
    logs: dict[str, float] = {}
    for epoch in to_come:
        watchers.on_epoch_begin(epoch)
        logs = _train(runner, train, epoch, epochs)
        if is_validated:
            logs |= {f"val_{name}": value for name, value in runner.judge().items()}
        watchers.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    watchers.on_train_end(logs)
    return history


def _train(
    runner: BatchEpochs | WholeEpochs, train: Any, epoch: int, epochs: int
) -> dict[str, float]:
    """Run an epoch of training, and return its metrics and its last rate."""
    course = runner.model.course
    train.on_epoch_begin()
    if epoch == course.first_epoch_of_part(epoch):
        course.start_part(epoch, epochs, len(train))
        runner.start_part()
    logs = runner.train()
    if (rate := course.rate_of_last_step()) is not None:
        logs["learning_rate"] = rate
    return logs


def _take_up(
    state: TrainingState,
    runner: BatchEpochs | WholeEpochs,
    train: Any,
    epochs: int,
    callbacks: list[Any],
) -> None:
    """Become the training that a state was taken of."""
    model, course = runner.model, runner.model.course
    course.start_part(course.first_epoch_of_part(state.epoch - 1), epochs, len(train))
    runner.start_part()
    variables = training_variables(model)
    for variable, value in zip(variables, state.arrays, strict=True):
        variable.assign(value)
    for callback, kept in zip(_with_state(callbacks), state.callbacks, strict=True):
        callback.set_state(kept)
    model.history.history = {k: list(v) for k, v in state.history.items()}
    for _ in range(state.epoch):
        train.on_epoch_begin()
