"""Picture of images that an audit takes for one glomerulus."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..pictures import images_of
from .canvas import Display

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...leakage.splits import SplitAudit

__all__ = ["LeakyPairsDisplay"]

_COLORS = {"identical": "#b3262e", "re-encoded": "#c8661b", "near-duplicate": "#7a5c00"}
_SIDE = 224


class LeakyPairsDisplay(Display):
    """Pairs of images side by side, with names, participants, distance and kind.

    Parameters
    ----------
    pairs : DataFrame of shape (n_pairs, n_columns)
        ``kind``, ``distance``, and the texts ``train_name``, ``test_name``,
        ``train_participant``, ``test_participant``.
    images : ndarray of shape (n_pairs, 2, height, width, 3), uint8 in [0, 255]
        The images of each pair.
    n_found : int, default=None
        How many pairs there are in all, if not all are shown.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One a pair.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from glomclf import make_glomeruli
    >>> from glomclf.leakage.splits import audit_splits
    >>> from glomclf.report.displays import LeakyPairsDisplay
    >>> X, y, _ = make_glomeruli(6, n_participants=3, image_size=64, random_state=0)
    >>> X, y = np.concatenate([X, X[:1]]), np.append(y, y[0])
    >>> audit = audit_splits(X, y, [(range(6), [6])])
    >>> display = LeakyPairsDisplay.from_audit(audit, X, figure=Figure())
    >>> display.ax_.get_title(loc="left")
    'identical, distance 0.00'
    """

    def __init__(
        self,
        pairs: pd.DataFrame,
        images: np.ndarray,
        n_found: int | None = None,
    ):
        self.pairs = pairs
        self.images = images
        self.n_found = n_found

    @classmethod
    def from_audit(
        cls,
        audit: SplitAudit,
        X: ArrayLike | pd.DataFrame,
        *,
        n_pairs: int = 12,
        figure: Figure | None = None,
    ) -> Self:
        """Draw the pairs that an audit found; those on both sides first.

        Parameters
        ----------
        audit : SplitAudit
        X : DataFrame, array-like of paths, or ndarray
            What was audited.
        n_pairs : int, default=12
            The most pairs to show.
        figure : matplotlib Figure, default=None
            By default a new one.

        Returns
        -------
        display : LeakyPairsDisplay

        Raises
        ------
        ValueError
            If the audit found no pairs of images.
        """
        found = audit.to_frame().dropna(subset=["distance"])
        rows = found[["train_row", "test_row"]].to_numpy(dtype=int)
        # The same two may be on both sides of several folds.
        is_new = ~pd.DataFrame(np.sort(rows, axis=1)).duplicated().to_numpy()
        shown = rows[is_new][:n_pairs]
        images = images_of(X, shown.ravel(), _SIDE) if len(shown) else np.empty(0)
        pairs = images.reshape(len(shown), 2, *images.shape[1:])
        return cls(found[is_new].head(n_pairs), pairs, int(is_new.sum())).plot(figure)

    def plot(self, figure: Figure | None = None) -> Self:
        """Draw one panel a pair, three in a line.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            By default a new one.

        Returns
        -------
        display : LeakyPairsDisplay

        Raises
        ------
        ValueError
            If there are no pairs.
        """
        if not len(self.images):
            raise ValueError("No pairs of images were found, so there is none to draw.")
        n_columns = min(3, len(self.images))
        n_lines = -(-len(self.images) // n_columns)
        if figure is None:
            from matplotlib import pyplot

            figure = pyplot.figure(layout="constrained")
        figure.set_size_inches(4.4 * n_columns, 3.1 * n_lines + 0.4)
        self.axes_ = figure.subplots(n_lines, n_columns, squeeze=False).ravel()
        for ax in self.axes_:
            ax.set_axis_off()
        for ax, pair, images in zip(
            self.axes_, self.pairs.to_dict("records"), self.images, strict=False
        ):
            _draw(ax, pair, images)
        if self.n_found is not None and self.n_found > len(self.images):
            figure.suptitle(f"{len(self.images)} of {self.n_found} pairs")
        return self._drawn_on(self.axes_[0])


def _draw(ax: Any, pair: dict[Any, Any], images: np.ndarray) -> None:
    """Show two images and say below each what it is."""
    gap = 0.04
    for image, left, end in zip(images, (0, 1 + gap), ("train", "test"), strict=True):
        ax.imshow(image, extent=(left, left + 1, 0, 1))
        lines = textwrap.wrap(str(pair[f"{end}_name"]), 30) or [""]
        who = [pair[f"{end}_participant"]] if pair[f"{end}_participant"] else []
        text = "\n".join([*lines, *who])
        ax.text(
            left, -0.03, text, fontsize=7, va="top", clip_on=False, parse_math=False
        )
    ax.set(xlim=(0, 2 + gap), ylim=(-0.28, 1))
    title = f"{pair['kind']}, distance {pair['distance']:.2f}"
    ax.set_title(title, loc="left", fontsize=9, color=_COLORS.get(pair["kind"], "#333"))
