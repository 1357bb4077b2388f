"""What happens between epochs: the bar moves on, rates fall, training may stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from .backend import keras

__all__ = ["EpochProgress", "Monitor", "ReduceOnPlateau", "early_stopping"]

PLATEAU_FACTOR = 0.3
_SHOWN = ("loss", "val_loss", "val_roc_auc", "val_average_precision")


@dataclass(frozen=True)
class Monitor:
    """The score that tells which epoch is the best.

    Parameters
    ----------
    name : {"val_loss", "val_roc_auc", "val_average_precision"}
    y_true : ndarray of shape (n_samples,), default=None
        Labels of the validation rows, 0 or 1.
    """

    name: str = "val_loss"
    y_true: np.ndarray | None = None

    @property
    def mode(self) -> str:
        """Whether less or more is better."""
        return "min" if self.name == "val_loss" else "max"

    @property
    def score(self) -> Callable[[np.ndarray], float] | None:
        """Return what scores probabilities, None for a metric of the network's own."""
        scores = {
            "val_roc_auc": roc_auc_score,
            "val_average_precision": average_precision_score,
        }
        if self.name not in scores:
            return None
        return lambda probability: float(
            scores[self.name](self.y_true, probability.ravel())
        )

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best so far."""
        if best is None:
            return True
        return value < best if self.mode == "min" else value > best


class EpochProgress(keras.callbacks.Callback):  # type: ignore[name-defined]
    """Move a bar on after every epoch, the losses behind it."""

    def __init__(self, advance: Callable[..., None]):
        super().__init__()
        self.advance = advance

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the losses of the epoch that ended."""
        scores = ((name, (logs or {}).get(name)) for name in _SHOWN)
        note = ", ".join(
            f"{name} {score:.3f}" for name, score in scores if score is not None
        )
        self.advance(note=note)


class _EarlyStopping(keras.callbacks.EarlyStopping):  # type: ignore[name-defined]
    """Keras' own, whose patience begins with an epoch, and whose state can be kept."""

    _STATE = ("wait", "best", "best_epoch", "stopped_epoch", "best_weights")

    def __init__(self, first_epoch: int, **settings: Any):
        super().__init__(**settings)
        self.first_epoch = first_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights of the best epoch; stop once patience is at its end."""
        super().on_epoch_end(epoch, logs)
        if epoch < self.first_epoch:
            self.wait = 0
            self.model.stop_training = False

    def state(self) -> dict[str, Any]:
        """Return what is known of the epochs so far, the best weights as arrays."""
        return {name: getattr(self, name) for name in self._STATE}

    def set_state(self, state: dict[str, Any]) -> None:
        """Know again what ``state`` returned."""
        for name in self._STATE:
            setattr(self, name, state[name])


def early_stopping(
    patience: int, monitor: Monitor | None = None, first_epoch: int = 0
) -> Any:
    """Stop on a validation score and restore the weights of the best epoch.

    Parameters
    ----------
    patience : int
        Epochs without a better score.
    monitor : Monitor, default=None
        None is the validation loss.
    first_epoch : int, default=0
        Patience is not counted before. An epoch before it can be the best.

    Returns
    -------
    keras.callbacks.Callback
        With ``state`` and ``set_state``.
    """
    monitor = monitor or Monitor()
    return _EarlyStopping(
        first_epoch,
        monitor=monitor.name,
        mode=monitor.mode,
        patience=patience,
        restore_best_weights=True,
    )


class ReduceOnPlateau(keras.callbacks.Callback):  # type: ignore[name-defined]
    """Lower the learning rate after epochs without a better score.

    Parameters
    ----------
    patience : int
        How many of them.
    monitor : Monitor
    first_epoch : int, default=0
        Epochs before it are not counted.
    """

    def __init__(self, patience: int, monitor: Monitor, first_epoch: int = 0):
        super().__init__()
        self.patience, self.monitor = patience, monitor
        self.first_epoch = first_epoch
        self.best: float | None = None
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the epoch."""
        if epoch < self.first_epoch:
            return
        value = (logs or {})[self.monitor.name]
        if self.monitor.is_better(value, self.best):
            self.best, self.wait = value, 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.model.course.slow_down(PLATEAU_FACTOR)
            self.wait = 0

    def state(self) -> dict[str, Any]:
        """Return what is known of the epochs so far."""
        return {"best": self.best, "wait": self.wait}

    def set_state(self, state: dict[str, Any]) -> None:
        """Know again what ``state`` returned."""
        self.best, self.wait = state["best"], state["wait"]
