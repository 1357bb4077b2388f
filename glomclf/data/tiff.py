"""TIFF files as microscopes write them: what is read, and what is refused by name.

Pillow reads some forms of TIFF as other pixels than they hold, and ends others with
errors of its own. What it reads right was found out by trying each combination against
tifffile; the rules below let no other through.
"""

from __future__ import annotations

import zlib
from math import ceil
from typing import Literal, NamedTuple

from .image_files import CUT_SHORT, SEVERAL, Refused, Stripped

__all__ = ["strip_tiff"]

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_FILL_ORDER, _STRIPS, _ORIENTATION, _SAMPLES = 266, 273, 274, 277
_ROWS_PER_STRIP, _STRIP_BYTES, _PLANES, _PREDICTOR = 278, 279, 284, 317
_COLOURS, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 320, 322, 323, 324, 325
_INKS, _EXTRA, _FORMAT, _SUBSAMPLING = 332, 338, 339, 530
# What else decoders need: options of faxes, tables of JPEG, what YCbCr means.
_MORE = (292, 293, 347, 529, 531, 532)
_ONE_NUMBER = (
    *(_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _ORIENTATION),
    *(_SAMPLES, _ROWS_PER_STRIP, _PLANES, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _INKS),
)
_NUMBERS = (
    *(_BITS, _STRIPS, _STRIP_BYTES, _COLOURS, _TILES, _TILE_BYTES, _EXTRA, _FORMAT),
    _SUBSAMPLING,
)
_INTEGERS = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8}  # bytes of one, by type
_OTHERS = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8}  # text, fractions, bytes, floats

_RAW, _JPEG = 1, 7
_FAX = (2, 3, 4)
_DEFLATE = (8, 32946)
_LOSSLESS = (5, 32773, *_DEFLATE)  # LZW and PackBits
_COMPRESSIONS = {
    **{6: "old-style JPEG", 32809: "ThunderScan", 33003: "JPEG 2000"},
    **{33005: "JPEG 2000", 34676: "SGI Log", 34677: "SGI Log", 34712: "JPEG 2000"},
    **{34887: "LERC", 34892: "lossy DNG", 34925: "LZMA", 50000: "Zstandard"},
    **{50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"},
}
_WHITE_0, _BLACK_0, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_N_COLOURS = {0: 1, 1: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _LAB: 3}
_ALPHA = 2  # not multiplied into the colours


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
    width: int  # of an offset in bytes

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
    is_big = b"+" in data[2:4]
    if is_big and order == "big":
        raise Refused(
            "is a BigTIFF in big-endian order, which is not supported; save it in "
            "little-endian order or as PNG"
        )
    file = _File(data, order, 8 if is_big else 4)
    directory = _read_directory(file)
    _check_form(directory)
    _check_parts(directory, data)
    orientation = directory.one(_ORIENTATION, 1)
    kept = sorted(directory.entries.items())
    parts = [
        data[: 8 if is_big else 4],
        len(data).to_bytes(file.width, order),
        data[16 if is_big else 8 :],
        len(kept).to_bytes(8 if is_big else 2, order),
        *(entry for _, entry in kept),
        bytes(file.width),
    ]
    return Stripped(b"".join(parts), orientation if 1 <= orientation <= 8 else 1)


def _read_directory(file: _File) -> _Directory:
    start = file.number(file.width, file.width)
    first = start + (8 if file.width == 8 else 2)
    count, size = file.number(start, first - start), 4 + 2 * file.width
    end = first + count * size
    if start == 0 or count == 0 or end > len(file.data):
        raise Refused(f"{CUT_SHORT}: the directory of its TIFF is not in the file")
    if file.number(end, file.width):
        raise Refused(SEVERAL)
    directory = _Directory({}, {})
    for place in range(first, end, size):
        tag = file.number(place, 2)
        if tag in (*_ONE_NUMBER, *_NUMBERS, *_MORE):
            if tag in directory.numbers:
                raise _odd(tag)
            directory.numbers[tag] = _numbers(file, place, tag)
            if tag != _ORIENTATION:
                directory.entries[tag] = file.data[place : place + size]
    return directory


def _numbers(file: _File, place: int, tag: int) -> tuple[int, ...]:
    """Read the values of an entry, which are elsewhere where they are many."""
    sizes = {**_INTEGERS, **_OTHERS} if tag in _MORE else _INTEGERS
    size = sizes.get(file.number(place + 2, 2), 0)
    count = file.number(place + 4, file.width)
    start = place + 4 + file.width
    if count * size > file.width:
        start = file.number(start, file.width)
    end = start + count * size
    if not size or not count or (tag in _ONE_NUMBER and count > 1):
        raise _odd(tag)
    if end > len(file.data):
        raise Refused(f"{CUT_SHORT}: tag {tag} of its TIFF is not in the file")
    return tuple(file.number(at, size) for at in range(start, end, size))


def _odd(tag: int) -> Refused:
    return Refused(f"{CUT_SHORT}: tag {tag} of its TIFF is not as it must be")


def _check_form(directory: _Directory) -> None:
    """Refuse a form of pixels by what is not supported in it."""
    compression = directory.one(_COMPRESSION, _RAW)
    photometric = directory.one(_PHOTOMETRIC, -1)
    if compression not in (_RAW, _JPEG, *_FAX, *_LOSSLESS):
        name = _COMPRESSIONS.get(compression, f"method {compression}")
        raise _unsupported(f"is compressed as {name}", "with LZW or ")
    if photometric not in _N_COLOURS or directory.one(_INKS, 1) != 1:
        raise _unsupported(f"holds colours of kind {photometric} of TIFF")
    if set(directory.numbers.get(_FORMAT, (1,))) != {1}:
        raise _unsupported("holds signed or floating-point values", "as 8-bit RGB or ")
    bits, extra = _channels(directory, photometric)
    _check_bits(photometric, set(bits), len(bits), compression)
    _check_extra(photometric, extra, max(bits), directory.one(_FILL_ORDER, 1))
    if directory.one(_PLANES, 1) != 1 and len(bits) > 1:
        _check_planes(photometric, max(bits), extra)
    if photometric == _YCBCR and compression != _JPEG:
        _check_ycbcr(directory, compression)
    if photometric == _PALETTE:
        _check_palette(directory.numbers.get(_COLOURS, ()), bits[0])


def _channels(
    directory: _Directory, photometric: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the bits of each channel, and the kinds of those that are no colours."""
    n_samples = directory.one(_SAMPLES, 1)
    bits = directory.numbers.get(_BITS, (1,))
    extra = directory.numbers.get(_EXTRA, ())
    n_known = _N_COLOURS[photometric] + len(extra)
    if (n_samples, photometric, extra) == (4, _RGB, ()):
        n_known = 4  # the fourth is alpha, as everybody takes it
    if n_samples != n_known or len(bits) not in (1, n_samples):
        raise _unsupported(f"holds {n_samples} channels where {n_known} are known")
    return bits * n_samples if len(bits) == 1 else bits, extra


def _unsupported(what: str, other: str = "") -> Refused:
    return Refused(f"{what}, which is not supported in TIFF; save it {other}as PNG")


def _check_bits(
    photometric: int, bits: set[int], n_samples: int, compression: int
) -> None:
    is_grey = photometric in (_WHITE_0, _BLACK_0)
    if is_grey and max(bits) > 8:
        raise Refused("holds grey values of more than 8 bits; save it as 8-bit RGB")
    known: tuple[int, ...] = (8,)
    if n_samples == 1 and photometric != _YCBCR:
        known = (1, 2, 4, 8)
    elif photometric in (_RGB, _CMYK):
        known = (8, 16)
    if len(bits) > 1 or not bits <= set(known):
        held = " and ".join(map(str, sorted(bits)))
        raise _unsupported(
            f"holds {held} bits in a channel", "with 8 bits a channel, or "
        )
    if compression == _JPEG and (bits != {8} or photometric not in (1, _RGB, _YCBCR)):
        raise _unsupported("holds such colours as JPEG", "with LZW, or ")
    if compression in _FAX and (bits != {1} or not is_grey):
        raise _unsupported("is compressed as a fax, but not black and white")


def _check_extra(
    photometric: int, extra: tuple[int, ...], bits: int, fill_order: int
) -> None:
    """Know at most an alpha channel, and then channels that say nothing."""
    alpha, others = extra[:1], extra[1:]
    most = {_BLACK_0: 1, _RGB: 3, _CMYK: 2, _PALETTE: 1}.get(photometric, 0)
    if bits == 16:
        most = 1 if photometric == _RGB else 0
    kinds = (0, 1, _ALPHA) if photometric in (_BLACK_0, _RGB) else (0,)
    if len(extra) > most or not set(alpha) <= set(kinds) or any(others):
        raise _unsupported(f"holds {len(extra)} more channels than its colours")
    if fill_order != 1 and (extra or bits > 1 or photometric > _BLACK_0):
        raise _unsupported("holds shades or colours with their bits in reversed order")


def _check_planes(photometric: int, bits: int, extra: tuple[int, ...]) -> None:
    is_known = photometric in (_RGB, _CMYK) and bits == 8 and extra in ((), (_ALPHA,))
    if not is_known:
        raise _unsupported(
            f"holds {bits}-bit channels in separate planes", "interleaved, or "
        )


def _check_ycbcr(directory: _Directory, compression: int) -> None:
    subsampling = directory.numbers.get(_SUBSAMPLING, (2, 2))
    if compression != _RAW or subsampling != (1, 1):
        raise _unsupported("holds YCbCr that is no JPEG", "as RGB or ")


def _check_palette(colours: tuple[int, ...], bits: int) -> None:
    if len(colours) != 3 * 2**bits:
        raise Refused(f"{CUT_SHORT}: its palette has {len(colours)} values")
    if 0 < max(colours) < 256:
        raise _unsupported("has a palette of 8-bit colours", "as RGB or ")


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
