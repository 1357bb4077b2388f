"""ROC and precision-recall curves with bands over participants, and reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ScoreError
from ...evaluation.curves import Band, ReliabilityBins, evaluation_curves
from .canvas import CLASS_COLORS, OfPredictions, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRAY: dict[str, Any] = {"linestyle": "--", "color": "gray", "linewidth": 1}
_SQUARE: dict[str, Any] = {
    "xlim": (-0.02, 1.02),
    "ylim": (-0.02, 1.02),
    "aspect": "equal",
}


class _BandDisplay(OfPredictions):
    """A curve with its band; the children say which, and what it is compared with."""

    _shown = ("name",)
    _kind: str  # of the curves, the one that is drawn
    _area_name: str
    _axes: ClassVar[dict[str, str]]
    _legend_place: ClassVar[Any]

    def __init__(self, band: Band, *, name: str | None = None):
        self.band = band
        self.name = name

    @classmethod
    def _computed(cls, y_true: ArrayLike, y_score: ArrayLike, **options: Any) -> Band:
        band = getattr(evaluation_curves(y_true, y_score, **options), cls._kind)
        if band is None:
            raise ScoreError(
                f"all {np.size(y_true)} labels are {np.ravel(y_true)[0]}; a curve over "
                "all thresholds needs rows of both classes"
            )
        return band

    def _draw(self, ax: Axes) -> None:
        band = self.band
        (self.chance_level_,) = ax.plot([0, 1], self._chance(), **_GRAY, label="chance")
        has_band = np.isfinite(band.low[:-1]).any()
        self.band_ = ax.fill_between(
            *(band.grid, band.low, band.high),
            alpha=0.25,
            color=CLASS_COLORS[0],
            linewidth=0,
            label=f"{100 * band.confidence:g} % band, pointwise" if has_band else None,
        )
        (self.line_,) = ax.plot(
            *self._points(), color=CLASS_COLORS[0], label=self._label()
        )
        ax.set(**_SQUARE, **self._axes)
        ax.grid(alpha=0.3)
        ax.legend(loc=self._legend_place, frameon=False, fontsize="small")

    def _label(self) -> str:
        low, high = self.band.area_interval
        ends = f" ({low:.2f} to {high:.2f})" if np.isfinite(low + high) else ""
        area = f"{self._area_name} {self.band.area:.2f}{ends}"
        return area if self.name is None else f"{self.name}: {area}"

    def _points(self) -> tuple[Any, Any]:
        return self.band.x, self.band.y

    def _chance(self) -> list[float]:
        """Return the y at 0 and at 1 of a model that knows nothing."""
        return [0, 1]


class RocBandDisplay(_BandDisplay):
    """ROC curve with a band over participants.

    Make one with ``from_predictions`` or ``from_estimator``. Their options are ``name``
    and those of `glomclf.evaluation.curves.evaluation_curves`.

    Parameters
    ----------
    band : glomclf.evaluation.curves.Band
        ``roc`` of `glomclf.evaluation.curves.evaluation_curves`.
    name : str, default=None
        Shown in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The curve.
    band_ : matplotlib PolyCollection
        The pointwise band.
    chance_level_ : matplotlib Line2D
        The diagonal.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import RocBandDisplay
    >>> display = RocBandDisplay.from_predictions(
    ...     [0, 0, 1, 0, 1, 1, 0, 1],
    ...     [0.1, 0.3, 0.6, 0.5, 0.4, 0.9, 0.2, 0.7],
    ...     groups=list("aabbccdd"),
    ...     name="model",
    ...     ax=Figure().subplots(),
    ... )
    >>> display.line_.get_label()
    'model: AUC 0.94 (0.14 to 1.00)'
    """

    _kind = "roc"
    _area_name = "AUC"
    _axes: ClassVar = {
        "xlabel": "false positive rate (1 - specificity)",
        "ylabel": "true positive rate (recall)",
    }
    _legend_place = "lower right"


class PrecisionRecallBandDisplay(_BandDisplay):
    """Precision-recall curve with a band over participants.

    Make one with ``from_predictions`` or ``from_estimator``. Their options are ``name``
    and those of `glomclf.evaluation.curves.evaluation_curves`.

    Parameters
    ----------
    band : glomclf.evaluation.curves.Band
        ``precision_recall`` of `glomclf.evaluation.curves.evaluation_curves`.
    name : str, default=None
        Shown in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The curve, in steps: each recall up to the next has the precision of the next.
    band_ : matplotlib PolyCollection
        The pointwise band.
    chance_level_ : matplotlib Line2D
        The prevalence.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import PrecisionRecallBandDisplay
    >>> display = PrecisionRecallBandDisplay.from_predictions(
    ...     [0, 0, 1, 0, 1, 1, 0, 1],
    ...     [0.1, 0.3, 0.6, 0.5, 0.4, 0.9, 0.2, 0.7],
    ...     groups=list("aabbccdd"),
    ...     ax=Figure().subplots(),
    ... )
    >>> display.line_.get_label()
    'AP 0.95 (0.41 to 1.00)'
    """

    _kind = "precision_recall"
    _area_name = "AP"
    _axes: ClassVar = {"xlabel": "recall", "ylabel": "precision"}
    _legend_place = "lower left"

    def _points(self) -> tuple[Any, Any]:
        # Thresholds that add false positives only make no step, nor do they count.
        steps = np.flatnonzero(np.diff(self.band.x, prepend=0.0) > 0)
        recall, precision = self.band.x[steps], self.band.y[steps]
        return np.repeat(np.append(0.0, recall), 2)[1:-1], np.repeat(precision, 2)

    def _chance(self) -> list[float]:
        return [self.band.y[-1]] * 2  # where all are called 1: the prevalence


class ReliabilityDisplay(OfPredictions):
    """Frequency of class 1 against its predicted probability, in bins.

    Make one with ``from_predictions`` or ``from_estimator``. Their options are ``name``
    and those of `glomclf.evaluation.curves.evaluation_curves`.

    Parameters
    ----------
    bins : glomclf.evaluation.ReliabilityBins
        ``reliability`` of `glomclf.evaluation.curves.evaluation_curves`.
    name : str, default="bins of probability"
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

    _shown = ("name",)

    def __init__(self, bins: ReliabilityBins, *, name: str = "bins of probability"):
        self.bins = bins
        self.name = name

    @classmethod
    def _computed(cls, y_true: ArrayLike, y_score: ArrayLike, **options: Any) -> Any:
        return evaluation_curves(y_true, y_score, **options).reliability

    def _draw(self, ax: Axes) -> None:
        bins, color = self.bins, CLASS_COLORS[0]
        ax.plot([0, 1], [0, 1], **_GRAY, label="ideal")
        self.intervals_ = ax.vlines(
            *(bins.probability, bins.low, bins.high),
            color=color,
            alpha=0.5,
            linewidth=3,
            label=f"{100 * bins.confidence:g} % interval",
        )
        (self.line_,) = ax.plot(
            *(bins.probability, bins.frequency, "o-"), color=color, label=self.name
        )
        above: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "ha": "center"}
        for probability, n_rows in zip(bins.probability, bins.n_rows, strict=True):
            ax.text(probability, 1.02, f"{n_rows}", **above, fontsize="x-small")
        ax.set_title("rows a bin", fontsize="small", pad=16)
        ax.set(
            **_SQUARE,
            xlabel="predicted probability of class 1",
            ylabel="share of class 1",
        )
        ax.grid(alpha=0.3)
        legend_below(ax)
