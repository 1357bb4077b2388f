"""Overlays: what a classifier looked at, drawn over the images that it saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing

from ..errors import ParameterError
from ..model.explanation import explain
from .pictures import thumbnail

_FOR, _AGAINST = (214, 39, 40), (31, 119, 180)  # red and blue
_MOST_COLOUR = 0.65  # what is below stays visible
_BY = {
    "cam": "the log odds of each place, whose mean is that of the patch (class "
    "activation map)",
    "occlusion": "how far the log odds fall where a square is covered (occlusion)",
}


def draw_overlays(classifier: Any, X: Any, rows: ArrayLike) -> tuple[list[str], str]:
    """Explain some rows, and draw it.

    Parameters
    ----------
    classifier : GlomeruliClassifier or FoldEnsembleClassifier
        Fitted on images.
    X : DataFrame, array-like of paths, or ndarray
    rows : array-like of shape (n_rows,)
        Places in it.

    Returns
    -------
    addresses : list of str
        Data address of an overlay for each row; colours are alike on all.
    legend : str
        What the colours mean.

    Raises
    ------
    ParameterError
        If there are no images, or the classifier cannot be explained.
    """
    if X is None:
        raise ParameterError(
            "What a classifier looked at is drawn on images, and X=None was given. "
            "Pass the images, or explain=False."
        )
    found = explain(classifier, _safe_indexing(X, np.asarray(rows, dtype=np.intp)))
    # A few extreme places would leave all others pale.
    most = float(np.quantile(np.abs(found.maps), 0.99)) or 1.0
    drawn = [
        thumbnail(overlay(image, (heat / most).clip(-1, 1)))
        for image, heat in zip(found.images, found.maps, strict=True)
    ]
    legend = (
        "The second picture of a patch: red speaks for globally sclerotic, blue "
        f"against it, by {_BY[found.method]}. The colour is strongest from {most:.2g} "
        "log odds on. It says where the model looked, not why, and is no proof that it "
        "is right."
    )
    return drawn, legend


def overlay(image: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour a grey image: red where heat is above 0, blue where it is below.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8
    heat : ndarray of shape (height, width), float in [-1, 1]

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.report.overlays import overlay
    >>> white = np.full((1, 3, 3), 255, dtype=np.uint8)
    >>> overlay(white, np.array([[1.0, 0.0, -1.0]])).tolist()
    [[[228, 115, 115], [255, 255, 255], [109, 167, 206]]]
    """
    grey = np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1)
    colour = np.where(heat[..., np.newaxis] > 0, _FOR, _AGAINST)
    share = _MOST_COLOUR * np.abs(heat)[..., np.newaxis]
    mixed: NDArray[np.uint8] = (grey + share * (colour - grey)).round().astype(np.uint8)
    return mixed
