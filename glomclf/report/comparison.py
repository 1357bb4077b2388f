"""The report of a comparison of approaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from .blocks import (
    Block,
    Caution,
    Paragraph,
    Section,
    Table,
    number,
    sentence,
    span,
)
from .page import Report
from .pictures import Picture, draw_picture
from .sections.repetition import command_blocks, versions_table
from .sections.scores import score_table

if TYPE_CHECKING:
    from ..model.approach_comparison import ApproachComparison

__all__ = ["comparison_report"]

_SHOWN = {
    "f1": "F1",
    "recall": "Recall",
    "precision": "Precision",
    "roc_auc": "ROC AUC",
}
_SIDES = ("reported", "untouched", "inflation")


def comparison_report(
    comparison: ApproachComparison,
    *,
    command: Sequence[str] | None = None,
    title: str = "Comparison of approaches",
    sections: Sequence[Section] = (),
) -> Report:
    """Report what approaches say of themselves, and what they are worth.

    Parameters
    ----------
    comparison : ApproachComparison
        As from `glomclf.model.approach_comparison.compare_approaches`.

    command : sequence of str, default=None
        The words of the command that repeats the run.

    title : str, default="Comparison of approaches"

    sections : sequence of Section, default=()
        Further ones, at the end.

    Returns
    -------
    report : Report
    """
    lead = (
        "What each approach reports, on the test set it makes for itself, beside what "
        "it gets on participants that it never touched."
    )
    made = [
        _inflation(comparison),
        _data(comparison),
        *_each(comparison),
        _repetition(command),
    ]
    return Report(title, lead, [*made, *sections])


def _inflation(comparison: ApproachComparison) -> Section:
    blocks: list[Block] = []
    if comparison.caution:
        blocks.append(Caution(sentence(comparison.caution)))
    frame = comparison.to_frame()
    blocks.append(_picture(comparison))
    blocks += [_score_table(frame, *one) for one in _SHOWN.items()]
    return Section("What is reported and what is got", blocks)


def _picture(comparison: ApproachComparison) -> Picture:
    from .displays import ApproachesDisplay

    return draw_picture(
        lambda figure: ApproachesDisplay.from_comparison(
            comparison, tuple(_SHOWN), axes=figure.subplots(2, 2, sharex=True)
        ),
        alt=f"{', '.join(_SHOWN.values())} of each approach, reported and untouched",
        caption="Scores with 95 % intervals: reported on the test set that each "
        "approach made, and got on participants that it never touched.",
        name="comparison",
        figsize=(9, 7),
    )


def _score_table(frame: pd.DataFrame, score: str, title: str) -> Table:
    rows = []
    for name, row in frame.xs(score, level="score").iterrows():
        cells = [str(name)]
        for side in _SIDES:
            ends = span((row[f"{side}_low"], row[f"{side}_high"]), 2)
            value = number(row[side], 2)
            cells.append(value if ends == "–" else f"{value} ({ends})")
        rows.append(cells)
    return Table(["approach", *_SIDES], rows, f"{title}, with 95 % intervals")


def _data(comparison: ApproachComparison) -> Section:
    settings = Table(
        ["setting", "value"],
        [[name, str(value)] for name, value in comparison.settings.items()],
        "How it was run",
    )
    counts = Table.from_frame(
        comparison.counts(),
        caption="Patches judged: by class on either test set, and how many of those "
        "reported on are synthetic, or have kin or other patches of their participant "
        "among the training rows",
        texts=True,
    )
    return Section("Data and splits", [counts, settings])


def _each(comparison: ApproachComparison) -> list[Section]:
    sections = []
    for one in comparison.approaches:
        blocks: list[Block] = [Paragraph(f"{one.title}.")]
        for part, evaluation in comparison.evaluations[one.name].items():
            (tn, fp), (fn, tp) = evaluation.confusion_matrix.tolist()
            counted = f"confusion matrix [[tn fp] [fn tp]]: [[{tn} {fp}] [{fn} {tp}]]"
            blocks.append(Paragraph(f"{part.capitalize()}, {counted}"))
            blocks += score_table(evaluation)
        sections.append(Section(f"Approach {one.name}", blocks))
    return sections


def _repetition(command: Sequence[str] | None) -> Section:
    told = command_blocks("The command of this run:", command)
    return Section("To repeat it", [*told, versions_table()])
