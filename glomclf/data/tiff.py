"""TIFF files as microscopes write them: what is read, and what is refused by name.

Pillow reads some forms of TIFF as other pixels than they hold, and ends others with
errors of its own. What it reads right was found out by trying each combination against
tifffile; the rules below let no other through.
"""

from __future__ import annotations

import zlib
from math import ceil
from typing import Literal, NamedTuple

from PIL.TiffImagePlugin import COMPRESSION_INFO

from .image_files import CUT_SHORT, SEVERAL, Refused, Stripped

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_FILL_ORDER, _STRIPS, _ORIENTATION, _SAMPLES = 266, 273, 274, 277
_ROWS_PER_STRIP, _STRIP_BYTES, _PLANES, _PREDICTOR = 278, 279, 284, 317
_COLOURS, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 320, 322, 323, 324, 325
_INKS, _EXTRA, _FORMAT = 332, 338, 339
# What else decoders need: tables of JPEG, what YCbCr means.
_MORE = (347, 529, 530, 531, 532)
_ONE_NUMBER = (
    *(_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _ORIENTATION),
    *(_SAMPLES, _ROWS_PER_STRIP, _PLANES, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _INKS),
)
_NUMBERS = (
    *(_BITS, _STRIPS, _STRIP_BYTES, _COLOURS, _TILES, _TILE_BYTES, _EXTRA, _FORMAT),
)
_INTEGERS = {1: 1, 3: 2, 4: 4, 13: 4}  # bytes of one, by type
_SIZES = {**_INTEGERS, 2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8}  # fractions and others

_RAW, _JPEG = 1, 7
_DEFLATE = (8, 32946)
_LOSSLESS = (_RAW, 5, 32773, *_DEFLATE)  # LZW and PackBits
_WHITE_0, _BLACK_0, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_N_COLOURS = {_RGB: 3, _CMYK: 4, _YCBCR: 3}
_ALPHA = 2  # not multiplied into the colours
# What is read: colours and bits of a channel, and the kinds of one channel more.
_FORMS: dict[tuple[int, ...], tuple[int, ...]] = {
    **{(_WHITE_0, 1): (), (_WHITE_0, 8): (), (_BLACK_0, 1): (), (_PALETTE, 8): ()},
    **dict.fromkeys([(_BLACK_0, 8), (_RGB, 8), (_RGB, 16)], (0, 1, _ALPHA)),
    **{(_CMYK, 8): (), (_YCBCR, 8): ()},
}


class _Directory(NamedTuple):
    """The first directory: each entry as it stands, and the numbers of those known."""

    entries: dict[int, bytes]
    numbers: dict[int, tuple[int, ...]]

    def one(self, tag: int, default: int) -> int:
        return self.numbers.get(tag, (default,))[0]


class _File(NamedTuple):
    """The bytes of a file, and how they are to be read."""

    data: bytes
    order: Literal["little", "big"]

    def number(self, place: int, size: int) -> int:
        return int.from_bytes(self.data[place : place + size], self.order)


def strip_tiff(data: bytes) -> Stripped:
    """Give a TIFF another directory, of the entries that make its pixels.

    Raises
    ------
    Refused
        If its form is not supported, and by what; if the directory is damaged or cut
        short, or there is more than one.
    """
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    if b"+" in data[2:4]:
        raise _unsupported("is a BigTIFF")
    directory = _read_directory(_File(data, order))
    _check_form(directory)
    _check_parts(directory, data)
    orientation = directory.one(_ORIENTATION, 1)
    kept = sorted(directory.entries.items())
    start, count = len(data).to_bytes(4, order), len(kept).to_bytes(2, order)
    parts = [data[:4], start, data[8:], count, *(entry for _, entry in kept), bytes(4)]
    return Stripped(b"".join(parts), orientation if 1 <= orientation <= 8 else 1)


def _read_directory(file: _File) -> _Directory:
    start = file.number(4, 4)
    count = file.number(start, 2)
    end = start + 2 + 12 * count
    if start == 0 or count == 0 or end > len(file.data):
        raise Refused(f"{CUT_SHORT}: the directory of its TIFF is not in the file")
    if file.number(end, 4):
        raise Refused(SEVERAL)
    directory = _Directory({}, {})
    for place in range(start + 2, end, 12):
        tag = file.number(place, 2)
        if tag in (*_ONE_NUMBER, *_NUMBERS, *_MORE):
            if tag in directory.numbers:
                raise _odd(tag)
            directory.numbers[tag] = _numbers(file, place, tag)
            if tag != _ORIENTATION:
                directory.entries[tag] = file.data[place : place + 12]
    return directory


def _numbers(file: _File, place: int, tag: int) -> tuple[int, ...]:
    """Read the values of an entry, which are elsewhere where they are many."""
    sizes = _SIZES if tag in _MORE else _INTEGERS
    size, count = sizes.get(file.number(place + 2, 2), 0), file.number(place + 4, 4)
    start = place + 8 if count * size <= 4 else file.number(place + 8, 4)
    end = start + count * size
    if not size or not count or (tag in _ONE_NUMBER and count > 1):
        raise _odd(tag)
    if end > len(file.data):
        raise Refused(f"{CUT_SHORT}: tag {tag} of its TIFF is not in the file")
    return tuple(file.number(at, size) for at in range(start, end, size))


def _odd(tag: int) -> Refused:
    return Refused(f"{CUT_SHORT}: tag {tag} of its TIFF is not as it must be")


def _unsupported(what: str) -> Refused:
    return Refused(
        f"{what}, which is not supported in TIFF; save it as RGB with 8 bits a channel "
        "and LZW, or as PNG"
    )


def _check_form(directory: _Directory) -> None:
    """Refuse a form of pixels by what is not supported in it."""
    colours = directory.one(_PHOTOMETRIC, -1)
    compression = directory.one(_COMPRESSION, _RAW)
    is_jpeg = compression == _JPEG and colours in (_BLACK_0, _RGB, _YCBCR)
    if not is_jpeg and (compression not in _LOSSLESS or colours == _YCBCR):
        name = COMPRESSION_INFO.get(compression, f"method {compression}")
        raise _unsupported(f"holds colours of kind {colours}, compressed as {name}")
    if directory.one(_INKS, 1) != 1:
        raise _unsupported("holds other inks than CMYK")
    if set(directory.numbers.get(_FORMAT, (1,))) != {1}:
        raise _unsupported("holds signed or floating-point values")
    if directory.one(_FILL_ORDER, 1) != 1:
        raise _unsupported("holds bits in reversed order")
    bits, extra = _channels(directory, colours)
    if colours in (_WHITE_0, _BLACK_0) and max(bits) > 8:
        raise Refused("holds grey values of more than 8 bits; save it as 8-bit RGB")
    kinds = _FORMS.get((colours, *bits))
    if kinds is None or (is_jpeg and bits != {8}):
        held = " and ".join(map(str, sorted(bits)))
        raise _unsupported(f"holds {held} bits in a channel of colours {colours}")
    if extra not in ((), *((kind,) for kind in kinds)):
        raise _unsupported(f"holds {len(extra)} more channels than its colours")
    _check_layout(directory, (colours, *bits), extra)


def _check_layout(
    directory: _Directory, form: tuple[int, ...], extra: tuple[int, ...]
) -> None:
    """Refuse planes and palettes that are read as something else."""
    has_planes = directory.one(_PLANES, 1) != 1 and directory.one(_SAMPLES, 1) > 1
    if has_planes and (form != (_RGB, 8) or extra not in ((), (_ALPHA,))):
        raise _unsupported(f"holds {form[1]}-bit channels in separate planes")
    palette = directory.numbers.get(_COLOURS, ())
    if form[0] == _PALETTE and len(palette) != 3 * 256:
        raise Refused(f"{CUT_SHORT}: its palette has {len(palette)} values")
    if form[0] == _PALETTE and 0 < max(palette) < 256:
        raise _unsupported("has a palette of 8-bit colours")


def _channels(directory: _Directory, colours: int) -> tuple[set[int], tuple[int, ...]]:
    """Return the bits of channels, and the kinds of those that are no colours."""
    n_samples = directory.one(_SAMPLES, 1)
    bits = directory.numbers.get(_BITS, (1,))
    extra = directory.numbers.get(_EXTRA, ())
    n_known = len(extra) + _N_COLOURS.get(colours, 1)
    if (n_samples, colours, extra) == (4, _RGB, ()):
        n_known = 4  # the fourth is alpha, as everybody takes it
    if n_samples != n_known or len(bits) not in (1, n_samples):
        raise _unsupported(f"holds {n_samples} channels where {n_known} are known")
    return set(bits), extra


def _check_parts(directory: _Directory, data: bytes) -> None:
    """Refuse strips or tiles that do not make up the image: others were left black."""
    is_tiled = _TILES in directory.numbers
    offsets = directory.numbers.get(_TILES if is_tiled else _STRIPS, ())
    needed = _bytes_of_parts(directory, len(offsets), is_tiled=is_tiled)
    compression = directory.one(_COMPRESSION, _RAW)
    told = directory.numbers.get(_TILE_BYTES if is_tiled else _STRIP_BYTES)
    lengths = needed if told is None and compression == _RAW else list(told or ())
    if len(lengths) != len(needed):
        raise _other_parts(len(needed))
    for offset, length, n_bytes in zip(offsets, lengths, needed, strict=True):
        if compression in _DEFLATE:
            _check_deflate(data[offset : offset + length], max(needed))
        elif compression == _RAW and length < n_bytes:
            raise Refused(f"{CUT_SHORT}: a strip or tile is shorter than its rows")


def _other_parts(n_parts: int) -> Refused:
    return Refused(f"{CUT_SHORT}: not {n_parts} strips or tiles, which it needs")


def _bytes_of_parts(
    directory: _Directory, n_found: int, *, is_tiled: bool
) -> list[int]:
    """Return how many bytes each strip or tile needs when it is not compressed."""
    width, height = directory.one(_WIDTH, 0), directory.one(_HEIGHT, 0)
    across, down = width, min(directory.one(_ROWS_PER_STRIP, height), height)
    if is_tiled:
        across, down = directory.one(_TILE_WIDTH, 0), directory.one(_TILE_HEIGHT, 0)
    if min(width, height, across, down) < 1:
        raise Refused("has no pixels")
    n_samples = directory.one(_SAMPLES, 1)
    n_planes = n_samples if directory.one(_PLANES, 1) == 2 else 1
    bits = max(directory.numbers.get(_BITS, (1,))) * n_samples // n_planes
    row, n_down = ceil(across * bits / 8), ceil(height / down)
    n_parts = n_down * ceil(width / across) * n_planes
    if n_found != n_parts:
        raise _other_parts(n_parts)
    rows = [down] * n_down
    if not is_tiled:
        rows[-1] = height - (n_down - 1) * down
    return [n * row for n in rows] * (n_parts // n_down)


def _check_deflate(part: bytes, most: int) -> None:
    """Unpack a part to its end, where its check sum is: libtiff stops short of it."""
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(part, most + 1)
    except zlib.error as error:
        raise Refused(f"{CUT_SHORT}: {error}") from None
    if not unpacking.eof:
        raise Refused(f"{CUT_SHORT}: a strip or tile does not end where it must")
