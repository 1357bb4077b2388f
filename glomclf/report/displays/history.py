"""Losses and accuracies by epoch: of one network, or of the members of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .canvas import CLASS_COLORS, Display

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HistoryDisplay"]

History = Mapping[str, Sequence[float]]

_PANELS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "learning_rate": "learning rate",
}


class HistoryDisplay(Display):
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
    >>> display = HistoryDisplay(history).plot(ax=Figure().subplots(1, 2))
    >>> display.ax_.get_ylabel()
    'loss'
    >>> members = HistoryDisplay([history, history]).plot(ax=Figure().subplots(2, 2))
    >>> members.axes_[1, 0].get_ylabel()
    'fold 2\nloss'
    """

    axes_: np.ndarray

    def __init__(self, history: History | Sequence[History]):
        self.histories = [history] if isinstance(history, Mapping) else list(history)
        # All were trained alike, so that all have the same panels.
        known = set(self.histories[0])
        self.panels = [name for name in _PANELS if {name, f"val_{name}"} & known]

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the history of a fitted classifier, or of the members of an ensemble.

        Parameters
        ----------
        estimator : GlomeruliClassifier, PatchClassifier or FoldEnsembleClassifier
            Fitted.
        ax : matplotlib Axes, one a panel and network, default=None
            By default a new figure.

        Returns
        -------
        display : HistoryDisplay
        """
        networks = getattr(estimator, "estimators_", [estimator])
        return cls([one.history_ for one in networks]).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes, one a panel and network, default=None
            By default a new figure.

        Returns
        -------
        display : HistoryDisplay
        """
        n_networks, n_panels = len(self.histories), len(self.panels)
        if ax is None:
            from matplotlib import pyplot

            size = (4.5 * n_panels, 1.6 + 2 * n_networks)
            ax = self.divide(pyplot.figure(figsize=size, layout="constrained"))
        self.axes_ = np.asarray(ax, dtype=object).reshape(n_networks, n_panels)
        for history, row in zip(self.histories, self.axes_, strict=True):
            for panel, name in zip(row, self.panels, strict=True):
                _draw(panel, name, history)
        for panel, name in zip(self.axes_[0], self.panels, strict=True):
            if name != "learning_rate":
                panel.legend(frameon=False)
        for panel in self.axes_.flat:
            panel.tick_params(labelbottom=True)  # which sharing takes away
        for panel in self.axes_[-1]:
            panel.set_xlabel("epoch")
        if n_networks > 1:
            for place, panel in enumerate(self.axes_[:, 0], start=1):
                panel.set_ylabel(f"fold {place}\n{panel.get_ylabel()}")
        return self._drawn_on(self.axes_[0, 0])

    def divide(self, figure: Any) -> np.ndarray:
        """Divide a figure into panels whose scales can be compared.

        Parameters
        ----------
        figure : matplotlib Figure
            Empty.

        Returns
        -------
        axes : ndarray of matplotlib Axes of shape (n_networks, n_panels)
        """
        shape = len(self.histories), len(self.panels)
        return figure.subplots(*shape, sharex=True, sharey="col", squeeze=False)


def _draw(ax: Axes, name: str, history: History) -> None:
    from matplotlib.ticker import MaxNLocator

    keys = {"training": name, "validation": f"val_{name}"}
    for (label, key), color in zip(keys.items(), CLASS_COLORS, strict=False):
        values = history.get(key, ())
        if len(values):
            epochs = np.arange(1, len(values) + 1)
            ax.plot(epochs, values, "o-", color=color, label=label, markersize=4)
    ax.set_ylabel(_PANELS[name])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
