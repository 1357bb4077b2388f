"""The percentage of globally sclerotic glomeruli: against the truth, and estimated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._runtime import counted
from ...evaluation.biopsy import BiopsyAgreement, biopsy_agreement
from ...evaluation.biopsy_estimates import BiopsyEstimates
from .canvas import CLASS_COLORS, Display, OfPredictions, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where on the abscissa the interval of each level is drawn: beside all biopsies.
_BARS = {"lower_limit": 106, "bias": 111, "upper_limit": 116}


class _BiopsyDisplay(OfPredictions):
    """One point a biopsy; the children say where, and what it is compared with."""

    _is_of_calls = True

    def __init__(self, agreement: BiopsyAgreement):
        self.agreement = agreement

    @classmethod
    def _computed(cls, y_true: ArrayLike, y_score: ArrayLike, **options: Any) -> Any:
        return biopsy_agreement(y_true, y_score, **options)

    def _draw(self, ax: Axes) -> None:
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

    def _points(self) -> tuple[Any, Any]:
        raise NotImplementedError

    def _draw_references(self, ax: Axes) -> None:
        raise NotImplementedError


class BiopsyPercentageDisplay(_BiopsyDisplay):
    """Predicted against true percentage of globally sclerotic glomeruli.

    Make one with ``from_predictions`` or ``from_estimator``. Their options are those of
    `glomclf.evaluation.biopsy.biopsy_agreement`. Dotted lines mark the cut-offs by
    which biopsies are judged.

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

    Make one with ``from_predictions`` or ``from_estimator``. Their options are those of
    `glomclf.evaluation.biopsy.biopsy_agreement`. Lines are the bias and the limits of
    agreement, bars beside the biopsies their intervals over biopsies.

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
        found = self.agreement.scores
        low, high = found["lower_limit"], found["upper_limit"]
        self.line_ = self._draw_level(ax, "bias", "-", f"bias {found['bias']:+.1f}")
        limits = f"limits of agreement {low:+.1f} and {high:+.1f}"
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


class BiopsyIntervalsDisplay(Display):
    """One line a biopsy: a thick one for its glomeruli, a thin one for the kidney.

    Without a record of people that the model had not seen there is the interval of
    sampling alone, dashed. Dotted lines mark the cut-offs.

    Parameters
    ----------
    estimates : glomclf.evaluation.BiopsyEstimates
        From `glomclf.evaluation.summarize_biopsies`.
    names : sequence of str, default=None
        Biopsies to draw, from the top. None: all.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : matplotlib PathCollection
        The estimates, or without a record the predicted percentages.
    kidney_, biopsy_ : matplotlib LineCollection
        The intervals; ``biopsy_`` is None without a record.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.evaluation import summarize_biopsies
    >>> from glomclf.report.displays import BiopsyIntervalsDisplay
    >>> estimates = summarize_biopsies([0.1, 0.9, 0.2, 0.3], list("aabb"))
    >>> display = BiopsyIntervalsDisplay(estimates).plot(Figure().subplots())
    >>> display.points_.get_offsets().data
    array([[50.,  0.],
           [ 0.,  1.]])
    """

    def __init__(self, estimates: BiopsyEstimates, names: Sequence[str] | None = None):
        self.estimates = estimates
        self.names = names

    def _draw(self, ax: Axes) -> None:
        estimates = self.estimates
        table = estimates.table.loc[list(self.names)] if self.names else estimates.table
        places, self.biopsy_ = np.arange(len(table)), None
        for cut_off in estimates.cut_offs:
            ax.axvline(cut_off, color="gray", linestyle=":", linewidth=1.5)
        part, style, label, value = "kidney", "-", "of the kidney", "estimate"
        if estimates.missing:
            part, style, label, value = "sampling", "--", "sampling alone", "predicted"
        ends, color = (table[f"{part}_low"], table[f"{part}_high"]), CLASS_COLORS[0]
        thin: dict[str, Any] = {"color": color, "linewidth": 1.5, "linestyle": style}
        self.kidney_ = ax.hlines(places, *ends, **thin, label=label)
        if not estimates.missing:
            ends = table["biopsy_low"], table["biopsy_high"]
            thick: dict[str, Any] = {"color": color, "linewidth": 7, "alpha": 0.45}
            self.biopsy_ = ax.hlines(places, *ends, **thick, label="of this biopsy")
            # Ends, without which an interval of no width would not be seen.
            ax.plot(np.transpose(ends), places, "|", color=color, markersize=9)
        self.points_ = ax.scatter(
            table[value], places, color=CLASS_COLORS[1], zorder=3, s=30, label=value
        )
        ax.set_yticks(places, table.index.astype(str) if len(table) > 1 else [""])
        reach = (len(table) - 0.4, -0.6)
        ax.set(xlim=(-2, 102), ylim=reach, xlabel="globally sclerotic, %")
        ax.grid(alpha=0.3, axis="x")
        below = {"loc": "outside lower center", "ncols": 3, "fontsize": "small"}
        figure: Any = ax.get_figure(root=True)
        figure.legend(**below, frameon=False)
