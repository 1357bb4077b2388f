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
    r"""Loss and accuracy of each epoch, one row of panels a member.

    Parameters
    ----------
    histories : sequence of (mapping of str to list of float)
        Of each member, as `HistoryDisplay` takes it.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_members, 2)
        Loss and accuracy of each member.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.plots import EnsembleHistoryDisplay
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

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None
    ) -> EnsembleHistoryDisplay:
        """Draw the histories of a fitted ensemble's members.

        Parameters
        ----------
        estimator : FoldEnsembleClassifier
            Fitted.
        ax : ndarray of matplotlib Axes of shape (n_members, 2), default=None
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
        ax : ndarray of matplotlib Axes of shape (n_members, 2), default=None
            By default a new figure.

        Returns
        -------
        display : EnsembleHistoryDisplay
        """
        n_members = len(self.histories)
        if ax is None:
            from matplotlib import pyplot

            size = (9, 0.6 + 2 * n_members)
            figure = pyplot.figure(figsize=size, layout="constrained")
            ax = self.panels(figure)
        self.axes_ = np.asarray(ax).reshape(n_members, -1)
        rows = zip(self.histories, self.axes_, strict=True)
        for place, (history, row) in enumerate(rows):
            HistoryDisplay(history).plot(row)
            row[0].set_ylabel(f"fold {place + 1}\n{row[0].get_ylabel()}")
            for panel in row:
                if place:
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
        axes : ndarray of matplotlib Axes of shape (n_members, 2)
        """
        return figure.subplots(
            len(self.histories), 2, sharex=True, sharey="col", squeeze=False
        )
