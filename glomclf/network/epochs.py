"""The epochs of a fit: one loop, whatever runs the steps of an epoch.

At the end of an epoch training is told in full by its history, by the variables of the
network, its optimizer and its course, and by the weights of the best epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from .batches import ArrayBatches
    from .checkpoints import Checkpoint
    from .programs import BatchEpochs, WholeEpochs


class TrainingState(NamedTuple):
    """All there is to know of training at the end of an epoch.

    Attributes
    ----------
    history : dict of str to list of float
    variables : list of ndarray
        Values of all variables, in the order of ``training_variables``.
    best_weights : list of ndarray
        Those of the best epoch; empty where training does not stop early.
    """

    history: dict[str, list[float]]
    variables: list[np.ndarray]
    best_weights: list[np.ndarray]

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.history["loss"])


def training_variables(model: Any) -> list[Any]:
    """Return all variables that training changes, or that it depends on."""
    own = [variable for layer in model.layers for variable in layer.variables]
    return [*own, *model.course.variables]


def epochs_without_gain(losses: list[float], first_epoch: int = 0) -> int:
    """Count the last epochs in which a validation loss was not lower than ever.

    Parameters
    ----------
    losses : list of float
    first_epoch : int, default=0
        None is counted before. An epoch before it can be the best.

    Examples
    --------
    >>> from glomclf.network.epochs import epochs_without_gain
    >>> epochs_without_gain([3, 2, 2.5]), epochs_without_gain([2, 3, 4], first_epoch=2)
    (1, 1)
    """
    best = int(np.argmin(np.nan_to_num(losses, nan=np.inf)))
    return len(losses) - 1 - max(best, first_epoch - 1)


def run_epochs(
    runner: BatchEpochs | WholeEpochs,
    train: ArrayBatches,
    *,
    epochs: int,
    patience: int | None = None,
    checkpoint: Checkpoint | None = None,
    advance: Callable[..., None] = lambda *given, **told: None,
) -> dict[str, list[float]]:
    """Train until the last epoch, or until the validation loss falls no more.

    Parameters
    ----------
    runner : BatchEpochs or WholeEpochs
        What runs the steps of an epoch.
    train : ArrayBatches
        Rows in an order that is drawn anew for every epoch.
    epochs : int
    patience : int, default=None
        Epochs without a lower validation loss after which training stops; the weights
        of the best epoch are restored.
    checkpoint : Checkpoint, default=None
        Where the state is kept after every epoch, and taken up from.
    advance : callable, default=None
        Moves a bar on, given ``note``.

    Returns
    -------
    dict of str to list of float
    """
    model = runner.model
    model.course.prepare()
    history: dict[str, list[float]] = {}
    best: list[np.ndarray] = []
    if checkpoint is not None and (state := checkpoint.read()) is not None:
        advance(state.epoch, note="from the checkpoint")
        _take_up(state, runner, train, epochs)
        history, best = state.history, state.best_weights
    for epoch in range(len(history.get("loss", ())), epochs):
        if _is_over(history, patience, model):
            break
        for name, value in _train(runner, train, epoch, epochs).items():
            history.setdefault(name, []).append(value)
        if patience is not None and epochs_without_gain(history["val_loss"]) == 0:
            best = model.get_weights()
        advance(note=_note(history))
        if checkpoint is not None:
            variables = [np.asarray(v) for v in training_variables(model)]
            checkpoint.write(TrainingState(history, variables, best))
    if best:
        model.set_weights(best)
    return history


def _is_over(history: dict[str, list[float]], patience: int | None, model: Any) -> bool:
    if patience is None or not history:
        return False
    first = model.course.spec.head_epochs
    return epochs_without_gain(history["val_loss"], first) >= max(patience, 1)


def _train(
    runner: BatchEpochs | WholeEpochs, train: ArrayBatches, epoch: int, epochs: int
) -> dict[str, float]:
    """Run an epoch, and return its metrics and its last rate."""
    course = runner.model.course
    train.on_epoch_begin()
    if epoch == course.first_epoch_of_part(epoch):
        course.start_part(epoch, epochs, len(train))
        runner.start_part()
    logs = runner.train()
    if (rate := course.rate_of_last_step()) is not None:
        logs["learning_rate"] = rate
    return logs | {f"val_{name}": value for name, value in runner.judge().items()}


def _note(history: dict[str, list[float]]) -> str:
    names = [name for name in ("loss", "val_loss") if name in history]
    return ", ".join(f"{name} {history[name][-1]:.3f}" for name in names)


def _take_up(
    state: TrainingState,
    runner: BatchEpochs | WholeEpochs,
    train: ArrayBatches,
    epochs: int,
) -> None:
    """Become the training that a state was taken of."""
    model, course = runner.model, runner.model.course
    course.start_part(course.first_epoch_of_part(state.epoch - 1), epochs, len(train))
    runner.start_part()
    variables = training_variables(model)
    for variable, value in zip(variables, state.variables, strict=True):
        variable.assign(value)
    for _ in range(state.epoch):
        train.on_epoch_begin()
