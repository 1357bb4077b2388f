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
_OF_A_NETWORK = {
    "kind": "Deep learning: a convolutional network ({backbone}).",
    "preprocessing": "Patches to RGB, {image_size} pixels a side ({resize}), stain "
    "normalised: {stain_normalizer}, scaled as the backbone expects.",
    "model": "{backbone}, trainable layers: {trainable_layers}; then {dense_units} "
    "units, dropout {dropout}, one sigmoid unit. All weights are in the model file.",
    "initialisation": "Backbone: {weights}; the rest at random, seed {random_state}.",
    "training": "Recipe {recipe!r}. Sampler {sampler} in {sampling_space}; "
    "augmentation {augmentation}, stored views {augmented_views}; loss {loss}; "
    "{optimizer}, learning rate {learning_rate} ({schedule}), batches of {batch_size}, "
    "{n_epochs} epochs run of {epochs} at most.",
    "selection": "Weights of the {best} epoch.",
    "imbalance": "Sampler {sampler}, class weights {class_weight}, on training rows "
    "only.",
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
    is_network = {"backbone", "sampler", "image_size"} <= set(model.settings)
    return {**facts, **(_network_facts(model) if is_network else {})}


def _filled_in(texts: Mapping[str, str], **values: Any) -> dict[str, str]:
    return {fact: text.format(**values) for fact, text in texts.items()}


def _network_facts(model: EvaluatedModel) -> dict[str, str]:
    told = dict(model.settings)
    if told["weights"] == "None":
        told["weights"] = "fixed random weights"
    n_members = len(model.members)
    mean = (
        f"Mean of {n_members} networks, one a fold of the training rows, each trained "
        "without its fold."
    )
    best = "last" if told["patience"] == "None" else f"best {told['monitor']}"
    return {
        **_filled_in(_OF_A_NETWORK, **told, n_epochs=_epochs_run(model), best=best),
        "partition": _partition(model, told),
        "ensemble": mean if n_members else "None: one network.",
    }


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


def _partition(model: EvaluatedModel, told: Mapping[str, str]) -> str:
    fraction = told["validation_fraction"]
    if fraction in ("None", "auto"):  # "auto": not fitted, and so on nobody
        return "No validation rows were set aside in training."
    unit = "participants" if model.record.get("n_participants") else "rows"
    of = " of each network" if model.members else ""
    use = "not trained on" if told["patience"] == "None" else "for early stopping"
    return (
        f"{float(fraction):.0%} of the training {unit}{of} were set aside, {use}, at "
        "random, stratified by class."
    )


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
