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
from .images import MAX_PIXELS, read_image
from .user_files import needed

_LARGEST_PLAIN = 4 * MAX_PIXELS  # an image without a pyramid is in memory as a whole


class Box(NamedTuple):
    """A part of a slide, in pixels at full resolution; it may reach over the border."""

    left: int
    top: int
    width: int
    height: int


class Slide:
    """An open slide.

    Attributes
    ----------
    size : tuple of (int, int)
        Width and height in pixels at full resolution.
    mpp : tuple of (float, float) or None
        Micrometres per pixel, across and down; None where the file does not say it.
    """

    def __init__(self, source: Any):
        self.size = source.dimensions
        self.mpp = _own_scale(source.properties)
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
        level, shrink = self._level_for(box, size)
        left, top, *read = _scaled(box, shrink)
        corner = round(left * shrink), round(top * shrink)
        region = self._source.read_region(corner, level, tuple(read))
        white = Image.new("RGBA", region.size, "white")
        crop = Image.alpha_composite(white, region).convert("RGB")
        if crop.size == size:
            return np.asarray(crop)
        return np.asarray(crop.resize(size, Image.Resampling.BILINEAR))

    def n_pixels_read(self, box: Box, size: tuple[int, int]) -> int:
        """Return how many pixels `crop` reads."""
        return math.prod(_scaled(box, self._level_for(box, size)[1])[2:])

    def _level_for(self, box: Box, size: tuple[int, int]) -> tuple[int, float]:
        """Choose the smallest level that is not smaller than the crop."""
        shrink = min(box.width / size[0], box.height / size[1])
        level = self._source.get_best_level_for_downsample(shrink * 1.01)
        return level, self._source.level_downsamples[level]


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
        is_known = openslide.OpenSlide.detect_format(file) is not None
        opened = openslide.OpenSlide if is_known else _plain
        with opened(file) as source:
            yield Slide(source)
    except openslide.OpenSlideError as error:
        raise SlideError(f"{file} is damaged or not supported: {error}") from error


def _plain(file: Path) -> Any:
    try:
        image = read_image(file, max_pixels=_LARGEST_PLAIN)
    except ImageError as error:
        raise SlideError(f"{file} {error.faults[str(file)]}") from error
    return needed("openslide").ImageSlide(Image.fromarray(image))


def _own_scale(properties: Any) -> tuple[float, float] | None:
    """Return the scale that a slide names."""
    texts = (properties.get(f"openslide.mpp-{axis}", "nan") for axis in "xy")
    try:
        x, y = (float(text) for text in texts)
    except ValueError:
        return None
    return (x, y) if 0 < x < math.inf and 0 < y < math.inf else None
