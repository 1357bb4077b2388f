"""What is shown of the members of an ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np

from .blocks import Block, Section, Table
from .pictures import draw_picture

__all__ = ["members_section"]


def members_section(ensemble: Any) -> Section | None:
    """Draw losses and accuracies of each member, and say how long each trained.

    Parameters
    ----------
    ensemble : FoldEnsembleClassifier
        Fitted.

    Returns
    -------
    section : Section or None
        None where the members keep no history.
    """
    members = ensemble.estimators_
    if not all(hasattr(one, "history_") for one in members):
        return None
    from .displays import EnsembleHistoryDisplay, HistoryDisplay

    display = EnsembleHistoryDisplay([one.history_ for one in members])
    panels = HistoryDisplay(members[0].history_).panels
    told = ", ".join(name.replace("_", " ") for name in panels).capitalize()
    picture = draw_picture(
        lambda figure: display.plot(display.panels(figure)),
        alt="Loss and accuracy of each epoch, one row a member",
        caption=f"{told} of the {len(members)} members by epoch, of their training "
        "rows (after the sampler, with dropout and any augmentation and label "
        "smoothing) and of their validation rows (without all of these). No row of "
        "the fold itself is among them.",
        figsize=(3.5 * display.n_panels, 0.6 + 1.9 * len(members)),
    )
    rows = [_row(fold, one) for fold, one in enumerate(members, start=1)]
    columns = [
        "fold",
        "patches trained on",
        "set aside",
        "epochs",
        "epoch of lowest validation loss",
        "seed",
    ]
    blocks: list[Block] = [picture, Table(columns, rows, "Members", folded=True)]
    return Section("Training", blocks)


def _row(fold: int, member: Any) -> list[str]:
    record, watched = member.training_record_, member.history_.get("val_loss")
    best = "–" if not watched else str(int(np.argmin(watched)) + 1)
    n_epochs = str(len(member.history_["loss"]))
    trained, aside = record["n_samples"], record["n_validation_samples"]
    seed = str(member.random_state)
    return [str(fold), str(trained), str(aside), n_epochs, best, seed]
