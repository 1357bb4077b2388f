"""A section of tissue while it is drawn: its noise, its outlines, its two maps.

Lengths are in micrometres from the centre of the glomerulus, uptakes in units in which
a solid scar takes up a little less than 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

FloatArray: TypeAlias = npt.NDArray[np.float32]
Points: TypeAlias = npt.NDArray[np.float64]
_OVERSAMPLING = 2  # polygons are drawn twice as large and averaged: no jagged edges
_KINSHIP = 0.88  # correlation of the noise of two serial sections


@dataclass
class Section:
    """A section of tissue while it is drawn: its geometry, its noise, its two maps.

    Parameters
    ----------
    size : ndarray of shape (2,), dtype int
        Width and height in pixels.
    scale : float
        Micrometres per pixel.
    centre : ndarray of shape (2,)
        Place of the glomerulus' centre in pixels.
    reach : ndarray of shape (2,)
        Half of the extents across and down, in micrometres, for which noise is made:
        the same for all sections of one glomerulus.
    shared, own : Generator
        Random numbers of the glomerulus, and of this section of it.
    """

    size: npt.NDArray[np.int64]
    scale: float
    centre: Points
    reach: Points
    shared: np.random.Generator
    own: np.random.Generator

    def __post_init__(self) -> None:
        self.grain, self.medium, self.broad = map(self.field, (2.2, 9.0, 34.0))
        self.schiff = np.zeros(self.size[::-1], dtype=np.float32)
        self.haematoxylin = np.zeros(self.size[::-1], dtype=np.float32)

    def noise(self, shape: tuple[int, ...]) -> FloatArray:
        """Draw standard normal noise that sections of one glomerulus share in part."""
        shared, own = (
            rng.standard_normal(shape, np.float32) for rng in (self.shared, self.own)
        )
        return _KINSHIP * shared + math.sqrt(1 - _KINSHIP**2) * own

    def field(self, length: float) -> FloatArray:
        """Draw smooth noise with structures of about `length`, one value a pixel."""
        n_cells = np.ceil(2 * self.reach / length).astype(int) + 4
        start = n_cells / 2 - self.centre * self.scale / length
        stop = start + self.size * self.scale / length
        box = (*np.maximum(start, 0), *np.minimum(stop, n_cells))
        cells = Image.fromarray(self.noise((n_cells[1], n_cells[0])))
        size = (int(self.size[0]), int(self.size[1]))
        return np.asarray(cells.resize(size, Image.Resampling.BICUBIC, box=box))

    def places(self, area: float) -> Points:
        """Draw a place for so much area; three in ten are this section's own."""
        n_places = int(4 * self.reach.prod() / area)
        places = self.shared.uniform(-1, 1, (n_places, 2))
        fresh = self.own.random(n_places) < 0.3
        places[fresh] = self.own.uniform(-1, 1, (int(fresh.sum()), 2))
        pixels = self.pixels(places * self.reach)
        return (places * self.reach)[np.all((pixels >= 0) & (pixels < self.size), 1)]

    def pixels(self, places: Points) -> Points:
        """Return places in pixels."""
        return places / self.scale + self.centre

    def value(self, image: FloatArray, places: Points) -> FloatArray:
        """Look an image up at places within it."""
        column, row = self.pixels(places).astype(int).T
        return image[row, column]

    def wavy(self, radii: Points, roughness: float, n_points: int, n: int) -> Points:
        """Return the radii of closed curves, with `n` waves: (n_curves, n_points)."""
        amplitudes = roughness * self.noise((len(radii), 2 * n))
        return radii[:, None] * np.clip(1 + amplitudes @ _waves(n, n_points), 0.4, 1.7)

    def polygons(
        self, outlines: Points, greys: Iterable[int] | None = None
    ) -> FloatArray:
        """Fill outlines of shape (n, n_points, 2), later ones over earlier ones."""
        image = Image.new("L", tuple((self.size * _OVERSAMPLING).tolist()))
        fill = ImageDraw.Draw(image).polygon
        n, n_points, _ = outlines.shape
        corners = (self.pixels(outlines) * _OVERSAMPLING).reshape(n, 2 * n_points)
        for corner, grey in zip(corners.tolist(), greys or repeat(255), strict=False):
            fill(corner, fill=grey)
        return np.asarray(image.reduce(_OVERSAMPLING), np.float32) * np.float32(1 / 255)

    def softened(self, mask: FloatArray, width: float) -> FloatArray:
        """Blur a mask."""
        image = Image.fromarray((mask * 255).astype(np.uint8))
        image = image.filter(ImageFilter.BoxBlur(width / self.scale))
        return np.asarray(image, np.float32) * np.float32(1 / 255)

    def paint(
        self,
        mask: float | FloatArray,
        schiff: float | FloatArray,
        haematoxylin: float | FloatArray,
    ) -> None:
        """Replace both uptakes where `mask` is 1, mix where it is between 0 and 1."""
        self.schiff += mask * (schiff - self.schiff)
        self.haematoxylin += mask * (haematoxylin - self.haematoxylin)

    def paint_nuclei(self, places: Points, radius: float, longest: float) -> None:
        """Paint nuclei of cells, up to `longest` times as long as wide."""
        own, n = self.own, len(places)
        radii = radius * own.uniform(0.75, 1.25, (n, 1)) * own.normal(1, 0.1, (n, 9))
        lengths, angles = own.uniform(1, longest, n), own.uniform(0, np.pi, n)
        outlines = outlines_of(radii, lengths, angles) + places[:, None]
        mask = self.polygons(outlines, own.integers(150, 256, n).tolist())
        self.paint(mask, 0.2, 0.85 + 0.22 * self.grain)


@cache
def _waves(n: int, n_points: int) -> Points:
    """Cosines and sines around a circle, the finer the weaker."""
    wave = np.arange(2, n + 2)[:, None]
    angles = wave * np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    return np.concatenate([np.cos(angles), np.sin(angles)]) * np.tile(
        (wave - 1.0) ** -0.8, (2, 1)
    )


def outlines_of(radii: Points, aspects: Points, angles: Points) -> Points:
    """Corners of n curves around 0, stretched and turned: (n, n_points, 2)."""
    around = np.linspace(0, 2 * np.pi, radii.shape[1], endpoint=False)
    stretch = np.sqrt(aspects)[:, None]
    x, y = radii * np.cos(around) * stretch, radii * np.sin(around) / stretch
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.stack([cos * x - sin * y, sin * x + cos * y], -1)


def ramp(values: FloatArray, low: float, high: float) -> FloatArray:
    """0 below `low`, 1 above `high`, straight in between."""
    return np.clip((values - low) * (1 / (high - low)), 0, 1)


def ridges(values: FloatArray, width: float) -> FloatArray:
    """1 along the lines where `values` are 0, falling to 0 beside them."""
    return np.exp(-((values * (1 / width)) ** 2))
