"""A picture of what approaches report, and what they get."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ...evaluation.scores import SCORES
from ...model.approaches import APPROACHES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...model.approach_comparison import ApproachComparison

__all__ = ["ApproachesDisplay"]

_SIDES = {
    "reported": ("#d1495b", "o", "reported, on its own test set"),
    "untouched": ("#2e5e8c", "D", "got, on untouched participants"),
}
_APART = 0.16  # of the two scores of one approach, up and down
_TITLE_WIDTH = 34  # letters, before a title is broken


class ApproachesDisplay:
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
        One a score.
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
    >>> display = ApproachesDisplay(table).plot(Figure().subplots())
    >>> display.ax_.get_title()
    'F1'
    """

    axes_: np.ndarray
    ax_: Axes
    figure_: Figure

    def __init__(self, table: pd.DataFrame):
        self.table = table

    @classmethod
    def from_comparison(
        cls, comparison: ApproachComparison, *, axes: Any = None
    ) -> ApproachesDisplay:
        """Draw what `glomclf.model.approach_comparison.compare_approaches` returned.

        Parameters
        ----------
        comparison : ApproachComparison
        axes : array of matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        display : ApproachesDisplay
        """
        return cls(comparison.to_frame()).plot(axes)

    def plot(self, axes: Any = None) -> ApproachesDisplay:
        """Draw one panel a score.

        Parameters
        ----------
        axes : matplotlib Axes, or array of them, default=None
            As many as the table has scores; by default four on a new figure.

        Returns
        -------
        display : ApproachesDisplay
        """
        if axes is None:
            from matplotlib import pyplot

            options: Any = {"figsize": (9, 7), "layout": "constrained"}
            axes = pyplot.subplots(2, 2, sharex=True, **options)[1]
        self.axes_ = np.ravel(axes)
        low = np.nanmin(self.table.filter(regex="^(reported|untouched)"))
        scores = self.table.index.unique("score")
        for panel, score in zip(self.axes_, scores, strict=True):
            self._draw(panel, score)
            panel.set_xlim(max(0.0, np.floor(10 * low) / 10), 1.02)
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        handles, labels = self.ax_.get_legend_handles_labels()
        self.figure_.legend(
            handles, labels, loc="outside upper center", ncols=2, frameon=False
        )
        return self

    def _draw(self, ax: Axes, score: str) -> None:
        rows = self.table.xs(score, level="score")
        places = np.arange(len(rows), dtype=float)
        sides = zip((-_APART, _APART), _SIDES.items(), strict=True)
        for shift, (side, (color, marker, label)) in sides:
            reach = rows[[f"{side}_low", f"{side}_high"]].sub(rows[side], axis=0)
            ax.errorbar(
                rows[side].to_numpy(np.float64),
                places + shift,
                xerr=reach.abs().to_numpy().T,
                fmt=marker,
                color=color,
                label=label,
                markersize=6,
                capsize=3,
                elinewidth=1.4,
            )
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
