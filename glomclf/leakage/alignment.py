"""How alike two small images are once one has been laid over the other.

A recut, shifted or slightly turned view of a glomerulus differs from the first pixel by
pixel, so images are compared after registration: the affine transform is sought that
raises their correlation, by enhanced correlation coefficient maximisation [1]_.

References
----------
.. [1] Evangelidis GD, Psarakis EZ. Parametric image alignment using enhanced
   correlation coefficient maximization. IEEE Transactions on Pattern Analysis and
   Machine Intelligence 2008;30:1858-1865.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..data.dihedral import N_DIHEDRAL_VIEWS, dihedral_view

_Images = NDArray[np.float32]

_LEAST_OVERLAP = 0.6  # of the area; less would let small corners agree by chance
_TINY = np.float32(1e-6)


def dihedral_views(images: NDArray) -> list[NDArray]:
    """Return the four turns by right angles and their mirror images.

    Parameters
    ----------
    images : ndarray of shape (n_images, size, size)

    Returns
    -------
    views : list of 8 ndarrays of shape (n_images, size, size)
        The first is `images`.
    """
    return [dihedral_view(images, k) for k in range(N_DIHEDRAL_VIEWS)]


def aligned_correlation(
    fixed: _Images, moving: _Images, *, n_iterations: int = 8
) -> NDArray[np.float32]:
    """Correlate pairs of images after the best affine registration that is found.

    The moving image is tried in its eight dihedral views; the best view and shift of
    up to a sixth of the side come from a cross-correlation, the rest from gradient
    steps. The best correlation on the way counts, so that more steps never lower it.

    Parameters
    ----------
    fixed, moving : ndarray of shape (n_pairs, size, size), float32
        Images whose mean over any larger area is about 0.
    n_iterations : int, default=8
        Gradient steps.

    Returns
    -------
    correlation : ndarray of shape (n_pairs,), float32 in [-1, 1]
        Over the pixels that both images cover, at least 60 % of the area; 0 where an
        image is constant.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter, shift
    >>> from glomclf.leakage.alignment import aligned_correlation
    >>> noise = np.random.default_rng(0).normal(size=(64, 64)).astype("float32")
    >>> image = gaussian_filter(noise, 2)
    >>> moved = shift(image, (3, -2.5))[:, ::-1]
    >>> float(aligned_correlation(image[None], moved[None])[0]) > 0.99
    True
    >>> float(np.corrcoef(image.ravel(), moved.ravel())[0, 1]) < 0.5
    True
    """
    oriented, transform = _start(fixed, moving)
    best = np.full(len(fixed), -1, dtype=np.float32)
    for step in range(n_iterations + 1):
        warped, inside = _warp(oriented, transform)
        a, b = _centred(fixed, inside), _centred(warped, inside)
        enough = inside.mean(axis=1) >= _LEAST_OVERLAP
        best = np.maximum(best, np.where(enough, _correlation(a, b), -1))
        if step < n_iterations:
            change = _ecc_step(a, b, _steepest(warped, inside))
            transform = _composed(transform, change)
    return best


def _start(fixed: _Images, moving: _Images) -> tuple[_Images, _Images]:
    """Turn or mirror the moving images, and find the shift to begin with."""
    size = fixed.shape[1]
    views = np.stack(dihedral_views(moving), axis=1)
    spectrum = np.conj(np.fft.rfft2(fixed))[:, None] * np.fft.rfft2(views)
    agreement = np.fft.irfft2(spectrum, s=(size, size))
    shifts = np.r_[0 : size // 6 + 1, -(size // 6) : 0]
    agreement = agreement[:, :, shifts][:, :, :, shifts].reshape(len(fixed), -1)
    view, shift = np.divmod(agreement.argmax(axis=1), len(shifts) ** 2)
    transform = np.tile(np.eye(2, 3, dtype=np.float32), (len(fixed), 1, 1))
    down, right = np.divmod(shift, len(shifts))
    transform[:, 0, 2], transform[:, 1, 2] = shifts[right], shifts[down]
    return views[np.arange(len(fixed)), view], transform


def _grid(size: int) -> _Images:
    """Return x, y and 1 of every pixel, from the centre: (3, size * size)."""
    y, x = np.mgrid[:size, :size].astype(np.float32) - np.float32((size - 1) / 2)
    return np.stack([x.ravel(), y.ravel(), np.ones(size * size, dtype=np.float32)])


def _warp(images: _Images, transform: _Images) -> tuple[_Images, NDArray[np.bool_]]:
    """Read images at transformed places, bilinearly, and say which lie inside."""
    size = images.shape[1]
    x, y = np.moveaxis(transform @ _grid(size) + np.float32((size - 1) / 2), 1, 0)
    inside = (x >= 0) & (x <= size - 1) & (y >= 0) & (y <= size - 1)
    left = np.clip(np.nan_to_num(x), 0, size - 2).astype(np.intp)
    top = np.clip(np.nan_to_num(y), 0, size - 2).astype(np.intp)
    right, down = x - left.astype(np.float32), y - top.astype(np.float32)
    pixels = images.reshape(len(images), -1)
    corner = top * size + left

    def at(offset: int) -> _Images:
        return np.take_along_axis(pixels, corner + offset, axis=1)

    upper = at(0) + (at(1) - at(0)) * right
    lower = at(size) + (at(size + 1) - at(size)) * right
    warped = np.where(inside, upper + (lower - upper) * down, 0)
    return warped.reshape(images.shape), inside


def _composed(transform: _Images, change: _Images) -> _Images:
    """Apply the change first, then the transform."""
    linear = transform[:, :, :2]
    return transform + np.concatenate(
        [linear @ change[:, :, :2], linear @ change[:, :, 2:]], axis=2
    )


def _centred(images: NDArray, inside: NDArray[np.bool_]) -> _Images:
    """Subtract the mean over the overlap; 0 elsewhere."""
    rows = images.reshape(len(images), -1) * inside
    n_inside = np.maximum(inside.sum(axis=1, keepdims=True), 1).astype(np.float32)
    return (rows - rows.sum(axis=1, keepdims=True) / n_inside) * inside


def _correlation(a: _Images, b: _Images) -> _Images:
    norm = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return (a * b).sum(axis=1) / np.maximum(norm, _TINY)


def _steepest(warped: _Images, inside: NDArray[np.bool_]) -> _Images:
    """How each pixel changes with each of the six parameters: (n_pairs, 6, n)."""
    size = warped.shape[1]
    slopes = [slope.reshape(inside.shape) for slope in np.gradient(warped, axis=(2, 1))]
    grid = _grid(size)
    images = np.empty((len(warped), 6, size * size), dtype=np.float32)
    for place, (slope, part) in enumerate(product(slopes, grid)):
        np.multiply(slope, part, out=images[:, place])
    n_inside = np.maximum(inside.sum(axis=1), 1).astype(np.float32)[:, None, None]
    images *= inside[:, None]
    images -= images.sum(axis=2, keepdims=True) / n_inside
    images *= inside[:, None]
    return images


def _ecc_step(a: _Images, b: _Images, steepest: _Images) -> _Images:
    """One step of the method: equations 17 to 21 of its paper."""
    hessian = steepest @ steepest.transpose(0, 2, 1)
    hessian += (
        _TINY
        * (1 + np.trace(hessian, axis1=1, axis2=2))[:, None, None]
        * (np.eye(6, dtype=np.float32))
    )
    on_a, on_b = steepest @ a[:, :, None], steepest @ b[:, :, None]
    solved = np.linalg.solve(hessian, on_b)
    numerator = (b * b).sum(axis=1) - (on_b * solved).sum(axis=(1, 2))
    denominator = (a * b).sum(axis=1) - (on_a * solved).sum(axis=(1, 2))
    scale = np.sqrt((b * b).sum(axis=1) / np.maximum((a * a).sum(axis=1), _TINY))
    # Uncorrelated images have no maximum to step to; equal contrast is assumed there.
    usable = denominator > _TINY
    scale = np.where(usable, numerator / np.where(usable, denominator, 1), scale)
    change = np.linalg.solve(hessian, scale[:, None, None] * on_a - on_b)
    return np.clip(change.reshape(-1, 2, 3), -8, 8)
