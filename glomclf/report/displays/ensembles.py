"""Pictures of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .training import HistoryDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["EnsembleHistoryDisplay"]


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
