"""Nested cross-validation: the score to report, and what tuning is worth."""

from __future__ import annotations

from typing import Any

from ..blocks import Section, Table, estimate_row, number
from ..tuned_study import TunedStudy, score_title, title_of
from .scores import score_table

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
    blocks = [
        text,
        _against_default(nested),
        "Scores of the predictions of all outer folds, to report:",
        *score_table(nested.evaluation),
        Table.from_frame(nested.folds, "Outer folds", folded=True),
    ]
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
