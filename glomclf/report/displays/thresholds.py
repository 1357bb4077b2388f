"""What each threshold brings: scores over thresholds, and the decision curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...evaluation.net_benefit import threshold_table
from .canvas import CLASS_COLORS, OfPredictions, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "percentage_error": "error of the percentage / 100",
}


class _OverThresholds(OfPredictions):
    """Curves over thresholds, the one in use marked; the children say which."""

    _is_of_calls = True
    _shown = ("threshold",)

    def __init__(self, table: pd.DataFrame, *, threshold: float | None = None):
        self.table = table
        self.threshold = threshold

    @classmethod
    def _computed(cls, y_true: ArrayLike, y_score: ArrayLike, **options: Any) -> Any:
        return threshold_table(y_true, y_score, **options)

    def _draw(self, ax: Axes) -> None:
        self._draw_curves(ax)
        if (cut := self.threshold) is not None:
            gray: dict[str, Any] = {"color": "gray", "linestyle": "--", "linewidth": 1}
            ax.axvline(cut, **gray, label=f"in use: {cut:g}")
        ax.set(xlim=(0, 1), xlabel="threshold")
        ax.grid(alpha=0.3)
        legend_below(ax, ncols=2)

    def _draw_curves(self, ax: Axes) -> None:
        raise NotImplementedError


class ThresholdsDisplay(_OverThresholds):
    """Recall, precision, F1 and error of the percentage over thresholds.

    Make one with ``from_predictions`` or ``from_estimator``. Their options are those of
    `glomclf.evaluation.threshold_table`, and ``threshold``.

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

    def _draw_curves(self, ax: Axes) -> None:
        self.lines_ = []
        for color, (name, label) in zip(CLASS_COLORS, _LABELS.items(), strict=True):
            scale, style = (100, ":") if name == "percentage_error" else (1, "-")
            if name in self.table:
                values = self.table[name] / scale
                self.lines_ += ax.plot(values, style, color=color, label=label)
        ax.set(ylim=(-0.01, 1.01), ylabel="score")


class DecisionCurveDisplay(_OverThresholds):
    """Net benefit over thresholds, beside that of calling all or none sclerotic.

    Make one with ``from_predictions`` or ``from_estimator``. Their options are those of
    `glomclf.evaluation.threshold_table`, and ``threshold``.

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

    def _draw_curves(self, ax: Axes) -> None:
        table, (color, other, *_) = self.table, CLASS_COLORS
        ends = table["net_benefit_low"], table["net_benefit_high"]
        cuts, all_called = table.index.to_numpy(), table["net_benefit_all"]
        self.band_ = ax.fill_between(cuts, *ends, alpha=0.25, color=color, linewidth=0)
        self.lines_ = [
            *ax.plot(table["net_benefit"], color=color, label="model"),
            *ax.plot(all_called, color=other, label="all called sclerotic"),
            ax.axhline(0, color="black", linewidth=1, label="none"),
        ]
        # Far below 0 nothing is to be learnt: no threshold there is of use.
        top = float(np.nanmax([table["net_benefit"].max(), 0.01]))
        ax.set(ylim=(-0.3 * top, 1.15 * top), ylabel="net benefit")
