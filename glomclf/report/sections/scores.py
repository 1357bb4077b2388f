"""Summary and Scores: the cards at the top, all scores, and those by subgroup."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..._runtime import counted
from ...evaluation.estimates import Estimates
from ...evaluation.evaluation import Evaluation
from ...evaluation.participant_numbers import MIN_PARTICIPANTS
from ...evaluation.scores import SCORES
from ...evaluation.subgroups import Subgroups
from ..blocks import (
    Caution,
    Numbers,
    Paragraph,
    Section,
    Table,
    card,
    estimate_row,
    number,
    score_titles,
    sentence,
    some_of,
    told_span,
    with_span,
)
from ..evaluated_model import EvaluatedModel

CARDS = ("recall", "precision", "f1", "roc_auc")  # at the top
_SHOWN = ("recall", "specificity", "f1", "balanced_accuracy", "roc_auc")  # of subgroups


def summary_section(model: EvaluatedModel) -> Section:
    """Show the few scores that matter most, and what stands against them."""
    cards = [card(model.evaluation, name, SCORES[name].title) for name in CARDS]
    if (found := model.biopsies) is not None:
        title = "Error of the percentage per biopsy"
        title, value, ends = card(found, "mean_absolute_error", title, 1)
        told = f"percentage points, mean absolute error; {ends}"
        cards.append((title, value, told))
    cautions = map(Caution, cautions_of(model))
    return Section("Summary", [Numbers(cards), *cautions, worst_subgroup(model)])


def cautions_of(model: EvaluatedModel, *, named: bool = True) -> list[str]:
    """Tell what stands against the scores.

    Parameters
    ----------
    model : EvaluatedModel
    named : bool, default=True
        Whether to name participants that were trained on.

    Returns
    -------
    cautions : list of str
    """
    told: list[str | None] = []
    if shared := model.shared_participants:
        names = f": {some_of(shared)}" if named else ""
        told.append(
            f"{len(shared)} {model.owners} of the test set were trained on, so these "
            f"scores may be too high{names}."
        )
    # Without groups the evaluation says what is unknown.
    told += [model.unknown if model.groups is not None else None, model.other_training]
    if model.audit is not None and model.audit.is_leaky:
        told.append("The audit found leaks: these scores cannot be believed.")
    return [text for text in (*told, sentence(model.evaluation.caution)) if text]


def scores_section(model: EvaluatedModel) -> Section:
    """Show all scores with their intervals."""
    how = (
        f"Intervals come from {model.evaluation.n_bootstrap} bootstrap replicates over "
        f"{model.units}, with a t quantile for the effective number of them. "
        f"{_threshold(model)}"
    )
    return Section("Scores", [how, *score_table(model.evaluation)])


def _threshold(model: EvaluatedModel) -> str:
    if np.ndim(model.threshold):
        return "Each fold has its own threshold."
    chosen_on = model.record.get("threshold_chosen_on", "given")
    is_its_own = model.record.get("threshold") == model.threshold
    chosen = f", chosen on {chosen_on}" if is_its_own and chosen_on != "given" else ""
    return f"The threshold is {model.threshold:g}{chosen}."


def score_table(evaluation: Evaluation) -> list[Table | str]:
    """Show all scores with intervals, and what to know of single ones.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    blocks : list of blocks
    """
    titles, remarks = score_titles(evaluation), dict[str, list[str]]()
    few = (
        "a few of the participants decide the value (fewer than "
        f"{MIN_PARTICIPANTS} effective ones), and the interval is wide for it"
    )
    decided = [k for k, n in evaluation.n_effective.items() if n < MIN_PARTICIPANTS]
    for name, remark in [*evaluation.notes.items(), *((name, few) for name in decided)]:
        remarks.setdefault(remark, []).append(titles[name])
    rows = [
        [*estimate_row(evaluation, name, title), SCORES[name].meaning]
        for name, title in titles.items()
    ]
    told = [f"{', '.join(names)}: {one}." for one, names in remarks.items()]
    level = f"{evaluation.level} interval"
    return [Table(["score", "value", level, "what it says"], rows), *told]


def worst_subgroup(model: EvaluatedModel) -> Paragraph | None:
    """Tell of the worst value: a caution where chance does not explain it."""
    parts = model.evaluation.subgroups
    if parts is None or (worst := parts.worst) is None:
        return None
    one, apart = parts.evaluations[worst], parts.differences[worst]
    names = {"recall": "recall", "specificity": "specificity", "f1": "F1"}
    shown = [f"{title} {_told(one, name)}" for name, title in names.items()]
    patches = counted(one.n_samples, "patch")
    if one.n_participants is not None:
        patches += f" of {counted(one.n_participants, model.unit)}"
    low, high = apart.interval("balanced_accuracy")
    verdict, kind = "Chance may explain the difference.", Paragraph
    if high < 0:
        verdict, kind = "Do not rely on the scores above there.", Caution
    elif np.isnan(low):
        verdict = "Its participants are too few to tell more."
    return kind(
        f"Worst by {parts.column}: {worst}, with {', '.join(shown)}, in {patches}. Its "
        f"balanced accuracy less that of the others is "
        f"{_told(apart, 'balanced_accuracy')}. {verdict}"
    )


def _told(estimates: Estimates, name: str) -> str:
    return f"{number(estimates.scores[name], 2)} ({told_span(estimates, name, 2)})"


def subgroups_section(model: EvaluatedModel) -> Section | None:
    """Show the scores of each value; None where rows were not divided."""
    parts = model.evaluation.subgroups
    if parts is None:
        return None
    how = (
        f"Scores of the patches of each {parts.column}, with {model.evaluation.level} "
        f"intervals over {model.units}. A difference is from all other patches. One of "
        "several is the worst by chance, too; an interval that holds 0 shows no "
        "difference."
    )
    cautions = [
        Caution(sentence(one.caution and f"{parts.column} {value}: {one.caution}"))
        for value, one in parts.evaluations.items()
    ]
    tables = [
        _counted(model, parts),
        _table(parts.column, parts.evaluations),
        _table(parts.column, parts.differences, "Differences from all other patches"),
        _percentages(parts) if model.biopsies is not None else None,
        *(_all_scores(parts, value) for value in parts.evaluations),
    ]
    return Section(f"By {parts.column}", [how, *cautions, *tables])


def _counted(model: EvaluatedModel, parts: Subgroups) -> Table:
    rows = []
    for value, one in parts.evaluations.items():
        (tn, fp), (fn, tp) = one.confusion_matrix.tolist()
        counts = [one.n_samples, one.n_participants, tn + fp, fn + tp]
        rows.append([value, *counts, _share(fn, fn + tp), _share(fp, fp + tn)])
    columns = [parts.column, "patches", model.units, "class 0", "class 1"]
    columns += ["missed, of class 1", "falsely called sclerotic, of class 0"]
    caption = "The last column is the false-positive rate, 1 less the specificity"
    return Table(columns, rows, caption)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({100 * part / whole:.1f} %)" if whole else "")


def _table(column: str, of: Mapping[str, Estimates], caption: str = "") -> Table:
    """Show a few scores of each value, or their distance from the others."""
    rows = [
        [value, *(with_span(one, name, 2) for name in _SHOWN)]
        for value, one in of.items()
    ]
    return Table([column, *(SCORES[name].title for name in _SHOWN)], rows, caption)


def _percentages(parts: Subgroups) -> Table | None:
    """Show the error of a biopsy's percentage, where participants are known."""
    if not parts.percentages:
        return None
    names, rows = ("mean_absolute_error", "bias"), []
    for value, error in parts.percentages.items():
        both = error, parts.differences[value]
        told = [with_span(of, name, 1) for name in names for of in both]
        rows.append([value, parts.evaluations[value].n_participants, *told])
    caption = (
        "Error of each biopsy's percentage, in percentage points. Bias: predicted less "
        "true"
    )
    columns = ["mean absolute error", "less that of the others"]
    columns += ["bias", "less that of the others"]
    return Table([parts.column, "biopsies", *columns], rows, caption)


def _all_scores(parts: Subgroups, value: str) -> Table:
    one, apart = parts.evaluations[value], parts.differences[value]
    rows = [
        [*estimate_row(one, name, title), *estimate_row(apart, name, "")[1:]]
        for name, title in score_titles(one).items()
    ]
    level = f"{one.level} interval"
    columns = ["score", "value", level, "difference", f"its {level}"]
    return Table(columns, rows, f"All scores of {value}", folded=True)
