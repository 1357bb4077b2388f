"""The report of a study of hyperparameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation.evaluation import Evaluation
from .blocks import (
    Block,
    Caution,
    Code,
    Numbers,
    Paragraph,
    Section,
    number,
    told_span,
)
from .page import Report
from .sections.course import course_section, importance_section
from .sections.nested import nested_section
from .sections.repetition import command_blocks, versions_table
from .sections.trials import (
    all_trials_section,
    best_scores_section,
    best_settings_section,
    not_ended_section,
)
from .tuned_study import TunedStudy, score_title

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = ["OPTIMISM", "dashboard_command", "tuning_report"]

OPTIMISM = (
    "The best score of a study is optimistic: it is the luckiest of {n} trials, chosen "
    "on the very folds that it was measured on. Report the score of nested "
    "cross-validation (`glomclf tune --nested 5`), or of participants that were set "
    "aside before the study (`glomclf split`, then `glomclf evaluate`)."
)


def tuning_report(
    study: Study,
    *,
    best: int | None = None,
    settings: Mapping[str, Any] | None = None,
    evaluation: Evaluation | None = None,
    nested: Any = None,
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
    run = TunedStudy(
        study, best, settings, evaluation, nested, storage, command, resume
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
    >>> dashboard_command("postgresql://me@host/studies")
    ['optuna-dashboard', 'postgresql+psycopg://me@host/studies']
    """
    scheme, separator, rest = storage.partition("://")
    if scheme in ("postgres", "postgresql"):
        scheme = "postgresql+psycopg"  # the driver that the extra installs
    return ["optuna-dashboard", f"{scheme}{separator}{rest}"]


def _lead(study: TunedStudy) -> str:
    n_trials, counted = len(study.trials), _counted(study.counts)
    names = " and ".join(score_title(name) for name in study.names)
    return (
        f"{n_trials} trial{'' if n_trials == 1 else 's'} of the study "
        f"“{study.study.study_name}” ({counted}), judged by {names}, the mean of "
        "cross-validation's folds."
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {told}" for told, n in counts.items()) or "none yet"


def _summary(study: TunedStudy) -> Section:
    items = [] if study.nested is None else [_nested_item(study)]
    if study.best is not None:
        for place, name in enumerate(study.names):
            value = number(study.best.values[place], 3)
            title = f"{study.title_of(name)}, best trial"
            items.append((title, value, _fold_range(study.best, name)))
    if study.evaluation is not None:
        items += _out_of_fold_items(study)
    items.append(("Trials", str(len(study.trials)), _counted(study.counts)))
    items.append(("Time of all trials", *_duration(study)))
    blocks: list[Block] = [Numbers(items)]
    blocks += [Caution(text) for text in _cautions(study)]
    return Section("Summary", blocks)


def _nested_item(study: TunedStudy) -> tuple[str, str, str]:
    nested, name = study.nested, study.nested.scoring
    value, told = nested.test_score, "mean of the outer folds"
    if name in nested.evaluation.scores:
        value = nested.evaluation.scores[name]
        told = told_span(nested.evaluation, name, 2)
    return f"{study.title_of(name)}, nested", number(value), f"{told}; report this one"


def _out_of_fold_items(study: TunedStudy) -> list[tuple[str, str, str]]:
    assert study.evaluation is not None
    return [
        (
            f"{study.title_of(name)}, out of fold",
            number(study.evaluation.scores[name], 3),
            told_span(study.evaluation, name, 2),
        )
        for name in study.names
        if name in study.evaluation.scores
    ]


def _cautions(study: TunedStudy) -> list[str]:
    if study.best is None and study.ended:
        return [
            "No trial meets the constraint: there are no best settings. Ask for less, "
            "or widen the search space."
        ]
    if study.best is None:
        return ["No trial ended: there are no best settings. The reasons are below."]
    return [OPTIMISM.format(n=len(study.trials))] if study.nested is None else []


def _fold_range(trial: FrozenTrial, name: str) -> str:
    scores = (trial.user_attrs.get("fold_scores") or {}).get(name)
    if not scores:
        return f"trial {trial.number}"
    return f"trial {trial.number}; folds {min(scores):.2f} to {max(scores):.2f}"


def _duration(study: TunedStudy) -> tuple[str, str]:
    spent = [t.duration.total_seconds() for t in study.trials if t.duration is not None]
    if not spent:
        return "–", "no trial is over"
    total, each = sum(spent), float(np.median(spent))
    return _time_text(total), f"{_time_text(each)} a trial (median)"


def _time_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _repeat(study: TunedStudy) -> Section:
    blocks = command_blocks("The command of this run:", study.command)
    if study.resume != study.command:
        told = "To go on with the study, or to add trials:"
        blocks += command_blocks(told, study.resume)
    if study.storage is None:
        blocks.append(Paragraph("The study was kept in memory, and is gone."))
    else:
        told = "To look into the study (`pip install optuna-dashboard`):"
        blocks += command_blocks(told, dashboard_command(study.storage))
    if any(isinstance(one, Code) and "***" in one.text for one in blocks):
        blocks.append(Paragraph("Put the password in the place of `***`."))
    return Section("To repeat it", [*blocks, versions_table()])


_SECTIONS: tuple[Callable[[TunedStudy], Section | None], ...] = (
    _summary,
    best_settings_section,
    best_scores_section,
    nested_section,
    course_section,
    importance_section,
    not_ended_section,
    all_trials_section,
    _repeat,
)
