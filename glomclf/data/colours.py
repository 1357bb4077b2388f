"""Changing the stain, brightness and contrast of a patch by tables of 256 values.

Everything here takes a pixel's value to another in its own channel, so that one table
of 256 values a channel says it all. It is computed in floats, rounded once and clipped:
no value wraps, however large a change is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

__all__ = ["apply_tables", "colour_tables"]

_VALUES = np.arange(256, dtype=np.float64)
# Of a light of 256 one more than its value gets through, so that black has a density.
_DENSITIES = -np.log((_VALUES + 1) / 256)


def colour_tables(
    image: NDArray[np.uint8],
    *,
    density_factors: ArrayLike,
    density_shifts: ArrayLike,
    contrast: float,
    brightness: float,
) -> NDArray[np.uint8]:
    """Compose a change of stain, then of contrast, then of brightness.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8
        RGB in [0, 255]; its mean is what contrast leaves as it is.
    density_factors, density_shifts : array-like of shape (3,)
        Optical densities of each channel are multiplied and then raised by these.
    contrast : float
        Above 1 values move away from the mean of all pixels and channels.
    brightness : float
        The factor of all values.

    Returns
    -------
    tables : ndarray of shape (3, 256), dtype=uint8
        The new value of each value, a row a channel.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.colours import colour_tables
    >>> white = np.full((2, 2, 3), 255, dtype=np.uint8)
    >>> tables = colour_tables(
    ...     white, density_factors=[1, 2, 1], density_shifts=[0, 0, 0], contrast=1,
    ...     brightness=1,
    ... )
    >>> tables[:, [0, 127, 255]]
    array([[  0, 127, 255],
           [  0,  63, 255],
           [  0, 127, 255]], dtype=uint8)
    """
    factors = np.asarray(density_factors)[:, np.newaxis]
    shifts = np.asarray(density_shifts)[:, np.newaxis]
    stained = 256 * np.exp(-(_DENSITIES * factors + shifts)) - 1
    counts = np.reshape(Image.fromarray(image).histogram(), (3, 256))
    mean = (counts * stained).sum() / counts.sum()
    changed = brightness * (mean + contrast * (stained - mean))
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def apply_tables(
    image: NDArray[np.uint8], tables: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Look the values of an image up.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8
    tables : ndarray of shape (3, 256), dtype=uint8

    Returns
    -------
    ndarray of shape (height, width, 3), dtype=uint8

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.colours import apply_tables
    >>> negative = np.tile(np.arange(255, -1, -1, dtype=np.uint8), (3, 1))
    >>> apply_tables(np.zeros((1, 1, 3), dtype=np.uint8), negative)
    array([[[255, 255, 255]]], dtype=uint8)
    """
    out = np.empty_like(image)
    for channel, table in enumerate(tables):
        # no index can be out of bounds, and "clip" is quicker than looking whether
        out[..., channel] = np.take(table, image[..., channel], mode="clip")
    return out
