"""What happens between epochs: the bar moves on, and training may stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .backend import keras

__all__ = ["EpochProgress", "early_stopping"]


class EpochProgress(keras.callbacks.Callback):  # type: ignore[name-defined]
    """Move a bar on after every epoch, the losses behind it."""

    def __init__(self, advance: Callable[..., None]):
        super().__init__()
        self.advance = advance

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the losses of the epoch that ended."""
        losses = ((name, (logs or {}).get(name)) for name in ("loss", "val_loss"))
        note = ", ".join(
            f"{name} {loss:.3f}" for name, loss in losses if loss is not None
        )
        self.advance(note=note)


def early_stopping(patience: int) -> Any:
    """Stop on the validation loss and restore the weights of the best epoch."""
    return keras.callbacks.EarlyStopping(
        monitor="val_loss", mode="min", patience=patience, restore_best_weights=True
    )
