"""The trials of a study: the best settings, their scores, and why others ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..._runtime import counted
from ...evaluation.evaluation import Evaluation
from ...tuning.trials import (
    best_trials,
    is_feasible,
    reason,
    trials_table,
    tuned_settings,
)
from ..blocks import Block, Paragraph, Section, Table, some_of, span
from ..tuned_study import STATES, TunedStudy, setting_text
from .repetition import settings_table
from .scores import score_table

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = [
    "all_trials_section",
    "best_scores_section",
    "best_settings_section",
    "not_ended_section",
]

_N_RANKED = 10


def best_settings_section(study: TunedStudy) -> Section | None:
    """List the settings that were chosen, and those that came next."""
    if study.best is None:
        return None
    blocks: list[Block] = [*_settings_tables(study, study.best)]
    if len(study.names) > 1:
        shown = best_trials(study.study)
        caption = "The Pareto front, with the lowest and the highest fold"
        text = (
            f"On the Pareto front: {counted(len(shown), 'trial')}. None is better in "
            "all objectives. The settings above are those of trial "
            f"{study.best.number}."
        )
        blocks.append(Paragraph(text))
    else:
        shown = _ranked(study)[:_N_RANKED]
        best = counted(len(shown), "trial").removeprefix("1 ")
        caption = f"The best {best}, with the lowest and the highest fold"
    return Section("Best settings", [*blocks, _ranking(study, shown, caption)])


def _settings_tables(study: TunedStudy, trial: FrozenTrial) -> list[Table]:
    told, tuned = f"Tuned, of trial {trial.number}", tuned_settings(trial)
    tables = [settings_table(tuned, told, folded=False)]
    fixed = {
        key: value
        for key, value in (study.settings or {}).items()
        if key not in tuned
        and key.partition(".")[0] not in tuned  # as the sampler's own settings
    }
    if fixed:
        tables.append(settings_table(fixed, "Settings that were not tuned"))
    return tables


def _ranked(study: TunedStudy) -> list[FrozenTrial]:
    sign = -1 if study.study.directions[0].name == "MAXIMIZE" else 1
    fit = [trial for trial in study.ended if is_feasible(trial)]
    return sorted(fit, key=lambda trial: sign * trial.values[0])


def _ranking(study: TunedStudy, trials: Sequence[FrozenTrial], caption: str) -> Table:
    columns = ["number", *map(study.title_of, study.names), "settings"]
    rows = []
    for trial in trials:
        row = [f"trial {trial.number}"]
        for place, name in enumerate(study.names):
            scores = (trial.user_attrs.get("fold_scores") or {}).get(name)
            ends = f" ({span((min(scores), max(scores)), 2)})" if scores else ""
            row.append(f"{trial.values[place]:.3f}{ends}")
        told = [f"{k} {setting_text(v)}" for k, v in tuned_settings(trial).items()]
        rows.append([*row, ", ".join(told)])
    return Table(columns, rows, caption, texts=True)


def best_scores_section(study: TunedStudy) -> Section | None:
    """Score the predictions of the best settings; None where there are none."""
    if study.best is None or study.evaluation is None:
        return None
    text = (
        f"The settings of trial {study.best.number}, fitted anew on the training part "
        "of each fold, judged on the predictions of the part left out. The intervals "
        "tell how much scores vary with the participants. They do not account for "
        "choosing the settings on these folds."
    )
    differ = Paragraph(_two_ways(study, study.best, study.evaluation))
    blocks = [Paragraph(text), differ, *score_table(study.evaluation)]
    return Section("Scores of the best settings", blocks)


def _two_ways(study: TunedStudy, best: FrozenTrial, evaluation: Evaluation) -> str:
    """Say by how much scores of all rows together differ from means of folds."""
    told = [
        f"{study.title_of(name)} is {evaluation.scores[name]:.3f} of all rows "
        f"together, and {value:.3f} as the mean of the folds above"
        for name, value in zip(study.names, best.values, strict=True)
        if name in evaluation.scores
    ]
    return f"Predictions of all folds are scored together: {'; '.join(told)}."


def not_ended_section(study: TunedStudy) -> Section:
    """Count failed and pruned trials by their reason."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for trial in study.trials:
        if trial.state.name in ("FAIL", "PRUNED"):
            key = (STATES[trial.state.name], reason(trial))
            reasons.setdefault(key, []).append(trial.number)
    title = "Failed and pruned trials"
    if not reasons:
        return Section(title, [Paragraph("None: every trial ended.")])
    ranked = sorted(reasons.items(), key=lambda one: (one[0][0], -len(one[1])))
    rows = [
        [state, len(numbers), why, some_of(numbers)] for (state, why), numbers in ranked
    ]
    text = (
        "A pruned trial was stopped because its folds were worse than those of others, "
        "or because its settings contradict each other; a failed one ended in an error."
    )
    table = Table(["came out", "trials", "reason", "numbers"], rows, texts=True)
    return Section(title, [Paragraph(text), table])


def all_trials_section(study: TunedStudy) -> Section:
    """List all trials with their settings."""
    frame = trials_table(study.study)
    hidden = [name for name in frame if "_fold" in str(name)]
    if not any(trial.constraints for trial in study.ended):
        hidden.append("feasible")
    frame = frame.drop(columns=hidden, errors="ignore")  # of no trial it has none
    rows = [[index, *map(_cell, row)] for index, *row in frame.itertuples()]
    columns = ["trial", *map(str, frame)]
    caption = f"All {counted(len(rows), 'trial')}"
    return Section("Trials", [Table(columns, rows, caption, folded=True, texts=True)])


def _cell(value: Any) -> str:
    if value != value or value == "":  # NaN: the trial has none
        return "–"
    return STATES.get(value, setting_text(value))
