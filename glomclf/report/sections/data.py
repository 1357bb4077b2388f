"""Data and splits, and the Audit for leaks between them."""

from __future__ import annotations

from ..blocks import Block, Caution, Code, Paragraph, Section, Table
from ..evaluated_model import EvaluatedModel, Part

__all__ = ["audit_section", "data_section"]

_MAX_FINDINGS = 200  # of an audit; a split at random can have thousands


def data_section(model: EvaluatedModel) -> Section:
    """Count the rows of each part, and say what is not known of them."""
    columns = ["part", "patches", "class 0", "class 1", model.owners]
    table = Table(columns, [_part_row(part) for part in model.parts])
    return Section("Data and splits", [table, *map(Paragraph, _remarks(model))])


def _part_row(part: Part) -> list[str]:
    participants = "–" if part.n_participants is None else str(part.n_participants)
    if part.n_positive is None:
        return [part.name, str(part.n_rows), "–", "–", participants]
    n_negative = str(part.n_rows - part.n_positive)
    positive = f"{part.n_positive} ({part.n_positive / part.n_rows:.0%})"
    return [part.name, str(part.n_rows), n_negative, positive, participants]


def _remarks(model: EvaluatedModel) -> list[str]:
    told = ["Class 1 is globally sclerotic, class 0 the rest."]
    together = model.record.get("n_participants")
    if together is not None and any(p.n_participants is None for p in model.parts):
        aside = any(part.name == "validation" for part in model.parts)
        rows = "Training and validation rows" if aside else "Training rows"
        told.append(f"{rows} come from {together} {model.owners}.")
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
