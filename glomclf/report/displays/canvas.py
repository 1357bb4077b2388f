"""What all displays draw on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CLASS_COLORS", "axes_or_new", "legend_below", "say_instead"]

CLASS_COLORS = ("#4c78a8", "#e4873c", "#59a14f", "#9c6fb0")


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]


def legend_below(ax: Axes, **options: Any) -> None:
    """Put the legend where it hides nothing."""
    usual = {
        "loc": "upper center",
        "bbox_to_anchor": (0.5, -0.13),
        "ncols": 3,
        "frameon": False,
        "fontsize": "small",
    }
    ax.legend(**{**usual, **options})


def say_instead(ax: Axes, text: str) -> None:
    """Say why there is no picture, in its place."""
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    ax.spines[:].set_visible(False)
