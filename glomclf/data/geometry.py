"""Moving the pixels of one image: an affine transform without holes or aliasing."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

_KERNEL_RADIUS = 3  # bicubic reaches two pixels beyond a point, and one for rounding


def move(
    image: np.ndarray, *, rotation: float, zoom: float, shift: np.ndarray
) -> np.ndarray:
    """Zoom and rotate an image about its centre, and shift it, in one step.

    The image is first shrunk with an antialiasing filter where things become smaller,
    then mirrored beyond its edges, then sampled once (bicubic, which keeps an image
    about as sharp as it was; bilinear blurs it).

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8
        RGB in [0, 255].
    rotation : float
        Angle in degrees, clockwise as one looks at the image.
    zoom : float
        Above 1 things grow.
    shift : ndarray of shape (2,)
        Pixels along x and y, after the rotation.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype=uint8
        The transformed image.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    >>> move(image, rotation=180, zoom=1, shift=np.zeros(2))[..., 0]
    array([[9, 6],
           [3, 0]], dtype=uint8)
    """
    size = np.array(image.shape[1::-1])
    source = _shrink(image, zoom)
    scale = source.shape[1::-1] / size
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    backward = scale[:, np.newaxis] * np.array([[cos, sin], [-sin, cos]]) / zoom
    offset = scale * size / 2 - backward @ (size / 2 + shift)
    margin = _overshoot(backward, offset, size, source.shape[1::-1])
    offset += margin
    around = ((margin, margin), (margin, margin), (0, 0))
    result = Image.fromarray(np.pad(source, around, mode="symmetric")).transform(
        (image.shape[1], image.shape[0]),
        Image.Transform.AFFINE,
        (*backward[0], offset[0], *backward[1], offset[1]),
        resample=Image.Resampling.BICUBIC,
    )
    return np.asarray(result)


def _shrink(image: np.ndarray, factor: float) -> np.ndarray:
    """Bring an image to `factor` of its size where that is smaller."""
    width, height = (max(1, round(n * min(1.0, factor))) for n in image.shape[1::-1])
    if (height, width) == image.shape[:2]:
        return image
    smaller = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smaller)


def _overshoot(
    backward: np.ndarray, offset: np.ndarray, size: np.ndarray, source_size: tuple
) -> int:
    """Return how many pixels beyond the source's edges the result looks."""
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)]) * size
    reached = corners @ backward.T + offset
    beyond = max(-reached.min(), (reached - source_size).max())
    return math.ceil(max(0.0, beyond)) + _KERNEL_RADIUS
