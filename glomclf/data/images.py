"""One image file -> one RGB uint8 array within bounds, or a named reason.

Pillow decodes. OpenCV and TensorFlow are a little faster on RGBA PNG files, but
OpenCV returns a JPEG that is cut short as if it were whole, ignores orientation where
it keeps alpha, and bounds sizes for the whole process only; TensorFlow reads no TIFF
and ignores orientation. Pillow's file classes are called directly rather than through
`PIL.Image.open`: the size can then be refused from the header before Pillow's
process-wide bomb limit warns or interferes, and no other format than the four is
ever tried. They get no more of a file than what makes its pixels.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)
from PIL import Image as PILImage
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._runtime import user_path
from ..errors import ImageError
from .decoder import as_delivered, complaints
from .image_files import CUT_SHORT, SEVERAL, Refused, Stripped, strip_jpeg, strip_png
from .tiff import strip_tiff

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
"""Endings, in lower case, of the files that `read_image` understands."""

MAX_PIXELS = 50_000_000
"""Default bound on width times height: about 7000 x 7000, up to 1 GB while decoding."""

_MIN_SIDE = 2
_INVISIBLE = 1  # alpha: a mask of 0 and 1 was saved as one

# Of a file: no image within bounds, of 16-bit RGBA and not compressed, has more.
_BYTES_A_PIXEL, _MORE_BYTES = 8, 64 * 2**20


class _Tiff(TiffImagePlugin.TiffImageFile):
    """Pillow's, which would look at its limit of pixels again, and turn the image."""

    def load_prepare(self) -> None:
        """Make room for the pixels."""
        ImageFile.ImageFile.load_prepare(self)

    def load_end(self) -> None:
        """Leave the image as it lies."""


class _Format(NamedTuple):
    name: str
    reader: type[ImageFile.ImageFile]
    strip: Callable[[bytes], Stripped]


_PNG = _Format("PNG", PngImagePlugin.PngImageFile, strip_png)
_JPEG = _Format("JPEG", JpegImagePlugin.JpegImageFile, strip_jpeg)
_TIFF = _Format("TIFF", _Tiff, strip_tiff)
_BMP = _Format("BMP", BmpImagePlugin.BmpImageFile, lambda data: Stripped(data, 1))
_FORMATS = {
    b"\x89PNG\r\n\x1a\n": _PNG,
    b"\xff\xd8\xff": _JPEG,
    **dict.fromkeys((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), _TIFF),
    b"BM": _BMP,
}
_TURNS = {
    2: PILImage.Transpose.FLIP_LEFT_RIGHT,
    3: PILImage.Transpose.ROTATE_180,
    4: PILImage.Transpose.FLIP_TOP_BOTTOM,
    5: PILImage.Transpose.TRANSPOSE,
    6: PILImage.Transpose.ROTATE_270,
    7: PILImage.Transpose.TRANSVERSE,
    8: PILImage.Transpose.ROTATE_90,
}

_RESIZE = {
    "size": [Interval(Integral, 1, None, closed="left"), None],
    "resize": [StrOptions({"pad", "stretch"})],
}


@validate_params(
    {
        "path": [str, os.PathLike],
        **_RESIZE,
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def read_image(
    path: str | os.PathLike[str],
    size: int | None = None,
    resize: str = "pad",
    *,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.uint8]:
    """Read one PNG, JPEG, TIFF or BMP file as RGB.

    The content decides about the format, not the name. Every colour mode becomes
    8-bit RGB, and the EXIF orientation is applied:

    - transparency, of RGBA, LA, palettes or a transparent colour, is composed on
      white, the colour of empty glass; where every pixel is transparent, the file is
      refused;
    - grey and 1-bit images get three equal channels; CMYK of JPEG is converted without
      a colour profile;
    - of 16-bit RGB the high byte is taken; grey values of 16 or 32 bits are refused.

    Nothing else in a file, such as profiles, texts and previews, is looked at, nor are
    Pillow's switches. What carries a check sum is checked: the chunks of PNG, and
    Deflate in TIFF. Other formats carry none: a byte that was changed among their
    pixels is often not noticed.

    Parameters
    ----------
    path : str or path-like
        The file.
    size : int or None, default=None
        Side in pixels of the square to resize to; None keeps the image's own size.
    resize : {"pad", "stretch"}, default="pad"
        How it is made square; see :func:`resize_image`.
    max_pixels : int, default=50_000_000
        Largest width times height, checked from the header before anything is
        decoded.

    Returns
    -------
    image : ndarray of shape (height, width, 3) or (size, size, 3), dtype uint8
        RGB in [0, 255].

    Raises
    ------
    ImageError
        If the file is missing, not a regular file, unreadable, empty, of another
        format, damaged or cut short, larger than `max_pixels`, less than 2 pixels
        wide or high, transparent everywhere, or if it holds more than one page or
        frame, or a form of pixels that is not supported. `faults` maps the path to the
        reason.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from glomclf.data.images import read_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "patch.png")
    ...     Image.new("RGBA", (30, 20), (200, 0, 200, 128)).save(file)  # half clear
    ...     image = read_image(file)
    >>> image.shape, image.dtype, image[0, 0].tolist()
    ((20, 30, 3), dtype('uint8'), [227, 127, 227])
    """
    with _faults_named(os.fspath(path)), _open(path) as file, as_delivered():
        image = _decode(file, max_pixels)
        rgb = _to_rgb(image)
        return np.array(rgb if size is None else _fit(rgb, size, resize))


@validate_params({"image": [np.ndarray], **_RESIZE}, prefer_skip_nested_validation=True)
def resize_image(
    image: NDArray[np.uint8], size: int, resize: str = "pad"
) -> NDArray[np.uint8]:
    """Resize one RGB image to a square, antialiased.

    The filter is a triangle (bilinear) whose support grows with the factor of
    reduction, so that no source pixel is skipped.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype uint8
        RGB in [0, 255].
    size : int
        Side of the square in pixels.
    resize : {"pad", "stretch"}, default="pad"
        "pad" keeps the aspect ratio: the longer side becomes `size` and white, the
        colour of empty glass, fills both ends of the shorter one. "stretch" resizes
        each side on its own.

    Returns
    -------
    resized : ndarray of shape (size, size, 3), dtype uint8
        RGB in [0, 255].

    Raises
    ------
    ImageError
        If `image` is of another shape or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.images import resize_image
    >>> wide = np.zeros((2, 4, 3), dtype=np.uint8)
    >>> resize_image(wide, 4)[:, 0, 0]
    array([255,   0,   0, 255], dtype=uint8)
    >>> resize_image(wide, 4, "stretch")[:, 0, 0]
    array([0, 0, 0, 0], dtype=uint8)
    """
    rgb = image.ndim == 3 and image.shape[2] == 3 and min(image.shape) > 0
    if not rgb or image.dtype != np.uint8:
        raise ImageError(
            {
                "array": f"is {image.dtype} of shape {image.shape}; uint8 of shape "
                "(height, width, 3) with values in [0, 255] was expected"
            }
        )
    return np.array(_fit(PILImage.fromarray(np.ascontiguousarray(image)), size, resize))


@contextmanager
def _faults_named(path: str) -> Iterator[None]:
    """Turn whatever goes wrong with a file into one ImageError that says why."""
    try:
        yield
    except Refused as refused:
        raise ImageError({path: str(refused)}) from None
    except FileNotFoundError:
        raise ImageError({path: "there is no such file"}) from None
    except PermissionError:
        raise ImageError({path: "cannot be read: permission denied"}) from None
    # On damaged files Pillow's decoders raise nearly every built-in error.
    except Exception as error:
        detail = str(error) or type(error).__name__
        raise ImageError({path: f"{CUT_SHORT}: {detail}"}) from error


def _open(path: str | os.PathLike[str]) -> BinaryIO:
    path = user_path(path)
    # Opening a pipe would wait for ever, reading a device would never end.
    if os.path.exists(path) and not os.path.isfile(path):
        kind = "a folder" if os.path.isdir(path) else "not a regular file"
        raise Refused(f"is {kind}; an image file was expected")
    return open(path, "rb")


def _decode(file: BinaryIO, max_pixels: int) -> PILImage.Image:
    """Return the image, upright, whose header was found within bounds first."""
    start = file.read(8)
    if not start:
        raise Refused("is empty (0 bytes)")
    known = [form for magic, form in _FORMATS.items() if start.startswith(magic)]
    if not known:
        raise Refused("is not a PNG, JPEG, TIFF or BMP image")
    data = start + _rest(file, max_pixels)
    content, orientation = known[0].strip(data)
    try:
        image = known[0].reader(io.BytesIO(content))
    except Exception as error:
        raise Refused(
            f"has a damaged or unsupported {known[0].name} header, or no pixels: "
            f"{error}"
        ) from error
    _check_bounds(image, max_pixels)
    with complaints() as said:
        image.load()
    if said:
        raise Refused(f"{CUT_SHORT}: libtiff says {said[0]!r}")
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _rest(file: BinaryIO, max_pixels: int) -> bytes:
    """Read a file that is not larger than an image of so many pixels can be."""
    size = os.fstat(file.fileno()).st_size
    most = _BYTES_A_PIXEL * max_pixels + _MORE_BYTES
    if size > most:
        raise Refused(
            f"is a file of {size:,} bytes; at most {most:,} are read where an image "
            f"has at most {max_pixels:,} pixels (crop it to one glomerulus, or raise "
            "max_pixels)"
        )
    return file.read()


def _check_bounds(image: ImageFile.ImageFile, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise Refused(
            f"is {width} x {height} = {width * height:,} pixels; at most "
            f"{max_pixels:,} are read (crop it to one glomerulus, or raise max_pixels)"
        )
    if min(width, height) < _MIN_SIDE:
        raise Refused(
            f"is {width} x {height} pixels; at least {_MIN_SIDE} x {_MIN_SIDE} "
            "are needed"
        )
    if getattr(image, "is_animated", False):
        raise Refused(SEVERAL)


def _to_rgb(image: PILImage.Image) -> PILImage.Image:
    if image.mode.startswith(("I", "F")):
        raise Refused("holds grey values of more than 8 bits; save it as 8-bit RGB")
    if image.mode == "La":  # of which Pillow makes nothing else
        image = image.convert("LA")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _on_white(image: PILImage.Image) -> PILImage.Image:
    least, most = cast("tuple[int, int]", image.getchannel("A").getextrema())
    if most <= _INVISIBLE:
        raise Refused(
            f"every pixel is transparent (alpha is at most {most} of 255); save it "
            "without its alpha channel"
        )
    if least == 255:
        return image.convert("RGB")
    white = PILImage.new("RGBA", image.size, "white")
    return PILImage.alpha_composite(white, image).convert("RGB")


def _fit(image: PILImage.Image, size: int, resize: str) -> PILImage.Image:
    if image.size == (size, size):
        return image
    if resize == "stretch":
        return image.resize((size, size), PILImage.Resampling.BILINEAR)
    width, height = (
        max(1, round(side * size / max(image.size))) for side in image.size
    )
    square = PILImage.new("RGB", (size, size), "white")
    inner = image.resize((width, height), PILImage.Resampling.BILINEAR)
    square.paste(inner, ((size - width) // 2, (size - height) // 2))
    return square
