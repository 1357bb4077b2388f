"""The report of a study of hyperparameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation.evaluation import Evaluation
from ..tuning.storage import is_journal, journal_file
from ..tuning.trials import (
    best_trials,
    finished_trials,
    is_feasible,
    objective_names,
    reason,
    trials_in,
    trials_table,
    varied_settings,
)
from .blocks import (
    Block,
    Caution,
    Code,
    Numbers,
    Paragraph,
    Section,
    Table,
    number,
    span,
    told_span,
)
from .displays.tuning import MIN_TRIALS, score_title
from .environment import command_text, library_versions
from .page import Report
from .pictures import Picture, draw_picture
from .sections.scores import score_table

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = ["OPTIMISM", "dashboard_command", "setting_text", "tuning_report"]

OPTIMISM = (
    "The best score of a study is optimistic: it is the luckiest of {n} trials, chosen "
    "on the very folds that it was measured on. Report the score of nested "
    "cross-validation (`glomclf tune --nested 5`), or of participants that were set "
    "aside before the study (`glomclf split`, then `glomclf evaluate`)."
)
_N_RANKED = 10
_COMPARED = ("average_precision", "roc_auc", "f1", "recall", "precision")
_STATES = {
    "COMPLETE": "ended",
    "PRUNED": "pruned",
    "FAIL": "failed",
}


def tuning_report(
    study: Study,
    *,
    best: int | None = None,
    settings: Mapping[str, Any] | None = None,
    evaluation: Evaluation | None = None,
    nested: Any = None,
    default: Mapping[str, Any] | None = None,
    storage: str | None = None,
    command: Sequence[str] | None = None,
    resume: Sequence[str] | None = None,
    title: str = "Tuning",
    sections: Sequence[Section] = (),
) -> Report:
    """Report the trials of a study, the best settings, and how far to believe them.

    Parameters
    ----------
    study : optuna.Study
        Of one objective or several.

    best : int, default=None
        Number of the trial whose settings were chosen. None: the best trial or, of
        several objectives, the one of the Pareto front that is first in the first.

    settings : mapping of str to object, default=None
        All settings of the chosen model, fixed ones included.

    evaluation : Evaluation, default=None
        Of the out-of-fold predictions of the best settings, with intervals over
        participants. None: the scores of the folds are shown.

    nested : NestedResult, default=None
        As from `glomclf.tuning.nested_cross_validate`.

    default : mapping of str to object, default=None
        The settings that it compares with.

    storage : str, default=None
        Where the study is kept: an address or a file. Passwords are masked.

    command, resume : sequence of str, default=None
        The words of the command that made the study, and of the one that goes on.

    title : str, default="Tuning"

    sections : sequence of Section, default=()
        Further ones, at the end.

    Returns
    -------
    report : Report

    Examples
    --------
    >>> import optuna
    >>> from glomclf.report import tuning_report
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(direction="maximize")
    >>> study.optimize(lambda trial: trial.suggest_float("dropout", 0, 1), n_trials=3)
    >>> [section.title for section in tuning_report(study).sections][:2]
    ['Summary', 'Best settings']
    """
    run = _Tuning(
        study, best, settings, evaluation, nested, default, storage, command, resume
    )
    made = [make(run) for make in _SECTIONS]
    told = [section for section in made if section is not None]
    return Report(title, _lead(run), [*told, *sections])


def dashboard_command(storage: str) -> list[str]:
    """Return the words that start Optuna's dashboard on a storage.

    Parameters
    ----------
    storage : str
        An address, or the path of a journal file.

    Returns
    -------
    words : list of str

    Examples
    --------
    >>> from glomclf.report.tuning import dashboard_command
    >>> dashboard_command("journal:////data/study.journal")
    ['optuna-dashboard', '/data/study.journal']
    """
    if is_journal(storage):
        return ["optuna-dashboard", str(journal_file(storage))]
    scheme, separator, rest = storage.partition("://")
    if scheme in ("postgres", "postgresql"):
        scheme = "postgresql+psycopg"  # the driver that the extra installs
    return ["optuna-dashboard", f"{scheme}{separator}{rest}"]


def setting_text(value: Any) -> str:
    """Write the value of a setting.

    Examples
    --------
    >>> from glomclf.report.tuning import setting_text
    >>> setting_text(0.00123456), setting_text(None), setting_text("smote")
    ('0.00123', 'none', 'smote')
    """
    if isinstance(value, float):
        return f"{value:.3g}"
    return "none" if value is None else str(value)


@dataclass(frozen=True)
class _Tuning:
    """A study, and what is known beside it."""

    study: Study
    best_number: int | None
    settings: Mapping[str, Any] | None
    evaluation: Evaluation | None
    nested: Any
    default: Mapping[str, Any] | None
    storage: str | None
    command: Sequence[str] | None
    resume: Sequence[str] | None

    @cached_property
    def names(self) -> list[str]:
        return objective_names(self.study)

    @cached_property
    def trials(self) -> list[FrozenTrial]:
        return finished_trials(self.study)

    @cached_property
    def ended(self) -> list[FrozenTrial]:
        return trials_in(self.study, "COMPLETE")

    @cached_property
    def best(self) -> FrozenTrial | None:
        if self.best_number is not None:
            return next(t for t in self.trials if t.number == self.best_number)
        return next(iter(best_trials(self.study)), None)

    @cached_property
    def counts(self) -> dict[str, int]:
        states = [trial.state.name for trial in self.trials]
        return {told: states.count(s) for s, told in _STATES.items() if s in states}

    @property
    def is_constrained(self) -> bool:
        return any(trial.constraints for trial in self.ended)

    def title_of(self, name: str) -> str:
        title = score_title(name).replace("_", " ")
        return f"{title[:1].upper()}{title[1:]}"


def _lead(run: _Tuning) -> str:
    n_trials, counted = len(run.trials), _counted(run.counts)
    names = " and ".join(score_title(name) for name in run.names)
    return (
        f"{n_trials} trial{'' if n_trials == 1 else 's'} of the study "
        f"“{run.study.study_name}” ({counted}), judged by {names}, the mean of "
        "cross-validation's folds."
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {told}" for told, n in counts.items()) or "none yet"


def _summary(run: _Tuning) -> Section:
    items = [] if run.nested is None else [_nested_item(run)]
    if run.best is not None:
        for place, name in enumerate(run.names):
            value = number(run.best.values[place], 3)
            title = f"{run.title_of(name)}, best trial"
            items.append((title, value, _fold_range(run.best, name)))
    if run.evaluation is not None:
        items += _out_of_fold_items(run)
    items.append(("Trials", str(len(run.trials)), _counted(run.counts)))
    items.append(("Time of all trials", *_duration(run)))
    blocks: list[Block] = [Numbers(items)]
    blocks += [Caution(text) for text in _cautions(run)]
    return Section("Summary", blocks)


def _nested_item(run: _Tuning) -> tuple[str, str, str]:
    nested = run.nested.optimism
    title = f"{run.title_of(run.nested.scoring)}, nested"
    told = f"{told_span(nested, 'nested', 2)}; report this one"
    return title, number(nested.scores["nested"]), told


def _out_of_fold_items(run: _Tuning) -> list[tuple[str, str, str]]:
    assert run.evaluation is not None
    items = []
    for name in run.names:
        if name in run.evaluation.scores:
            told = f"{run.title_of(name)}, out of fold"
            items.append(
                (
                    told,
                    number(run.evaluation.scores[name], 3),
                    told_span(run.evaluation, name, 2),
                )
            )
    return items


def _cautions(run: _Tuning) -> list[str]:
    if run.best is None and run.ended:
        return [
            "No trial meets the constraint: there are no best settings. Ask for less, "
            "or widen the search space."
        ]
    if run.best is None:
        return ["No trial ended: there are no best settings. The reasons are below."]
    return [OPTIMISM.format(n=len(run.trials))] if run.nested is None else []


def _fold_range(trial: FrozenTrial, name: str) -> str:
    scores = (trial.user_attrs.get("fold_scores") or {}).get(name)
    if not scores:
        return f"trial {trial.number}"
    return f"trial {trial.number}; folds {min(scores):.2f} to {max(scores):.2f}"


def _duration(run: _Tuning) -> tuple[str, str]:
    spent = [t.duration.total_seconds() for t in run.trials if t.duration is not None]
    if not spent:
        return "–", "no trial is over"
    total, each = sum(spent), float(np.median(spent))
    return _time_text(total), f"{_time_text(each)} a trial (median)"


def _time_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _best_settings(run: _Tuning) -> Section | None:
    if run.best is None:
        return None
    blocks: list[Block] = [*_settings_tables(run, run.best)]
    if len(run.names) > 1:
        front = best_trials(run.study)
        blocks.append(
            Paragraph(
                f"{len(front)} trials are on the Pareto front: none is better in all "
                f"objectives. The settings above are those of trial {run.best.number}."
            )
        )
        caption = "The Pareto front, with the lowest and the highest fold"
        blocks.append(_ranking(run, front, caption))
    else:
        ranked = _ranked(run)[:_N_RANKED]
        caption = f"The best {len(ranked)} trials, with the lowest and the highest fold"
        blocks.append(_ranking(run, ranked, caption))
    return Section("Best settings", blocks)


def _settings_tables(run: _Tuning, trial: FrozenTrial) -> list[Table]:
    rows = [[name, setting_text(value)] for name, value in trial.params.items()]
    tables = [Table(["setting", "value"], rows, f"Tuned, of trial {trial.number}")]
    fixed = [
        [name, setting_text(value)]
        for name, value in (run.settings or {}).items()
        if name not in trial.params
    ]
    if fixed:
        caption = "Settings that were not tuned"
        tables.append(Table(["setting", "value"], fixed, caption, folded=True))
    return tables


def _ranked(run: _Tuning) -> list[FrozenTrial]:
    sign = -1 if run.study.directions[0].name == "MAXIMIZE" else 1
    fit = [trial for trial in run.ended if is_feasible(trial)]
    return sorted(fit, key=lambda trial: sign * trial.values[0])


def _ranking(run: _Tuning, trials: Sequence[FrozenTrial], caption: str) -> Table:
    columns = ["number", *map(run.title_of, run.names), "settings"]
    rows = []
    for trial in trials:
        row = [f"trial {trial.number}"]
        for place, name in enumerate(run.names):
            scores = (trial.user_attrs.get("fold_scores") or {}).get(name)
            ends = f" ({span((min(scores), max(scores)), 2)})" if scores else ""
            row.append(f"{trial.values[place]:.3f}{ends}")
        told = [f"{k} {setting_text(v)}" for k, v in trial.params.items()]
        rows.append([*row, ", ".join(told)])
    return Table(columns, rows, caption, texts=True)


def _intervals(run: _Tuning) -> Section | None:
    if run.best is None:
        return None
    if run.evaluation is None:
        return _fold_scores(run, run.best)
    text = (
        f"The settings of trial {run.best.number}, fitted anew on the training part of "
        "each fold, judged on the predictions of the part left out. The intervals tell "
        "how much scores vary with the participants; that the settings were chosen on "
        "these folds is not in them. Predictions of all folds are scored together, so "
        "that a score differs a little from the mean of the folds above."
    )
    blocks = [Paragraph(text), *score_table(run.evaluation)]
    return Section("Scores of the best settings", blocks)


def _fold_scores(run: _Tuning, trial: FrozenTrial) -> Section | None:
    noted = trial.user_attrs.get("fold_scores") or {}
    if not noted:
        return None
    rows = []
    for name, scores in noted.items():
        spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else float("nan")
        ends = span((min(scores), max(scores)))
        rows.append([run.title_of(name), number(np.mean(scores)), number(spread), ends])
    columns = ["score", "mean", "standard deviation", "lowest to highest"]
    table = Table(columns, rows, f"The folds of trial {trial.number}")
    text = (
        "How the score varies from fold to fold. Folds share training rows, so this is "
        "no interval: `glomclf tune` makes one of the predictions of all folds."
    )
    return Section("Scores of the best settings", [Paragraph(text), table])


def _nested(run: _Tuning) -> Section | None:
    if run.nested is None:
        return None
    name, n_folds = score_title(run.nested.scoring), len(run.nested.folds)
    text = (
        f"The whole search was run again on the training side of each of {n_folds} "
        "outer folds, and its best model judged on participants that none of its "
        f"trials had seen. This is the {name} to report. How much lower it is than the "
        "best score of a study is its optimism."
    )
    estimates = run.nested.optimism
    titles = {
        "best": "Best of a study, mean",
        "nested": "Nested, mean of outer folds",
        "optimism": "Optimism (the difference)",
    }
    rows = [
        [title, number(estimates.scores[key]), span(estimates.interval(key))]
        for key, title in titles.items()
    ]
    blocks: list[Block] = [
        Paragraph(text),
        Table([name, "value", f"{estimates.level} interval"], rows),
        *[
            Paragraph(f"{titles[key]}: {note}.")
            for key, note in estimates.notes.items()
            if key in titles
        ],
        *_against_default(run),
        Paragraph("All scores of the outer folds' predictions together:"),
        *score_table(run.nested.evaluation),
        Table.from_frame(run.nested.to_frame(), caption="Outer folds", folded=True),
    ]
    return Section("Nested cross-validation", blocks)


def _against_default(run: _Tuning) -> list[Block]:
    comparison = run.nested.comparison
    if comparison is None:
        return []
    names = [name for name in _COMPARED if name in comparison.scores]
    rows = [
        [
            run.title_of(name),
            number(comparison.scores_a[name]),
            number(comparison.scores_b[name]),
            f"{comparison.scores[name]:+.3f}",
            span(comparison.interval(name)),
        ]
        for name in dict.fromkeys([run.nested.scoring, *names])
        if name in comparison.scores
    ]
    level = f"{comparison.level} interval"
    columns = ["score", "default", "tuned", "difference", level]
    caption = (
        "Tuned against default settings, on the same outer folds: the predictions of "
        "all of them together. An interval that holds 0 leaves open whether tuning "
        "helps."
    )
    tables: list[Block] = [Table(columns, rows, caption)]
    if run.default is not None:
        told = [[name, setting_text(value)] for name, value in run.default.items()]
        caption = "The default settings compared with"
        tables.append(Table(["setting", "value"], told, caption, folded=True))
    return tables


def _course(run: _Tuning) -> Section:
    pictures: list[Block] = [_history(run, name) for name in run.names]
    if len(run.names) > 1:
        pictures.append(_front(run))
    return Section("Course of the study", pictures)


def _history(run: _Tuning, name: str) -> Picture:
    from .displays import OptimizationHistoryDisplay

    title = run.title_of(name)
    edge = "Trials without a score are at the lower edge."
    return draw_picture(
        lambda figure: OptimizationHistoryDisplay.from_study(
            run.study, objective=name, ax=figure.subplots()
        ),
        alt=f"{title} of each trial, and the best so far",
        caption=f"{title} of each trial; pruned ones at the mean of the folds they got "
        f"to. {edge}",
    )


def _front(run: _Tuning) -> Picture:
    from .displays import ParetoFrontDisplay

    first, second = map(run.title_of, run.names[:2])
    return draw_picture(
        lambda figure: ParetoFrontDisplay.from_study(run.study, ax=figure.subplots()),
        alt=f"{first} against {second} of each trial, the best trade-offs joined",
        caption=f"{first} and {second}: no trial is better than one of the front in "
        "both.",
    )


def _what_decides(run: _Tuning) -> Section:
    text = (
        "Importances are PED-ANOVA's: how differently a setting is distributed among "
        "the best trials and among all that ended. They tell what the search found "
        "worth choosing, not that other values cannot work."
    )
    n_ended = len(run.ended)
    if n_ended < MIN_TRIALS:
        few = f"Importances of settings need {MIN_TRIALS} trials that ended; "
        return Section("What decides", [Paragraph(f"{few}{n_ended} did."), _lines(run)])
    return Section("What decides", [Paragraph(text), _importances(run), _lines(run)])


def _importances(run: _Tuning) -> Picture:
    from .displays import ParameterImportancesDisplay

    return draw_picture(
        lambda figure: ParameterImportancesDisplay.from_study(
            run.study, ax=figure.subplots()
        ),
        alt="Importance of each setting as bars",
        caption="Importance of each setting; they add up to 1.",
    )


def _lines(run: _Tuning) -> Picture:
    from .displays import ParallelCoordinatesDisplay
    from .displays.parallel import parallel_height

    return draw_picture(
        lambda figure: ParallelCoordinatesDisplay.from_study(
            run.study, ax=figure.subplots()
        ),
        alt="Each trial as a line through its settings, down to its score",
        caption="Each trial as a line through its settings, down to its "
        f"{score_title(run.names[0])}.",
        figsize=(4.6, parallel_height(max(3, len(varied_settings(run.study))))),
    )


def _not_ended(run: _Tuning) -> Section:
    reasons: dict[tuple[str, str], list[int]] = {}
    for trial in run.trials:
        if trial.state.name in ("FAIL", "PRUNED"):
            key = (_STATES[trial.state.name], reason(trial))
            reasons.setdefault(key, []).append(trial.number)
    title = "Failed and pruned trials"
    if not reasons:
        return Section(title, [Paragraph("None: every trial ended.")])
    ranked = sorted(reasons.items(), key=lambda one: (one[0][0], -len(one[1])))
    rows = [
        [state, str(len(numbers)), why, _some(numbers)]
        for (state, why), numbers in ranked
    ]
    text = (
        "A pruned trial was stopped because its folds were worse than those of others, "
        "or because its settings contradict each other; a failed one ended in an error."
    )
    table = Table(["came out", "trials", "reason", "numbers"], rows, texts=True)
    return Section(title, [Paragraph(text), table])


def _some(numbers: Sequence[int], most: int = 12) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown}, and {len(numbers) - most} more"


def _all_trials(run: _Tuning) -> Section:
    frame = trials_table(run.study)
    hidden = [name for name in frame if "_fold" in str(name)]
    if not run.is_constrained:
        hidden.append("feasible")
    frame = frame.drop(columns=hidden, errors="ignore")  # of no trial it has none
    rows = [
        [str(index), *map(_cell, row)]
        for index, row in zip(frame.index, frame.itertuples(index=False), strict=True)
    ]
    columns = ["trial", *map(str, frame)]
    caption = f"All {len(rows)} trials"
    return Section("Trials", [Table(columns, rows, caption, folded=True, texts=True)])


def _cell(value: Any) -> str:
    if value != value or value == "":  # NaN: the trial has none
        return "–"
    return _STATES.get(value, setting_text(value))


def _repeat(run: _Tuning) -> Section:
    blocks: list[Block] = []
    if run.command is not None:
        blocks += _told("The command of this run:", run.command)
    if run.resume is not None and run.resume != run.command:
        blocks += _told("To go on with the study, or to add trials:", run.resume)
    if run.storage is None:
        blocks.append(Paragraph("The study was kept in memory, and is gone."))
    else:
        text = "To look into the study (`pip install optuna-dashboard`):"
        blocks += _told(text, dashboard_command(run.storage))
    if any(isinstance(one, Code) and "***" in one.text for one in blocks):
        blocks.append(Paragraph("Put the password in the place of `***`."))
    rows = [[name, version] for name, version in library_versions().items()]
    blocks.append(Table(["library", "version"], rows, "Versions", folded=True))
    return Section("To repeat it", blocks)


def _told(text: str, words: Sequence[str]) -> list[Block]:
    return [Paragraph(text), Code(command_text(words))]


_SECTIONS: tuple[Callable[[_Tuning], Section | None], ...] = (
    _summary,
    _best_settings,
    _intervals,
    _nested,
    _course,
    _what_decides,
    _not_ended,
    _all_trials,
    _repeat,
)
