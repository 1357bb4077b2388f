"""By centre, stain or scanner: the scores of each, and their distance from others."""

from __future__ import annotations

import numpy as np

from ..._runtime import counted
from ...evaluation.scores import SCORES
from ...evaluation.subgroups import Subgroups
from ..blocks import (
    Block,
    Caution,
    Paragraph,
    Section,
    Table,
    number,
    sentence,
    span,
    told_span,
)
from ..evaluated_model import EvaluatedModel

__all__ = ["subgroups_section", "worst_subgroup"]

_SHOWN = ("recall", "specificity", "f1", "balanced_accuracy", "roc_auc")


def worst_subgroup(model: EvaluatedModel) -> Paragraph | None:
    """Tell of the worst value: a caution where chance does not explain it."""
    parts = model.evaluation.subgroups
    if parts is None or (worst := parts.worst) is None:
        return None
    scores, apart = parts.evaluations[worst], parts.differences[worst]
    shown = (
        f"{SCORES[name].title.casefold()} {number(scores.scores[name], 2)} "
        f"({told_span(scores, name, 2)})"
        for name in ("recall", "specificity")
    )
    f1 = f"F1 {number(scores.scores['f1'], 2)} ({told_span(scores, 'f1', 2)})"
    low, high = apart.interval("balanced_accuracy")
    text = (
        f"Worst by {parts.column}: {worst}, with {', '.join([*shown, f1])}, in "
        f"{_counts(model, parts, worst)}. Its balanced accuracy less that of the "
        f"others is {number(apart.scores['balanced_accuracy'], 2)} "
        f"({told_span(apart, 'balanced_accuracy', 2)})."
    )
    if high < 0:
        return Caution(f"{text} Do not rely on the scores above there.")
    if np.isnan(low):
        return Paragraph(f"{text} Its participants are too few to tell more.")
    return Paragraph(f"{text} Chance may explain the difference.")


def subgroups_section(model: EvaluatedModel) -> Section | None:
    """Show the scores of each value; None where rows were not divided."""
    parts = model.evaluation.subgroups
    if parts is None:
        return None
    level = model.evaluation.level
    how = (
        f"Scores of the patches of each {parts.column}, with {level} intervals over "
        f"{model.units}. A difference is from all other patches. One of several is the "
        "worst by chance, too; an interval that holds 0 shows no difference."
    )
    title = f"By {parts.column}"
    return Section(
        title,
        [
            Paragraph(how),
            *_cautions(parts),
            _counted(model, parts),
            _table(parts),
            _table(parts, apart=True),
            *_percentages(model, parts),
            *(_all_scores(model, parts, value) for value in parts.evaluations),
        ],
    )


def _cautions(parts: Subgroups) -> list[Block]:
    return [
        Caution(sentence(f"{parts.column} {value}: {one.caution}"))
        for value, one in parts.evaluations.items()
        if one.caution
    ]


def _counted(model: EvaluatedModel, parts: Subgroups) -> Table:
    rows = []
    for value, one in parts.evaluations.items():
        (tn, fp), (fn, tp) = one.confusion_matrix.tolist()
        counts = [one.n_samples, one.n_participants, tn + fp, fn + tp]
        rows.append([value, *counts, _share(fn, fn + tp), _share(fp, fp + tn)])
    columns = [parts.column, "patches", model.units, "class 0", "class 1"]
    shares = ["missed, of class 1", "falsely called sclerotic, of class 0"]
    caption = "The last column is the false-positive rate, 1 less the specificity"
    return Table([*columns, *shares], rows, caption)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({100 * part / whole:.1f} %)" if whole else "")


def _counts(model: EvaluatedModel, parts: Subgroups, value: str) -> str:
    one = parts.evaluations[value]
    told = counted(one.n_samples, "patch")
    if one.n_participants is None:
        return told
    return f"{told} of {counted(one.n_participants, model.unit)}"


def _table(parts: Subgroups, *, apart: bool = False) -> Table:
    """Show a few scores of each value, or their distance from the others."""
    of = parts.differences if apart else parts.evaluations
    rows = [
        [value, *(_told(one.scores[name], one.interval(name)) for name in _SHOWN)]
        for value, one in of.items()
    ]
    titles = [SCORES[name].title for name in _SHOWN]
    caption = "Differences from all other patches" if apart else ""
    return Table([parts.column, *titles], rows, caption)


def _percentages(model: EvaluatedModel, parts: Subgroups) -> list[Block]:
    """Show the error of a biopsy's percentage, where participants are known."""
    if model.biopsies is None or not parts.percentages:
        return []
    rows = [
        [
            value,
            parts.evaluations[value].n_participants,
            *(
                _told(of[value].scores[name], of[value].interval(name), digits=1)
                for name in ("mean_absolute_error", "bias")
                for of in (parts.percentages, parts.differences)
            ),
        ]
        for value in parts.percentages
    ]
    less = "less that of the others"
    columns = [parts.column, "biopsies", "mean absolute error", less, "bias", less]
    caption = (
        "Error of each biopsy's percentage, in percentage points. Bias: predicted less "
        "true"
    )
    return [Table(columns, rows, caption)]


def _told(value: float, ends: tuple[float, float], digits: int = 2) -> str:
    told = span(ends, digits)
    alone = number(value, digits)
    return alone if told == "–" else f"{alone} ({told})"


def _all_scores(model: EvaluatedModel, parts: Subgroups, value: str) -> Table:
    one, apart = parts.evaluations[value], parts.differences[value]
    rows = [
        [
            SCORES[name].title.format(specificity=one.specificity),
            number(score),
            span(one.interval(name)),
            number(apart.scores[name]),
            span(apart.interval(name)),
        ]
        for name, score in one.scores.items()
    ]
    level = f"{model.evaluation.level} interval"
    columns = ["score", "value", level, "difference", f"its {level}"]
    return Table(columns, rows, f"All scores of {value}", folded=True)
