"""ROC and precision-recall curves with bands over participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ScoreError
from ...evaluation.curves import Band, evaluation_curves
from .canvas import CLASS_COLORS, OfPredictions, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

__all__ = ["PrecisionRecallBandDisplay", "RocBandDisplay"]


class _BandDisplay(OfPredictions):
    """A curve with its band; the children say which, and what it is compared with."""

    line_: Line2D
    band_: PolyCollection
    chance_level_: Line2D

    def __init__(self, band: Band, *, prevalence: float, name: str | None = None):
        self.band = band
        self.prevalence = prevalence
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
        """Draw the curve of predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, 0 or 1.
        y_score : array-like of shape (n_samples,)
            Probabilities of class 1, in [0, 1].
        name : str, default=None
            Shown in the legend; None shows none.
        ax : matplotlib Axes, default=None
            By default a new figure.
        **options
            ``groups``, ``n_bootstrap``, ``confidence`` and ``random_state``, as in
            `glomclf.evaluation.curves.evaluation_curves`.

        Returns
        -------
        display : display
            With the attributes ``ax_``, ``figure_``, ``line_`` and ``band_``.

        Raises
        ------
        ScoreError
            If a class is missing, or an input cannot be used.
        """
        band = getattr(evaluation_curves(y_true, y_score, **options), cls._kind)
        if band is None:
            raise ScoreError(
                f"all {np.size(y_true)} labels are {np.ravel(y_true)[0]}; a curve over "
                "all thresholds needs rows of both classes"
            )
        display = cls(band, prevalence=float(np.mean(np.asarray(y_true))), name=name)
        return display.plot(ax)

    def plot(
        self, ax: Axes | None = None, *, name: str | None = None, **curve_kwargs: Any
    ) -> Self:
        """Draw curve, band and the level of chance.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.
        name : str, default=None
            Shown in the legend; by default the name of the display.
        **curve_kwargs
            To matplotlib's ``plot``.

        Returns
        -------
        display : display
            Itself, with the attributes ``ax_``, ``figure_``, ``line_`` and ``band_``.
        """
        ax = axes_or_new(ax)
        label = self._label(self.name if name is None else name)
        drawn = {"color": CLASS_COLORS[0], "label": label, **curve_kwargs}
        (self.chance_level_,) = ax.plot(
            [0, 1], self._chance(), "--", color="gray", linewidth=1, label="chance"
        )
        self.band_ = ax.fill_between(
            self.band.grid,
            self.band.low,
            self.band.high,
            alpha=0.25,
            color=drawn["color"],
            linewidth=0,
            label=self._band_label(),
        )
        (self.line_,) = ax.plot(*self._points(), **drawn)
        ax.set(
            xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", **self._axis_names
        )
        ax.grid(alpha=0.3)
        ax.legend(loc=self._legend_place, frameon=False, fontsize="small")
        return self._drawn_on(ax)

    def _label(self, name: str | None) -> str:
        low, high = self.band.area_interval
        area = f"{self._area_name} {self.band.area:.2f}"
        if np.isfinite(low + high):
            area += f" ({low:.2f} to {high:.2f})"
        return area if name is None else f"{name}: {area}"

    def _band_label(self) -> str | None:
        if not np.isfinite(self.band.low[:-1]).any():
            return None  # nothing to be seen, nothing in the legend
        return f"{100 * self.band.confidence:g} % band, pointwise"

    _kind: str  # of the curves, the one that is drawn
    _area_name: str
    _axis_names: ClassVar[dict[str, str]]
    _legend_place: Literal["lower left", "lower right"]

    def _points(self) -> tuple[Any, Any]:
        return self.band.x, self.band.y

    def _chance(self) -> list[float]:
        """Return the y at 0 and at 1 of a model that knows nothing."""
        raise NotImplementedError


class RocBandDisplay(_BandDisplay):
    """ROC curve with a band over participants.

    Make one with ``from_predictions`` or ``from_estimator``.

    Parameters
    ----------
    band : glomclf.evaluation.curves.Band
        ``roc`` of `glomclf.evaluation.curves.evaluation_curves`.
    prevalence : float
        Share of class 1.
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
    _axis_names: ClassVar = {
        "xlabel": "false positive rate (1 - specificity)",
        "ylabel": "true positive rate (recall)",
    }
    _legend_place = "lower right"

    def _chance(self) -> list[float]:
        return [0, 1]


class PrecisionRecallBandDisplay(_BandDisplay):
    """Precision-recall curve with a band over participants.

    Make one with ``from_predictions`` or ``from_estimator``.

    Parameters
    ----------
    band : glomclf.evaluation.curves.Band
        ``precision_recall`` of `glomclf.evaluation.curves.evaluation_curves`.
    prevalence : float
        Share of class 1, the precision of chance.
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
    _axis_names: ClassVar = {"xlabel": "recall", "ylabel": "precision"}
    _legend_place = "lower left"

    def _points(self) -> tuple[Any, Any]:
        # Thresholds that add false positives only make no step, nor do they count.
        steps = np.flatnonzero(np.diff(self.band.x, prepend=0.0) > 0)
        recall, precision = self.band.x[steps], self.band.y[steps]
        return np.repeat(np.append(0.0, recall), 2)[1:-1], np.repeat(precision, 2)

    def _chance(self) -> list[float]:
        return [self.prevalence, self.prevalence]
