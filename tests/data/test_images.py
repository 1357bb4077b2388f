"""read_image and resize_image: any file is an RGB uint8 array or a named reason."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from sklearn.utils._param_validation import InvalidParameterError

import glomclf
from glomclf.data.images import IMAGE_SUFFIXES, read_image, resize_image
from glomclf.errors import ImageError

REAL = Path(glomclf.__file__).parents[2] / "shared" / "data"
rng = np.random.default_rng(0)
GREY_16 = rng.integers(0, 65536, size=(6, 5), dtype=np.uint16)
GREY_8 = rng.integers(0, 256, size=(6, 5), dtype=np.uint8)


def save(folder, image, name, **options):
    path = folder / name
    image.save(path, **options)
    return path


def reason(path, **options):
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    assert list(caught.value.faults) == [os.fspath(path)]
    return caught.value.faults[os.fspath(path)]


def grey_of(image):
    """Return one channel of an image whose three channels must be equal."""
    np.testing.assert_array_equal(image[..., 0], image[..., 1])
    np.testing.assert_array_equal(image[..., 0], image[..., 2])
    return image[..., 0]


def png(width, height, *, depth=8, colour=2, raw=b""):
    """Write a PNG by hand, with any size in its header."""

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


# -- colour modes ---------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_rgb_is_read_unchanged(tmp_path, suffix):
    pixels = rng.integers(0, 256, size=(6, 5, 3), dtype=np.uint8)
    path = save(tmp_path, Image.fromarray(pixels), f"patch{suffix}")
    image = read_image(path)
    np.testing.assert_array_equal(image, pixels)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert suffix.lower() in IMAGE_SUFFIXES


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_is_read_close_to_what_was_saved(tmp_path, mode):
    purple = Image.new("RGB", (32, 24), (150, 60, 150)).convert(mode)
    path = save(tmp_path, purple, "patch.jpg", quality=95)
    expected = np.asarray(purple.convert("RGB"), dtype=int)
    assert np.abs(read_image(path) - expected).max() <= 3


def test_content_decides_about_the_format_not_the_name(tmp_path):
    path = save(tmp_path, Image.new("RGB", (4, 4), "red"), "patch.jpg", format="PNG")
    assert read_image(path)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_composed_on_white(tmp_path, mode, suffix):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    path = save(tmp_path, image.convert(mode), f"patch.{suffix}")
    assert grey_of(read_image(path))[0].tolist() == [0, 255, 127, 0]


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 255])])
def test_transparent_palette_colour_becomes_white(tmp_path, transparency):
    image = Image.new("P", (4, 4), 2)
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putpixel((1, 0), 1)
    path = save(tmp_path, image, "patch.png", transparency=transparency)
    assert read_image(path)[0, :2].tolist() == [[70, 80, 90], [255, 255, 255]]


@pytest.mark.parametrize(("mode", "colour"), [("L", 7), ("RGB", (7, 8, 9))])
def test_transparent_colour_becomes_white(tmp_path, mode, colour):
    image = Image.new(mode, (4, 4), colour)
    image.putpixel((1, 0), 0 if mode == "L" else (0, 0, 0))
    path = save(tmp_path, image, "patch.png", transparency=colour)
    assert grey_of(read_image(path))[0].tolist() == [255, 0, 255, 255]


def transparent_bmp():
    """Write 32 bits a pixel and masks, which Pillow reads but does not write."""
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", 108, 4, 4, 1, 32, 3, 64, 0, 0, 0, 0)
    head = b"BM" + struct.pack("<IHHI", 14 + 108 + 64, 0, 0, 14 + 108)
    return head + info + masks + bytes(108 - 40 - 16) + b"\x40\x50\x60\0" * 16


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_image_without_a_visible_pixel_is_refused(tmp_path, mode, suffix, alpha):
    image = Image.new("RGBA", (4, 4), (90, 90, 90, alpha)).convert(mode)
    why = reason(save(tmp_path, image, f"patch.{suffix}"))
    assert why.startswith(f"every pixel is transparent (alpha is at most {alpha} of")


def test_bmp_or_colour_that_is_transparent_everywhere_is_refused(tmp_path):
    (tmp_path / "patch.bmp").write_bytes(transparent_bmp())
    assert "every pixel is transparent" in reason(tmp_path / "patch.bmp")
    for mode, clear in (("P", 0), ("L", 0), ("RGB", (0, 0, 0))):
        path = save(tmp_path, Image.new(mode, (4, 4)), "a.png", transparency=clear)
        assert "every pixel is transparent" in reason(path)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_one_bit_image_is_black_and_white(tmp_path, suffix):
    path = save(tmp_path, Image.fromarray(GREY_8 > 99), f"patch.{suffix}")
    np.testing.assert_array_equal(
        grey_of(read_image(path)), np.where(GREY_8 > 99, 255, 0)
    )


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_more_than_8_bits_is_refused(tmp_path, suffix):
    why = reason(save(tmp_path, Image.fromarray(GREY_16), f"patch.{suffix}"))
    assert why == "holds grey values of more than 8 bits; save it as 8-bit RGB"


def test_16_bit_rgb_keeps_the_high_byte(tmp_path):
    pixels = rng.integers(0, 65536, size=(3, 4, 3), dtype=np.uint16)
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    path = tmp_path / "patch.png"
    path.write_bytes(png(4, 3, depth=16, raw=raw))
    np.testing.assert_array_equal(read_image(path), pixels >> 8)


def test_cmyk_tiff_becomes_rgb(tmp_path):
    path = save(tmp_path, Image.new("CMYK", (4, 4), (0, 255, 0, 0)), "patch.tif")
    assert read_image(path)[0, 0].tolist() == [255, 0, 255]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        *[(1, "upper left"), (2, "upper right"), (3, "lower right"), (4, "lower left")],
        *[(5, "upper left"), (6, "upper right"), (7, "lower right"), (8, "lower left")],
    ],
)
def test_exif_orientation_is_applied(tmp_path, orientation, corner, suffix):
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, Image.fromarray(pixels), f"patch.{suffix}", exif=exif)
    image = read_image(path)
    assert image.shape[:2] == ((16, 32) if orientation <= 4 else (32, 16))
    row = {"upper": 4, "lower": -4}[corner.split()[0]]
    column = {"left": 4, "right": -4}[corner.split()[1]]
    assert image[row, column].min() > 250
    assert np.mean(image > 127) == pytest.approx(64 / 512, abs=0.02)


MODES_OF = {
    "png": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "tif": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"],
    "jpg": ["L", "RGB", "CMYK", "YCbCr"],
    "bmp": ["1", "L", "P", "RGB"],
}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from([(s, m) for s, modes in MODES_OF.items() for m in modes]),
    width=st.integers(2, 40),
    height=st.integers(2, 40),
    size=st.none() | st.integers(1, 50),
    resize=st.sampled_from(["pad", "stretch"]),
)
def test_any_mode_and_size_gives_rgb_uint8_of_the_right_shape(
    tmp_path, kind, width, height, size, resize
):
    suffix, mode = kind
    picture = Image.new("RGB", (width, height)).convert(mode)
    path = save(tmp_path, picture, f"patch.{suffix}")
    image = read_image(path, size, resize)
    assert image.shape == ((size, size, 3) if size else (height, width, 3))
    assert image.dtype == np.uint8


# -- files that are no images ---------------------------------------------------------


def encoded(suffix):
    file = io.BytesIO()
    pixels = rng.integers(0, 256, size=(40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(
        file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix)
    )
    return file.getvalue()


ENCODED = {suffix: encoded(suffix) for suffix in ("png", "jpg", "tif", "bmp")}


def test_missing_file_folder_and_device_are_named(tmp_path):
    assert reason(tmp_path / "lost.png") == "there is no such file"
    assert reason(tmp_path).startswith("is a folder")
    os.mkfifo(tmp_path / "pipe.png")
    assert reason(tmp_path / "pipe.png").startswith("is not a regular file")
    assert reason("nul\0byte.png").startswith("is damaged")


def test_unreadable_file_is_named(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    path = save(tmp_path, Image.new("RGB", (4, 4)), "patch.png")
    monkeypatch.setattr("builtins.open", refuse)
    assert reason(path) == "cannot be read: permission denied"


def test_empty_file_is_named(tmp_path):
    (tmp_path / "empty.png").touch()
    assert reason(tmp_path / "empty.png") == "is empty (0 bytes)"


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PPM", "PDF", "ICO"])
def test_other_formats_are_refused_even_under_a_known_name(tmp_path, format):
    path = save(tmp_path, Image.new("RGB", (16, 16)), "patch.png", format=format)
    assert reason(path) == "is not a PNG, JPEG, TIFF or BMP image"


def test_text_is_refused(tmp_path):
    (tmp_path / "patch.png").write_text("name,ground truth\n")
    assert reason(tmp_path / "patch.png") == "is not a PNG, JPEG, TIFF or BMP image"


@pytest.mark.parametrize("suffix", ENCODED)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_file_is_refused(tmp_path, suffix, share):
    content = ENCODED[suffix]
    path = tmp_path / f"patch.{suffix}"
    path.write_bytes(content[: int(share * len(content))])
    assert "damaged" in reason(path)


@pytest.mark.parametrize("suffix", ENCODED)
def test_header_alone_is_refused(tmp_path, suffix):
    path = tmp_path / f"patch.{suffix}"
    path.write_bytes(ENCODED[suffix][:8])
    assert "damaged" in reason(path)


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 5), (5, 0)])
def test_image_without_pixels_is_refused(tmp_path, width, height):
    path = tmp_path / "patch.png"
    path.write_bytes(png(width, height))
    assert "or no pixels" in reason(path)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_image_of_one_pixel_width_or_height_is_refused(tmp_path, size):
    why = reason(save(tmp_path, Image.new("RGB", size), "patch.png"))
    assert why == f"is {size[0]} x {size[1]} pixels; at least 2 x 2 are needed"


@pytest.mark.parametrize("side", [9_500, 16_000, 200_000])
def test_bomb_is_refused_from_its_header(tmp_path, side, monkeypatch):
    """The sides lie below, between and above Pillow's own two limits."""
    monkeypatch.setattr(
        ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded")
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side))
    assert f"is {side} x {side} = {side**2:,} pixels; at most 50,000,000" in reason(
        path
    )


def test_bound_on_pixels_can_be_moved(tmp_path):
    path = save(tmp_path, Image.new("RGB", (30, 20)), "patch.png")
    assert read_image(path, max_pixels=600).shape == (20, 30, 3)
    assert reason(path, max_pixels=599).startswith("is 30 x 20 = 600 pixels")


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_file_of_several_pages_or_frames_is_refused(tmp_path, suffix):
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    path = save(
        tmp_path, pages[0], f"patch.{suffix}", save_all=True, append_images=pages[1:]
    )
    assert reason(path).startswith("holds more than one page or frame")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    suffix=st.sampled_from(sorted(ENCODED)),
    hits=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1),
    keep=st.integers(0, 7000),
)
def test_damaged_file_is_an_image_or_an_image_error(tmp_path, suffix, hits, keep):
    content = bytearray(ENCODED[suffix][:keep])
    for place, value in hits:
        if place < len(content):
            content[place] = value
    path = tmp_path / "patch"
    path.write_bytes(content)
    try:
        image = read_image(path, max_pixels=10_000)
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.shape[2:] == (3,)
    assert image.size <= 30_000


def test_settings_of_pillow_are_left_alone(tmp_path):
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    read_image(save(tmp_path, Image.new("RGB", (4, 4)), "patch.png"), 8)
    (tmp_path / "bomb.png").write_bytes(png(200_000, 200_000))
    reason(tmp_path / "bomb.png")
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_file_larger_than_any_such_image_is_not_read(tmp_path):
    path = save(tmp_path, Image.new("RGB", (4, 4)), "patch.png")
    os.truncate(path, 70_000_000)  # a hole, which takes no space
    assert "is a file of 70,000,000 bytes; at most" in reason(path, max_pixels=100)
    assert read_image(path).shape == (4, 4, 3)


@pytest.mark.parametrize(
    "options", [{"size": 0}, {"resize": "crop"}, {"max_pixels": 0}, {"size": 2.5}]
)
def test_wrong_options_are_refused(tmp_path, options):
    path = save(tmp_path, Image.new("RGB", (4, 4)), "patch.png")
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        read_image(path, **options)


# -- resizing -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20, 10), (10, 20)])
def test_pad_keeps_the_aspect_ratio_and_fills_with_white(shape):
    image = np.zeros((*shape, 3), dtype=np.uint8)
    resized = grey_of(resize_image(image, 40))
    if shape[0] < shape[1]:
        resized = resized.T
    assert resized.shape == (40, 40)
    assert (resized[:, 10:30] == 0).all()
    assert (resized[:, :10] == 255).all()
    assert (resized[:, 30:] == 255).all()


def test_stretch_fills_the_square():
    resized = resize_image(np.zeros((20, 10, 3), dtype=np.uint8), 40, "stretch")
    assert resized.shape == (40, 40, 3)
    assert resized.max() == 0


@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_square_of_the_right_size_is_unchanged(resize):
    image = rng.integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_image(image, 16, resize), image)


def test_downsampling_is_antialiased():
    """A fine checkerboard becomes grey; picking single pixels would keep it."""
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    image = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    resized = resize_image(image, 32).astype(int)
    assert np.abs(resized - 127.5).max() < 5


@given(width=st.integers(1, 60), height=st.integers(1, 60), size=st.integers(1, 30))
def test_resizing_keeps_a_plain_colour_inside_and_only_adds_white(width, height, size):
    image = np.full((height, width, 3), (10, 20, 30), dtype=np.uint8)
    padded = resize_image(image, size)
    assert padded.shape == (size, size, 3)
    inside = (padded == (10, 20, 30)).all(axis=2)
    assert (padded[~inside] == 255).all()
    share = min(width, height) / max(width, height)
    assert inside.mean() == pytest.approx(share, abs=1 / size)
    assert (resize_image(image, size, "stretch") == (10, 20, 30)).all()


def test_array_need_not_be_contiguous():
    image = rng.integers(0, 256, size=(8, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_image(image[:, ::-2], 8), image[:, ::-2])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_array_that_is_no_rgb_image_is_refused(image):
    with pytest.raises(ImageError, match=r"uint8 of shape \(height, width, 3\)"):
        resize_image(image, 8)


# -- real patches ---------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real data is not at {REAL}")
def test_original_rgba_patches_are_read_at_full_size():
    names = pd.read_csv(REAL / "cmil" / "public.csv")["name"]
    paths = [path for path in (REAL / "cmil").rglob("*.png") if path.name in set(names)]
    assert len(paths) == 38
    for path in paths[::8]:
        with Image.open(path) as original:
            assert original.mode == "RGBA"
            expected = np.asarray(original)[..., :3]
        np.testing.assert_array_equal(read_image(path), expected)
