"""The report of a comparison of approaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.scores import SCORES
from ..model.approaches import APPROACHES
from .blocks import Caution, Section, Table, number, sentence
from .displays.approaches import ApproachesDisplay
from .page import Report
from .pictures import Picture
from .sections.repetition import command_blocks, versions_table

if TYPE_CHECKING:
    import pandas as pd

    from ..model.approach_comparison import ApproachComparison


def comparison_report(
    comparison: ApproachComparison, *, command: Sequence[str] | None = None
) -> Report:
    """Report what approaches say of themselves, and what they are worth.

    Parameters
    ----------
    comparison : ApproachComparison
        As from `glomclf.model.approach_comparison.compare_approaches`.

    command : sequence of str, default=None
        The words of the command that repeats the run.

    Returns
    -------
    report : Report
    """
    lead = (
        "What each approach reports, on the test set it makes for itself, beside what "
        "it gets on participants that it never touched."
    )
    counts = Table.from_frame(
        comparison.counts(),
        "Patches judged: by class on either test set, and how many of those reported "
        "on are synthetic, or have their source image (or another patch made from it), "
        "or other patches of their participant, among the training rows",
        texts=True,
    )
    picture = Picture(
        ApproachesDisplay(comparison.to_frame()).plot,
        caption="Scores with 95 % intervals: reported on the test set that each "
        "approach made, and got on participants that it never touched.",
        name="comparison",
        figsize=ApproachesDisplay.figsize,
    )
    done = [one for one in APPROACHES if one.name in comparison.evaluations]
    titles = [f"{one.title}." for one in done]
    caution, scores = (
        Caution(sentence(comparison.caution)),
        comparison_tables(comparison),
    )
    command_told = command_blocks("The command of this run:", command)
    sections = [
        Section("Reported and actual scores", [caution, *titles, picture, *scores]),
        Section("Data and splits", [counts]),
        Section("To repeat it", [*command_told, versions_table()]),
    ]
    return Report("Comparison of approaches", lead, sections)


def comparison_tables(comparison: ApproachComparison) -> list[Table]:
    """Put reported and untouched scores and the inflation side by side.

    Parameters
    ----------
    comparison : ApproachComparison

    Returns
    -------
    tables : list of Table
        One a score.
    """
    return [
        Table(
            ["approach", "reported", "untouched", "inflation"],
            [
                [
                    str(name),
                    number(row["reported"], 2),
                    _with_interval(row, "untouched", ".2f"),
                    _with_interval(row, "inflation", "+.2f"),
                ]
                for name, row in rows.droplevel("score").iterrows()
            ],
            f"{SCORES[str(score)].title}, with 95 % intervals",
        )
        for score, rows in comparison.to_frame().groupby(level="score", sort=False)
    ]


def _with_interval(row: pd.Series, side: str, form: str) -> str:
    columns = [side, f"{side}_low", f"{side}_high"]
    value, low, high = (round(row[name], 2) + 0.0 for name in columns)  # no "-0.00"
    if np.isnan([low, high]).any():
        return "undefined" if np.isnan(value) else f"{value:{form}}"
    return f"{value:{form}} ({low:{form}} to {high:{form}})"
