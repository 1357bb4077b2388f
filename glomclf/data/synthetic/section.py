"""A section of tissue while it is drawn: its noise, its outlines, its two maps.

Lengths are in micrometres from the centre of the glomerulus, uptakes in units in which
a solid scar takes up a little less than 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from itertools import repeat
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from .glomerulus import Glomerulus

FloatArray: TypeAlias = npt.NDArray[np.float32]
Points: TypeAlias = npt.NDArray[np.float64]
_OVERSAMPLING = 2  # polygons are drawn twice as large and averaged: no jagged edges
_KINSHIP = 0.88  # correlation of the noise of two serial sections


class Section:
    """A section of tissue while it is drawn: its geometry, its noise, its two maps.

    Parameters
    ----------
    shape : tuple of (int, int)
        Height and width in pixels.
    scale : ndarray of shape (2,)
        Micrometres per pixel, across and down.
    centre : ndarray of shape (2,)
        Place of the glomerulus' centre in pixels.
    reach : ndarray of shape (2,)
        Half of the extents across and down, in micrometres, for which noise is made:
        the same for all sections of one glomerulus.
    shared, own : Generator
        Random numbers of the glomerulus, and of this section of it.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        scale: Points,
        centre: Points,
        reach: Points,
        shared: np.random.Generator,
        own: np.random.Generator,
    ):
        self.shape, self.scale, self.centre, self.reach = shape, scale, centre, reach
        self.shared, self.own = shared, own
        self.x, self.y = (
            ((np.arange(n) - middle) * step).astype(np.float32)
            for n, middle, step in zip(shape[::-1], centre, scale, strict=True)
        )
        self.grain = self._grain()
        self.medium = self.field(9.0)
        self.broad = self.field(34.0)
        self.fibres = self._concentric_fibres()
        self.schiff = np.zeros(shape, dtype=np.float32)
        self.haematoxylin = np.zeros(shape, dtype=np.float32)

    def noise(self, shape: tuple[int, ...]) -> FloatArray:
        """Draw standard normal noise that sections of one glomerulus share in part."""
        noise = self.shared.standard_normal(shape, dtype=np.float32)
        noise *= np.float32(_KINSHIP)
        own = self.own.standard_normal(shape, dtype=np.float32)
        own *= np.float32(math.sqrt(1 - _KINSHIP**2))
        noise += own
        return noise

    def field(self, length: float) -> FloatArray:
        """Draw smooth noise with structures of about `length`, one value a pixel."""
        n_cells = np.ceil(2 * self.reach / length).astype(int) + 4
        start = n_cells / 2 - self.centre * self.scale / length
        stop = start + np.array(self.shape[::-1]) * self.scale / length
        box = (*np.maximum(start, 0), *np.minimum(stop, n_cells))
        cells = Image.fromarray(self.noise((n_cells[1], n_cells[0])))
        size = self.shape[::-1]
        return np.asarray(cells.resize(size, Image.Resampling.BICUBIC, box=box))

    def _grain(self) -> FloatArray:
        """Draw the finest texture; where pixels can show it, a finer one on top."""
        grain = self.field(2.2)
        if self.scale.max() > 0.6:
            return grain
        n_cells = np.ceil(np.array(self.shape) * self.scale[::-1] / 0.8).astype(int)
        cells = self.own.standard_normal(n_cells + 1, dtype=np.float32)
        fine = Image.fromarray(cells).resize(self.shape[::-1], Image.Resampling.BICUBIC)
        return 0.8 * grain + 0.6 * np.asarray(fine, np.float32)

    def _concentric_fibres(self) -> FloatArray:
        distance: FloatArray = np.sqrt(self.x**2 + (self.y**2)[:, None])
        phase = 0.8 * distance + 6 * self.broad + 2 * self.medium + 1.2 * self.grain
        return np.sin(phase) * (0.5 + 0.5 * self.medium)

    def points(self, n_points: int) -> Points:
        """Draw places all over the section; three in ten are this section's own."""
        places = self.shared.uniform(-1, 1, (n_points, 2)) * self.reach
        fresh = self.own.random(n_points) < 0.3
        places[fresh] = self.own.uniform(-1, 1, (int(fresh.sum()), 2)) * self.reach
        return places[self.visible(places)]

    def visible(self, places: Points, room: float = 0.0) -> npt.NDArray[np.bool_]:
        """Tell which places lie in the frame, or at most `room` outside of it."""
        pixels, slack = self.pixels(places), room / self.scale
        size = np.array(self.shape[::-1])
        return np.all((pixels >= -slack) & (pixels < size + slack), axis=1)

    def pixels(self, places: Points) -> Points:
        """Return places in pixels."""
        return places / self.scale + self.centre

    def value(self, image: FloatArray, places: Points) -> FloatArray:
        """Look an image up at visible places."""
        column, row = self.pixels(places).astype(int).T
        return image[row, column]

    def polygons(
        self, outlines: Points, greys: Iterable[int] | None = None
    ) -> FloatArray:
        """Fill outlines of shape (n, n_points, 2), later ones over earlier ones."""
        height, width = self.shape
        image = Image.new("L", (width * _OVERSAMPLING, height * _OVERSAMPLING))
        fill = ImageDraw.Draw(image).polygon
        n_curves, n_points, _ = outlines.shape
        corners = self.pixels(outlines) * _OVERSAMPLING
        corners = corners.reshape(n_curves, 2 * n_points)
        for corner, grey in zip(corners.tolist(), greys or repeat(255), strict=False):
            fill(corner, fill=grey)
        return np.asarray(image.reduce(_OVERSAMPLING), np.float32) * np.float32(1 / 255)

    def softened(self, mask: FloatArray, width: float) -> FloatArray:
        """Blur a mask."""
        image = Image.fromarray((mask * 255).astype(np.uint8))
        image = image.filter(ImageFilter.BoxBlur(float(width / self.scale[0])))
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


def ramp(values: FloatArray, low: float, high: float) -> FloatArray:
    """0 below `low`, 1 above `high`, straight in between."""
    return np.clip((values - low) * (1 / (high - low)), 0, 1)


def ridges(values: FloatArray, width: float) -> FloatArray:
    """1 along the lines where `values` are 0, falling to 0 beside them."""
    return np.exp(-((values * (1 / width)) ** 2))


def wavy_radii(
    section: Section,
    radii: Points,
    roughness: float,
    n_points: int,
    waves: range,
) -> Points:
    """Radii of n closed curves at `n_points` angles: (n, n_points)."""
    amplitudes = roughness * section.noise((len(radii), 2 * len(waves)))
    wobble = amplitudes @ _harmonics(waves, n_points)
    return radii[:, None] * np.clip(1 + wobble, 0.4, 1.7)


@cache
def _harmonics(waves: range, n_points: int) -> Points:
    """Cosines and sines around a circle, the finer the weaker."""
    wave = np.array(waves)[:, None]
    angles = wave * np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    weights = (wave - waves.start + 1.0) ** -0.8
    return np.concatenate([weights * np.cos(angles), weights * np.sin(angles)])


def outlines_of(
    radii: Points, aspects: Points, angles: Points, centres: Points
) -> Points:
    """Corners of n curves, stretched and turned: (n, n_points, 2)."""
    around = np.linspace(0, 2 * np.pi, radii.shape[1], endpoint=False)
    stretch = np.sqrt(aspects)[:, None]
    x, y = radii * np.cos(around) * stretch, radii * np.sin(around) / stretch
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.stack([cos * x - sin * y, sin * x + cos * y], -1) + centres[:, None]


def placed(
    glomerulus: Glomerulus, radii: Points, centre: tuple[float, float] = (0.0, 0.0)
) -> Points:
    """One curve with the proportions of the glomerulus."""
    aspect, angle = np.array([[glomerulus.aspect], [glomerulus.angle]])
    return outlines_of(radii, aspect, angle, np.array([centre]))


def cells_at(
    section: Section,
    places: Points,
    radius: float,
    longest: float,
    angles: Points | None = None,
) -> Points:
    """Nuclei to be drawn: x, y, radius, elongation (up to `longest`), angle."""
    own, n_cells = section.own, len(places)
    radii = radius * own.uniform(0.75, 1.25, n_cells)
    elongations = own.uniform(1, longest, n_cells)
    if angles is None:
        angles = own.uniform(0, np.pi, n_cells)
    return np.column_stack([places, radii, elongations, angles])
