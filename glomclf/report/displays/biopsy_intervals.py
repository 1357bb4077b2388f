"""The estimated percentage of each new biopsy, with its two intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...evaluation.biopsy_estimates import BiopsyEstimates
from .canvas import CLASS_COLORS, Display, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PathCollection

__all__ = ["BiopsyIntervalsDisplay"]


class BiopsyIntervalsDisplay(Display):
    """One line a biopsy: a thick one for its glomeruli, a thin one for the kidney.

    Without a record of people that the model had not seen there is the interval of
    sampling alone, dashed. Dotted lines mark the cut-offs.

    Parameters
    ----------
    estimates : glomclf.evaluation.BiopsyEstimates
        From `glomclf.evaluation.summarize_biopsies`.
    names : sequence of str, default=None
        Biopsies to draw, from the top. None: all.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : matplotlib PathCollection
        The estimates, or without a record the predicted percentages.
    kidney_, biopsy_ : matplotlib LineCollection
        The intervals; ``biopsy_`` is None without a record.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.evaluation import summarize_biopsies
    >>> from glomclf.report.displays import BiopsyIntervalsDisplay
    >>> estimates = summarize_biopsies([0.1, 0.9, 0.2, 0.3], list("aabb"))
    >>> display = BiopsyIntervalsDisplay(estimates).plot(Figure().subplots())
    >>> display.points_.get_offsets().data
    array([[50.,  0.],
           [ 0.,  1.]])
    """

    points_: PathCollection
    kidney_: LineCollection
    biopsy_: LineCollection | None

    def __init__(self, estimates: BiopsyEstimates, names: Sequence[str] | None = None):
        self.estimates = estimates
        self.names = names

    def plot(self, ax: Axes | None = None) -> BiopsyIntervalsDisplay:
        """Draw the biopsies.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        self
        """
        ax = axes_or_new(ax)
        table = self.estimates.table
        table = table if self.names is None else table.loc[list(self.names)]
        places, is_alone = np.arange(len(table)), bool(self.estimates.missing)
        for cut_off in self.estimates.cut_offs:
            ax.axvline(cut_off, color="gray", linestyle=":", linewidth=1.5)
        wide = "sampling" if is_alone else "kidney"
        self.kidney_ = ax.hlines(
            *(places, table[f"{wide}_low"], table[f"{wide}_high"]),
            color=CLASS_COLORS[0],
            linewidth=1.5,
            linestyle="--" if is_alone else "-",
            label="sampling alone" if is_alone else "of the kidney",
        )
        self.biopsy_ = None
        if not is_alone:
            self.biopsy_ = ax.hlines(
                *(places, table["biopsy_low"], table["biopsy_high"]),
                color=CLASS_COLORS[0],
                alpha=0.45,
                linewidth=7,
                label="of this biopsy",
            )
            # Ends, without which an interval of no width would not be seen.
            ends = table[["biopsy_low", "biopsy_high"]].to_numpy()
            ax.plot(ends, places, "|", color=CLASS_COLORS[0], markersize=9)
        value = table["predicted" if is_alone else "estimate"]
        name = "predicted" if is_alone else "estimate"
        self.points_ = ax.scatter(
            *(value, places), color=CLASS_COLORS[1], zorder=3, s=30, label=name
        )
        self._label(ax, [str(name) for name in table.index])
        return self._drawn_on(ax)

    def _label(self, ax: Axes, names: list[str]) -> None:
        ax.set_yticks(range(len(names)), names if len(names) > 1 else [""])
        ax.set(
            xlim=(-2, 102),
            ylim=(len(names) - 0.4, -0.6),
            xlabel="globally sclerotic, %",
        )
        ax.grid(alpha=0.3, axis="x")
        ax.get_figure(root=True).legend(  # type: ignore[union-attr]
            loc="outside lower center", ncols=3, frameon=False, fontsize="small"
        )
