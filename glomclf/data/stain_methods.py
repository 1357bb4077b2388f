"""How a stain is measured and moved: one row a method in `METHODS`.

To add one, write its `measure` and `move`, and give it a row with the stain that
``target="fixed"`` brings images to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[Any]

# The strength of a stain is near its highest, for there the least is noise or glass.
_HIGH = 99.0
# Beyond this a faint patch would become noise, and a fold or a clot a hole.
_MOST_CHANGE = 4.0
# Sine of the angle from which two directions are two stains.
_LEAST_ANGLE = 0.05

_DENSITY_OF = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)

# Light in red, green and blue to the cones' responses, as Reinhard et al. give it.
_CONES = np.array(
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]]
)
# Their logarithms to l (lightness), alpha (yellow to blue) and beta (red to green).
_OPPONENTS = np.diag(1 / np.sqrt([3, 6, 2])) @ [[1, 1, 1], [1, 1, -2], [1, -1, 0]]
# To both and back. The logarithm is natural, which a processor takes quickest, and the
# matrices make decimal ones of it; single floats are finer than bytes.
_TO_CONES = (_CONES.T / 256).astype(np.float32)
_TO_OPPONENTS = (_OPPONENTS.T / np.log(10)).astype(np.float32)
_FROM_OPPONENTS = (np.linalg.inv(_OPPONENTS).T * np.log(10)).astype(np.float32)
_FROM_CONES = (np.linalg.inv(_CONES).T * 256).astype(np.float32)


def _median(stains: Floats) -> Floats:
    return np.median(stains, axis=0)


class StainMethod(NamedTuple):
    """What a method does, and what it aims at where nothing is learned."""

    measure: Callable[[Image], Floats | None]
    """Pixels of tissue, (n_pixels, 3), to what is measured of them."""
    move: Callable[[Image, Floats, Floats], Floats]
    """An image, its own stain and the one wanted, to floats near [0, 255]."""
    fixed: tuple[tuple[float, ...], ...]
    """A PAS-like stain, near to that of the patches that make_glomeruli draws."""
    centre: Callable[[Floats], Floats] = _median
    """The stains of many images to one."""


def mean_density(image: Image) -> Floats:
    """Return the optical density of each pixel, the mean of its three channels."""
    density = _DENSITY_OF[image]
    # A sum of three planes takes a tenth of a mean over the last axis.
    return (density[..., 0] + density[..., 1] + density[..., 2]) / 3


def _ratio(target: Floats, own: Floats) -> Floats:
    """Divide, within bounds; what an image has none of is as strong as can be."""
    return np.clip(target / np.maximum(own, 1e-9), 1 / _MOST_CHANGE, _MOST_CHANGE)


# "reinhard": mean and spread of the tissue's colours.


def _log_cones(pixels: Image) -> Floats:
    light = pixels.astype(np.float32) + 1  # never 0, whose logarithm is none
    return np.log(light @ _TO_CONES)


def _measure_colours(tissue: Image) -> Floats:
    values = np.ascontiguousarray((_log_cones(tissue) @ _TO_OPPONENTS).T)
    mean = values.mean(axis=1, dtype=np.float64)
    return np.array([mean, values.std(axis=1, dtype=np.float64)])


def _move_colours(image: Image, own: Floats, target: Floats) -> Floats:
    """Scale and shift the opponents; all that is linear is one matrix either side."""
    scale = _ratio(target[1], own[1])
    shift = (target[0] - own[0] * scale) @ _FROM_OPPONENTS
    there_and_back = (_TO_OPPONENTS * scale) @ _FROM_OPPONENTS
    to_light = np.exp(shift)[:, np.newaxis] * _FROM_CONES
    cones = np.exp(_log_cones(image) @ np.float32(there_and_back))
    return cones @ np.float32(to_light) - 1


# "density": how much light is absorbed in each channel.


def _measure_densities(tissue: Image) -> Floats:
    return np.percentile(_DENSITY_OF[tissue], [_HIGH], axis=0)


def _move_densities(image: Image, own: Floats, target: Floats) -> Floats:
    return _transmitted(_DENSITY_OF[image] * _ratio(target, own))


# "macenko": two stains, each with a colour and a strength.


def _measure_stains(tissue: Image) -> Floats | None:
    density = _DENSITY_OF[tissue]
    colours = _stain_colours(density)
    if colours is None:
        return None
    amounts = density @ np.linalg.pinv(colours)
    return np.column_stack([colours, np.percentile(amounts, _HIGH, axis=0)])


def _stain_colours(density: Floats) -> Floats | None:
    """Find the outermost directions in the plane that the densities lie in."""
    _, axes = np.linalg.eigh(np.cov(density.T, bias=True))
    plane = axes[:, :0:-1]  # the two axes of largest variance
    # The first axis points where the tissue is, so that no angle wraps around.
    plane[:, 0] *= np.sign(density.mean(axis=0) @ plane[:, 0]) or 1.0
    angles = np.arctan2(density @ plane[:, 1], density @ plane[:, 0])
    ends = np.percentile(angles, [100 - _HIGH, _HIGH])
    if np.sin(min(np.ptp(ends), np.pi / 2)) < _LEAST_ANGLE:
        return None
    colours = np.column_stack([np.cos(ends), np.sin(ends)]) @ plane.T
    return colours[np.argsort(-colours[:, 0], kind="stable")]


def _move_stains(image: Image, own: Floats, target: Floats) -> Floats:
    density = _DENSITY_OF[image]
    amounts = density @ np.linalg.pinv(own[:, :3])
    colours = target[:, :3] * _ratio(target[:, 3:], own[:, 3:])
    # What neither stain explains, noise and dirt, stays.
    return _transmitted(density + amounts @ (colours - own[:, :3]))


def _central_stains(stains: Floats) -> Floats:
    central = np.median(stains, axis=0)
    central[:, :3] /= np.linalg.norm(central[:, :3], axis=1, keepdims=True)
    return central


def _transmitted(density: Floats) -> Floats:
    return 256 * np.exp(-density) - 1


METHODS = {
    "reinhard": StainMethod(
        _measure_colours,
        _move_colours,
        fixed=((-0.3959, -0.0629, 0.0118), (0.1498, 0.0294, 0.0069)),
    ),
    "density": StainMethod(
        _measure_densities, _move_densities, fixed=((1.1446, 1.3785, 0.701),)
    ),
    "macenko": StainMethod(
        _measure_stains,
        _move_stains,
        fixed=((0.6379, 0.6850, 0.3518, 1.8028), (0.4033, 0.8305, 0.3842, 1.3663)),
        centre=_central_stains,
    ),
}
"""The methods of :class:`glomclf.StainNormalizer` by name."""
