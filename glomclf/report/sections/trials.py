"""The trials of a study: the best settings, what they are worth, why others ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._runtime import counted
from ...tuning.trials import (
    best_trials,
    is_feasible,
    reason,
    trials_table,
    tuned_settings,
)
from ..blocks import Section, Table, estimate_row, number, some_of, span
from ..tuned_study import (
    STATES,
    TunedStudy,
    fold_scores,
    score_title,
    setting_text,
    title_of,
)
from .repetition import settings_table
from .scores import score_table

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_N_RANKED = 10
_COMPARED = ("average_precision", "roc_auc", "f1", "recall", "precision")


def best_settings_section(run: TunedStudy) -> Section | None:
    """List the settings that were chosen, and those that came next."""
    trial = run.chosen
    if trial is None:
        return None
    tuned, fixed = tuned_settings(trial), dict(run.settings or {})
    for key in run.settings or ():
        if {key, key.partition(".")[0]} & set(tuned):  # as the sampler's own settings
            del fixed[key]
    told = f"Tuned, of trial {trial.number}"
    tables = [settings_table(tuned, told, folded=False)]
    if fixed:
        tables.append(settings_table(fixed, "Settings that were not tuned"))
    shown, front = _ranked(run)[:_N_RANKED], ""
    what = "The best " + counted(len(shown), "trial").removeprefix("1 ")
    if len(run.names) > 1:
        shown, what = best_trials(run.study), "The Pareto front"
        front = (
            f"On the Pareto front: {counted(len(shown), 'trial')}. None is better in "
            f"all objectives. The settings above are those of trial {trial.number}."
        )
    caption = f"{what}, with the lowest and the highest fold"
    columns = ["number", *map(title_of, run.names), "settings"]
    rows = [_ranking_row(run, one) for one in shown]
    ranking = Table(columns, rows, caption, texts=True)
    return Section("Best settings", [*tables, front, ranking])


def _ranked(run: TunedStudy) -> list[FrozenTrial]:
    sign = -1 if run.study.directions[0].name == "MAXIMIZE" else 1
    fit = [trial for trial in run.ended if is_feasible(trial)]
    return sorted(fit, key=lambda trial: sign * trial.values[0])


def _ranking_row(run: TunedStudy, trial: FrozenTrial) -> list[str]:
    row = [f"trial {trial.number}"]
    for name, value in zip(run.names, trial.values, strict=True):
        folds = fold_scores(trial, name)
        ends = f" ({span((folds[0], folds[-1]), 2)})" if folds else ""
        row.append(f"{value:.3f}{ends}")
    told = [f"{k} {setting_text(v)}" for k, v in tuned_settings(trial).items()]
    return [*row, ", ".join(told)]


def best_scores_section(run: TunedStudy) -> Section | None:
    """Score the predictions of the best settings; None where there are none."""
    trial, found = run.chosen, run.evaluation
    if trial is None or found is None:
        return None
    text = (
        f"The settings of trial {trial.number}, fitted anew on the training part of "
        "each fold, judged on the predictions of the part left out. The intervals tell "
        "how much scores vary with the participants. They do not account for choosing "
        "the settings on these folds."
    )
    told = [
        f"{title_of(name)} is {found.scores[name]:.3f} of all rows together, and "
        f"{value:.3f} as the mean of the folds above"
        for name, value in zip(run.names, trial.values, strict=True)
        if name in found.scores
    ]
    differ = f"Predictions of all folds are scored together: {'; '.join(told)}."
    return Section("Scores of the best settings", [text, differ, *score_table(found)])


def not_ended_section(run: TunedStudy) -> Section:
    """Count failed and pruned trials by their reason."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for trial in run.trials:
        if trial.state.name != "COMPLETE":
            key = STATES[trial.state.name], reason(trial)
            reasons.setdefault(key, []).append(trial.number)
    title = "Failed and pruned trials"
    if not reasons:
        return Section(title, ["None: every trial ended."])
    found = sorted(reasons.items(), key=lambda one: (one[0][0], -len(one[1])))
    rows = [[how, len(n), why, some_of(n)] for (how, why), n in found]
    text = (
        "A pruned trial was stopped because its folds were worse than those of others, "
        "or because its settings contradict each other; a failed one ended in an error."
    )
    table = Table(["came out", "trials", "reason", "numbers"], rows, texts=True)
    return Section(title, [text, table])


def all_trials_section(run: TunedStudy) -> Section:
    """List all trials with their settings."""
    frame = trials_table(run.study)
    hidden = [name for name in frame if "_fold" in str(name)]
    if not any(trial.constraints for trial in run.ended):
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


def nested_section(run: TunedStudy) -> Section | None:
    """Tell the score on participants that no trial saw; None where it is unknown."""
    if (nested := run.nested) is None:
        return None
    name = score_title(nested.scoring)
    text = (
        f"The whole search was run again on the training side of each of "
        f"{len(nested.folds)} outer folds. Each best model was judged on participants "
        f"that none of its trials had seen. The best {name} of a study was "
        f"{nested.best_score:.3f} in the mean of the folds. On unseen participants it "
        f"was {nested.test_score:.3f}. The difference, {nested.optimism:.3f}, is the "
        "optimism of the best score."
    )
    told = "Scores of the predictions of all outer folds, to report:"
    scores = [told, *score_table(nested.evaluation)]
    folds = Table.from_frame(nested.folds, "Outer folds", folded=True)
    blocks = [text, _against_default(nested), *scores, folds]
    return Section("Nested cross-validation", blocks)


def _against_default(nested: Any) -> Table | None:
    if (compared := nested.comparison) is None:
        return None
    rows = []
    for name in dict.fromkeys([nested.scoring, *_COMPARED]):
        if name in compared.scores:
            title, _, ends = estimate_row(compared, name, title_of(name))
            both = number(compared.scores_a[name]), number(compared.scores_b[name])
            rows.append([title, *both, f"{compared.scores[name]:+.3f}", ends])
    caption = (
        "Tuned against default settings, on the same outer folds: the predictions of "
        "all of them together. An interval that holds 0 leaves open whether tuning "
        "helps."
    )
    columns = ["score", "default", "tuned", "difference", f"{compared.level} interval"]
    return Table(columns, rows, caption)
