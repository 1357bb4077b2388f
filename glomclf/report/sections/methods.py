"""Methods and the model card: for a manuscript and beside a model, from the run."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ...evaluation.evaluation import Evaluation
from ...evaluation.scores import SCORES
from ...evaluation.subgroups import Subgroups
from ..blocks import Code, Section, estimate_row, score_titles, with_span
from ..evaluated_model import EvaluatedModel
from ..page import templates
from .checklists import known_facts, known_values
from .repetition import library_versions
from .scores import cautions_of, worst_subgroup

_TEMPLATE = Path(__file__).parents[1] / "templates" / "methods.toml"
_SENTENCES = tomllib.loads(_TEMPLATE.read_text("utf-8"))
_RESULTS = ("recall", "precision", "specificity", "f1", "roc_auc")
_ROWS = ("kind", "model", "preprocessing", "training", "imbalance", "ensemble")
_SUBGROUPS = ("recall", "specificity", "f1")


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
    except (KeyError, AttributeError):
        return ""


def _known(model: EvaluatedModel) -> dict[str, Any]:
    facts = known_facts(model)
    known: dict[str, Any] = {
        **known_values(model),
        "facts": {name: fact.removesuffix(".") for name, fact in facts.items()},
        "n_positive": int(model.y.sum()),
        "share": 100 * model.y.mean(),
        "found": "; ".join(_found(model.evaluation)),
    }
    if "n_samples" in model.record:
        known["trained_on"] = _trained_on(model)
    if (biopsies := model.biopsies) is not None:
        known |= {"n_biopsies": len(biopsies.table), **biopsies.scores}
        for name in ("mean_absolute_error", "bias"):
            low, high = biopsies.interval(name)
            if low == low:  # without an interval there is nothing to be pasted
                known |= {f"{name}_low": low, f"{name}_high": high}
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


def model_card(model: EvaluatedModel) -> str:
    """Write down what the model is, what it was judged on, and how it did.

    The headings are those of Mitchell M, et al. Model cards for model reporting. FAT*
    2019:220-229.

    Parameters
    ----------
    model : EvaluatedModel

    Returns
    -------
    card : str
        Markdown. No participant is named in it.
    """
    facts, found = known_facts(model), model.evaluation
    cautions, worst = cautions_of(model, named=False), worst_subgroup(model)
    rows = [name for name in (*_ROWS, "output", "software") if name in facts]
    unknown = "*To be filled in*: not known here."
    text = (
        templates()
        .get_template("model_card.md")
        .render(
            version=library_versions()["glomclf"],
            model_rows=[(k.capitalize(), _plain(facts[k])) for k in rows],
            trained=_plain(facts.get("development", unknown)),
            methods=_plain(methods_text(model)),
            level=found.level,
            scores=_scores(model),
            column=_plain(found.subgroups.column if found.subgroups else ""),
            subgroups=_subgroups(found.subgroups),
            cautions=map(_plain, cautions + ([worst.text] if worst else [])),
        )
    )
    return f"{text.rstrip()}\n"


def _scores(model: EvaluatedModel) -> list[list[str]]:
    titles = score_titles(model.evaluation).items()
    rows = [estimate_row(model.evaluation, name, title) for name, title in titles]
    if model.biopsies is not None:
        title = "Mean absolute error of the percentage per biopsy, points"
        rows.append(estimate_row(model.biopsies, "mean_absolute_error", title, 1))
    return rows


def _subgroups(parts: Subgroups | None) -> list[list[Any]]:
    rows = []
    for value, one in parts.evaluations.items() if parts else ():
        n_people = "not known" if one.n_participants is None else one.n_participants
        told = [with_span(one, name, 2) for name in _SUBGROUPS]
        rows.append([_plain(value), one.n_samples, n_people, *told])
    return rows


def _plain(text: str) -> str:
    """Keep what comes from a csv from being read as a table or as HTML."""
    return text.replace("|", r"\|").replace("<", "&lt;")
