"""A picture of what approaches report, and what they get."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...evaluation.scores import SCORES
from ...model.approaches import APPROACHES
from .canvas import PanelsDisplay

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...model.approach_comparison import ApproachComparison

_SIDES = {
    "reported": ("#d1495b", "o", "reported, on its own test set"),
    "untouched": ("#2e5e8c", "D", "got, on untouched participants"),
}
_APART = 0.16  # of the two scores of one approach, up and down
_TITLE_WIDTH = 34  # letters, before a title is broken


class ApproachesDisplay(PanelsDisplay):
    """Reported scores of approaches beside what they get on untouched participants.

    Each approach has two points with intervals, and a line between them: the
    inflation.

    Parameters
    ----------
    table : DataFrame
        As `ApproachComparison.to_frame` of `glomclf.model` returns it.

    Attributes
    ----------
    axes_ : ndarray of Axes
        One a score, two in a line.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import ApproachesDisplay
    >>> columns = [
    ...     f"{side}{end}"
    ...     for side in ("reported", "untouched")
    ...     for end in ("", "_low", "_high")
    ... ]
    >>> table = pd.DataFrame(
    ...     [[0.92, 0.87, 0.95, 0.78, 0.68, 0.85]],
    ...     columns=columns,
    ...     index=pd.MultiIndex.from_tuples([("1", "f1")], names=["approach", "score"]),
    ... )
    >>> display = ApproachesDisplay(table).plot(Figure())
    >>> display.ax_.get_title()
    'F1'
    """

    def __init__(self, table: pd.DataFrame):
        self.table = table

    @classmethod
    def from_comparison(
        cls, comparison: ApproachComparison, *, figure: Figure | None = None
    ) -> Self:
        """Draw what `glomclf.model.approach_comparison.compare_approaches` returned.

        Parameters
        ----------
        comparison : ApproachComparison
        figure : matplotlib Figure, default=None
            By default a new one.

        Returns
        -------
        display : ApproachesDisplay
        """
        return cls(comparison.to_frame()).plot(figure)

    figsize = (9, 7)

    def _panels(self, figure: Figure) -> np.ndarray:
        scores = self.table.index.unique("score")
        shape = -(-len(scores) // 2), min(2, len(scores))
        axes = figure.subplots(*shape, sharex=True, squeeze=False)
        low = np.nanmin(self.table.filter(regex="^(reported|untouched)"))
        for ax, score in zip(axes.flat, scores, strict=True):
            self._draw(ax, score)
            ax.set_xlim(max(0.0, np.floor(10 * low) / 10), 1.02)
        named = axes.flat[0].get_legend_handles_labels()
        figure.legend(*named, loc="outside upper center", ncols=2, frameon=False)
        return axes.ravel()

    def _draw(self, ax: Axes, score: str) -> None:
        rows = self.table.xs(score, level="score")
        places = np.arange(len(rows), dtype=float)
        for shift, side in zip((-_APART, _APART), _SIDES, strict=True):
            value, (color, marker, label) = rows[side], _SIDES[side]
            reach = rows[[f"{side}_low", f"{side}_high"]].sub(value, axis=0).abs()
            style: dict[str, Any] = {"fmt": marker, "color": color, "label": label}
            style |= {"capsize": 3, "elinewidth": 1.4, "markersize": 6}
            at = value.to_numpy(np.float64), places + shift
            ax.errorbar(*at, xerr=reach.to_numpy().T, **style)
        for place, joined in zip(places, rows[list(_SIDES)].to_numpy(), strict=True):
            ends = [place - _APART, place + _APART]
            ax.plot(joined, ends, color="0.6", linewidth=1, zorder=0)
        titles = {one.name: one.title for one in APPROACHES}
        shown = [textwrap.fill(titles[name], _TITLE_WIDTH) for name in rows.index]
        ax.set_yticks(places, shown)
        ax.set(title=SCORES[score].title, ylim=(len(rows) - 0.5, -0.5))
        ax.label_outer()
        ax.tick_params(labelbottom=True)  # which sharing takes away
        ax.grid(axis="x", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
