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
from ..blocks import Caution, Gallery, GalleryItem, Numbers, Section, Table, span
from ..displays.biopsies import BiopsyIntervalsDisplay
from ..overlays import draw_overlays
from ..pictures import Picture, thumbnails

_IMAGE_SIZE = 112  # pixels a side in the gallery
_MOST_IMAGES = 60  # of a biopsy
_EXPLAINED = 3  # of a biopsy: the most probable, and as many nearest to the threshold
_FEW = {
    "fewer than 10": "Fewer than 10 glomeruli: the Banff classification calls such a "
    "sample inadequate or marginal.",
    "10 to 24": "Fewer than 25 glomeruli: too few for a percentage that foretells the "
    "outcome (Wang 1998).",
}


@dataclass(eq=False)
class NewBiopsies:
    """What is known of new biopsies; see `glomclf.report.biopsies_report`."""

    estimates: BiopsyEstimates
    probability: Any
    groups: Any
    X: Any = None
    names: Sequence[str] | None = None
    distances: pd.DataFrame | None = None
    abstention: Abstention | None = None
    classifier: Any = None
    command: Sequence[str] | None = None
    explain: bool = False

    def __post_init__(self) -> None:
        self.probability = np.asarray(self.probability, dtype=np.float64)
        self.groups = np.asarray(self.groups, dtype=object)
        if self.names is None:
            self.names = [str(row) for row in range(len(self.probability))]

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
        rows = np.concatenate([self._explained_rows(name) for name in names])
        drawn, legend = draw_overlays(self.classifier, self.X, rows)
        return dict(zip(rows.tolist(), drawn, strict=True)), legend

    def rows_of(self, name: Any) -> NDArray[np.intp]:
        """Return the patches of a biopsy from the most to the least probable."""
        rows = np.flatnonzero(self.groups == name)
        return rows[np.argsort(-self.probability[rows], kind="stable")]

    def shown_rows(self, name: Any) -> NDArray[np.intp]:
        """Choose the patches of a biopsy that are shown, in their order."""
        rows = self.rows_of(name)
        near, far = (
            np.flatnonzero(self.is_marked[rows])[:_MOST_IMAGES],
            np.flatnonzero(~self.is_marked[rows]),
        )
        n_far = min(len(far), _MOST_IMAGES - len(near))
        places = np.linspace(0, len(far) - 1, n_far).round().astype(int)
        return rows[np.sort(np.concatenate([near, far[places]]))]

    def _explained_rows(self, name: Any) -> NDArray[np.intp]:
        """Choose, of the patches shown, the most probable and the least certain."""
        rows = self.shown_rows(name)
        certainty = np.abs(self.probability[rows] - self.estimates.threshold)
        least = rows[np.argsort(certainty, kind="stable")[:_EXPLAINED]]
        return np.union1d(rows[:_EXPLAINED], least)

    def is_unlike(self, name: str) -> bool:
        """Tell whether a biopsy is unlike anything that was trained on."""
        return self.distances is not None and bool(
            self.distances.loc[name, "unlike_training"]
        )


def all_section(told: NewBiopsies) -> Section:
    """Draw and list all biopsies."""
    names, blocks = list(told.estimates.table.index), list[Any]()
    if told.estimates.missing:
        blocks += [
            Caution(
                f"How sure the model is cannot be told, for {told.estimates.missing}. "
                "The interval is that of sampling alone, as if every prediction were "
                "right; the true one is wider. Train with `--cv 5` to have it."
            )
        ]
    blocks += [_picture(told, names, "biopsies")]
    if told.abstention is not None:
        blocks += [_what_is_left(told, told.abstention)]
    if unlike := [name for name in map(str, names) if told.is_unlike(name)]:
        blocks += [
            Caution(
                f"Unlike anything that the model was trained on, {len(unlike)} of "
                f"{counted(len(names), 'biopsy')}: {', '.join(unlike)}."
            )
        ]
    return Section("All biopsies", [*blocks, _table(told)])


def _table(told: NewBiopsies) -> Table:
    """Put a row a biopsy into a table."""
    table, whole = told.estimates.table, "{:.0f}".format
    shown: dict[str, Any] = {
        "glomeruli": table["n_glomeruli"].astype(int),
        "predicted %": table["predicted"].map(whole),
    }
    if told.estimates.missing:
        shown[f"{told.level} interval, sampling alone"] = _spans(table, "sampling")
    else:
        shown["estimate %"] = table["estimate"].map(whole)
        shown["of this biopsy"] = _spans(table, "biopsy")
        shown["of the kidney"] = _spans(table, "kidney")
        for cut in told.estimates.cut_offs:
            shown[f"kidney above {cut:g} %?"] = table[f"kidney_verdict_{cut:g}"]
    if told.abstention is not None:
        shown[told.mark] = pd.Series(told.is_marked).groupby(told.groups).sum()
    return Table.from_frame(
        pd.DataFrame(shown, index=table.index).rename_axis("biopsy")
    )


def _what_is_left(told: NewBiopsies, rule: Abstention) -> str:
    sure = "" if rule.confidence is None else f", with confidence {rule.confidence:g}"
    return (
        f"Left to a person: {told.is_marked.sum()} of "
        f"{counted(len(told.probability), 'patch')}, with probabilities from "
        f"{rule.low:.3g} to {rule.high:.3g}. Of the sclerotic glomeruli "
        f"among the others at most {100 * rule.max_miss:g} % are missed: the "
        f"mean over participants like the {rule.n_participants} of the record "
        f"who had any{sure}. Percentages and intervals count all patches, as the model "
        "calls them."
    )


def _spans(table: pd.DataFrame, part: str) -> pd.Series:
    ends = zip(table[f"{part}_low"], table[f"{part}_high"], strict=True)
    return pd.Series([span(one, 0) for one in ends], table.index)


def _picture(told: NewBiopsies, names: list[Any], file: str = "") -> Picture:
    meaning = ". Thick: of the glomeruli that are in it. Thin: of its kidney"
    if told.estimates.missing:
        meaning = " of sampling alone"
    caption = f"Percentage of each biopsy with {told.level} intervals{meaning}"
    return Picture(
        BiopsyIntervalsDisplay(told.estimates, names).on,
        caption=f"{caption}. Dotted: cut-offs.",
        name=file,
        figsize=(6.4, 1.2 + 0.3 * len(names)),
    )


def biopsy_section(told: NewBiopsies, name: Any) -> Section:
    """Show one biopsy: its numbers, how far it is from the training, its patches."""
    table, unlike = told.estimates.table.loc[[name]], ""
    if told.is_unlike(str(name)):
        unlike = (
            "This biopsy is unlike anything that the model was trained on; its numbers "
            "may be wrong in ways that no interval knows."
        )
    numbers = Numbers(_numbers(told, table))
    cautions = Caution(unlike), Caution(_FEW.get(table["adequacy"].iloc[0], ""))
    shown = _picture(told, [name]), _distance(told, str(name)), *_patches(told, name)
    return Section(f"Biopsy {name}", [numbers, *cautions, *shown])


def _numbers(told: NewBiopsies, table: pd.DataFrame) -> list[tuple[str, str, str]]:
    row: Any = table.iloc[0]
    level = f"{told.level} interval"
    called = f"{row['n_predicted']:g} of {row['n_glomeruli']:g} glomeruli"
    items = [("Predicted globally sclerotic", f"{row['predicted']:.0f} %", called)]
    if told.estimates.missing:
        ends = f"{_spans(table, 'sampling').iloc[0]} %"
        return [*items, ("Kidney, sampling alone", ends, level)]
    biopsy, kidney = (f"{_spans(table, p).iloc[0]} %" for p in ("biopsy", "kidney"))
    estimate, ends = f"{row['estimate']:.0f} %", f"{level}: {biopsy}"
    items += [("Estimate for this biopsy", estimate, ends)]
    items += [("The kidney it comes from", kidney, level)]
    for cut in told.estimates.cut_offs:
        chances = [
            row[f"{of}_probability_above_{cut:g}"] for of in ("kidney", "biopsy")
        ]
        how = "probability {:.2f}; of this biopsy {:.2f}".format(*chances)
        items += [(f"Kidney above {cut:g} %", row[f"kidney_verdict_{cut:g}"], how)]
    return items


def _distance(told: NewBiopsies, name: str) -> str:
    if told.distances is None:
        return ""
    row: Any = told.distances.loc[name]
    texts = [
        f"{row[f'{part}_distance']:.2f} in {part} (farther than "
        f"{int(row[f'{part}_nearer'])} of the training participants)"
        for part in ("features", "stain")
        if not np.isnan(row.get(f"{part}_distance", np.nan))
    ]
    if not texts:
        return ""
    apart = f"Distance from the training participants: {' and '.join(texts)}."
    return f"{apart} Above 1 it is unlike all of them."


def _patches(told: NewBiopsies, name: Any) -> list[Any]:
    """Show the patches from the most to the least probable; mark the unsure ones."""
    rows, shown = told.rows_of(name), told.shown_rows(name)
    overlays, legend = told.overlays
    n_marked, n_patches = told.is_marked[rows].sum(), counted(len(rows), "patch")
    summary = f"{told.mark.capitalize()}: {n_marked} of {n_patches}."
    if told.X is None:
        cells = [[*_facts(told, row).values()] for row in rows]
        columns = ["patch", "probability", "remark"]
        return [summary, Table(columns, cells, "Patches", folded=True)]
    if len(shown) < len(rows):
        summary += (
            f" {len(shown)} are shown: first of all the framed ones, and of the "
            "others an even choice."
        )
    items = []
    for row, source in zip(shown, thumbnails(told.X, shown, _IMAGE_SIZE), strict=True):
        facts = {key: fact for key, fact in _facts(told, row).items() if fact}
        marked, overlay = bool(told.is_marked[row]), overlays.get(row, "")
        items.append(GalleryItem(source, facts, marked, overlay))
    summary = f"{summary} {legend}".strip()
    return [summary, Gallery("Patches by falling probability", items)]


def _facts(told: NewBiopsies, row: int) -> dict[str, str]:
    assert told.names is not None  # made up where not given
    return {
        "image": told.names[row],
        "probability": f"{told.probability[row]:.3f}",
        "remark": told.mark if told.is_marked[row] else "",
    }
