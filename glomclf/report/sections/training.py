"""Training: losses and accuracies by epoch, of one network or of each member."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import Section, Table
from ..displays.history import HistoryDisplay
from ..evaluated_model import EvaluatedModel
from ..pictures import Picture

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
    display, n_networks = HistoryDisplay(model.histories), len(model.histories)
    n_epochs, end = len(model.histories[0]["loss"]), ""
    told = f"{n_epochs} epoch{'' if n_epochs == 1 else 's'}: loss and accuracy"
    if n_networks > 1:
        told = f"Loss and accuracy of the {n_networks} members by epoch,"
        end = " No row of the fold itself is among them."
    has_rate = "learning_rate" in display.panels
    rate = "; the learning rate at the end of each" if has_rate else ""
    picture = Picture(
        display.plot,
        alt="Loss and accuracy of each epoch",
        caption=f"{told} of {_rows(model)}{rate}.{end}",
        name="history",
        figsize=display.figsize,
    )
    members = _members(model.members) if model.members else None
    return Section("Training", [picture, members])


def _rows(model: EvaluatedModel) -> str:
    """Say of which rows there are losses, and what was done to them."""
    settings = model.settings
    changes = [h for name, h in _OF_TRAINING.items() if settings.get(name) not in _NONE]
    training = "the training rows" + (f" ({', '.join(changes)})" if changes else "")
    if not any(name.startswith("val_") for name in model.histories[0]):
        return f"{training}, none of which was set aside"
    without = " (without these)" if changes else ""
    return f"{training} and of the validation rows{without}"


def _members(members: list[Any]) -> Table:
    columns = ["fold", "patches trained on", "set aside", "epochs"]
    columns += ["epoch of lowest validation loss", "seed"]
    rows = []
    for fold, member in enumerate(members, start=1):
        record, history = member.training_record_, member.history_
        watched = history.get("val_loss")
        counts = [record["n_samples"], record["n_validation_samples"]]
        best = int(np.argmin(watched)) + 1 if watched else None
        rows.append([fold, *counts, len(history["loss"]), best, member.random_state])
    return Table(columns, rows, "Members", folded=True)
