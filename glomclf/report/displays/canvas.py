"""What displays have in common: axes, colours, and what they ask of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._response import _get_response_values_binary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASS_COLORS = ("#4c78a8", "#e4873c", "#59a14f", "#9c6fb0")


class Display:
    """Draws on axes, and leaves them to the user; the children say what."""

    ax_: Axes
    figure_: Figure

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : display
            Itself, with the attributes ``ax_`` and ``figure_`` and those of its class.
        """
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots(layout="constrained")[1]
        self._draw(ax)
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment, unused-ignore]
        return self

    def on(self, figure: Figure) -> Self:
        """Draw on an empty figure, as a picture of a report asks it to."""
        return self.plot(figure.subplots())

    def _draw(self, ax: Axes) -> None:
        raise NotImplementedError


class PanelsDisplay:
    """Draws several panels, and leaves them to the user; the children say what."""

    axes_: np.ndarray
    ax_: Axes
    figure_: Figure

    def plot(self, figure: Figure | None = None) -> Self:
        """Draw the panels.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            An empty one, whose size stays. By default a new one.

        Returns
        -------
        display : display
            Itself, with the attributes ``axes_``, ``ax_``, the first of these, and
            ``figure_``.
        """
        if figure is None:
            from matplotlib import pyplot

            figure = pyplot.figure(figsize=self.figsize, layout="constrained")
        self.axes_ = self._panels(figure)
        self.ax_, self.figure_ = self.axes_.flat[0], figure
        return self

    @property
    def figsize(self) -> tuple[float, float]:
        """The size of the figure that suits the panels, in inches."""
        raise NotImplementedError

    def _panels(self, figure: Figure) -> np.ndarray:
        """Draw on an empty figure, and return its axes."""
        raise NotImplementedError


class OfPredictions(Display):
    """A display of labels and probabilities, which a fitted classifier can give, too.

    The children say in ``_computed`` what they are made of.
    """

    _shown: ClassVar[tuple[str, ...]] = ()  # options that are shown as they are
    _is_of_calls: ClassVar = False  # whether it depends on the threshold in use

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Draw labels and probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, 0 or 1.
        y_score : array-like of shape (n_samples,)
            Probabilities of class 1, in [0, 1].
        ax : matplotlib Axes, default=None
            By default a new figure.
        **options
            As the class says.

        Returns
        -------
        display : display
            Drawn.

        Raises
        ------
        ScoreError
            If an input cannot be used.
        """
        shown = {key: options.pop(key) for key in cls._shown if key in options}
        return cls(cls._computed(y_true, y_score, **options), **shown).plot(ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike, **options: Any
    ) -> Self:
        """Draw what a fitted classifier predicts.

        Parameters
        ----------
        estimator : classifier
            Fitted, with ``predict_proba``. Its ``pos_label_`` or, without one, its
            second class is the positive one.
        X : DataFrame, array-like of paths, or ndarray
            What it predicts.
        y : array-like of shape (n_samples,)
            Labels among its two classes.
        **options
            As in ``from_predictions``. A ``name`` is by default that of the class of
            the classifier, a ``threshold`` its ``threshold_`` or 0.5.

        Returns
        -------
        display : display
            Drawn.

        Raises
        ------
        ScoreError
            If an input cannot be used.
        ValueError
            If the classifier has no two classes, or labels are not among them.
        """
        y_true, y_score = _binary_response(estimator, X, y)
        known: dict[str, Any] = {"name": type(estimator).__name__}
        if cls._is_of_calls:
            known = {"threshold": getattr(estimator, "threshold_", 0.5)}
        return cls.from_predictions(y_true, y_score, **{**known, **options})

    def __init__(self, found: Any, **shown: Any):
        raise NotImplementedError

    @classmethod
    def _computed(cls, y_true: ArrayLike, y_score: ArrayLike, **options: Any) -> Any:
        raise NotImplementedError


def legend_below(ax: Axes, **options: Any) -> None:
    """Put the legend where it hides nothing."""
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13), "ncols": 3}
    ax.legend(**{**below, "frameon": False, "fontsize": "small", **options})


def _binary_response(
    estimator: Any, X: Any, y: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Tell which rows are of the positive class, and its probability."""
    positive = getattr(estimator, "pos_label_", None)
    probability, positive = _get_response_values_binary(
        estimator, X, "predict_proba", pos_label=positive
    )
    labels, classes = np.asarray(y), estimator.classes_
    if strange := set(labels.tolist()) - set(classes.tolist()):
        raise ValueError(
            f"y has {sorted(strange)}, which are not classes of the classifier: "
            f"{classes.tolist()}."
        )
    return labels == positive, probability
