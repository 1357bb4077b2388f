"""Reporting checklists: what the run knows of CLAIM and TRIPOD+AI, and what is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..blocks import Paragraph, Section, Table, number, span
from ..checklists import CLAIM, TRIPOD_AI, Checklist
from ..environment import library_versions
from ..evaluated_model import EvaluatedModel

__all__ = ["checklists_section"]


def checklists_section(model: EvaluatedModel) -> Section:
    """Fill both checklists as far as the run knows; the rest is listed as open.

    Parameters
    ----------
    model : EvaluatedModel

    Returns
    -------
    section : Section
    """
    facts = _facts(model)
    intro = (
        "What the run knows is filled in, as a start for an article; open items are "
        "for its authors. Items are told in our own short words."
    )
    tables = [
        _filled(
            checklist, {n: facts[fact] for n, fact in wanted.items() if fact in facts}
        )
        for checklist, wanted in ((CLAIM, _IN_CLAIM), (TRIPOD_AI, _IN_TRIPOD))
    ]
    return Section("Reporting checklists", [Paragraph(intro), *tables])


_REPORTED = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "roc_auc": "ROC AUC",
}
# Which fact answers which item.
_IN_CLAIM = {
    "1": "kind",
    "6": "goal",
    "9": "preprocessing",
    "19": "partition",
    "20": "disjoint",
    "22": "model",
    "23": "software",
    "24": "initialisation",
    "25": "training",
    "26": "selection",
    "27": "ensemble",
    "28": "measures",
    "29": "uncertainty",
    "35": "counts",
    "37": "performance",
    "38": "performance",
    "39": "failures",
    "43": "code",
}
_IN_TRIPOD = {
    "7": "preprocessing",
    "9b": "predictors",
    "12a": "partition",
    "12b": "preprocessing",
    "12c": "training",
    "12e": "measures",
    "12g": "calculation",
    "13": "imbalance",
    "15": "output",
    "18f": "code",
    "20a": "counts",
    "21": "counts",
    "22": "model",
    "23a": "performance",
}


def _filled(checklist: Checklist, answers: dict[str, str]) -> Table:
    table = checklist.fill(answers)
    n_open = int((table["answer"] == "").sum())
    rows = [
        [item, row["section"], row["asks"], row["answer"] or "open"]
        for item, row in table.iterrows()
    ]
    caption = f"{checklist.name}: {len(rows) - n_open} filled, {n_open} open"
    reference = ["Source", "", checklist.reference, ""]
    columns = ["item", "section", "asks", "this run"]
    return Table(columns, [*rows, reference], caption, folded=True, texts=True)


# What is said of every run, and of a network; names in braces are filled in.
_OF_THE_RUN = {
    "goal": "Evaluation of a classifier that tells globally sclerotic glomeruli from "
    "the rest in patches of kidney biopsies.",
    "uncertainty": "{level} intervals by bootstrap over {units}, {n_bootstrap} "
    "replicates.",
    "failures": "See Worst mistakes.",
    "output": "Probability of class 1; predicted 1 from {threshold:g} on.",
    "code": "glomclf {version}, BSD-3-Clause. Availability of model and data is for "
    "the authors to state.",
    "predictors": "The pixels of one patch.",
    "calculation": "By the trained classifier, one probability a patch.",
}
_OF_A_CLASSIFIER = {
    "preprocessing": "Patches to RGB, {image_size} pixels a side ({resize}), stain "
    "normalised: {stain_normalizer}, scaled as the backbone expects.",
    "model": "{network} on the output of {encoder}. Both are in the model file.",
    "training": "Sampler {sampler} in {sampling_space}, then {network}.",
    "imbalance": "Sampler {sampler}, on training rows only.",
}
_OF_A_NETWORK = {
    "kind": "Deep learning: a convolutional network ({network__backbone}).",
    "model": "{network__backbone}, trainable layers: {network__trainable_layers}; then "
    "{network__dense_units} units, dropout {network__dropout}, one sigmoid unit. All "
    "weights are in the model file.",
    "initialisation": "Backbone: {weights}; the rest at random, seed {random_state}.",
    "training": "Sampler {sampler} in {sampling_space}; augmentation "
    "{network__augmentation}; binary cross-entropy; {network__optimizer}, learning "
    "rate {network__learning_rate} ({network__schedule}), batches of "
    "{network__batch_size}, {n_epochs} epochs run of {network__epochs} at most.",
    "selection": "Weights of the {best}.",
    "imbalance": "Sampler {sampler}, class weights {network__class_weight}, on "
    "training rows only.",
}


def _facts(model: EvaluatedModel) -> dict[str, str]:
    versions, evaluation = library_versions(), model.evaluation
    facts = {
        **_filled_in(
            _OF_THE_RUN,
            level=evaluation.level,
            n_bootstrap=evaluation.n_bootstrap,
            units=model.units,
            threshold=model.threshold,
            version=versions["glomclf"],
        ),
        "measures": _measures(model),
        "counts": _counts(model),
        "performance": _performance(model),
        "software": ", ".join(f"{name} {each}" for name, each in versions.items()),
    }
    if disjoint := _disjoint(model):
        facts["disjoint"] = disjoint
    if "sampler" in model.settings:
        facts |= _classifier_facts(model)
    return facts


def _filled_in(texts: Mapping[str, str], **values: Any) -> dict[str, str]:
    return {fact: text.format(**values) for fact, text in texts.items()}


def _classifier_facts(model: EvaluatedModel) -> dict[str, str]:
    told, n_members = model.settings, len(model.members)
    mean = (
        f"Mean of {n_members} classifiers, one a fold of the training rows, each "
        "trained without its fold."
    )
    facts = {
        **_filled_in(_OF_A_CLASSIFIER, **told),
        "partition": _partition(model),
        "ensemble": mean if n_members else "None: one classifier.",
    }
    if "network__backbone" not in told:
        return facts
    weights, stopped = told["network__weights"], told["network__patience"] != "None"
    return facts | _filled_in(
        _OF_A_NETWORK,
        **told,
        weights="fixed random weights" if weights == "None" else weights,
        n_epochs=_epochs_run(model),
        best="epoch with the lowest validation loss" if stopped else "last epoch",
    )


def _epochs_run(model: EvaluatedModel) -> str:
    """Tell how many epochs there were, of the members from the fewest to the most."""
    counts = sorted({len(one.get("loss", ())) for one in model.histories}) or [0]
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _measures(model: EvaluatedModel) -> str:
    """Name the scores; those of biopsies only where these are known."""
    told = (
        "Recall and precision at the threshold, ranking (ROC AUC, average precision), "
        "calibration"
    )
    if model.biopsies is None:
        return f"{told}; see Scores and Curves."
    return (
        f"{told}, and agreement of percentages per biopsy; see Scores, Curves and "
        "Percentage per biopsy."
    )


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


def _counts(model: EvaluatedModel) -> str:
    told = []
    for part in model.parts:
        positive = "" if part.n_positive is None else f", {part.n_positive} of class 1"
        units = part.n_participants
        owners = "" if units is None else f", {units} {model.owners}"
        told.append(f"{part.name}: {part.n_rows} patches{positive}{owners}")
    return f"{'; '.join(told)}. What was left out before is not known here."


def _performance(model: EvaluatedModel) -> str:
    scores, told = model.evaluation.scores, []
    for name, shown in _REPORTED.items():
        ends = span(model.evaluation.interval(name))
        told.append(f"{shown} {number(scores[name])} ({ends})")
    return f"On the test set: {', '.join(told)}. See Scores."
