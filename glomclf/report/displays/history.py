"""Losses and accuracies by epoch: of one network, or of the members of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .canvas import CLASS_COLORS, PanelsDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Mapping[str, Sequence[float]]

_PANELS = ("loss", "accuracy", "learning_rate")


class HistoryDisplay(PanelsDisplay):
    r"""What was noted of each epoch, of training and validation rows.

    Parameters
    ----------
    history : mapping of str to list of float, or sequence of such mappings
        ``loss``, ``accuracy`` and, if known, ``val_loss``, ``val_accuracy`` and
        ``learning_rate``, as in the attribute ``history_`` of a classifier. Several:
        those of the members of an ensemble, one row of panels each.

    Attributes
    ----------
    histories : list of mappings
        One a network.
    panels : list of str
        What is drawn: loss, accuracy, and of the others those that are known.
    axes_ : ndarray of matplotlib Axes of shape (n_networks, n_panels)
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import HistoryDisplay
    >>> history = {"loss": [0.7, 0.4], "accuracy": [0.5, 0.8]}
    >>> display = HistoryDisplay(history).plot(Figure())
    >>> display.ax_.get_ylabel()
    'loss'
    >>> members = HistoryDisplay([history, history]).plot(Figure())
    >>> members.axes_[1, 0].get_ylabel()
    'fold 2\nloss'
    """

    def __init__(self, history: History | Sequence[History]):
        self.histories = [history] if isinstance(history, Mapping) else list(history)
        # All were trained alike, so that all have the same panels.
        known = set(self.histories[0])
        self.panels = [name for name in _PANELS if {name, f"val_{name}"} & known]

    @property
    def figsize(self) -> tuple[float, float]:
        """The size of the figure that suits the panels, in inches."""
        return 3.5 * len(self.panels), 1.1 + 1.9 * len(self.histories)

    def _panels(self, figure: Figure) -> np.ndarray:
        shape = len(self.histories), len(self.panels)
        axes = figure.subplots(*shape, sharex=True, sharey="col", squeeze=False)
        for history, row in zip(self.histories, axes, strict=True):
            for ax, name in zip(row, self.panels, strict=True):
                _draw(ax, name, history)
        for ax, name in zip(axes[0], self.panels, strict=True):
            if name != "learning_rate":
                ax.legend(frameon=False)
        for ax in axes[-1]:
            ax.set_xlabel("epoch")
        if len(self.histories) > 1:
            for fold, ax in enumerate(axes[:, 0], start=1):
                ax.set_ylabel(f"fold {fold}\n{ax.get_ylabel()}")
        return axes


def _draw(ax: Axes, name: str, history: History) -> None:
    from matplotlib.ticker import MaxNLocator

    lines = ("training", name), ("validation", f"val_{name}")
    for (label, key), color in zip(lines, CLASS_COLORS, strict=False):
        if len(values := history.get(key, ())):
            epochs = np.arange(1, len(values) + 1)
            ax.plot(epochs, values, "o-", color=color, label=label, markersize=4)
    ax.set_ylabel(name.replace("_", " "))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.tick_params(labelbottom=True)  # which sharing takes away
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
