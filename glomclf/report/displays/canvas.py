"""What displays have in common: axes, colours, and what they ask of a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "CLASS_COLORS",
    "Display",
    "OfPredictions",
    "axes_or_new",
    "binary_response",
    "legend_below",
]

CLASS_COLORS = ("#4c78a8", "#e4873c", "#59a14f", "#9c6fb0")


class Display:
    """Leaves to the user what was drawn on."""

    ax_: Axes
    figure_: Figure

    def _drawn_on(self, ax: Axes) -> Self:
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment, unused-ignore]
        return self


class OfPredictions(Display):
    """A display of labels and probabilities, which a fitted classifier can give, too.

    The children say in ``from_predictions`` what they make of these.
    """

    from_predictions: ClassVar[Callable[..., Any]]

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
            If the classifier has no two classes or no probabilities, or labels are not
            among its classes.
        """
        y_true, y_score = binary_response(estimator, X, y)
        options = {**cls._known_of(estimator), **options}
        return cls.from_predictions(y_true, y_score, **options)

    @staticmethod
    def _known_of(estimator: Any) -> dict[str, Any]:
        """Return the options that the classifier decides."""
        return {"name": type(estimator).__name__}


class OfCalls(OfPredictions):
    """A display that depends on which threshold is in use."""

    @staticmethod
    def _known_of(estimator: Any) -> dict[str, Any]:
        return {"threshold": getattr(estimator, "threshold_", 0.5)}


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]


def legend_below(ax: Axes, **options: Any) -> None:
    """Put the legend where it hides nothing."""
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13), "ncols": 3}
    ax.legend(**{**below, "frameon": False, "fontsize": "small", **options})


def binary_response(
    estimator: Any, X: Any, y: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return labels as 0 and 1, and the probabilities of the positive class.

    Parameters
    ----------
    estimator : classifier
        Fitted, with ``predict_proba``. Its ``pos_label_`` or, without one, its second
        class is the positive one.
    X : array-like or DataFrame
        What it predicts.
    y : array-like of shape (n_samples,)
        Labels among its two classes.

    Returns
    -------
    y_true : ndarray of shape (n_samples,), dtype int
    y_score : ndarray of shape (n_samples,), dtype float64

    Raises
    ------
    ValueError
        If the classifier has no two classes or no probabilities, or labels are not
        among its classes.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from glomclf.report.displays.canvas import binary_response
    >>> X, y = [[0.0], [1.0]], ["other", "sclerotic"]
    >>> binary_response(LogisticRegression().fit(X, y), X, y)[0]
    array([0, 1])
    """
    check_is_fitted(estimator)
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"{type(estimator).__name__} has no predict_proba; pass a classifier that "
            "gives probabilities, or use from_predictions."
        )
    classes, labels = np.asarray(estimator.classes_), np.asarray(y)
    if len(classes) != 2:
        raise ValueError(f"Two classes are drawn; the classifier has {len(classes)}.")
    strange = labels[~np.isin(labels, classes)]
    if strange.size:
        raise ValueError(
            f"y has {sorted(set(strange.tolist()))}, which are not classes of the "
            f"classifier: {classes.tolist()}."
        )
    positive = getattr(estimator, "pos_label_", classes[1])
    is_positive = (labels == positive).astype(np.intp)
    probability = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    return is_positive, probability[:, classes.tolist().index(positive)]
