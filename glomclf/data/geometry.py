"""Moving the pixels of one image: an affine transform without holes or aliasing.

The augmentation of training and the augmentation that over-samples both move by it.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

__all__ = ["FILL_MODES", "affine_matrix", "move", "warp"]

FILL_MODES = {  # as scipy.ndimage and Keras call them, and as NumPy does
    "reflect": "symmetric",
    "nearest": "edge",
    "wrap": "wrap",
    "constant": "constant",
}
_KERNEL_RADIUS = 3  # bicubic reaches two pixels beyond a point, and one for rounding


def move(
    image: np.ndarray,
    *,
    rotation: float,
    zoom: float,
    shift: np.ndarray,
    shear: float = 0.0,
    flip_x: bool = False,
    flip_y: bool = False,
    fill_mode: str = "reflect",
    fill_value: int = 0,
) -> np.ndarray:
    """Flip, shear, zoom, rotate and shift an image, in this order, in one step.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8
        RGB in [0, 255].
    rotation, zoom, shear, flip_x, flip_y
        As in `affine_matrix`.
    shift, fill_mode, fill_value
        As in `warp`.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype=uint8
        The transformed image.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    >>> move(image, rotation=0, zoom=1, shift=np.zeros(2), flip_x=True)[..., 0]
    array([[3, 0],
           [9, 6]], dtype=uint8)
    """
    matrix = affine_matrix(
        rotation=rotation, shear=shear, zoom=zoom, flip_x=flip_x, flip_y=flip_y
    )
    return warp(image, matrix, shift, fill_mode, fill_value)


def affine_matrix(
    *, rotation: float, shear: float, zoom: float, flip_x: bool, flip_y: bool
) -> np.ndarray:
    """Compose flip, shear, zoom and rotation about the centre, in this order.

    Parameters
    ----------
    rotation, shear : float
        Angles in degrees, counter-clockwise in array coordinates.
    zoom : float
        Above 1 things grow.
    flip_x, flip_y : bool
        Whether to mirror left and right, top and bottom.

    Returns
    -------
    ndarray of shape (2, 2)
        Takes (x, y) in the image to (x, y) in the result.

    Examples
    --------
    >>> affine_matrix(rotation=0, shear=0, zoom=2, flip_x=True, flip_y=False)
    array([[-2.,  0.],
           [ 0.,  2.]])
    """
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    rotated = np.array([[cos, -sin], [sin, cos]])
    sheared = np.array([[1.0, math.tan(math.radians(shear))], [0.0, 1.0]])
    flipped = np.diag([-1.0 if flip_x else 1.0, -1.0 if flip_y else 1.0])
    return zoom * rotated @ sheared @ flipped + 0.0  # no negative zeros


def warp(
    image: np.ndarray,
    matrix: np.ndarray,
    shift: np.ndarray,
    fill_mode: str = "reflect",
    fill_value: int = 0,
) -> np.ndarray:
    """Transform an image about its centre.

    The image is first shrunk with an antialiasing filter where the transform makes
    things smaller, then continued over its edges, then sampled once (bicubic, which
    keeps an image about as sharp as it was; bilinear blurs it).

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8
        RGB in [0, 255].
    matrix : ndarray of shape (2, 2)
        Takes (x, y) from the centre in the image to (x, y) in the result.
    shift : ndarray of shape (2,)
        Then added, in pixels along x and y.
    fill_mode : {"reflect", "nearest", "wrap", "constant"}, default="reflect"
        How the image goes on beyond its edges.
    fill_value : int in [0, 255], default=0
        The value beyond the edges, for "constant".

    Returns
    -------
    ndarray of shape (height, width, 3), dtype=uint8
        The transformed image.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    >>> warp(image, np.diag([-1.0, 1.0]), np.zeros(2))[..., 0]
    array([[3, 0],
           [9, 6]], dtype=uint8)
    """
    height, width = image.shape[:2]
    source = _shrink(image, math.sqrt(abs(np.linalg.det(matrix))))
    scale = np.array([source.shape[1] / width, source.shape[0] / height])
    backward = scale[:, np.newaxis] * np.linalg.inv(matrix)
    centre = np.array([width, height]) / 2
    offset = scale * centre - backward @ (centre + shift)
    margin = _overshoot(backward, offset, (width, height), source.shape[1::-1])
    offset += margin
    continued = _continue(source, margin, fill_mode, fill_value)
    result = Image.fromarray(continued).transform(
        (width, height),
        Image.Transform.AFFINE,
        (*backward[0], offset[0], *backward[1], offset[1]),
        resample=Image.Resampling.BICUBIC,
    )
    return np.asarray(result)


def _shrink(image: np.ndarray, factor: float) -> np.ndarray:
    """Bring an image to `factor` of its size where that is smaller."""
    size = [max(1, round(side * min(1.0, factor))) for side in image.shape[1::-1]]
    if size == [*image.shape[1::-1]]:
        return image
    smaller = Image.fromarray(image).resize(
        (size[0], size[1]), Image.Resampling.BICUBIC
    )
    return np.asarray(smaller)


def _overshoot(
    backward: np.ndarray, offset: np.ndarray, size: tuple, source_size: tuple
) -> int:
    """Return how many pixels beyond the source's edges the result looks."""
    width, height = size
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)])
    reached = corners @ backward.T + offset
    beyond = max(-reached.min(), (reached - source_size).max())
    return math.ceil(max(0.0, beyond)) + _KERNEL_RADIUS


def _continue(
    image: np.ndarray, margin: int, fill_mode: str, fill_value: int
) -> np.ndarray:
    widths = ((margin, margin), (margin, margin), (0, 0))
    if fill_mode == "constant":
        return np.pad(image, widths, mode="constant", constant_values=fill_value)
    return np.pad(image, widths, mode=FILL_MODES[fill_mode])  # type: ignore[call-overload]
