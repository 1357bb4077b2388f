"""Slides: pixels as they are, white beyond the border, at any stored size."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from glomclf.data.slides import Box, open_slide
from glomclf.errors import SlideError

PIXELS = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory):
    """Write a tiled pyramid of two sizes, at 0.25 micrometres per pixel."""
    path = tmp_path_factory.mktemp("slides") / "pyramid.tif"
    tiles = {"tile": (64, 64), "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 4):
            writer.write(
                np.full_like(PIXELS[::4, ::4], 90) if step == 4 else PIXELS,
                subfiletype=int(step > 1),
                resolution=(40_000 / step, 40_000 / step),
                resolutionunit="CENTIMETER",
                **tiles,
            )
    return path


@pytest.fixture(scope="module", params=["pyramid", "plain"])
def slide(request, pyramid):
    if request.param == "pyramid":
        return pyramid
    path = pyramid.with_name("plain.png")
    Image.fromarray(PIXELS).save(path)
    return path


def test_pixels_are_as_they_were_stored(slide):
    with open_slide(slide) as opened:
        crop = opened.crop(Box(37, 21, 90, 70), (90, 70))
    assert opened.size == (400, 300)
    assert np.array_equal(crop, PIXELS[21:91, 37:127])


@pytest.mark.parametrize("corner", [(-30, -20), (380, -20), (-30, 290), (380, 290)])
def test_what_lies_beyond_the_border_is_white(slide, corner):
    left, top = corner
    with open_slide(slide) as opened:
        crop = opened.crop(Box(left, top, 60, 50), (60, 50))
    around = np.pad(PIXELS, ((60, 60), (60, 60), (0, 0)), constant_values=255)
    expected = around[top + 60 : top + 110, left + 60 : left + 120]
    assert np.array_equal(crop, expected)


def test_a_smaller_stored_size_is_read_where_it_has_the_detail(pyramid):
    with open_slide(pyramid) as opened:
        box = Box(0, 0, 160, 120)
        assert (opened.crop(box, (40, 30)) == 90).all()
        assert (opened.crop(box, (20, 15)) == 90).all()
        assert (opened.crop(box, (50, 40)) != 90).any()
        assert opened.n_pixels_read(box, (40, 30)) == 40 * 30
        assert opened.n_pixels_read(box, (50, 40)) == 160 * 120


def test_the_scale_is_that_of_the_file(pyramid, slide):
    with open_slide(slide) as opened:
        assert opened.mpp == ((0.25, 0.25) if slide == pyramid else None)


@pytest.mark.parametrize("content", [None, b"", b"II*\x00" + b"\xff" * 99, b"no slide"])
def test_what_is_no_slide_is_named(tmp_path, content):
    path = tmp_path / "slide.tif"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SlideError, match=str(path)), open_slide(path):
        pass


def test_a_damaged_tile_is_an_error_that_names_the_slide(pyramid, tmp_path):
    path = tmp_path / "damaged.tif"
    raw = bytearray(pyramid.read_bytes())
    with tifffile.TiffFile(pyramid) as file:
        start = file.pages[0].dataoffsets[0]
    raw[start : start + 200] = bytes(200)
    path.write_bytes(raw)
    with pytest.raises(SlideError, match=str(path)), open_slide(path) as opened:
        opened.crop(Box(0, 0, 64, 64), (64, 64))
