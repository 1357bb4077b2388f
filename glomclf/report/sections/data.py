"""Data and splits, and the Audit for leaks between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import Caution, Code, Section, Table
from ..evaluated_model import EvaluatedModel

_MOST = 200  # of an audit; a split at random can have thousands


def data_section(model: EvaluatedModel) -> Section:
    """Count the rows of each part, and say what is not known of them."""
    are_known = model.groups is not None and model.unit != "image"
    n_participants = len(set(model.groups)) if are_known else None
    test = _row("test", len(model.y), int(model.y.sum()), n_participants)
    rows = [*_training_rows(model), test]
    columns = ["part", "patches", "class 0", "class 1", model.owners]
    return Section("Data and splits", [Table(columns, rows), *_remarks(model, rows)])


def _training_rows(model: EvaluatedModel) -> list[list[Any]]:
    """Count training and validation rows, as far as they are known."""
    if not model.record:
        return []
    n_aside = model.record.get("n_validation_samples", 0)
    drawn = getattr(model.classifier, "validation_indices_", ())
    train = model.train
    if train is not None and model.other_training is None and len(drawn) == n_aside:
        is_aside = np.isin(np.arange(len(train)), drawn)
        parts = {"training": train[~is_aside], "validation": train[is_aside]}
        return [
            _row(name, len(part), int(part["label"].sum()), _n_participants(part))
            for name, part in parts.items()
            if len(part)
        ]
    n_positive = model.record.get("class_counts", {}).get("1")
    known = None if n_aside else model.record.get("n_participants")
    trained = _row("training", model.record["n_samples"], n_positive, known)
    aside = ["validation", n_aside, None, None, None]
    return [trained, aside] if n_aside else [trained]


def _n_participants(part: Any) -> int | None:
    return part["participant"].nunique() if "participant" in part else None


def _row(
    name: str, n_rows: int, n_positive: int | None, known: int | None
) -> list[Any]:
    """Give the numbers of a part of the data; what is not known stays None."""
    if n_positive is None:
        return [name, n_rows, None, None, known]
    positive = f"{n_positive} ({n_positive / n_rows:.0%})"
    return [name, n_rows, n_rows - n_positive, positive, known]


def _remarks(model: EvaluatedModel, rows: list[list[Any]]) -> list[str | None]:
    told = ["Class 1 is globally sclerotic, class 0 the rest."]
    if model.record.get("labels"):
        told.append(f"Labels trained on: {model.record['labels']}.")
    together = model.record.get("n_participants")
    if together is not None and any(row[-1] is None for row in rows):
        aside = any(row[0] == "validation" for row in rows)
        parts = "Training and validation rows" if aside else "Training rows"
        told.append(f"{parts} come from {together} {model.owners}.")
    resampled = model.record.get("class_counts_resampled")
    if resampled and model.settings.get("sampler") != "None":
        counts = ", ".join(f"{n} of class {label}" for label, n in resampled.items())
        told.append(f"After the sampler the training rows are {counts}.")
    if model.shared_participants is None:
        told.append(
            "Whether participants of the test set were trained on cannot be told from "
            "what this run was given; `glomclf audit` tells it from the csv files."
        )
    elif not model.shared_participants:
        told.append("No participant of the test set was trained on.")
    return [*told, model.unknown]


def audit_section(model: EvaluatedModel) -> Section:
    """Show what the audit of the split found, or that there was none."""
    title, audit = "Audit for leaks", model.audit
    if audit is None:
        text = (
            "Not run. `glomclf audit` looks for participants, identical images and "
            "near-duplicates on both sides of a split."
        )
        return Section(title, [text])
    leaky = "Leaks were found: the scores of this split cannot be believed."
    blocks: list[Any] = [Caution(leaky) if audit.is_leaky else "No leak found."]
    findings = audit.to_frame()
    if n_found := len(findings):
        told = f"{n_found} findings"
        told += f", of which the first {_MOST}" if n_found > _MOST else ""
        shown = Table.from_frame(findings.head(_MOST), told, folded=True, texts=True)
        blocks += [Code(str(audit)), shown]
    folds = Table.from_frame(audit.folds, "Folds", folded=True)
    return Section(title, [*blocks, folds])
