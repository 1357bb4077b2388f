"""What a run can answer of the reporting checklists."""

from __future__ import annotations

from collections.abc import Mapping

from .blocks import Paragraph, Section, Table, number, span
from .checklists import CLAIM, TRIPOD_AI, Checklist
from .run import Run

__all__ = ["checklist_section"]


def checklist_section(run: Run) -> Section:
    """Fill both checklists as far as the run knows; the rest is listed as open.

    Parameters
    ----------
    run : Run

    Returns
    -------
    section : Section
    """
    facts = _facts(run)
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
        [number, row["section"], row["asks"], row["answer"] or "open"]
        for number, row in table.iterrows()
    ]
    caption = f"{checklist.name}: {len(rows) - n_open} filled, {n_open} open"
    reference = ["Source", "", checklist.reference, ""]
    columns = ["item", "section", "asks", "this run"]
    return Table(columns, [*rows, reference], caption, folded=True, texts=True)


def _facts(run: Run) -> dict[str, str]:
    facts = {
        "goal": "Evaluation of a classifier that tells globally sclerotic glomeruli "
        "from the rest in patches of kidney biopsies.",
        "measures": _measures(run),
        "uncertainty": _uncertainty(run),
        "counts": _counts(run),
        "performance": _performance(run),
        "failures": "See Worst mistakes.",
        "output": f"Probability of class 1; predicted 1 from {run.threshold:g} on.",
        "software": ", ".join(f"{name} {v}" for name, v in run.versions.items()),
        "code": f"glomclf {run.versions['glomclf']}, BSD-3-Clause. Availability of "
        "model and data is for the authors to state.",
        "predictors": "The pixels of one patch.",
        "calculation": "By the trained classifier, one probability a patch.",
    }
    disjoint = _disjoint(run)
    if disjoint:
        facts["disjoint"] = disjoint
    return {**facts, **(_model_facts(run) if _is_network(run) else {})}


def _measures(run: Run) -> str:
    """Name the scores; those of biopsies only where these are known."""
    told = (
        "Recall and precision at the threshold, ranking (ROC AUC, average precision), "
        "calibration"
    )
    if run.biopsies is None:
        return f"{told}; see Scores and Curves."
    return (
        f"{told}, and agreement of percentages per biopsy; see Scores, Curves and "
        "Percentage per biopsy."
    )


def _is_network(run: Run) -> bool:
    return {"backbone", "sampler", "image_size"} <= set(run.settings)


def _model_facts(run: Run) -> dict[str, str]:
    """Tell what the parameters of a `GlomeruliClassifier` say."""
    told = run.settings
    weights = "fixed random weights" if told["weights"] == "None" else told["weights"]
    n_epochs = _epochs_run(run)
    stopped = told["patience"] != "None"
    return {
        "kind": f"Deep learning: a convolutional network ({told['backbone']}).",
        "preprocessing": f"Patches to RGB, {told['image_size']} pixels a side "
        f"({told['resize']}), stain normalised: {told['stain_normalizer']}, scaled as "
        "the backbone expects.",
        "partition": _partition(run, told),
        "model": f"{told['backbone']}, trainable layers: {told['trainable_layers']}; "
        f"then {told['dense_units']} units, dropout {told['dropout']}, one sigmoid "
        "unit. All weights are in the model file.",
        "initialisation": f"Backbone: {weights}; the rest at random, seed "
        f"{told['random_state']}.",
        "training": f"Recipe {told['recipe']!r}. Sampler {told['sampler']} in "
        f"{told['sampling_space']}; augmentation {told['augmentation']}; "
        f"binary cross-entropy; {told['optimizer']}, "
        f"learning rate {told['learning_rate']} ({told['schedule']}), batches of "
        f"{told['batch_size']}, {n_epochs} epochs run of {told['epochs']} at most.",
        "selection": "Weights of the epoch with the lowest validation loss."
        if stopped
        else "Weights of the last epoch.",
        "ensemble": f"Mean of {len(run.members)} networks, one a fold of the training "
        "rows, each trained without its fold."
        if run.members
        else "None: one network.",
        "imbalance": f"Sampler {told['sampler']}, class weights "
        f"{told['class_weight']}, on training rows only.",
    }


def _epochs_run(run: Run) -> str:
    """Tell how many epochs there were, of the members from the fewest to the most."""
    histories = [one.history_ for one in run.members] or [run.history]
    counts = sorted({len(one.get("loss", ())) for one in histories})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _partition(run: Run, told: Mapping[str, str]) -> str:
    fraction = told["validation_fraction"]
    if fraction in ("None", "auto"):  # "auto": not fitted, and so on nobody
        return "No validation rows were set aside in training."
    unit = "participants" if run.record.get("n_participants") else "rows"
    of = " of each network" if run.members else ""
    use = "not trained on" if told["patience"] == "None" else "for early stopping"
    return (
        f"{float(fraction):.0%} of the training {unit}{of} were set aside, {use}, at "
        "random, stratified by class."
    )


def _disjoint(run: Run) -> str:
    if run.shared_participants is None:
        return ""
    if run.shared_participants:
        return (
            f"Not disjoint: {len(run.shared_participants)} {run.owners} are in "
            "training and test."
        )
    return "Participant: none is in both training and test."


def _uncertainty(run: Run) -> str:
    evaluation = run.evaluation
    return (
        f"{evaluation.level} intervals by bootstrap over {run.units}, "
        f"{evaluation.n_bootstrap} replicates."
    )


def _counts(run: Run) -> str:
    told = []
    for part in run.parts:
        positive = "" if part.n_positive is None else f", {part.n_positive} of class 1"
        units = part.n_participants
        owners = "" if units is None else f", {units} {run.owners}"
        told.append(f"{part.name}: {part.n_rows} patches{positive}{owners}")
    return f"{'; '.join(told)}. What was left out before is not known here."


def _performance(run: Run) -> str:
    told = [
        f"{shown} {number(run.evaluation.scores[name])} "
        f"({span(run.evaluation.interval(name))})"
        for name, shown in (
            ("recall", "recall"),
            ("precision", "precision"),
            ("f1", "F1"),
            ("roc_auc", "ROC AUC"),
        )
    ]
    return f"On the test set: {', '.join(told)}. See Scores."
