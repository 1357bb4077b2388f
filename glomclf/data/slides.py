"""Slides: whole-slide images through OpenSlide, and plain images, by the pixel."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .._runtime import user_path
from ..errors import ImageError, SlideError
from .annotations.extras import needed
from .images import MAX_PIXELS, read_image

_LARGEST_PLAIN = 4 * MAX_PIXELS  # an image without a pyramid is in memory as a whole


class Box(NamedTuple):
    """A part of a slide, in pixels at full resolution; it may reach over the border."""

    left: int
    top: int
    width: int
    height: int


class _Level(NamedTuple):
    """One size in which a slide is stored, and how much smaller than the largest."""

    number: int
    size: tuple[int, int]
    shrink: float


class Slide:
    """An open slide.

    Attributes
    ----------
    size : tuple of (int, int)
        Width and height in pixels at full resolution.
    mpp : tuple of (float, float) or None
        Micrometres per pixel, across and down; None where the file does not say it.
    """

    def __init__(self, levels: list[_Level], mpp: Any, source: Any):
        self.size = levels[0].size
        self.mpp = mpp
        self._levels = levels
        self._source = source

    def crop(self, box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return a part of the slide, white beyond its border.

        Parameters
        ----------
        box : Box
        size : tuple of (int, int)
            Width and height in pixels of the crop.

        Returns
        -------
        ndarray of shape (height, width, 3), dtype=uint8
            RGB in [0, 255]. Where `size` is that of `box`, pixels as they are.

        Raises
        ------
        SlideError
            If the slide has to be read in more than 50 million pixels for it, or is
            damaged.
        """
        level = self._level_for(box, size)
        read = self._read(level, box)
        if read.size == size:
            return np.asarray(read)
        return np.asarray(read.resize(size, Image.Resampling.BILINEAR))

    def n_pixels_read(self, box: Box, size: tuple[int, int]) -> int:
        """Return how many pixels `crop` reads."""
        return math.prod(_scaled(box, self._level_for(box, size).shrink)[2:])

    def _level_for(self, box: Box, size: tuple[int, int]) -> _Level:
        """Choose the smallest level that is not smaller than the crop."""
        shrink = min(box.width / size[0], box.height / size[1])
        return max(
            (level for level in self._levels if level.shrink <= shrink * 1.01),
            key=lambda level: level.shrink,
            default=self._levels[0],
        )

    def _read(self, level: _Level, box: Box) -> Image.Image:
        left, top, width, height = _scaled(box, level.shrink)
        crop = Image.new("RGB", (width, height), "white")
        right = min(left + width, level.size[0])
        bottom = min(top + height, level.size[1])
        x, y = max(left, 0), max(top, 0)
        if right > x and bottom > y:
            part = self._region(level, (x, y), (right - x, bottom - y))
            crop.paste(part, (x - left, y - top))
        return crop

    def _region(
        self, level: _Level, place: tuple[int, int], size: tuple[int, int]
    ) -> Image.Image:
        """Return a part of a level that lies in it."""
        if isinstance(self._source, Image.Image):
            (x, y), (width, height) = place, size
            return self._source.crop((x, y, x + width, y + height))
        corner = tuple(round(one * level.shrink) for one in place)
        region = self._source.read_region(corner, level.number, size)
        white = Image.new("RGBA", size, "white")
        return Image.alpha_composite(white, region).convert("RGB")


def _scaled(box: Box, shrink: float) -> Box:
    """Return a box in the pixels of a level."""
    return Box(*(round(side / shrink) for side in box))


@contextmanager
def open_slide(path: str | os.PathLike[str]) -> Iterator[Slide]:
    """Open a slide that OpenSlide knows, or a plain image.

    Parameters
    ----------
    path : str or path-like
        PNG, JPEG, BMP and TIFF without a pyramid may have 200 million pixels.

    Yields
    ------
    Slide

    Raises
    ------
    SlideError
        If the file is neither, or damaged: also later, while it is read.
    """
    file = user_path(path)
    if not file.is_file():
        raise SlideError(f"{file} is not there, or is no file; a slide was expected.")
    openslide = needed("openslide")
    try:
        if openslide.OpenSlide.detect_format(file) is None:
            yield _plain(file)
            return
        with openslide.OpenSlide(file) as source:
            levels = [
                _Level(number, size, shrink)
                for number, (size, shrink) in enumerate(
                    zip(source.level_dimensions, source.level_downsamples, strict=True)
                )
            ]
            yield Slide(levels, _own_scale(source.properties), source)
    except openslide.OpenSlideError as error:
        raise SlideError(f"{file} is damaged or not supported: {error}") from error


def _plain(file: Path) -> Slide:
    try:
        image = read_image(file, max_pixels=_LARGEST_PLAIN)
    except ImageError as error:
        raise SlideError(f"{file} {error.faults[str(file)]}") from error
    source = Image.fromarray(image)
    return Slide([_Level(0, source.size, 1.0)], None, source)


def _own_scale(properties: Any) -> tuple[float, float] | None:
    """Return the scale that a slide names."""
    texts = (properties.get(f"openslide.mpp-{axis}", "nan") for axis in "xy")
    try:
        x, y = (float(text) for text in texts)
    except ValueError:
        return None
    return (x, y) if 0 < x < math.inf and 0 < y < math.inf else None
