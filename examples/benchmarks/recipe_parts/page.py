"""The Markdown page: tables of what is done, and a list of what is not."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import limits
from .methods import Method, Table
from .results import Results
from .scoring import (
    COLUMNS,
    CROSS_FITTED,
    Pooled,
    Scored,
    cell,
    cells,
    compared,
    missing,
    pooled,
    scored,
)

HEADINGS = {
    "slide": "By slide",
    "half": "By slide, in halves",
    "centre": "Leaving one centre out",
}
_HOW = {
    "colour": "Mean, deviation and percentiles of the channels in RGB, HSV and CIELAB; "
    "logistic regression.",
    "texture": "Co-occurrence, local binary patterns, scales, gradients and entropy "
    "(scikit-image); a support vector machine whose cost and calibration come from "
    "inner folds.",
    "frozen": "Pooled features of the frozen network, stains as they are, and "
    "`PatchClassifier` with the defaults of its own, of no recipe.",
    "frozen, logistic": "Pooled features of the frozen network, stains as they are; "
    "logistic regression.",
    "classifier": "`GlomeruliClassifier`",
}


class Page:
    """All that the page says, of one results file.

    Parameters
    ----------
    results : Results
    methods : mapping of str to Method
    tables : sequence of Table
    pictures : Path or None
        Folder for pictures of the worst mistakes.
    """

    def __init__(
        self,
        results: Results,
        methods: Mapping[str, Method],
        tables: Sequence[Table],
        pictures: Path | None = None,
    ):
        self.results = results
        self.methods = methods
        self.tables = tables
        self.pictures = pictures
        self.splits = results.patches.splits()
        self._known: dict[tuple[str, ...], Scored | None] = {}

    def __str__(self) -> str:
        parts = [self._heading()]
        parts += [lines for table in self.tables for lines in self._table(table)]
        parts += [self._times(), *map(self._limits, self.splits), self._not_run()]
        parts += [self._methods()]
        return "\n".join(line for lines in parts for line in lines)

    def _heading(self) -> list[str]:
        return [
            "# Recipes, and what was done before networks",
            "",
            f"{self.results.patches}. By slide: five stratified folds, or two (in "
            "halves), that keep participants whole, each slide being one where the csv "
            "says no more; or a centre left out. Thresholds for the highest F1 are "
            "chosen within the training rows of each fold, or none is chosen and 0.5 "
            "taken (below); *cross-fitted* is the threshold that the predictions of "
            "the other folds choose, which costs no fit, and of which the labels of "
            "the fold are nearly independent. Class 1 is globally sclerotic. What is "
            "in the recipes was chosen on these patches, so take their scores as "
            'optimistic; pretrained weights, and with them the recipe "fine-tune", are '
            "not measured. "
            "Predictions are pooled over folds; "
            "95 % intervals by bootstrap over participants. The units of work are in "
            f"`{self.results.path.name}`; made, and this page of them, by",
            "",
            f"    python examples/benchmarks/recipes.py public.csv --results "
            f"{self.results.path.name}",
            f"    {command()}",
            "",
            "(`--pictures` takes a folder outside the repository.)",
            "",
            "*scratch* is the recipe as it is. *All parts* is the recipe with stain "
            "jitter, class weights and weight decay as well, which it had before; "
            "changes of one part of the training are compared with that.",
            "",
        ]

    # Scores and differences.

    def _table(self, table: Table) -> list[list[str]]:
        """Write scores and differences of one table, split by split."""
        shown = [self._one_split(table, split) for split in self.splits]
        if not any(shown):
            return []
        return [[f"## {table.title}", ""], *shown]

    def _one_split(self, table: Table, split: str) -> list[str]:
        folds = table.folds(split, self.results.folds(split))
        done = self._done(table, split, folds)
        if not done or (list(done) == [table.reference] and len(table.methods) > 1):
            return []  # nothing is compared
        rows = [
            [name, *cells(one.scores, one.crossed_scores, "{:.3f}")]
            for name, one in done.items()
        ]
        title = table.title[0].lower() + table.title[1:]
        lines = [f"### {HEADINGS[split]}: {title}", ""]
        if len(folds) < len(self.results.folds(split)):
            lines += [f"Folds: {', '.join(folds)}.", ""]
        lines += [*grid(["", *COLUMNS, CROSS_FITTED], rows), ""]
        lines += self._differences(table.reference, done)
        cautions = {one.scores.caution for one in done.values()}
        for caution in sorted(filter(None, cautions)):
            lines += [f"Caution: {caution}.", ""]
        return lines

    def _done(
        self, table: Table, split: str, folds: Sequence[str]
    ) -> dict[str, Scored]:
        """Return those methods of a table that are done on all of some folds."""
        found = {name: self._scored(name, split, folds) for name in table.methods}
        return {name: one for name, one in found.items() if one is not None}

    def _scored(self, name: str, split: str, folds: Sequence[str]) -> Scored | None:
        """Score a method on folds; once, also where it stands in several tables."""
        key = (name, split, *folds)
        if key not in self._known:
            one = pooled(self.results, name, self.methods[name], split, folds)
            self._known[key] = None if one is None else scored(self.results, one)
        return self._known[key]

    def _differences(self, reference: str, done: Mapping[str, Scored]) -> list[str]:
        others = {name: one for name, one in done.items() if name != reference}
        if not others:
            return []
        if reference not in done:
            return [f"No differences: *{reference}* is not done on these folds.", ""]
        base, rows = done[reference], []
        for name, one in others.items():
            own = compared(self.results, base.own, one.own)
            crossed = compared(self.results, base.crossed, one.crossed)
            rows.append([name, *cells(own, crossed, "{:+.3f}")])
        lines = [f"Differences from *{reference}*, on the same patches:", ""]
        return [*lines, *grid(["", *COLUMNS, CROSS_FITTED], rows), ""]

    # Times.

    def _times(self) -> list[str]:
        """Say what a unit takes, by processor."""
        records = pd.DataFrame(
            [
                {"method": unit.method, "where": where(record), **record}
                for unit, record in self.results.units.items()
                if unit.method in self.methods
                and self.results.state(unit, self.methods[unit.method]) == "done"
            ]
        )
        lines = [
            "## What a unit takes",
            "",
            "Seconds of a fit, reading the images and the choice of the threshold "
            "included: median (least to most), by the clock, some beside other work. "
            "Numbers and features of images that an earlier unit has computed are not "
            "computed again. Methods with the same times on all folds were judged on "
            "the same fits, which give what fits of their own do.",
        ]
        if records.empty:
            return [*lines, "", "No unit is done.", ""]
        rows = []
        for (name, place), some in records.groupby(["method", "where"], sort=False):
            seconds = some["fit_seconds"]
            ends = f"{seconds.min():.0f} to {seconds.max():.0f}"
            rows.append([name, place, len(some), f"{seconds.median():.0f} ({ends})"])
        order = {name: place for place, name in enumerate(self.methods)}
        rows.sort(key=lambda row: order[row[0]])
        return [*lines, "", *grid(["", "processor", "units", "fit, seconds"], rows), ""]

    # What limits the best method.

    def _limits(self, split: str) -> list[str]:
        """Show where the best method of the first table goes wrong on a split."""
        table = self.tables[0]
        folds = table.folds(split, self.results.folds(split))
        done = self._done(table, split, folds)
        if not done:
            return []
        best = max(done, key=lambda name: done[name].scores.scores["roc_auc"])
        one = done[best].own
        rows = limits.by_row(self.results, one)
        mistakes = limits.worst(rows)
        self._draw(mistakes, best, split)
        return [
            f"## What limits the scores {HEADINGS[split].lower()}",
            "",
            f"Of *{best}*, the method of the first table with the highest ROC AUC "
            "there.",
            "",
            *self._by_fold(one),
            "",
            *_slide_lines(rows),
            "",
            *_mistake_lines(mistakes),
            "",
        ]

    def _by_fold(self, one: Pooled) -> list[str]:
        """Score each fold alone, with its own threshold."""
        from glomclf.evaluation.evaluation import evaluate

        patches, lines = self.results.patches, []
        for fold in np.unique(one.fold):
            places = one.fold == fold
            rows = one.rows[places]
            alone = evaluate(
                patches.y[rows],
                one.probability[places],
                groups=patches.groups[rows],
                threshold=one.threshold[places],
            )
            scores = [cell(alone, name, 1, "{:.3f}") for name in ("roc_auc", "f1")]
            n_slides = len(np.unique(patches.groups[rows]))
            counts = [n_slides, len(rows), patches.y[rows].sum()]
            lines.append([fold, *counts, f"{one.threshold[places][0]:.3f}", *scores])
        titles = ["fold", "slides", "patches", "of class 1", "threshold"]
        return grid([*titles, "ROC AUC", "F1"], lines)

    def _draw(self, mistakes: pd.DataFrame, best: str, split: str) -> None:
        if self.pictures is None or mistakes.empty:
            return
        name = "".join(letter if letter.isalnum() else "_" for letter in best)
        limits.draw(self.results, mistakes, self.pictures / f"{split}_{name}.png")

    # What is not done, and what the methods are.

    def _not_run(self) -> list[str]:
        """List openly what the tables lack."""
        rows = []
        for name, method in self.methods.items():
            lack = [
                ", ".join(missing(self.results, self.tables, name, method, split))
                for split in self.splits
            ]
            if any(lack):
                rows.append([name, *lack])
        if not rows:
            return ["## Units not yet run", "", "None.", ""]
        lines = [
            "## Units not yet run",
            "",
            "Folds that tables lack; a method is in a table once all folds of the "
            "table are there.",
        ]
        titles = ["", *(HEADINGS[split].lower() for split in self.splits)]
        return [*lines, "", *grid(titles, rows), ""]

    def _methods(self) -> list[str]:
        """Say what the names stand for."""
        lines = [
            "## The methods",
            "",
            f"All networks, unless stated: {said(self.results.shared)}; seed "
            f"{self.results.seed}.",
        ]
        rows = []
        for name, method in self.methods.items():
            what = " ".join(filter(None, [_HOW[method.kind], said(method.parameters)]))
            rows.append([name, what, method.threshold])
        return [*lines, "", *grid(["", "what", "threshold"], rows), ""]


def grid(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Write a table."""
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def where(record: Mapping[str, Any]) -> str:
    """Name the processor, and the accelerator where there was one."""
    processor = re.sub(r"\b1 cores$", "1 core", record["processor"])
    return ", ".join(filter(None, [processor, record["accelerator"]]))


def said(parameters: Mapping[str, Any]) -> str:
    """Write parameters as code."""
    text = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    return f"`{text}`" if text else ""


def command() -> str:
    """Return the command line without folders."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    return " ".join(["python examples/benchmarks/recipes.py", *words])


def _slide_lines(rows: pd.DataFrame) -> list[str]:
    """Write which slides take most from ROC AUC."""
    table = limits.by_slide(rows).head(limits.N_SLIDES)
    cells_of = [
        [name, row.fold, row.patches, row.sclerotic, row.wrong, f"{row.pairs:.4f}"]
        for name, row in zip(table.index, table.itertuples(index=False), strict=True)
    ]
    titles = ["slide", "fold", "patches", "of class 1", "predicted wrongly"]
    return [
        f"ROC AUC, all folds pooled, lacks {rows['pairs'].sum():.4f} of 1. Each pair "
        "of patches in the wrong order is put down half to either slide; those with "
        "most of it:",
        "",
        *grid([*titles, "ROC AUC lost"], cells_of),
    ]


def _mistake_lines(mistakes: pd.DataFrame) -> list[str]:
    """Write which patches are farthest on the wrong side."""
    if mistakes.empty:
        return ["No patch is predicted wrongly."]
    places = zip(mistakes.index, mistakes.itertuples(index=False), strict=True)
    rows = [
        [row.kind, number, row.name, f"{row.probability:.3f}", f"{row.threshold:.3f}"]
        for number, row in places
    ]
    return [
        "The patches farthest on the wrong side of their fold's threshold (rows of the "
        "csv, the first patch being 0):",
        "",
        *grid(["", "row", "patch", "probability", "threshold"], rows),
    ]
