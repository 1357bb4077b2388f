"""The gallery of worst mistakes: what was missed, and what was taken for sclerotic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ...evaluation.predictions import check_scores, threshold_faults
from .canvas import OfPredictions, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MistakesDisplay", "worst_mistakes"]

_KINDS = ("missed", "false alarm")  # labels 1 and 0


def worst_mistakes(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
    n_mistakes: int = 6,
) -> pd.DataFrame:
    """Find the wrong predictions whose probability is farthest from the threshold.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row.

    threshold : float or array-like of shape (n_samples,), default=0.5
        A row is predicted 1 if its probability is at least this.

    n_mistakes : int, default=6
        How many of either kind, at most.

    Returns
    -------
    table : DataFrame
        Index ``row``, the place in the input; columns ``kind`` ("missed", then "false
        alarm", each from the worst on), ``label``, ``probability`` and, where known,
        ``participant``.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Examples
    --------
    >>> from glomclf.report.displays import worst_mistakes
    >>> table = worst_mistakes([1, 1, 0, 0], [0.4, 0.1, 0.7, 0.2])
    >>> table.reset_index()
       row         kind  label  probability
    0    1       missed      1          0.1
    1    0       missed      1          0.4
    2    2  false alarm      0          0.7
    """
    faults = threshold_faults(threshold, y_score)
    labels, scores, _ = check_scores(y_true, y_score, groups, faults=faults)
    table = pd.DataFrame({"label": labels, "probability": scores})
    table.insert(0, "kind", np.where(labels == 1, *_KINDS))
    if groups is not None:
        table["participant"] = np.asarray(groups, dtype=object)
    past = pd.Series(scores - np.asarray(threshold, dtype=np.float64))
    wrong = table[(scores >= np.asarray(threshold)) != labels]
    distance = past[wrong.index].abs()
    wrong = wrong.loc[distance.sort_values(ascending=False, kind="stable").index]
    worst = [wrong[wrong["kind"] == kind].head(n_mistakes) for kind in _KINDS]
    return pd.concat(worst).rename_axis("row")


class MistakesDisplay(OfPredictions):
    """The worst mistakes as a sheet of images: missed above, false alarms below.

    Make one with ``from_predictions`` or ``from_estimator``.

    Parameters
    ----------
    table : DataFrame of shape (n_mistakes, n_columns)
        As from `worst_mistakes`.
    images : ndarray of shape (n_mistakes, height, width, 3), uint8 in [0, 255]
        The images of its rows, in order.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from glomclf.report.displays import MistakesDisplay
    >>> images = np.zeros((4, 8, 8, 3), dtype="uint8")
    >>> display = MistakesDisplay.from_predictions(
    ...     [1, 1, 0, 0], [0.4, 0.1, 0.7, 0.2], images, ax=Figure().subplots()
    ... )
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['missed', 'false alarm']
    """

    def __init__(self, table: pd.DataFrame, images: NDArray[np.uint8]):
        self.table = table
        self.images = images

    @staticmethod
    def _known_of(estimator: Any, X: Any) -> dict[str, Any]:
        return {"X": X, "threshold": getattr(estimator, "threshold_", 0.5)}

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        X: Any,
        *,
        threshold: float = 0.5,
        image_size: int = 192,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Draw the worst mistakes among predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, 0 or 1.
        y_score : array-like of shape (n_samples,)
            Probabilities of class 1, in [0, 1].
        X : DataFrame, array-like of paths, or ndarray
            Their images, as `glomclf.ImageLoader` takes them; only those drawn are
            loaded.
        threshold : float, default=0.5
            A row is predicted 1 if its probability is at least this.
        image_size : int, default=192
            Side in pixels of the images drawn.
        ax : matplotlib Axes, default=None
            By default a new figure.
        **options
            ``groups`` and ``n_mistakes``, as in `worst_mistakes`.

        Returns
        -------
        display : MistakesDisplay

        Raises
        ------
        ScoreError
            If an input cannot be used.
        ImageError
            If a file cannot be read.
        ValueError
            If there is no mistake.
        """
        table = worst_mistakes(y_true, y_score, threshold=threshold, **options)
        if table.empty:
            raise ValueError(
                f"No row is predicted wrongly at threshold {threshold:g}; there is no "
                "mistake to draw."
            )
        images = images_of(X, table.index, image_size)
        return cls(table, images).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a line of images for each kind, with probability and participant.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            By default a new figure.

        Returns
        -------
        display : MistakesDisplay
        """
        ax = axes_or_new(ax)
        centers, top, columns = [], 0.0, 0
        kinds = [kind for kind in _KINDS if (self.table["kind"] == kind).any()]
        for kind in kinds:
            places = np.flatnonzero(self.table["kind"] == kind)
            for column, place in enumerate(places):
                self._draw_image(ax, int(place), column * 1.08, top)
            centers.append(top - 0.5)
            top, columns = top - 1.4, max(columns, len(places))
        ax.set(xlim=(0, columns * 1.08 - 0.08), ylim=(top, 0), xticks=[])
        ax.set_yticks(centers, kinds)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        return self._drawn_on(ax)

    def _draw_image(self, ax: Axes, place: int, left: float, top: float) -> None:
        row = self.table.iloc[place]
        extent = (left, left + 1, top - 1, top)
        ax.imshow(self.images[place], extent=extent, aspect="equal")
        text = f"{row['probability']:.2f}"
        if "participant" in row:
            text += f"\n{row['participant']}"
        about: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": "xx-small"}
        ax.text(left + 0.5, top - 1.04, text, parse_math=False, **about)


def images_of(X: Any, rows: ArrayLike, image_size: int) -> NDArray[np.uint8]:
    """Load the images of some rows, and no others.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
        As `glomclf.ImageLoader` takes it.
    rows : array-like of shape (n_rows,)
        Places in it.
    image_size : int
        Side in pixels.

    Returns
    -------
    images : ndarray of shape (n_rows, image_size, image_size, 3), uint8 in [0, 255]
    """
    from sklearn.utils import _safe_indexing

    from ...data.loader import ImageLoader

    some = _safe_indexing(X, np.asarray(rows, dtype=np.intp))
    # A picture at another size is no reason to fill the cache.
    return ImageLoader(image_size, cache_dir=False).fit(some).transform(some)
