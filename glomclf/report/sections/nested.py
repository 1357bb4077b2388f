"""Nested cross-validation: the score to report, and what tuning is worth."""

from __future__ import annotations

from ..blocks import Block, Paragraph, Section, Table, number, span
from ..tuned_study import TunedStudy, score_title
from .scores import score_table

__all__ = ["nested_section"]

_COMPARED = ("average_precision", "roc_auc", "f1", "recall", "precision")


def nested_section(study: TunedStudy) -> Section | None:
    """Tell the score on participants that no trial saw; None where it is unknown."""
    if study.nested is None:
        return None
    nested, name = study.nested, score_title(study.nested.scoring)
    text = (
        f"The whole search was run again on the training side of each of "
        f"{len(nested.folds)} outer folds. Each best model was judged on participants "
        f"that none of its trials had seen. The best {name} of a study was "
        f"{nested.best_score:.3f} in the mean of the folds. On unseen participants it "
        f"was {nested.test_score:.3f}. The difference, {nested.optimism:.3f}, is the "
        "optimism of the best score."
    )
    blocks: list[Block] = [
        Paragraph(text),
        *_against_default(study),
        Paragraph("Scores of the predictions of all outer folds, to report:"),
        *score_table(nested.evaluation),
        Table.from_frame(nested.to_frame(), caption="Outer folds", folded=True),
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
    return [Table(columns, rows, caption)]
