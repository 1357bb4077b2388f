"""The model card of an evaluation, as Markdown."""

from __future__ import annotations

from typing import Any

from ..evaluation.scores import SCORES
from .blocks import estimate_row, number, span
from .environment import library_versions
from .evaluated_model import EvaluatedModel
from .page import templates
from .sections.checklists import known_facts
from .sections.methods import methods_text
from .sections.scores import cautions_of
from .sections.subgroups import worst_subgroup

__all__ = ["model_card"]

_ROWS = {
    "kind": "Kind",
    "model": "Network",
    "preprocessing": "Preprocessing",
    "training": "Training",
    "imbalance": "Class imbalance",
    "ensemble": "Ensemble",
    "output": "Output",
    "software": "Software",
}
_SUBGROUPS = ("recall", "specificity", "f1")


def model_card(model: EvaluatedModel, title: str) -> str:
    """Write down what the model is, what it was judged on, and how it did.

    The headings are those of Mitchell M, et al. Model cards for model reporting. FAT*
    2019:220-229.

    Parameters
    ----------
    model : EvaluatedModel
    title : str

    Returns
    -------
    card : str
        Markdown. No participant is named in it.
    """
    facts = known_facts(model)
    parts = model.evaluation.subgroups
    text = (
        templates()
        .get_template("model_card.md")
        .render(
            title=_plain(title),
            version=library_versions()["glomclf"],
            model_rows=[
                (told, _plain(facts[name]))
                for name, told in _ROWS.items()
                if name in facts
            ],
            trained=_plain(
                facts.get("development", "*To be filled in*: not known here.")
            ),
            methods=_plain(methods_text(model)),
            level=model.evaluation.level,
            scores=_scores(model),
            column=_plain("" if parts is None else parts.column),
            subgroups=_subgroups(model),
            cautions=_cautions(model),
        )
    )
    return f"{text.rstrip()}\n"


def _scores(model: EvaluatedModel) -> list[list[str]]:
    evaluation = model.evaluation
    rows = [
        estimate_row(
            evaluation, name, one.title.format(specificity=evaluation.specificity)
        )
        for name, one in SCORES.items()
        if name in evaluation.scores
    ]
    if model.biopsies is not None:
        title = "Mean absolute error of the percentage per biopsy, points"
        rows.append(estimate_row(model.biopsies, "mean_absolute_error", title, 1))
    return rows


def _subgroups(model: EvaluatedModel) -> list[list[Any]]:
    parts = model.evaluation.subgroups
    return [
        [
            _plain(value),
            one.n_samples,
            "not known" if one.n_participants is None else one.n_participants,
            *(
                f"{number(one.scores[name], 2)} ({span(one.interval(name), 2)})"
                for name in _SUBGROUPS
            ),
        ]
        for value, one in ({} if parts is None else parts.evaluations).items()
    ]


def _cautions(model: EvaluatedModel) -> list[str]:
    told, worst = cautions_of(model, named=False), worst_subgroup(model)
    if worst is not None:
        told.append(worst.text)
    return [_plain(text) for text in told]


def _plain(text: str) -> str:
    """Keep what comes from a csv from being read as a table or as HTML."""
    return text.replace("|", r"\|").replace("<", "&lt;")
