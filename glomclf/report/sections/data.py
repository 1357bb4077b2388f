"""Data and splits, and the Audit for leaks between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import Block, Caution, Code, Paragraph, Section, Table
from ..evaluated_model import EvaluatedModel

__all__ = ["audit_section", "data_section"]

_MAX_FINDINGS = 200  # of an audit; a split at random can have thousands


def data_section(model: EvaluatedModel) -> Section:
    """Count the rows of each part, and say what is not known of them."""
    are_known = model.groups is not None and model.unit != "image"
    n_participants = len(set(model.groups)) if are_known else None
    test = _row("test", len(model.y), int(model.y.sum()), n_participants)
    rows = [*_training_rows(model), test]
    columns = ["part", "patches", "class 0", "class 1", model.owners]
    remarks = map(Paragraph, _remarks(model, rows))
    return Section("Data and splits", [Table(columns, rows), *remarks])


def _training_rows(model: EvaluatedModel) -> list[list[Any]]:
    """Count training and validation rows, as far as they are known."""
    if not model.record:
        return []
    n_aside = model.record.get("n_validation_samples", 0)
    drawn = getattr(model.classifier, "validation_indices_", ())
    is_it = model.train is not None and model.other_training is None
    if is_it and len(drawn) == n_aside:
        return _counted_rows(model.train, drawn)
    n_positive = model.record.get("class_counts", {}).get("1")
    known = None if n_aside else model.record.get("n_participants")
    trained = _row("training", model.record["n_samples"], n_positive, known)
    aside = ["validation", n_aside, None, None, None]
    return [trained, aside] if n_aside else [trained]


def _counted_rows(train: Any, validation: Any) -> list[list[Any]]:
    aside, rows = np.isin(np.arange(len(train)), validation), []
    for name, part in (("training", train[~aside]), ("validation", train[aside])):
        if len(part):
            known = part["participant"].nunique() if "participant" in part else None
            rows.append(_row(name, len(part), int(part["label"].sum()), known))
    return rows


def _row(
    name: str, n_rows: int, n_positive: int | None, known: int | None
) -> list[Any]:
    """Give the numbers of a part of the data; what is not known stays None."""
    classes: list[Any] = [None, None]
    if n_positive is not None:
        share = n_positive / n_rows
        classes = [n_rows - n_positive, f"{n_positive} ({share:.0%})"]
    return [name, n_rows, *classes, known]


def _remarks(model: EvaluatedModel, rows: list[list[Any]]) -> list[str]:
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
    if model.unknown:
        told.append(model.unknown)
    return told


def audit_section(model: EvaluatedModel) -> Section:
    """Show what the audit of the split found, or that there was none."""
    title, audit = "Audit for leaks", model.audit
    if audit is None:
        text = (
            "Not run. `glomclf audit` looks for participants, identical images and "
            "near-duplicates on both sides of a split."
        )
        return Section(title, [Paragraph(text)])
    leaky = "Leaks were found: the scores of this split cannot be believed."
    blocks: list[Block] = [
        Caution(leaky) if audit.is_leaky else Paragraph("No leak found.")
    ]
    findings = audit.to_frame()
    if len(findings):
        blocks.append(Code(str(audit)))
        caption = f"{len(findings)} findings"
        if len(findings) > _MAX_FINDINGS:
            caption += f", of which the first {_MAX_FINDINGS}"
        shown = findings.head(_MAX_FINDINGS)
        blocks.append(Table.from_frame(shown, caption=caption, folded=True, texts=True))
    blocks.append(Table.from_frame(audit.folds, caption="Folds", folded=True))
    return Section(title, blocks)
