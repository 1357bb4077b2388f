"""What makes no pixels decides about none; what carries a check sum is checked."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from glomclf.data import read_image
from glomclf.data.image_files import orientation_of
from glomclf.errors import ImageError

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
IMAGE = Image.fromarray(PIXELS)


def exif(*odd, order="<"):
    """Write a directory with orientation 6 and odd entries: tag, type, count, value."""
    entries = sorted([(0x0112, 3, 1, struct.pack(f"{order}HH", 6, 0)), *odd])
    packed = b"".join(
        struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries
    )
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    count = struct.pack(f"{order}H", len(entries))
    fractions = struct.pack(f"{order}iiII", -1, 0, 0, 0)
    return head + count + packed + bytes(4) + fractions


AFTER = struct.pack("<I", 8 + 2 + 2 * 12 + 4)  # where the fractions are
ODD = {
    "fraction of zero": (0x011A, 10, 1, AFTER),
    "nought by nought": (0x011A, 5, 1, struct.pack("<I", 8 + 2 + 2 * 12 + 12)),
    "text": (0x011A, 2, 4, b"NaN\0"),
    "not a number": (0x011A, 11, 1, struct.pack("<f", np.nan)),
    "unit as bytes": (0x0128, 7, 2, b"\2\0\0\0"),
    "unknown type": (0x0128, 77, 2, b"\2\0\0\0"),
    "outside of the file": (0x010E, 2, 2**31, b"\xff\xff\xff\x7f"),
    "a circle": (0x8769, 4, 1, struct.pack("<I", 8)),
}


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("odd", ODD)
def test_of_exif_only_the_orientation_is_read(tmp_path, odd, suffix):
    file = tmp_path / f"patch.{suffix}"
    IMAGE.save(file, exif=b"Exif\0\0" + exif(ODD[odd]))
    IMAGE.save(tmp_path / f"plain.{suffix}")
    upright = read_image(tmp_path / f"plain.{suffix}")
    np.testing.assert_array_equal(read_image(file), np.rot90(upright, -1))


@pytest.mark.parametrize("content", [b"", b"no TIFF", b"II*\0", b"MM\0*\0\0\0\x08\xff"])
def test_exif_that_is_none_is_ignored(tmp_path, content):
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"eXIf", content)
    IMAGE.save(tmp_path / "patch.png", pnginfo=chunks)
    np.testing.assert_array_equal(read_image(tmp_path / "patch.png"), PIXELS)
    IMAGE.save(tmp_path / "patch.jpg", exif=b"Exif\0\0" + content)
    assert read_image(tmp_path / "patch.jpg").shape == PIXELS.shape


def test_orientation_of_either_byte_order_and_within_range():
    assert orientation_of(exif()) == orientation_of(exif(order=">")) == 6
    assert orientation_of(exif().replace(b"\x06\0", b"\x09\0")) == 1
    assert orientation_of(exif()[:15]) == 1


LARGE = b"\0" * 2_000_000


def test_large_profiles_and_texts_decide_nothing(tmp_path):
    text = PngImagePlugin.PngInfo()
    for name in ("a", "b"):
        text.add_text(name, LARGE.decode(), zip=True)
        text.add_itxt(name, LARGE.decode(), zip=True)
    IMAGE.save(tmp_path / "a.png", icc_profile=LARGE, pnginfo=text)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PIXELS)
    for name in ("a.tif", "a.jpg"):
        IMAGE.save(tmp_path / name, icc_profile=LARGE, comment=LARGE[:60_000])
        assert read_image(tmp_path / name).shape == PIXELS.shape


def chunk(kind, data):
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def saved(path):
    IMAGE.save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"iCCP", b"no profile"),
        chunk(b"iCCP", b"name\0\7"),
        chunk(b"pHYs", b"\1"),
        chunk(b"gAMA", b""),
        chunk(b"acTL", b"\0"),
    ],
)
def test_odd_notes_of_a_png_are_ignored(tmp_path, extra):
    content = saved(tmp_path / "patch.png")
    (tmp_path / "patch.png").write_bytes(content[:33] + extra + content[33:])
    np.testing.assert_array_equal(read_image(tmp_path / "patch.png"), PIXELS)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (chunk(b"tRNS", bytes(6))[:-1] + b"\0", r"a check sum is wrong \(tRNS\)"),
        (chunk(b"eXIf", exif())[:-1] + b"\0", r"a check sum is wrong \(eXIf\)"),
        (chunk(b"eXIf", exif()).replace(b"X", b"Y"), r"a check sum is wrong \(eYIf\)"),
        (chunk(b"CgBI", b"1234"), r"not known to PNG \(CgBI\)"),
        (chunk(b"fdAT", b"1234"), "more than one page or frame"),
    ],
)
def test_what_decides_about_pixels_must_be_whole_and_known(tmp_path, extra, named):
    content = saved(tmp_path / "patch.png")
    (tmp_path / "patch.png").write_bytes(content[:33] + extra + content[33:])
    with pytest.raises(ImageError, match=named):
        read_image(tmp_path / "patch.png")


def test_no_changed_byte_of_a_png_gives_other_pixels(tmp_path):
    content = saved(tmp_path / "patch.png")
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 4
        (tmp_path / "patch.png").write_bytes(changed)
        with pytest.raises(ImageError):
            read_image(tmp_path / "patch.png")


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe0\x00\x07JFIF\0",
        b"\xff\xed\x00\x18Photoshop 3.0\x008BIM\x03\xed\0\0",
        b"\xff\xee\x00\x09Adobe\0\0",
        b"\xff\xe2\x00\x0fICC_PROFILE\0\xff",
        b"\xff\xe2\x00\x08MPF\0II",
        b"\xff\xff\xff",
        b"junk",
    ],
)
def test_odd_notes_of_a_jpeg_are_ignored(tmp_path, segment):
    content = saved(tmp_path / "patch.jpg")
    plain = read_image(tmp_path / "patch.jpg")
    for place in (2, 20):
        (tmp_path / "a.jpg").write_bytes(content[:place] + segment + content[place:])
        if place == 2 and segment == b"junk":  # then it is none
            continue
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), plain)
