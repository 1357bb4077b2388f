"""Image files in every format, damaged, against tifffile or the file that was whole."""

from __future__ import annotations

import io
import logging
import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from fuzzing import Kind, Wrong, mutated
from PIL import Image

from glomclf.data import read_image
from glomclf.errors import ImageError

_MOST_PIXELS = 10_000
# Names of chunks, markers of JPEG, and tags of TIFF with their types.
_WORDS = (
    *(b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iCCP", b"eXIf", b"acTL", b"fdAT"),
    *(b"\xff\xd8", b"\xff\xe1", b"\xff\xee", b"\xff\xc0", b"\xff\xda", b"\xff\xd9"),
    *(b"Exif\0\0", b"JFIF\0", b"Adobe", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f"),
    *(struct.pack("<HH", tag, 3) for tag in (256, 257, 258, 259, 262, 266, 274, 277)),
    *(struct.pack("<HH", tag, 4) for tag in (273, 278, 279, 284, 317, 322, 324, 338)),
    *(struct.pack("<I", number) for number in (1, 2, 3, 5, 6, 7, 8, 16, 32773, 50000)),
)


class _Whole(NamedTuple):
    """A file as it was written, and its pixels."""

    name: str
    content: bytes
    pixels: np.ndarray


def _prepare(folder: Path) -> list[_Whole]:
    """Write one image in many ways; read each whole."""
    shades = Image.radial_gradient("L").resize((30, 24))
    image = Image.merge("RGB", [shades, shades.rotate(90), shades.rotate(45)])
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        **{f"{mode}.png": _saved(image, mode, "PNG", exif=exif) for mode in _PNG},
        **{
            f"{mode}.bmp": _saved(image, mode, "BMP") for mode in ("1", "L", "P", "RGB")
        },
        **{f"{mode}.jpg": _saved(image, mode, "JPEG", exif=exif) for mode in _JPEG},
        "progressive.jpg": _saved(image, "RGB", "JPEG", progressive=True),
        "jpeg.tif": _saved(image, "RGB", "TIFF", compression="jpeg"),
        "lzw.tif": _saved(image, "RGB", "TIFF", compression="tiff_lzw"),
        "packbits.tif": _saved(image, "RGB", "TIFF", compression="packbits"),
        **_tiffs(np.asarray(image)),
    }
    known = []
    for name, content in files.items():
        (folder / name).write_bytes(content)
        known.append(_Whole(name, content, read_image(folder / name)))
    return known


_PNG = ("1", "L", "LA", "P", "RGB", "RGBA")
_JPEG = ("L", "RGB", "CMYK")


def _saved(image: Image.Image, mode: str, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def _tiffs(pixels: np.ndarray) -> dict[str, bytes]:
    """Write what tifffile reads too: not LZW and JPEG, for which it needs more."""
    ways = {
        "plain": {},
        "motorola": {"byteorder": ">"},
        "deflate": {"compression": "zlib", "predictor": True},
        "tiles": {"tile": (16, 16)},
        "strips": {"rowsperstrip": 5},
        "planes": {"planarconfig": "separate"},
        "grey": {"photometric": "minisblack"},
        "wide": {},
    }
    files = {}
    for name, options in ways.items():
        given = pixels.astype(np.uint16) * 257 if name == "wide" else pixels
        given = pixels[..., 0] if name == "grey" else given
        given = np.moveaxis(pixels, -1, 0) if name == "planes" else given
        buffer = io.BytesIO()
        options = {"photometric": "rgb", "metadata": None} | options
        tifffile.imwrite(buffer, given, **options)
        files[f"{name}.tif"] = buffer.getvalue()
    return files


def _case(known: list[_Whole], folder: Path, rng: np.random.Generator) -> str:
    """Read a file that was damaged, or now and then a whole one."""
    whole = known[rng.integers(len(known))]
    is_whole = rng.random() < 0.05
    content = whole.content if is_whole else mutated(whole.content, rng, _WORDS)
    file = folder / whole.name
    file.write_bytes(content)
    with _silence():
        try:
            pixels = read_image(file, max_pixels=_MOST_PIXELS)
        except ImageError as error:
            if is_whole:
                raise Wrong(f"a whole file was refused: {error}") from error
            raise
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise Wrong(f"{pixels.dtype} of shape {pixels.shape}")
    if pixels.shape[0] * pixels.shape[1] > _MOST_PIXELS:
        raise Wrong(f"{pixels.shape} is too large")
    must_be_same = is_whole or file.suffix == ".png"
    if must_be_same and not np.array_equal(pixels, whole.pixels):
        raise Wrong("other pixels than the file had before it was damaged")
    if file.suffix == ".tif":
        _compare(pixels, file)
    return f"read: {file.suffix[1:]}, {'whole' if is_whole else 'damaged'}"


@contextmanager
def _silence() -> Iterator[None]:
    """See that nothing is written to standard error, by compiled code either."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            said = held.read()
    if said:
        raise Wrong(f"on standard error: {said!r}")


def _compare(pixels: np.ndarray, file: Path) -> None:
    """See that a TIFF that tifffile reads as well has the same pixels for it."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages.first
            found = page.asarray()
            tags = {tag.code: tag.value for tag in page.tags}
    except Exception:  # of many kinds
        return
    is_plain = page.photometric in (1, 2) and tags.get(274, 1) == 1
    if found.dtype.itemsize == 2:
        found = (found >> 8).astype(np.uint8)
    if not is_plain or found.dtype != np.uint8 or page.extrasamples:
        return
    found = np.moveaxis(found, 0, -1) if page.planarconfig == 2 else found
    found = found[..., np.newaxis] if found.ndim == 2 else found
    if found.shape[:2] != pixels.shape[:2] or found.shape[2] not in (1, 3):
        raise Wrong(f"shape {pixels.shape}, and for tifffile {found.shape}")
    if page.bitspersample in (8, 16) and (found != pixels).any():
        raise Wrong("other pixels than tifffile reads")


KIND = Kind(_prepare, _case, 20_000)
