"""Methods: a paragraph for a manuscript, each number of it from the run."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from ...evaluation.evaluation import Evaluation
from ...evaluation.scores import SCORES
from ..blocks import Code, Section, with_span
from ..evaluated_model import EvaluatedModel
from .checklists import known_facts

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
    return Section("Methods", [intro, Code(methods_text(model))])


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
    known = _known(model)
    methods, results = (
        " ".join(text for one in part.values() if (text := _filled(one, known)))
        for part in _SENTENCES.values()
    )
    return f"{methods}\n\n{results}"


def _filled(sentence: str, known: dict[str, Any]) -> str:
    """Fill in a sentence; it is empty where the run does not know what it says."""
    try:
        return sentence.format(**known)
    except KeyError:
        return ""


def _known(model: EvaluatedModel) -> dict[str, Any]:
    found, facts = model.evaluation, known_facts(model)
    names = ("preprocessing", "model", "training", "software", "subgroups")
    known: dict[str, Any] = {
        **{name: facts[name].removesuffix(".") for name in names if name in facts},
        "patches": model.patches,
        "n_positive": int(model.y.sum()),
        "share": 100 * model.y.mean(),
        "level": found.level,
        "n_bootstrap": found.n_bootstrap,
        "units": model.units,
        "found": "; ".join(_found(found)),
    }
    if "n_samples" in model.record:
        known["trained_on"] = _trained_on(model)
    if not np.ndim(model.threshold):
        known["threshold"] = model.threshold
    if (biopsies := model.biopsies) is not None:
        known |= {"n_biopsies": len(biopsies.table), **biopsies.scores}
        for name in ("mean_absolute_error", "bias"):
            known[f"{name}_low"], known[f"{name}_high"] = biopsies.interval(name)
    if found.subgroups is not None:
        known["column"] = found.subgroups.column
    return known


def _trained_on(model: EvaluatedModel) -> str:
    n_people = model.record.get("n_participants")
    of = f" of {n_people} {model.owners}" if n_people else ""
    n_rows = model.record["n_samples"] + model.record.get("n_validation_samples", 0)
    apart = (
        ", none of whom is in the test set" if model.shared_participants == [] else ""
    )
    return f"{n_rows} patches{of}{apart}"


def _found(evaluation: Evaluation) -> list[str]:
    """Tell scores with intervals, as text."""
    found = []
    for name in _RESULTS:
        title, told = SCORES[name].title, with_span(evaluation, name)
        title = title if title.isupper() or "AUC" in title else title.casefold()
        if told != "undefined":
            told = (
                told.replace("\u00a0", " ") if "(" in told else f"{told} (no interval)"
            )
            found.append(f"{title} {told}")
    return found
