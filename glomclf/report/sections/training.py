"""Training: losses by epoch; of an ensemble also What is estimated, and Folds."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from ..blocks import Section, Table
from ..displays.training import HistoryDisplay
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
_ESTIMATE = (
    "These are scores of single members: each patch is judged by the one that was "
    "trained without its fold. They estimate what one such member is worth on new "
    "participants. The model that was saved is the mean of all members. Its Brier "
    "score is no worse than theirs, up to chance; other scores are mostly a little "
    "better, which nothing guarantees. ROC AUC and average precision of all folds "
    "together compare probabilities of different members, which lowers them; those of "
    "single folds are below. To score the ensemble, evaluate it on participants that "
    "no member has seen (`glomclf split`, `glomclf evaluate test.csv --model FILE`)."
)
_CROSS_FITTED = (
    "Each fold is judged at the threshold that is best on the other folds, because a "
    "score is too good on the rows that its threshold was chosen on. New images are "
    "cut at {threshold:g}, chosen on all rows."
)


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


def estimate_section(model: EvaluatedModel) -> Section:
    """Say what scores out of fold estimate, and how they were judged."""
    fitted = _CROSS_FITTED.format(threshold=model.classifier.threshold_)
    told = [_ESTIMATE, fitted if np.ndim(model.threshold) else None]
    return Section("What is estimated", told)


def folds_section(model: EvaluatedModel) -> Section:
    """List what each fold left out, and how its member did there."""
    ensemble, rows = model.classifier, []
    for fold in range(len(ensemble.estimators_)):
        inside = ensemble.oof_fold_ == fold
        y, score = model.y[inside], model.y_score[inside]
        owners = None if model.groups is None else len(set(model.groups[inside]))
        auc = roc_auc_score(y, score) if 0 < y.mean() < 1 else None
        cut = float(ensemble.oof_threshold_[inside][0])
        rows.append([fold + 1, len(y), int(y.sum()), owners, cut, auc])
    columns = ["fold", "patches", "class 1", f"{model.unit}s", "threshold", "ROC AUC"]
    return Section("Folds", [Table(columns, rows)])
