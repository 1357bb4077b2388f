"""Losses and accuracies by epoch: of one network, and of the members of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["EnsembleHistoryDisplay", "HistoryDisplay"]

_PANELS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "learning_rate": "learning rate",
}


class HistoryDisplay:
    """What was noted of each epoch, of training and validation rows.

    Parameters
    ----------
    history : mapping of str to list of float
        ``loss``, ``accuracy`` and, if known, ``val_loss``, ``val_accuracy`` and
        ``learning_rate``, as in the attribute ``history_`` of a classifier.

    Attributes
    ----------
    panels : list of str
        What is drawn: loss, accuracy, and of the others those that are known.
    axes_ : ndarray of matplotlib Axes, one a panel
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
    """

    axes_: np.ndarray
    ax_: Axes
    figure_: Figure

    def __init__(self, history: Mapping[str, Sequence[float]]):
        self.history = history
        self.panels = [name for name in _PANELS if {name, f"val_{name}"} & set(history)]

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> HistoryDisplay:
        """Draw the history of a fitted classifier.

        Parameters
        ----------
        estimator : GlomeruliClassifier or PatchClassifier
            Fitted.
        ax : matplotlib Axes, one a panel, default=None
            By default a new figure.

        Returns
        -------
        display : HistoryDisplay
        """
        return cls(estimator.history_).plot(ax=ax)

    def plot(self, ax: Any = None) -> HistoryDisplay:
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes, one a panel, default=None
            By default a new figure.

        Returns
        -------
        display : HistoryDisplay
        """
        if ax is None:
            from matplotlib import pyplot

            n_panels = len(self.panels)
            size = (4.5 * n_panels, 3.6)
            _, ax = pyplot.subplots(1, n_panels, figsize=size, layout="constrained")
        self.axes_ = np.asarray(ax).ravel()
        for panel, name in zip(self.axes_, self.panels, strict=True):
            self._draw(panel, name)
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        return self

    def _draw(self, ax: Axes, name: str) -> None:
        from matplotlib.ticker import MaxNLocator

        lines = (
            ("training", name, "#4c78a8"),
            ("validation", f"val_{name}", "#e4873c"),
        )
        for label, key, color in lines:
            values = self.history.get(key, ())
            if len(values):
                epochs = np.arange(1, len(values) + 1)
                ax.plot(epochs, values, "o-", color=color, label=label, markersize=4)
        ax.set(xlabel="epoch", ylabel=_PANELS[name])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        if name != "learning_rate":
            ax.legend(frameon=False)


class EnsembleHistoryDisplay:
    r"""What was noted of each epoch, one row of panels a member.

    Parameters
    ----------
    histories : sequence of (mapping of str to list of float)
        Of each member, as `HistoryDisplay` takes it.

    Attributes
    ----------
    n_panels : int
        Panels in a row.
    axes_ : ndarray of matplotlib Axes of shape (n_members, n_panels)
        The panels of `HistoryDisplay`, of each member.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import EnsembleHistoryDisplay
    >>> history = {"loss": [0.7, 0.4], "accuracy": [0.5, 0.8]}
    >>> display = EnsembleHistoryDisplay([history, history])
    >>> display.plot(ax=Figure().subplots(2, 2)).axes_[1, 0].get_ylabel()
    'fold 2\nloss'
    """

    axes_: np.ndarray
    ax_: Axes
    figure_: Figure

    def __init__(self, histories: Sequence[Mapping[str, Sequence[float]]]):
        self.histories = histories
        # All were trained alike, so that all have the same panels.
        self.n_panels = len(HistoryDisplay(histories[0]).panels)

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None
    ) -> EnsembleHistoryDisplay:
        """Draw the histories of a fitted ensemble's members.

        Parameters
        ----------
        estimator : FoldEnsembleClassifier
            Fitted.
        ax : ndarray of matplotlib Axes of shape (n_members, n_panels), default=None
            By default a new figure.

        Returns
        -------
        display : EnsembleHistoryDisplay
        """
        return cls([one.history_ for one in estimator.estimators_]).plot(ax=ax)

    def plot(self, ax: Any = None) -> EnsembleHistoryDisplay:
        """Draw one row of panels a member, with scales in common.

        Parameters
        ----------
        ax : ndarray of matplotlib Axes of shape (n_members, n_panels), default=None
            By default a new figure.

        Returns
        -------
        display : EnsembleHistoryDisplay
        """
        n_members = len(self.histories)
        if ax is None:
            from matplotlib import pyplot

            size = (4.5 * self.n_panels, 0.6 + 2 * n_members)
            figure = pyplot.figure(figsize=size, layout="constrained")
            ax = self.panels(figure)
        self.axes_ = np.asarray(ax).reshape(n_members, -1)
        rows = zip(self.histories, self.axes_, strict=True)
        for place, (history, row) in enumerate(rows):
            HistoryDisplay(history).plot(row)
            row[0].set_ylabel(f"fold {place + 1}\n{row[0].get_ylabel()}")
            for panel in row:
                if place and panel.get_legend() is not None:
                    panel.get_legend().remove()
                if place < n_members - 1:
                    panel.set_xlabel("")
        self.ax_, self.figure_ = self.axes_[0, 0], self.axes_[0, 0].figure
        return self

    def panels(self, figure: Any) -> np.ndarray:
        """Divide a figure into panels whose scales can be compared.

        Parameters
        ----------
        figure : matplotlib Figure
            Empty.

        Returns
        -------
        axes : ndarray of matplotlib Axes of shape (n_members, n_panels)
        """
        return figure.subplots(
            len(self.histories),
            self.n_panels,
            sharex=True,
            sharey="col",
            squeeze=False,
        )
