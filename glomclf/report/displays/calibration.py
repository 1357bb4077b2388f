"""Reliability diagram: how well probabilities are calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

from ...evaluation.curves import evaluation_curves
from ...evaluation.reliability import ReliabilityBins
from .canvas import CLASS_COLORS, OfPredictions, axes_or_new, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["ReliabilityDisplay"]


class ReliabilityDisplay(OfPredictions):
    """Frequency of class 1 against its predicted probability, in bins.

    Make one with ``from_predictions`` or ``from_estimator``.

    Parameters
    ----------
    bins : glomclf.evaluation.reliability.ReliabilityBins
        ``reliability`` of `glomclf.evaluation.curves.evaluation_curves`.
    name : str, default=None
        Shown in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The points, joined.
    intervals_ : matplotlib LineCollection
        The intervals over participants.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import ReliabilityDisplay
    >>> display = ReliabilityDisplay.from_predictions(
    ...     [0, 0, 1, 0, 1, 1, 0, 1],
    ...     [0.1, 0.3, 0.6, 0.2, 0.6, 0.9, 0.2, 0.9],
    ...     groups=list("aabbccdd"),
    ...     ax=Figure().subplots(),
    ... )
    >>> display.line_.get_ydata()
    array([0., 0., 0., 1., 1.])
    """

    line_: Line2D
    intervals_: Any

    def __init__(self, bins: ReliabilityBins, *, name: str | None = None):
        self.bins = bins
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Draw the reliability of predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, 0 or 1.
        y_score : array-like of shape (n_samples,)
            Probabilities of class 1, in [0, 1].
        name : str, default=None
            Shown in the legend.
        ax : matplotlib Axes, default=None
            By default a new figure.
        **options
            ``groups``, ``n_bootstrap``, ``confidence`` and ``random_state``, as in
            `glomclf.evaluation.curves.evaluation_curves`.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        ScoreError
            If an input cannot be used.
        """
        bins = evaluation_curves(y_true, y_score, **options).reliability
        return cls(bins, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the bins with their intervals, and how many rows each has.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : ReliabilityDisplay
        """
        ax = axes_or_new(ax)
        bins, color = self.bins, CLASS_COLORS[0]
        ax.plot([0, 1], [0, 1], "--", color="gray", linewidth=1, label="ideal")
        self.intervals_ = ax.vlines(
            bins.probability,
            bins.low,
            bins.high,
            color=color,
            alpha=0.5,
            linewidth=3,
            label=f"{100 * bins.confidence:g} % interval",
        )
        (self.line_,) = ax.plot(
            bins.probability,
            bins.frequency,
            "o-",
            color=color,
            label="bins of probability" if self.name is None else self.name,
        )
        self._number_rows(ax)
        ax.set(
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
            aspect="equal",
            xlabel="predicted probability of class 1",
            ylabel="share of class 1",
        )
        ax.grid(alpha=0.3)
        legend_below(ax)
        return self._drawn_on(ax)

    def _number_rows(self, ax: Axes) -> None:
        """Write the number of rows over each bin."""
        for probability, n_rows in zip(
            self.bins.probability, self.bins.n_rows, strict=True
        ):
            ax.text(
                probability,
                1.02,
                f"{n_rows}",
                transform=ax.get_xaxis_transform(),
                ha="center",
                fontsize="x-small",
            )
        ax.set_title("rows a bin", fontsize="small", pad=16)
