"""Methods: a paragraph for a manuscript, each number of it from the run."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from ...evaluation.scores import SCORES
from ..blocks import Code, Paragraph, Section
from ..evaluated_model import EvaluatedModel
from .checklists import known_facts

__all__ = ["methods_section", "methods_text"]

_TEMPLATE = Path(__file__).parents[1] / "templates" / "methods.toml"
_SENTENCES = tomllib.loads(_TEMPLATE.read_text("utf-8"))
_RESULTS = ("recall", "precision", "specificity", "f1", "roc_auc")


def methods_section(model: EvaluatedModel) -> Section:
    """Show the paragraph, ready to be copied."""
    intro = (
        "To paste into a manuscript. Each number is of this run. What the run does not "
        "know, such as where the patches come from and who labelled them, is for its "
        "authors."
    )
    return Section("Methods", [Paragraph(intro), Code(methods_text(model))])


def methods_text(model: EvaluatedModel) -> str:
    """Write what was done and found as running text.

    Parameters
    ----------
    model : EvaluatedModel

    Returns
    -------
    text : str
        Two paragraphs, methods and results.
    """
    told = _known(model)
    methods, results = (
        " ".join(_SENTENCES[part][name].format(**told[name]) for name in names)
        for part, names in _parts(told).items()
    )
    return f"{methods}\n\n{results}"


def _parts(told: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Leave out the sentences of which the run does not know enough."""
    return {
        part: [name for name in sentences if name in told]
        for part, sentences in _SENTENCES.items()
    }


def _known(model: EvaluatedModel) -> dict[str, dict[str, Any]]:
    evaluation, facts = model.evaluation, known_facts(model)
    common: dict[str, Any] = {
        "patches": model.patches,
        "n_positive": int(model.y.sum()),
        "share": 100 * model.y.mean(),
        "level": evaluation.level,
        "n_bootstrap": evaluation.n_bootstrap,
        "units": model.units,
        "software": facts["software"],
    }
    told = dict.fromkeys(("data", "scores", "software"), common)
    for name in ("preprocessing", "model", "training"):
        if name in facts:
            told[name] = {name: facts[name].rstrip(".")}
    if "n_samples" in model.record:
        told["trained_on"] = {"trained_on": _trained_on(model)}
    if not np.ndim(model.threshold):
        told["threshold"] = {"threshold": model.threshold}
    told["found"] = {"found": "; ".join(_found(model)), "level": evaluation.level}
    if model.biopsies is not None:
        told["biopsies"] = {"n_biopsies": len(model.biopsies.table)}
        told["percentage"] = _percentage(model)
    if evaluation.subgroups is not None:
        told["subgroups"] = told["worst"] = {"subgroups": facts["subgroups"]}
        told["subgroups"] = {"column": evaluation.subgroups.column}
    return told


def _trained_on(model: EvaluatedModel) -> str:
    n_people = model.record.get("n_participants")
    of = f" of {n_people} {model.owners}" if n_people else ""
    n_rows = model.record["n_samples"] + model.record.get("n_validation_samples", 0)
    apart = ", none of whom is in the test set" if _is_disjoint(model) else ""
    return f"{n_rows} patches{of}{apart}"


def _is_disjoint(model: EvaluatedModel) -> bool:
    return model.shared_participants is not None and not model.shared_participants


def _found(model: EvaluatedModel) -> list[str]:
    """Tell scores with intervals, as text."""
    found = []
    for name in _RESULTS:
        value = model.evaluation.scores[name]
        low, high = model.evaluation.interval(name)
        if np.isnan(value):
            continue
        ends = "no interval" if np.isnan(low) else f"{low:.3f} to {high:.3f}"
        title = SCORES[name].title
        title = title if title.isupper() or "AUC" in title else title.casefold()
        found.append(f"{title} {value:.3f} ({ends})")
    return found


def _percentage(model: EvaluatedModel) -> dict[str, Any]:
    biopsies = model.biopsies
    assert biopsies is not None  # said by the caller
    ends = {
        f"{name}_{end}": value
        for name in ("mean_absolute_error", "bias")
        for end, value in zip(("low", "high"), biopsies.interval(name), strict=True)
    }
    return {**biopsies.scores, **ends}
