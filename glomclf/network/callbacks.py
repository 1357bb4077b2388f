"""What happens between epochs: the bar moves on, and training may stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .backend import keras

__all__ = ["EarlyStopping", "EpochProgress"]


class EpochProgress(keras.callbacks.Callback):  # type: ignore[name-defined]
    """Move a bar on after every epoch, the losses behind it."""

    def __init__(self, advance: Callable[..., None]):
        super().__init__()
        self.advance = advance

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the losses of the epoch that ended."""
        losses = ((name, (logs or {}).get(name)) for name in ("loss", "val_loss"))
        note = ", ".join(f"{name} {x:.3f}" for name, x in losses if x is not None)
        self.advance(note=note)


class EarlyStopping(keras.callbacks.EarlyStopping):  # type: ignore[name-defined]
    """Stop on the validation loss, and restore the weights of the best epoch.

    Parameters
    ----------
    patience : int
        Epochs without a lower loss.
    first_epoch : int, default=0
        Patience is not counted before. An epoch before it can be the best.
    """

    _STATE = ("wait", "best", "best_epoch", "stopped_epoch", "best_weights")

    def __init__(self, patience: int, first_epoch: int = 0):
        super().__init__(
            "val_loss", mode="min", patience=patience, restore_best_weights=True
        )
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
