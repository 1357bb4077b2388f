"""The model card of an evaluation, as Markdown."""

from __future__ import annotations

from typing import Any

from .blocks import estimate_row, score_titles, with_span
from .evaluated_model import EvaluatedModel
from .page import templates
from .sections.checklists import known_facts
from .sections.methods import methods_text
from .sections.repetition import library_versions
from .sections.scores import cautions_of
from .sections.subgroups import worst_subgroup

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
    rows = [
        (told, _plain(facts[name])) for name, told in _ROWS.items() if name in facts
    ]
    cautions, worst = cautions_of(model, named=False), worst_subgroup(model)
    if worst is not None:
        cautions.append(worst.text)
    unknown = "*To be filled in*: not known here."
    text = (
        templates()
        .get_template("model_card.md")
        .render(
            version=library_versions()["glomclf"],
            model_rows=rows,
            trained=_plain(facts.get("development", unknown)),
            methods=_plain(methods_text(model)),
            level=found.level,
            scores=_scores(model),
            column=_plain(found.subgroups.column if found.subgroups else ""),
            subgroups=_subgroups(model),
            cautions=[_plain(caution) for caution in cautions],
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


def _subgroups(model: EvaluatedModel) -> list[list[Any]]:
    parts = model.evaluation.subgroups
    return [
        [
            _plain(value),
            one.n_samples,
            "not known" if one.n_participants is None else one.n_participants,
            *(with_span(one, name, 2) for name in _SUBGROUPS),
        ]
        for value, one in (parts.evaluations.items() if parts else ())
    ]


def _plain(text: str) -> str:
    """Keep what comes from a csv from being read as a table or as HTML."""
    return text.replace("|", r"\|").replace("<", "&lt;")
