"""Training: losses and accuracies by epoch, of one network or of each member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..blocks import Section, Table
from ..evaluated_model import EvaluatedModel
from ..pictures import Picture, draw_picture

__all__ = ["training_section"]


def training_section(model: EvaluatedModel) -> Section | None:
    """Draw what was noted of each epoch; None where nothing was."""
    if not model.histories or len(model.histories) < len(model.members):
        return None
    members = [_table(model.members)] if model.members else []
    return Section("Training", [_history(model.histories), *members])


def _history(histories: Sequence[Mapping[str, Sequence[float]]]) -> Picture:
    from ..displays import HistoryDisplay

    display, n_networks = HistoryDisplay(histories), len(histories)
    n_panels, n_epochs = len(display.panels), len(histories[0]["loss"])
    panels = ", ".join(name.replace("_", " ") for name in display.panels)
    if n_networks > 1:
        told = f"{panels.capitalize()} of the {n_networks} members by epoch"
        end = " No row of the fold itself is among them."
        figsize = (3.5 * n_panels, 0.6 + 1.9 * n_networks)
    else:
        told, end = f"{n_epochs} epoch{'' if n_epochs == 1 else 's'}: {panels}", ""
        figsize = (3.5 * n_panels, 3.0)
    return draw_picture(
        lambda figure: display.plot(display.divide(figure)),
        alt="Loss and accuracy of each epoch",
        caption=f"{told}, of {_rows(histories[0])}.{end}",
        name="history",
        figsize=figsize,
    )


def _rows(history: Mapping[str, Sequence[float]]) -> str:
    """Say of which rows there are losses."""
    training = (
        "the training rows (after the sampler, with dropout and any augmentation and "
        "label smoothing)"
    )
    if not any(name.startswith("val_") for name in history):
        return f"{training}; no rows were set aside"
    return f"{training} and of the validation rows (without all of these)"


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
