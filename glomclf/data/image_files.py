"""What of an image file decides about its pixels: no more reaches the decoder.

Profiles, texts, previews and notes of the camera may be large, odd or damaged, and a
decoder that reads them refuses, warns or takes a limit from them. Here the file is
walked once: the parts that make its pixels are kept and, where they carry a check sum,
checked. The orientation is read apart.
"""

from __future__ import annotations

import zlib
from typing import Literal, NamedTuple

CUT_SHORT = "is damaged or cut short"
SEVERAL = "holds more than one page or frame; save the one to classify on its own"

# What a PNG's pixels are made of. Others whose name begins with a capital must be
# known to whoever reads the file; those that begin with a small letter need not.
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")

# Its presence says that colours are YCbCr; the resolution in it says nothing.
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_JPEG_ALONE = (0x01, *range(0xD0, 0xD8))  # markers without a length
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_NOTES = (*range(0xE0, 0xF0), 0xFE)

_ORIENTATION, _SHORT = 0x0112, 3


class Refused(Exception):
    """The file is not an image that can be used; the message is the reason."""


class Stripped(NamedTuple):
    """What the decoder gets.

    Attributes
    ----------
    content : bytes
        A file of the same format, with the same pixels.
    orientation : int
        Of EXIF, 1 to 8.
    """

    content: bytes
    orientation: int


def strip_png(data: bytes) -> Stripped:
    """Check all chunks of a PNG, and keep those that make its pixels.

    Raises
    ------
    Refused
        If a chunk is damaged, cut short or unknown, or there are several frames.
    """
    kept, orientation, place, kind = [data[:8]], 1, 8, b""
    while kind != b"IEND":
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        chunk, place = data[place:end], end
        kind = chunk[4:8]
        if len(data) < end:
            raise Refused(f"{CUT_SHORT}: it ends before its last chunk does")
        # Of all chunks: in a name that was damaged orientation is not seen to be meant.
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise Refused(f"{CUT_SHORT}: a check sum is wrong ({_name(kind)})")
        if kind == b"fdAT":
            raise Refused(SEVERAL)
        if kind in _PNG_KEPT:
            kept.append(chunk)
        elif kind[:1].isupper():
            raise Refused(f"holds a part that is not known to PNG ({_name(kind)})")
        elif kind == b"eXIf":
            orientation = orientation_of(chunk[8:-4])
    return Stripped(b"".join(kept), orientation)


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")


def strip_jpeg(data: bytes) -> Stripped:
    """Keep the segments that make a JPEG's pixels, as far as they say what they are.

    Raises
    ------
    Refused
        If the segments before the pixels are damaged or cut short.
    """
    kept, orientation, place = [data[:2]], 1, 2
    while True:
        place = data.find(b"\xff", place)
        if not 0 < place < len(data) - 1:
            raise Refused(f"{CUT_SHORT}: it ends before its pixels")
        code = data[place + 1]
        if code in (0, 0xFF):  # fills space
            place += 1
            continue
        if code in (_JPEG_SCAN, _JPEG_END):
            return Stripped(b"".join([*kept, data[place:]]), orientation)
        alone = code in _JPEG_ALONE
        length = 0 if alone else int.from_bytes(data[place + 2 : place + 4], "big")
        segment = data[place : place + 2 + length]
        place += 2 + length
        if segment[4:].startswith(b"Exif\0\0"):
            orientation = orientation_of(segment[10:])
        kept.append(_kept_segment(code, segment))


def _kept_segment(code: int, segment: bytes) -> bytes:
    """Leave out what only tells of the image; two notes tell of its colours."""
    if code not in _JPEG_NOTES:
        return segment
    if (
        code == 0xE0
        and segment[4:].startswith(b"JFIF\0")
        and len(segment) >= len(_JFIF)
    ):
        return _JFIF
    if code == 0xEE and segment[4:].startswith(b"Adobe") and len(segment) >= 16:
        return segment
    return b""


def orientation_of(exif: bytes) -> int:
    """Read the orientation alone, so that no other tag can do harm.

    Parameters
    ----------
    exif : bytes
        As it stands in JPEG and PNG files: a TIFF header and a first directory.

    Returns
    -------
    int
        1 to 8; 1, upright, where none is told.

    Examples
    --------
    >>> from glomclf.data.image_files import orientation_of
    >>> orientation_of(bytes.fromhex("49492a0008000000 0100 12010300 01000000 0600"))
    6
    >>> orientation_of(b"no TIFF")
    1
    """
    orders: dict[bytes, Literal["little", "big"]]
    orders = {b"II*\0": "little", b"MM\0*": "big"}
    order = orders.get(exif[:4])
    if order is None:
        return 1
    start = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[start : start + 2], order)
    for place in range(start + 2, min(start + 2 + 12 * count, len(exif)), 12):
        tag, kind = (
            int.from_bytes(exif[at : at + 2], order) for at in (place, place + 2)
        )
        value = int.from_bytes(exif[place + 8 : place + 10], order)
        if (tag, kind) == (_ORIENTATION, _SHORT) and 1 <= value <= 8:
            return value
    return 1
