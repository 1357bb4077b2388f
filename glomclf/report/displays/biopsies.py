"""The percentage of globally sclerotic glomeruli per biopsy, predicted against true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._runtime import counted
from ...evaluation.biopsy import BiopsyAgreement, biopsy_agreement
from .canvas import CLASS_COLORS, OfCalls, axes_or_new, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D

__all__ = ["BiopsyPercentageDisplay", "BlandAltmanDisplay"]


# Where on the abscissa the interval of each level is drawn: beside all biopsies.
_BARS = {"lower_limit": 106, "bias": 111, "upper_limit": 116}


class _BiopsyDisplay(OfCalls):
    """One point a biopsy; the children say where, and what it is compared with."""

    points_: PathCollection
    line_: Line2D

    def __init__(self, agreement: BiopsyAgreement):
        self.agreement = agreement

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        groups: ArrayLike,
        threshold: float | ArrayLike = 0.5,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Draw the biopsies from labels and probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, 0 or 1.
        y_score : array-like of shape (n_samples,)
            Probabilities of class 1, in [0, 1].
        groups : array-like of shape (n_samples,)
            The participant (biopsy) of each glomerulus.
        threshold : float or array-like of shape (n_samples,), default=0.5
            A glomerulus is predicted sclerotic if its probability is at least this.
        ax : matplotlib Axes, default=None
            By default a new figure.
        **options
            To `glomclf.evaluation.biopsy.biopsy_agreement`.

        Returns
        -------
        display : display
            With the attributes ``ax_``, ``figure_``, ``points_`` and ``line_``.

        Raises
        ------
        ScoreError
            If an input cannot be used.
        """
        agreement = biopsy_agreement(
            y_true, y_score, groups, threshold=threshold, **options
        )
        return cls(agreement).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one point a biopsy, larger with more glomeruli.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : display
            Itself, with the attributes ``ax_``, ``figure_``, ``points_``, ``line_``.
        """
        ax = axes_or_new(ax)
        n_glomeruli = self.agreement.table["n_glomeruli"].to_numpy()
        self._draw_references(ax)
        self.points_ = ax.scatter(
            *self._points(),
            s=20 + 180 * n_glomeruli / n_glomeruli.max(),
            color=CLASS_COLORS[0],
            alpha=0.6,
            linewidth=0,
            label=f"biopsy of {_span(n_glomeruli)}",
        )
        ax.grid(alpha=0.3)
        legend_below(ax, markerscale=0.6, ncols=2)
        return self._drawn_on(ax)

    def _points(self) -> tuple[Any, Any]:
        raise NotImplementedError

    def _draw_references(self, ax: Axes) -> None:
        raise NotImplementedError


class BiopsyPercentageDisplay(_BiopsyDisplay):
    """Predicted against true percentage of globally sclerotic glomeruli.

    Make one with ``from_predictions`` or ``from_estimator``. Dotted lines mark the cut-
    offs by which biopsies are judged.

    Parameters
    ----------
    agreement : glomclf.evaluation.biopsy.BiopsyAgreement
        From `glomclf.evaluation.biopsy.biopsy_agreement`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : matplotlib PathCollection
        One point a biopsy.
    line_ : matplotlib Line2D
        Where predicted and true agree.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import BiopsyPercentageDisplay
    >>> display = BiopsyPercentageDisplay.from_predictions(
    ...     [0, 0, 1, 0, 1, 1],
    ...     [0.1, 0.3, 0.6, 0.7, 0.4, 0.9],
    ...     groups=list("aabbcc"),
    ...     ax=Figure().subplots(),
    ... )
    >>> display.points_.get_offsets().data
    array([[  0.,   0.],
           [ 50., 100.],
           [100.,  50.]])
    """

    def _points(self) -> tuple[Any, Any]:
        return self.agreement.table["true"], self.agreement.table["predicted"]

    def _draw_references(self, ax: Axes) -> None:
        (self.line_,) = ax.plot(
            [0, 100], [0, 100], "--", color="gray", linewidth=1, label="agreement"
        )
        for cut_off in self.agreement.cut_offs:
            for draw in (ax.axhline, ax.axvline):
                draw(cut_off, color="gray", linestyle=":", linewidth=1.5)
        ax.set(
            xlim=(-4, 104),
            ylim=(-4, 104),
            aspect="equal",
            xlabel="true globally sclerotic, %",
            ylabel="predicted globally sclerotic, %",
        )


class BlandAltmanDisplay(_BiopsyDisplay):
    """Differences of predicted and true percentages, after Bland and Altman.

    Make one with ``from_predictions`` or ``from_estimator``. Lines are the bias and the
    limits of agreement, bars beside the biopsies their intervals over biopsies.

    Parameters
    ----------
    agreement : glomclf.evaluation.biopsy.BiopsyAgreement
        From `glomclf.evaluation.biopsy.biopsy_agreement`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : matplotlib PathCollection
        One point a biopsy.
    line_ : matplotlib Line2D
        The bias.

    References
    ----------
    Bland JM, Altman DG. Statistical methods for assessing agreement between two methods
    of clinical measurement. Lancet 1986;327:307-310.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import BlandAltmanDisplay
    >>> display = BlandAltmanDisplay.from_predictions(
    ...     [0, 0, 1, 0, 1, 1],
    ...     [0.1, 0.3, 0.6, 0.7, 0.4, 0.9],
    ...     groups=list("aabbcc"),
    ...     ax=Figure().subplots(),
    ... )
    >>> display.points_.get_offsets().data
    array([[  0.,   0.],
           [ 75.,  50.],
           [ 75., -50.]])
    """

    def _points(self) -> tuple[Any, Any]:
        table = self.agreement.table
        return (table["true"] + table["predicted"]) / 2, table["difference"]

    def _draw_references(self, ax: Axes) -> None:
        ax.axhline(0, color="gray", linewidth=1)
        scores = self.agreement.scores
        limits = (
            f"limits of agreement {scores['lower_limit']:+.1f} and "
            f"{scores['upper_limit']:+.1f}"
        )
        self.line_ = self._draw_level(ax, "bias", "-", f"bias {scores['bias']:+.1f}")
        self._draw_level(ax, "lower_limit", "--", limits)
        self._draw_level(ax, "upper_limit", "--", None)
        reach = self._reach()
        ax.set(
            xlim=(-4, max(_BARS.values()) + 4),
            ylim=(-reach, reach),
            xticks=range(0, 101, 20),
            xlabel="mean of predicted and true, %",
            ylabel="predicted minus true, percentage points\n← too low      too high →",
        )

    def _draw_level(self, ax: Axes, name: str, style: str, label: str | None) -> Any:
        value, color = self.agreement.scores[name], CLASS_COLORS[1]
        if not np.isfinite(value):
            return None
        ends = np.array(self.agreement.interval(name))
        if np.isfinite(ends).all():
            told = f"{self.agreement.level} intervals" if name == "bias" else None
            reach = np.abs(ends - value)[:, None]
            ax.errorbar(_BARS[name], value, reach, fmt="none", ecolor=color, capsize=3)
            ax.plot([], [], "|", color=color, markersize=9, label=told)
        return ax.axhline(value, color=color, linestyle=style, label=label)

    def _reach(self) -> float:
        """Return how far the farthest of what is drawn lies from no difference."""
        agreement = self.agreement
        levels = [(agreement.scores[name], *agreement.interval(name)) for name in _BARS]
        drawn = np.concatenate([self._points()[1], np.ravel(levels)])
        return max(5.0, 1.1 * np.abs(drawn[np.isfinite(drawn)]).max())


def _span(numbers: NDArray[np.intp]) -> str:
    low, high = numbers.min(), numbers.max()
    return f"{low} to {high} patches" if low < high else counted(low, "patch")
