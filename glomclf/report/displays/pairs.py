"""Picture of images that an audit takes for one glomerulus."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..pictures import images_of
from .canvas import PanelsDisplay

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...leakage.splits import SplitAudit

_COLORS = {"identical": "#b3262e", "re-encoded": "#c8661b", "near-duplicate": "#7a5c00"}
_SIDE = 224


class LeakyPairsDisplay(PanelsDisplay):
    """Pairs of images side by side, with names, participants, distance and kind.

    Parameters
    ----------
    pairs : DataFrame of shape (n_pairs, n_columns)
        ``kind``, ``distance``, and the texts ``train_name``, ``test_name``,
        ``train_participant``, ``test_participant``.
    images : ndarray of shape (n_pairs, 2, height, width, 3), uint8 in [0, 255]
        The images of each pair.
    n_found : int
        How many pairs there are in all.

    Raises
    ------
    ValueError
        If there are no pairs.

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

    def __init__(self, pairs: pd.DataFrame, images: np.ndarray, n_found: int):
        if not len(images):
            raise ValueError("No pairs of images were found, so there is none to draw.")
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
        rows, found = rows[is_new], found[is_new]
        shown = rows[:n_pairs].ravel()
        images = images_of(X, shown, _SIDE) if shown.size else np.empty((0, 1, 1, 3))
        pairs = images.reshape(-1, 2, *images.shape[1:])
        return cls(found.head(n_pairs), pairs, len(rows)).plot(figure)

    @property
    def figsize(self) -> tuple[float, float]:
        """The size of the figure that suits the panels, in inches."""
        n_lines, n_columns = self._shape
        return 4.4 * n_columns, 3.1 * n_lines + 0.4

    @property
    def _shape(self) -> tuple[int, int]:
        return -(-len(self.images) // 3), min(3, len(self.images))

    def _panels(self, figure: Figure) -> np.ndarray:
        figure.set_size_inches(self.figsize)
        axes = figure.subplots(*self._shape, squeeze=False).ravel()
        for ax in axes:
            ax.set_axis_off()
        pairs = zip(axes, self.pairs.to_dict("records"), self.images, strict=False)
        for ax, pair, images in pairs:
            _draw(ax, pair, images)
        if self.n_found > len(self.images):
            figure.suptitle(f"{len(self.images)} of {self.n_found} pairs")
        return axes


def _draw(ax: Any, pair: dict[Any, Any], images: np.ndarray) -> None:
    """Show two images and say below each what it is."""
    gap = 0.04
    below = {"fontsize": 7, "va": "top", "clip_on": False, "parse_math": False}
    for image, left, end in zip(images, (0, 1 + gap), ("train", "test"), strict=True):
        ax.imshow(image, extent=(left, left + 1, 0, 1))
        lines = textwrap.wrap(str(pair[f"{end}_name"]), 30)
        text = "\n".join([*lines, pair[f"{end}_participant"]])
        ax.text(left, -0.03, text, **below)
    ax.set(xlim=(0, 2 + gap), ylim=(-0.28, 1))
    title = f"{pair['kind']}, distance {pair['distance']:.2f}"
    ax.set_title(title, loc="left", fontsize=9, color=_COLORS[pair["kind"]])
