"""Colour and texture of images, as numbers: what was done before networks.

Each image is described on its own, so nothing here can leak between rows.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2gray, rgb2hsv, rgb2lab
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.filters import sobel
from skimage.measure import shannon_entropy

Image = NDArray[np.uint8]
FloatArray = NDArray[np.float64]

_PERCENTILES = (5, 25, 50, 75, 95)
_GREYS = 32
_DISTANCES = (1, 2, 4, 8)
_ANGLES = tuple(np.pi * np.arange(4) / 4)
_GLCM_PROPERTIES = (
    "contrast",
    "dissimilarity",
    "homogeneity",
    "energy",
    "correlation",
    "entropy",
)
_RADII = (1, 2, 3)
_SCALES = (1, 2, 4, 8, 16)  # of the Gaussians, in pixels


def colour_statistics(image: Image) -> FloatArray:
    """Describe the colours of an image, wherever they are in it.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8 in [0, 255]

    Returns
    -------
    ndarray of shape (63,)
        Mean, standard deviation and five percentiles of each channel in RGB, HSV and
        CIELAB.
    """
    channels = np.concatenate([image / 255, rgb2hsv(image), rgb2lab(image)], axis=2)
    flat = channels.reshape(-1, channels.shape[2])
    percentiles = np.percentile(flat, _PERCENTILES, axis=0)
    return np.concatenate([flat.mean(0), flat.std(0), percentiles.ravel()])


def texture(image: Image) -> FloatArray:
    """Describe the texture of an image in its brightness and in its saturation.

    Saturation is where PAS-positive matrix stands out from nuclei, which are as dark.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8 in [0, 255]

    Returns
    -------
    ndarray of shape (220,)
        For either channel: grey-level co-occurrence [1]_ at four distances, mean and
        range over four angles; histograms of uniform local binary patterns [2]_ at
        three radii; spread between neighbouring scales of smoothing; gradients;
        entropy.

    References
    ----------
    .. [1] Haralick, Shanmugam & Dinstein (1973), "Textural features for image
       classification".
    .. [2] Ojala, Pietikäinen & Mäenpää (2002), "Multiresolution gray-scale and rotation
       invariant texture classification with local binary patterns".
    """
    channels = (rgb2gray(image), rgb2hsv(image)[..., 1])
    return np.concatenate([_channel_texture(channel) for channel in channels])


def describe(images: Image, function: Callable[[Image], FloatArray]) -> FloatArray:
    """Describe many images, in threads.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width, 3), uint8 in [0, 255]
    function : callable
        `colour_statistics` or `texture`.

    Returns
    -------
    ndarray of shape (n_images, n_features)
    """
    run = Parallel(n_jobs=-1, prefer="threads")
    return np.array(run(delayed(function)(image) for image in images))


def _channel_texture(channel: FloatArray) -> FloatArray:
    """Describe one channel in [0, 1]."""
    levels = np.minimum(channel * _GREYS, _GREYS - 1).astype(np.uint8)
    smooth = [channel] + [gaussian_filter(channel, scale) for scale in _SCALES]
    between = [(fine - coarse).std() for fine, coarse in pairwise(smooth)]
    edges = sobel(channel)
    rest = [*between, edges.mean(), edges.std(), shannon_entropy(levels)]
    return np.concatenate([_cooccurrence(levels), _binary_patterns(levels), rest])


def _cooccurrence(levels: Image) -> FloatArray:
    """Say how grey levels stand beside each other."""
    matrix = graycomatrix(
        levels, _DISTANCES, _ANGLES, levels=_GREYS, symmetric=True, normed=True
    )
    by_angle = [graycoprops(matrix, name) for name in _GLCM_PROPERTIES]
    parts = [part for found in by_angle for part in (found.mean(1), np.ptp(found, 1))]
    return np.concatenate(parts)


def _binary_patterns(levels: Image) -> FloatArray:
    """Count what the surroundings of each pixel look like."""
    histograms = []
    for radius in _RADII:
        points = 8 * radius
        patterns = local_binary_pattern(levels, points, radius, method="uniform")
        counts = np.bincount(patterns.astype(int).ravel(), minlength=points + 2)
        histograms.append(counts / patterns.size)
    return np.concatenate(histograms)
