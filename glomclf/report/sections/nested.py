"""Nested cross-validation: the score to report, and what tuning is worth."""

from __future__ import annotations

from ..blocks import Block, Paragraph, Section, Table, estimate_row, number, span
from ..tuned_study import TunedStudy, score_title
from .repetition import settings_table
from .scores import score_table

__all__ = ["nested_section"]

_COMPARED = ("average_precision", "roc_auc", "f1", "recall", "precision")


def nested_section(study: TunedStudy) -> Section | None:
    """Tell the score on participants that no trial saw; None where it is unknown."""
    if study.nested is None:
        return None
    name, n_folds = score_title(study.nested.scoring), len(study.nested.folds)
    text = (
        f"The whole search was run again on the training side of each of {n_folds} "
        "outer folds, and its best model judged on participants that none of its "
        f"trials had seen. This is the {name} to report. How much lower it is than the "
        "best score of a study is its optimism."
    )
    estimates = study.nested.optimism
    titles = {
        "best": "Best of a study, mean",
        "nested": "Nested, mean of outer folds",
        "optimism": "Optimism (the difference)",
    }
    rows = [estimate_row(estimates, *one) for one in titles.items()]
    blocks: list[Block] = [
        Paragraph(text),
        Table([name, "value", f"{estimates.level} interval"], rows),
        *[
            Paragraph(f"{titles[key]}: {note}.")
            for key, note in estimates.notes.items()
            if key in titles
        ],
        *_against_default(study),
        Paragraph("All scores of the outer folds' predictions together:"),
        *score_table(study.nested.evaluation),
        Table.from_frame(study.nested.to_frame(), caption="Outer folds", folded=True),
    ]
    return Section("Nested cross-validation", blocks)


def _against_default(study: TunedStudy) -> list[Block]:
    comparison = study.nested.comparison
    if comparison is None:
        return []
    rows = [
        [
            study.title_of(name),
            number(comparison.scores_a[name]),
            number(comparison.scores_b[name]),
            f"{comparison.scores[name]:+.3f}",
            span(comparison.interval(name)),
        ]
        for name in dict.fromkeys([study.nested.scoring, *_COMPARED])
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
    if study.default is not None:
        caption = "The default settings compared with"
        tables.append(settings_table(study.default, caption))
    return tables
