"""New biopsies: all of them in a table, and one by one with their patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..._runtime import counted
from ...evaluation.abstention import Abstention
from ...evaluation.biopsy_estimates import BiopsyEstimates, is_borderline
from ..blocks import (
    Block,
    Caution,
    Gallery,
    GalleryItem,
    Numbers,
    Paragraph,
    Section,
    Table,
    span,
)
from ..overlays import draw_overlays
from ..pictures import Picture, draw_picture, images_of, thumbnail

__all__ = ["NewBiopsies", "all_section", "biopsy_section"]

_IMAGE_SIZE = 112  # pixels a side in the gallery
_MOST_IMAGES = 60  # of a biopsy
_EXPLAINED = 3  # of a biopsy: the most probable, and as many nearest to the threshold
_FEW = {
    "fewer than 10": "Fewer than 10 glomeruli: the Banff classification calls such a "
    "sample inadequate or marginal.",
    "10 to 24": "Fewer than 25 glomeruli: too few for a percentage that foretells the "
    "outcome (Wang 1998).",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class NewBiopsies:
    """What is known of new biopsies; see `glomclf.report.biopsies_report`."""

    estimates: BiopsyEstimates
    probability: NDArray[np.float64]
    groups: NDArray[Any]
    X: Any
    names: list[str]
    distances: pd.DataFrame | None
    abstention: Abstention | None
    classifier: Any
    command: Sequence[str] | None
    explain: bool

    @property
    def level(self) -> str:
        """The confidence of all intervals, in words."""
        return f"{100 * self.estimates.confidence:g} %"

    @property
    def mark(self) -> str:
        """What is said of the patches that are framed."""
        return "borderline" if self.abstention is None else "left to a person"

    @cached_property
    def is_marked(self) -> NDArray[np.bool_]:
        """Which patches are framed: those left to a person, else the borderline."""
        if self.abstention is not None:
            return self.abstention.is_left(self.probability)
        return is_borderline(self.probability, self.estimates.threshold)

    @cached_property
    def overlays(self) -> tuple[dict[int, str], str]:
        """What the classifier looked at in some patches, by row, and a legend."""
        if not self.explain:
            return {}, ""
        names = self.estimates.table.index
        rows = np.concatenate([_explained_rows(self, name) for name in names])
        drawn, legend = draw_overlays(self.classifier, self.X, rows)
        return dict(zip(rows.tolist(), drawn, strict=True)), legend

    def is_unlike(self, name: str) -> bool:
        """Tell whether a biopsy is unlike anything that was trained on."""
        return self.distances is not None and bool(
            self.distances.loc[str(name), "unlike_training"]
        )


def all_section(told: NewBiopsies) -> Section:
    """Draw and list all biopsies."""
    table = told.estimates.table
    blocks: list[Block] = []
    if told.estimates.missing:
        blocks.append(Caution(_what_is_missing(told)))
    blocks.append(_picture(told, list(table.index), "biopsies"))
    columns = ["biopsy", "glomeruli", "predicted %", *_interval_columns(told)]
    rows = [
        [name, int(row["n_glomeruli"]), f"{row['predicted']:.0f}", *_cells(told, row)]
        for name, row in table.iterrows()
    ]
    if told.abstention is not None:
        columns.append(told.mark)
        for row in rows:
            row.append(int(told.is_marked[told.groups == row[0]].sum()))
        blocks.append(Paragraph(_what_is_left(told, told.abstention)))
    unlike = [str(name) for name in table.index if told.is_unlike(name)]
    if unlike:
        blocks.append(
            Caution(
                f"Unlike anything that the model was trained on, {len(unlike)} of "
                f"{counted(len(table), 'biopsy')}: {', '.join(unlike)}."
            )
        )
    blocks.append(Table(columns, rows))
    return Section("All biopsies", blocks)


def _what_is_missing(told: NewBiopsies) -> str:
    return (
        f"How sure the model is cannot be told, for {told.estimates.missing}. The "
        "interval is that of sampling alone, as if every prediction were right; the "
        "true one is wider. Train with `--cv 5` to have it."
    )


def _what_is_left(told: NewBiopsies, abstention: Abstention) -> str:
    sure = ""
    if abstention.confidence is not None:
        sure = f", with confidence {abstention.confidence:g}"
    return (
        f"Left to a person: {told.is_marked.sum()} of "
        f"{counted(len(told.probability), 'patch')}, with probabilities from "
        f"{abstention.low:.3g} to {abstention.high:.3g}. Of the sclerotic glomeruli "
        f"among the others at most {100 * abstention.max_miss:g} % are missed: the "
        f"mean over participants like the {abstention.n_participants} of the record "
        f"who had any{sure}. Percentages and intervals count all patches, as the model "
        "calls them."
    )


def _interval_columns(told: NewBiopsies) -> list[str]:
    if told.estimates.missing:
        return [f"{told.level} interval, sampling alone"]
    cuts = [f"kidney above {cut_off:g} %?" for cut_off in told.estimates.cut_offs]
    return ["estimate %", "of this biopsy", "of the kidney", *cuts]


def _cells(told: NewBiopsies, row: pd.Series) -> list[str]:
    if told.estimates.missing:
        return [_span(row, "sampling")]
    cuts = [row[f"kidney_verdict_{cut_off:g}"] for cut_off in told.estimates.cut_offs]
    intervals = [_span(row, "biopsy"), _span(row, "kidney")]
    return [f"{row['estimate']:.0f}", *intervals, *cuts]


def _span(row: pd.Series, part: str) -> str:
    return span((row[f"{part}_low"], row[f"{part}_high"]), 0)


def _picture(told: NewBiopsies, names: list[Any], file: str = "") -> Picture:
    from ..displays import BiopsyIntervalsDisplay

    display = BiopsyIntervalsDisplay(told.estimates, names)
    if told.estimates.missing:
        meaning = f"{told.level} interval of sampling alone"
    else:
        meaning = (
            f"{told.level} intervals. Thick: of the glomeruli that are in the biopsy. "
            "Thin: of the kidney that they come from"
        )
    return draw_picture(
        lambda figure: display.plot(figure.subplots()),
        alt="Percentage of globally sclerotic glomeruli with its intervals",
        caption=f"{meaning}. Dotted: cut-offs.",
        name=file,
        figsize=(6.4, 1.2 + 0.3 * len(names)),
    )


def biopsy_section(told: NewBiopsies, name: str) -> Section:
    """Show one biopsy: its numbers, how far it is from the training, its patches."""
    row: Any = told.estimates.table.loc[name]
    blocks: list[Block] = [Numbers(_numbers(told, row))]
    if told.is_unlike(name):
        text = (
            "This biopsy is unlike anything that the model was trained on; its numbers "
            "may be wrong in ways that no interval knows."
        )
        blocks.append(Caution(text))
    if row["adequacy"] in _FEW:
        blocks.append(Caution(_FEW[row["adequacy"]]))
    blocks.append(_picture(told, [name]))
    blocks += [Paragraph(text) for text in _distances(told, name)]
    return Section(f"Biopsy {name}", [*blocks, *_patches(told, name)])


def _numbers(told: NewBiopsies, row: pd.Series) -> list[tuple[str, str, str]]:
    n, predicted = int(row["n_glomeruli"]), int(row["n_predicted"])
    count = (
        "Predicted globally sclerotic",
        f"{row['predicted']:.0f} %",
        f"{predicted} of {n} glomeruli",
    )
    if told.estimates.missing:
        sampled = f"{_span(row, 'sampling')} %"
        return [count, ("Kidney, sampling alone", sampled, f"{told.level} interval")]
    chances = [
        (
            f"Kidney above {cut_off:g} %",
            row[f"kidney_verdict_{cut_off:g}"],
            f"probability {row[f'kidney_probability_above_{cut_off:g}']:.2f}; of this "
            f"biopsy {row[f'biopsy_probability_above_{cut_off:g}']:.2f}",
        )
        for cut_off in told.estimates.cut_offs
    ]
    return [
        count,
        (
            "Estimate for this biopsy",
            f"{row['estimate']:.0f} %",
            f"{told.level} interval: {_span(row, 'biopsy')} %",
        ),
        (
            "The kidney it comes from",
            f"{_span(row, 'kidney')} %",
            f"{told.level} interval",
        ),
        *chances,
    ]


def _distances(told: NewBiopsies, name: str) -> list[str]:
    if told.distances is None:
        return []
    row: Any = told.distances.loc[str(name)]
    texts = []
    for part, what in (("features", "features"), ("stain", "stain")):
        if f"{part}_distance" not in row or np.isnan(row[f"{part}_distance"]):
            continue
        texts.append(
            f"{row[f'{part}_distance']:.2f} in {what} (farther than "
            f"{int(row[f'{part}_nearer'])} of the training participants)"
        )
    if not texts:
        return []
    both = " and ".join(texts)
    return [
        f"Distance from the training participants: {both}. Above 1 it is unlike all of "
        "them."
    ]


def _rows_of(told: NewBiopsies, name: Any) -> NDArray[np.intp]:
    """Return the patches of a biopsy from the most to the least probable."""
    rows = np.flatnonzero(told.groups == name)
    return rows[np.argsort(-told.probability[rows], kind="stable")]


def _patches(told: NewBiopsies, name: Any) -> list[Block]:
    """Show the patches from the most to the least probable; mark the unsure ones."""
    rows = _rows_of(told, name)
    marked = told.is_marked[rows]
    summary = (
        f"{told.mark.capitalize()}: {marked.sum()} of {counted(len(rows), 'patch')}."
    )
    legend = told.overlays[1]
    if told.X is None:
        remarks = np.where(marked, told.mark, "")
        cells = [
            [told.names[row], float(told.probability[row]), remark]
            for row, remark in zip(rows, remarks, strict=True)
        ]
        table = Table(["patch", "probability", "remark"], cells, "Patches", folded=True)
        return [Paragraph(summary), table]
    shown = _shown(marked)
    if len(shown) < len(rows):
        summary += (
            f" {len(shown)} are shown: first of all the framed ones, and of the "
            "others an even choice."
        )
    rows = rows[shown]
    images = images_of(told.X, rows, _IMAGE_SIZE)
    summary = f"{summary} {legend}".strip()
    items = [_item(told, row, image) for row, image in zip(rows, images, strict=True)]
    return [Paragraph(summary), Gallery("Patches by falling probability", items)]


def _shown(marked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Choose the patches that are shown, in their order."""
    near, far = np.flatnonzero(marked), np.flatnonzero(~marked)
    near = near[:_MOST_IMAGES]
    n_far = min(len(far), _MOST_IMAGES - len(near))
    places = np.linspace(0, len(far) - 1, n_far).round().astype(int)
    return np.sort(np.concatenate([near, far[places]]))


def _explained_rows(told: NewBiopsies, name: Any) -> NDArray[np.intp]:
    """Choose, of the patches shown, the most probable and the least certain."""
    rows = _rows_of(told, name)
    threshold = told.estimates.threshold
    rows = rows[_shown(told.is_marked[rows])]
    certainty = np.abs(told.probability[rows] - threshold)
    least = rows[np.argsort(certainty, kind="stable")[:_EXPLAINED]]
    return np.union1d(rows[:_EXPLAINED], least)


def _item(told: NewBiopsies, row: int, image: NDArray[np.uint8]) -> GalleryItem:
    probability = f"{told.probability[row]:.3f}"
    facts = {"probability": probability}
    marked = bool(told.is_marked[row])
    if marked:
        facts["remark"] = told.mark
    alt = f"{told.names[row]}, probability {probability}"
    return GalleryItem(
        thumbnail(image),
        alt,
        {**facts, "image": told.names[row]},
        marked=marked,
        overlay=told.overlays[0].get(row, ""),
    )
