"""The report of a study of hyperparameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime import counted
from .blocks import Caution, Code, Numbers, Section, card, number
from .page import Report
from .sections.course import course_section, importance_section
from .sections.repetition import command_blocks, versions_table
from .sections.trials import (
    all_trials_section,
    best_scores_section,
    best_settings_section,
    nested_section,
    not_ended_section,
)
from .tuned_study import TunedStudy, fold_scores, score_title, title_of

if TYPE_CHECKING:
    from optuna import Study

OPTIMISM = (
    "The best score of a study is optimistic: it is the luckiest of {n} trials, chosen "
    "on the very folds that it was measured on. Report the score of nested "
    "cross-validation (`glomclf tune --nested 5`), or of participants that were set "
    "aside before the study (`glomclf split`, then `glomclf evaluate`)."
)


def tuning_report(study: Study, **known: Any) -> Report:
    """Report the trials of a study, the best settings, and how far to believe them.

    Parameters
    ----------
    study : optuna.Study
        Of one objective or several.

    **known
        What else is known:

        - ``best``, the number of the trial whose settings were chosen; by default the
          best trial or, of several objectives, the one of the Pareto front that is
          first in the first;
        - ``settings``, a mapping of str to object: all settings of the chosen model,
          fixed ones included;
        - ``evaluation`` of the out-of-fold predictions of the best settings, with
          intervals over participants; without it the scores of the folds are shown;
        - ``nested``, as from `glomclf.tuning.nested_cross_validate`;
        - ``storage``, where the study is kept: an address or a file. Passwords are
          masked;
        - ``command`` and ``resume``, sequences of str: the words of the command that
          made the study, and of the one that goes on.

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
    run = TunedStudy(study, **known)
    names = " and ".join(map(score_title, run.names))
    lead = (
        f"{counted(len(run.trials), 'trial')} of the study “{study.study_name}” "
        f"({run.counts}), judged by {names}, the mean of cross-validation's folds."
    )
    return Report("Tuning", lead, [make(run) for make in _SECTIONS])


def _summary(run: TunedStudy) -> Section:
    items, trial, found = [], run.chosen, run.evaluation
    if run.nested is not None:
        items.append(_nested_item(run.nested))
    if trial is not None:
        for name, value in zip(run.names, trial.values, strict=True):
            folds = fold_scores(trial, name)
            ends = f"; folds {folds[0]:.2f} to {folds[-1]:.2f}" if folds else ""
            title = f"{title_of(name)}, best trial"
            items.append((title, number(value), f"trial {trial.number}{ends}"))
    if found is not None:
        shared = [name for name in run.names if name in found.scores]
        titles = [f"{title_of(name)}, out of fold" for name in shared]
        items += [card(found, *one, 3) for one in zip(shared, titles, strict=True)]
    items += [("Trials", str(len(run.trials)), run.counts), _duration(run)]
    return Section("Summary", [Numbers(items), Caution(_caution(run))])


def _nested_item(nested: Any) -> tuple[str, str, str]:
    name = nested.scoring
    title, value, told = f"{title_of(name)}, nested", number(nested.test_score), ""
    if name in nested.evaluation.scores:
        _, value, told = card(nested.evaluation, name, title, 3)
    return title, value, f"{told or 'mean of the outer folds'}; report this one"


def _caution(run: TunedStudy) -> str:
    if run.chosen is not None:
        return OPTIMISM.format(n=len(run.trials)) if run.nested is None else ""
    if run.ended:
        return (
            "No trial meets the constraint: there are no best settings. Ask for less, "
            "or widen the search space."
        )
    return "No trial ended: there are no best settings. The reasons are below."


def _duration(run: TunedStudy) -> tuple[str, str, str]:
    spent = [t.duration.total_seconds() for t in run.trials if t.duration] or [0.0]
    each = f"{np.median(spent):.1f} s a trial (median)"
    return "Time of all trials", f"{sum(spent) / 60:.1f} min", each


def _repeat(run: TunedStudy) -> Section:
    blocks: list[Any] = command_blocks("The command of this run:", run.command)
    if run.resume != run.command:
        told = "To go on with the study, or to add trials:"
        blocks += command_blocks(told, run.resume)
    if run.storage is None:
        blocks.append("The study was kept in memory, and is gone.")
    else:
        told = "To look into the study (`pip install optuna-dashboard`):"
        # The driver of PostgreSQL is the one that the extra installs.
        where = re.sub("^postgres(ql)?:", "postgresql+psycopg:", run.storage)
        blocks += command_blocks(told, ["optuna-dashboard", where])
    if any(isinstance(one, Code) and "***" in one.text for one in blocks):
        blocks.append("Put the password in the place of `***`.")
    return Section("To repeat it", [*blocks, versions_table()])


_SECTIONS = (
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
