"""What each threshold brings: scores over thresholds, and the decision curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...evaluation.net_benefit import threshold_table
from .canvas import CLASS_COLORS, OfCalls, axes_or_new, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

__all__ = ["DecisionCurveDisplay", "ThresholdsDisplay"]


class _OverThresholds(OfCalls):
    """Curves over thresholds, the one in use marked; the children say which."""

    lines_: list[Line2D]

    def __init__(self, table: pd.DataFrame, *, threshold: float | None = None):
        self.table = table
        self.threshold = threshold

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        threshold: float | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Draw what each threshold brings on predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, 0 or 1.
        y_score : array-like of shape (n_samples,)
            Probabilities of class 1, in [0, 1].
        threshold : float, default=None
            The one in use, to be marked.
        ax : matplotlib Axes, default=None
            By default a new figure.
        **options
            As in `glomclf.evaluation.threshold_table`.

        Returns
        -------
        display : display

        Raises
        ------
        ScoreError
            If an input cannot be used.
        """
        table = threshold_table(y_true, y_score, **options)
        return cls(table, threshold=threshold).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the curves, and mark the threshold in use.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : display
        """
        ax = axes_or_new(ax)
        self._draw(ax)
        if self.threshold is not None:
            label = f"in use: {self.threshold:g}"
            ax.axvline(
                self.threshold, color="gray", linestyle="--", linewidth=1, label=label
            )
        ax.set(xlim=(0, 1), xlabel="threshold")
        ax.grid(alpha=0.3)
        legend_below(ax, ncols=2)
        return self._drawn_on(ax)

    def _draw(self, ax: Axes) -> None:
        raise NotImplementedError


class ThresholdsDisplay(_OverThresholds):
    """Recall, precision, F1 and error of the percentage over thresholds.

    Make one with ``from_predictions`` or ``from_estimator``.

    Parameters
    ----------
    table : DataFrame
        As from `glomclf.evaluation.threshold_table`.
    threshold : float, default=None
        The one in use, to be marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import ThresholdsDisplay
    >>> display = ThresholdsDisplay.from_predictions(
    ...     [0, 0, 1, 0, 1, 1],
    ...     [0.1, 0.3, 0.6, 0.5, 0.4, 0.9],
    ...     groups=list("aabbcc"),
    ...     ax=Figure().subplots(),
    ... )
    >>> [line.get_label() for line in display.lines_]
    ['recall', 'precision', 'F1', 'error of the percentage / 100']
    """

    _LABELS: ClassVar = {
        "recall": "recall",
        "precision": "precision",
        "f1": "F1",
        "percentage_error": "error of the percentage / 100",
    }

    def _draw(self, ax: Axes) -> None:
        self.lines_ = []
        for color, (name, label) in zip(
            CLASS_COLORS, self._LABELS.items(), strict=True
        ):
            if name not in self.table:
                continue
            is_error = name == "percentage_error"
            values = self.table[name] / (100 if is_error else 1)
            style = ":" if is_error else "-"
            self.lines_ += ax.plot(values, style, color=color, label=label)
        ax.set(ylim=(-0.01, 1.01), ylabel="score")


class DecisionCurveDisplay(_OverThresholds):
    """Net benefit over thresholds, beside that of calling all or none sclerotic.

    Make one with ``from_predictions`` or ``from_estimator``.

    Parameters
    ----------
    table : DataFrame
        As from `glomclf.evaluation.threshold_table`.
    threshold : float, default=None
        The one in use, to be marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Of the model, of all, of none.
    band_ : matplotlib PolyCollection
        Pointwise intervals over participants.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import DecisionCurveDisplay
    >>> display = DecisionCurveDisplay.from_predictions(
    ...     [0, 0, 1, 0, 1, 1],
    ...     [0.1, 0.3, 0.6, 0.5, 0.4, 0.9],
    ...     ax=Figure().subplots(),
    ... )
    >>> [line.get_label() for line in display.lines_]
    ['model', 'all called sclerotic', 'none']
    """

    band_: PolyCollection

    def _draw(self, ax: Axes) -> None:
        table = self.table
        cuts = table.index.to_numpy()
        ends = table["net_benefit_low"], table["net_benefit_high"]
        self.band_ = ax.fill_between(
            cuts, *ends, alpha=0.25, color=CLASS_COLORS[0], linewidth=0
        )
        self.lines_ = [
            *ax.plot(table["net_benefit"], color=CLASS_COLORS[0], label="model"),
            *ax.plot(
                table["net_benefit_all"],
                color=CLASS_COLORS[1],
                label="all called sclerotic",
            ),
            ax.axhline(0, color="black", linewidth=1, label="none"),
        ]
        # Far below 0 nothing is to be learnt: no threshold there is of use.
        top = float(np.nanmax([table["net_benefit"].max(), 0.01]))
        ax.set(ylim=(-0.3 * top, 1.15 * top), ylabel="net benefit")
