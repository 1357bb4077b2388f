"""Summary and Scores: the cards at the top, and the table of all scores."""

from __future__ import annotations

import numpy as np

from ...evaluation.evaluation import Evaluation
from ...evaluation.participant_numbers import MIN_PARTICIPANTS
from ...evaluation.scores import SCORES
from ..blocks import (
    Caution,
    Numbers,
    Section,
    Table,
    estimate_row,
    number,
    score_titles,
    sentence,
    some_of,
    told_span,
)
from ..evaluated_model import EvaluatedModel
from .subgroups import worst_subgroup

CARDS = ("recall", "precision", "f1", "roc_auc")  # at the top


def summary_section(model: EvaluatedModel) -> Section:
    """Show the few scores that matter most, and what stands against them."""
    found, error = model.evaluation, "mean_absolute_error"
    cards = [
        (SCORES[name].title, number(found.scores[name], 2), told_span(found, name, 2))
        for name in CARDS
    ]
    if (biopsies := model.biopsies) is not None:
        told = (
            f"percentage points, mean absolute error; {told_span(biopsies, error, 1)}"
        )
        value = number(biopsies.scores[error], 1)
        cards.append(("Error of the percentage per biopsy", value, told))
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
    told = []
    if shared := model.shared_participants:
        names = f": {some_of(shared)}" if named else ""
        told.append(
            f"{len(shared)} {model.owners} of the test set were trained on, so these "
            f"scores may be too high{names}."
        )
    if model.unknown and model.groups is not None:  # else the evaluation says so
        told.append(model.unknown)
    if model.other_training:
        told.append(model.other_training)
    if model.audit is not None and model.audit.is_leaky:
        told.append("The audit found leaks: these scores cannot be believed.")
    if model.evaluation.caution:
        told.append(sentence(model.evaluation.caution))
    return told


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
    for name, remark in evaluation.notes.items():
        remarks.setdefault(remark, []).append(titles[name])
    remarks[
        "a few of the participants decide the value (fewer than "
        f"{MIN_PARTICIPANTS} effective ones), and the interval is wide for it"
    ] = [
        titles[one] for one, n in evaluation.n_effective.items() if n < MIN_PARTICIPANTS
    ]
    rows = [
        [*estimate_row(evaluation, name, title), SCORES[name].meaning]
        for name, title in titles.items()
    ]
    told = [f"{', '.join(names)}: {one}." for one, names in remarks.items() if names]
    level = f"{evaluation.level} interval"
    return [Table(["score", "value", level, "what it says"], rows), *told]
