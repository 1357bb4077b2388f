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

    def distance(self, name: Any) -> Any:
        """Return what is known of how far a biopsy lies from the training."""
        return pd.Series() if self.distances is None else self.distances.loc[str(name)]


def all_section(told: NewBiopsies) -> Section:
    """Draw and list all biopsies."""
    estimates, missing = told.estimates, None
    if estimates.missing:
        missing = Caution(
            f"How sure the model is cannot be told, for {estimates.missing}. The "
            "interval is that of sampling alone, as if every prediction were right; "
            "the true one is wider. Train with `--cv 5` to have it."
        )
    left = None if told.abstention is None else _what_is_left(told, told.abstention)
    names = list(estimates.table.index)
    unlike = [str(n) for n in names if told.distance(n).get("unlike_training", False)]
    caution = Caution(
        f"Unlike anything that the model was trained on, {len(unlike)} of "
        f"{counted(len(names), 'biopsy')}: {', '.join(unlike)}."
    )
    return Section(
        "All biopsies",
        [
            missing,
            _picture(told, names, "biopsies"),
            left,
            caution if unlike else None,
            _table(told),
        ],
    )


def _table(told: NewBiopsies) -> Table:
    """Put a row a biopsy into a table."""
    cuts = [f"{cut_off:g}" for cut_off in told.estimates.cut_offs]
    columns = ["biopsy", "glomeruli", "predicted %"]
    if told.estimates.missing:
        columns += [f"{told.level} interval, sampling alone"]
    else:
        columns += ["estimate %", "of this biopsy", "of the kidney"]
        columns += [f"kidney above {cut} %?" for cut in cuts]
    rows = []
    for name, row in told.estimates.table.iterrows():
        cells = [name, int(row["n_glomeruli"]), f"{row['predicted']:.0f}"]
        if told.estimates.missing:
            cells += [_span(row, "sampling")]
        else:
            cells += [f"{row['estimate']:.0f}", _span(row, "biopsy")]
            cells += [_span(row, "kidney"), *(row[f"kidney_verdict_{c}"] for c in cuts)]
        if told.abstention is not None:
            cells += [int(told.is_marked[told.groups == name].sum())]
        rows.append(cells)
    return Table(columns + [told.mark] * (told.abstention is not None), rows)


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


def _span(row: pd.Series, part: str) -> str:
    return span((row[f"{part}_low"], row[f"{part}_high"]), 0)


def _picture(told: NewBiopsies, names: list[Any], file: str = "") -> Picture:
    meaning = (
        f"{told.level} intervals. Thick: of the glomeruli that are in the biopsy. "
        "Thin: of the kidney that they come from"
    )
    if told.estimates.missing:
        meaning = f"{told.level} interval of sampling alone"
    return Picture(
        BiopsyIntervalsDisplay(told.estimates, names).on,
        alt="Percentage of globally sclerotic glomeruli with its intervals",
        caption=f"{meaning}. Dotted: cut-offs.",
        name=file,
        figsize=(6.4, 1.2 + 0.3 * len(names)),
    )


def biopsy_section(told: NewBiopsies, name: Any) -> Section:
    """Show one biopsy: its numbers, how far it is from the training, its patches."""
    row, apart = told.estimates.table.loc[name], told.distance(name)
    unlike = Caution(
        "This biopsy is unlike anything that the model was trained on; its numbers "
        "may be wrong in ways that no interval knows."
    )
    return Section(
        f"Biopsy {name}",
        [
            Numbers(_numbers(told, row)),
            unlike if apart.get("unlike_training", False) else None,
            Caution(_FEW.get(row["adequacy"], "")),
            _picture(told, [name]),
            _distance(apart),
            *_patches(told, name),
        ],
    )


def _numbers(told: NewBiopsies, row: pd.Series) -> list[tuple[str, str, str]]:
    called = f"{row['n_predicted']:g} of {row['n_glomeruli']:g} glomeruli"
    level = f"{told.level} interval"
    count = "Predicted globally sclerotic", f"{row['predicted']:.0f} %", called
    if told.estimates.missing:
        return [count, ("Kidney, sampling alone", f"{_span(row, 'sampling')} %", level)]
    estimate, ends = f"{row['estimate']:.0f} %", f"{level}: {_span(row, 'biopsy')} %"
    chances = [
        (
            f"Kidney above {cut} %",
            row[f"kidney_verdict_{cut}"],
            f"probability {row[f'kidney_probability_above_{cut}']:.2f}; of this biopsy "
            f"{row[f'biopsy_probability_above_{cut}']:.2f}",
        )
        for cut in (f"{cut_off:g}" for cut_off in told.estimates.cut_offs)
    ]
    return [
        count,
        ("Estimate for this biopsy", estimate, ends),
        ("The kidney it comes from", f"{_span(row, 'kidney')} %", level),
        *chances,
    ]


def _distance(apart: pd.Series) -> str:
    texts = [
        f"{apart[f'{part}_distance']:.2f} in {part} (farther than "
        f"{int(apart[f'{part}_nearer'])} of the training participants)"
        for part in ("features", "stain")
        if not np.isnan(apart.get(f"{part}_distance", np.nan))
    ]
    if not texts:
        return ""
    return (
        f"Distance from the training participants: {' and '.join(texts)}. Above 1 it "
        "is unlike all of them."
    )


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
    items = [
        GalleryItem(
            source,
            {name: fact for name, fact in _facts(told, row).items() if fact},
            marked=bool(told.is_marked[row]),
            overlay=overlays.get(row, ""),
        )
        for row, source in zip(
            shown, thumbnails(told.X, shown, _IMAGE_SIZE), strict=True
        )
    ]
    summary = f"{summary} {legend}".strip()
    return [summary, Gallery("Patches by falling probability", items)]


def _facts(told: NewBiopsies, row: int) -> dict[str, str]:
    assert told.names is not None  # made up where not given
    return {
        "image": told.names[row],
        "probability": f"{told.probability[row]:.3f}",
        "remark": told.mark if told.is_marked[row] else "",
    }
