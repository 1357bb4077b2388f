"""Summary and Scores: the cards at the top, and the table of all scores."""

from __future__ import annotations

import numpy as np

from ...evaluation.estimates import Estimates
from ...evaluation.evaluation import Evaluation
from ...evaluation.participant_numbers import MIN_PARTICIPANTS
from ...evaluation.scores import SCORES
from ..blocks import (
    Block,
    Caution,
    Numbers,
    Paragraph,
    Section,
    Table,
    estimate_row,
    number,
    sentence,
    some_of,
    told_span,
)
from ..evaluated_model import EvaluatedModel
from .subgroups import worst_subgroup

__all__ = ["cautions_of", "score_table", "scores_section", "summary_section"]

CARDS = ("recall", "precision", "f1", "roc_auc")  # at the top


def summary_section(model: EvaluatedModel) -> Section:
    """Show the few scores that matter most, and what stands against them."""
    cards = [_card(model.evaluation, name, SCORES[name].title, 2) for name in CARDS]
    if model.biopsies is not None:
        title = "Error of the percentage per biopsy"
        title, value, ends = _card(model.biopsies, "mean_absolute_error", title, 1)
        told = f"percentage points, mean absolute error; {ends}"
        cards.append((title, value, told))
    blocks: list[Block] = [Numbers(cards), *map(Caution, cautions_of(model))]
    if (worst := worst_subgroup(model)) is not None:
        blocks.append(worst)
    return Section("Summary", blocks)


def _card(
    estimates: Estimates, name: str, title: str, digits: int
) -> tuple[str, str, str]:
    value = number(estimates.scores[name], digits)
    return title, value, told_span(estimates, name, digits)


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
    told = [_shared(model, named)] if model.shared_participants else []
    if model.unknown and model.groups is not None:  # else the evaluation says so
        told.append(model.unknown)
    if model.other_training:
        told.append(model.other_training)
    if model.audit is not None and model.audit.is_leaky:
        told.append("The audit found leaks: these scores cannot be believed.")
    if model.evaluation.caution:
        told.append(sentence(model.evaluation.caution))
    return told


def _shared(model: EvaluatedModel, named: bool) -> str:
    participants = model.shared_participants or []
    names = f": {some_of(participants)}" if named else ""
    return (
        f"{len(participants)} {model.owners} of the test set were trained on, so these "
        f"scores may be too high{names}."
    )


def scores_section(model: EvaluatedModel) -> Section:
    """Show all scores with their intervals."""
    evaluation = model.evaluation
    how = (
        f"Intervals come from {evaluation.n_bootstrap} bootstrap replicates over "
        f"{model.units}, with a t quantile for the effective number of them. "
        f"{_threshold(model)}"
    )
    return Section("Scores", [Paragraph(how), *score_table(evaluation)])


def _threshold(model: EvaluatedModel) -> str:
    if np.ndim(model.threshold):
        return "Each fold has its own threshold."
    chosen_on = model.record.get("threshold_chosen_on", "given")
    is_its_own = model.record.get("threshold") == model.threshold
    chosen = f", chosen on {chosen_on}" if is_its_own and chosen_on != "given" else ""
    return f"The threshold is {model.threshold:g}{chosen}."


def score_table(evaluation: Evaluation) -> list[Block]:
    """Show all scores with intervals, and what to know of single ones.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    blocks : list of blocks
    """
    titles = {
        name: one.title.format(specificity=evaluation.specificity)
        for name, one in SCORES.items()
    }
    rows = [
        [*estimate_row(evaluation, name, titles[name]), SCORES[name].meaning]
        for name in evaluation.scores
    ]
    level = f"{evaluation.level} interval"
    remarks = [
        Paragraph(f"{', '.join(titles[name] for name in names)}: {remark}.")
        for remark, names in _remarks(evaluation).items()
    ]
    return [Table(["score", "value", level, "what it says"], rows), *remarks]


def _remarks(evaluation: Evaluation) -> dict[str, list[str]]:
    """Return what is to be known, and the names of the scores it is about."""
    names_of: dict[str, list[str]] = {}
    for name, remark in evaluation.notes.items():
        names_of.setdefault(remark, []).append(name)
    few = [name for name, n in evaluation.n_effective.items() if n < MIN_PARTICIPANTS]
    if few:
        remark = (
            f"a few of the participants decide the value (fewer than "
            f"{MIN_PARTICIPANTS} effective ones), and the interval is wide for it"
        )
        names_of[remark] = few
    return names_of
