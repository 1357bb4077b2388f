"""Reporting checklists: what the run knows of CLAIM and TRIPOD+AI, and what is open."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..blocks import Paragraph, Section, Table, estimate_row
from ..checklists import CLAIM, TRIPOD_AI, Checklist
from ..environment import library_versions
from ..evaluated_model import EvaluatedModel

__all__ = ["checklists_section"]


def checklists_section(model: EvaluatedModel) -> Section:
    """Fill both checklists as far as the run knows; the rest is listed as open."""
    facts = _facts(model)
    intro = (
        "What the run knows is filled in, as a start for an article; open items are "
        "for its authors. Items are told in our own short words."
    )
    tables = [_filled(checklist, facts) for checklist in (CLAIM, TRIPOD_AI)]
    return Section("Reporting checklists", [Paragraph(intro), *tables])


_TEXTS = Path(__file__).parents[1] / "templates" / "checklist_facts.toml"
_REPORTED = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "roc_auc": "ROC AUC",
}


def _filled(checklist: Checklist, facts: dict[str, str]) -> Table:
    table = checklist.fill(facts)
    n_open = int((table["answer"] == "").sum())
    rows = [
        [item, row["section"], row["asks"], row["answer"] or "open"]
        for item, row in table.iterrows()
    ]
    caption = f"{checklist.name}: {len(rows) - n_open} filled, {n_open} open"
    reference = ["Source", "", checklist.reference, ""]
    columns = ["item", "section", "asks", "this run"]
    return Table(columns, [*rows, reference], caption, folded=True, texts=True)


def _facts(model: EvaluatedModel) -> dict[str, str]:
    texts = tomllib.loads(_TEXTS.read_text("utf-8"))
    facts = _filled_in(texts["run"], **_known_of_run(model))
    if disjoint := _disjoint(model):
        facts["disjoint"] = disjoint
    told, n_members = model.settings, len(model.members)
    if "sampler" in told:
        mean = (
            f"Mean of {n_members} classifiers, one a fold of the training rows, each "
            "trained without its fold."
        )
        facts |= _filled_in(
            texts["classifier"],
            **told,
            partition=_partition(model),
            ensemble=mean if n_members else "None: one classifier.",
        )
    if "network__backbone" in told:
        weights, is_best = told["network__weights"], told["network__patience"] != "None"
        facts |= _filled_in(
            texts["network"],
            **told,
            weights="fixed random weights" if weights == "None" else weights,
            n_epochs=_epochs_run(model),
            best="epoch with the lowest validation loss" if is_best else "last epoch",
        )
    return facts


def _filled_in(texts: Mapping[str, str], **values: Any) -> dict[str, str]:
    return {fact: text.format(**values) for fact, text in texts.items()}


def _known_of_run(model: EvaluatedModel) -> dict[str, Any]:
    versions, evaluation = library_versions(), model.evaluation
    scores = [estimate_row(evaluation, *one) for one in _REPORTED.items()]
    biopsies = ", and agreement of percentages per biopsy"
    return {
        "level": evaluation.level,
        "n_bootstrap": evaluation.n_bootstrap,
        "units": model.units,
        "threshold": model.threshold,
        "version": versions["glomclf"],
        "software": ", ".join(f"{name} {each}" for name, each in versions.items()),
        "agreement": "" if model.biopsies is None else biopsies,
        "performance": ", ".join(f"{name} {n} ({ends})" for name, n, ends in scores),
    }


def _epochs_run(model: EvaluatedModel) -> str:
    """Tell how many epochs there were, of the members from the fewest to the most."""
    counts = sorted({len(one.get("loss", ())) for one in model.histories}) or [0]
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _partition(model: EvaluatedModel) -> str:
    """Say which rows were set aside in training, of an ensemble by its first member."""
    network = model.members[0] if model.members else model.classifier
    record = getattr(network, "training_record_", {})
    n_aside = record.get("n_validation_samples", 0)
    if not n_aside:
        return "No validation rows were set aside in training."
    unit = "participants" if record.get("n_participants") else "rows"
    is_drawn = len(getattr(network, "validation_indices_", ()))
    how = f"{unit} drawn at random, stratified by class" if is_drawn else "given apart"
    of = "each classifier's" if model.members else "the"
    share = n_aside / (n_aside + record["n_samples"])
    return f"{share:.0%} of {of} training patches were set aside: {how}."


def _disjoint(model: EvaluatedModel) -> str:
    if model.shared_participants is None:
        return ""
    if model.shared_participants:
        return (
            f"Not disjoint: {len(model.shared_participants)} {model.owners} are in "
            "training and test."
        )
    return "Participant: none is in both training and test."
