"""Training: losses and accuracies by epoch, of one network or of each member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..blocks import Section, Table
from ..evaluated_model import EvaluatedModel
from ..pictures import Picture, draw_picture

__all__ = ["training_section"]


# What changes the training rows alone, by the setting that asks for it.
_OF_TRAINING = {
    "sampler": "after the sampler",
    "network__dropout": "with dropout",
    "network__augmentation": "with augmentation",
    "network__label_smoothing": "with label smoothing",
}
_NONE = (None, "None", "0", "0.0")


def training_section(model: EvaluatedModel) -> Section | None:
    """Draw what was noted of each epoch; None where nothing was."""
    if not model.histories or len(model.histories) < len(model.members):
        return None
    members = [_table(model.members)] if model.members else []
    return Section("Training", [_history(model), *members])


def _history(model: EvaluatedModel) -> Picture:
    from ..displays import HistoryDisplay

    histories = model.histories
    display, n_networks = HistoryDisplay(histories), len(histories)
    n_panels, n_epochs = len(display.panels), len(histories[0]["loss"])
    end, figsize = "", (3.5 * n_panels, 3.0)
    told = f"{n_epochs} epoch{'' if n_epochs == 1 else 's'}: loss and accuracy"
    if n_networks > 1:
        told = f"Loss and accuracy of the {n_networks} members by epoch,"
        end = " No row of the fold itself is among them."
        figsize = (3.5 * n_panels, 0.6 + 1.9 * n_networks)
    has_rate = "learning_rate" in display.panels
    rate = "; the learning rate at the end of each" if has_rate else ""
    return draw_picture(
        lambda figure: display.plot(display.divide(figure)),
        alt="Loss and accuracy of each epoch",
        caption=f"{told} of {_rows(model)}{rate}.{end}",
        name="history",
        figsize=figsize,
    )


def _rows(model: EvaluatedModel) -> str:
    """Say of which rows there are losses, and what was done to them."""
    changes = [
        how
        for name, how in _OF_TRAINING.items()
        if model.settings.get(name) not in _NONE
    ]
    training = "the training rows"
    if changes:
        training += f" ({', '.join(changes)})"
    if not any(name.startswith("val_") for name in model.histories[0]):
        return f"{training}, none of which was set aside"
    without = " (without these)" if changes else ""
    return f"{training} and of the validation rows{without}"


def _table(members: Sequence[Any]) -> Table:
    columns = [
        "fold",
        "patches trained on",
        "set aside",
        "epochs",
        "epoch of lowest validation loss",
        "seed",
    ]
    rows = []
    for fold, member in enumerate(members, start=1):
        record, history = member.training_record_, member.history_
        watched = history.get("val_loss")
        counts = [record["n_samples"], record["n_validation_samples"]]
        best = int(np.argmin(watched)) + 1 if watched else None
        rows.append([fold, *counts, len(history["loss"]), best, member.random_state])
    return Table(columns, rows, "Members", folded=True)
