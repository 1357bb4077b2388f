"""One image file -> one RGB uint8 array within bounds, or a named reason.

Pillow decodes. OpenCV and TensorFlow are a little faster on RGBA PNG files, but
OpenCV returns a JPEG that is cut short as if it were whole, ignores orientation where
it keeps alpha, and bounds sizes for the whole process only; TensorFlow reads no TIFF
and ignores orientation. Pillow's file classes are called directly rather than through
`PIL.Image.open`: the size can then be refused from the header before Pillow's
process-wide bomb limit warns or interferes, and no other format than the four is
ever tried.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)
from PIL import Image as PILImage
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._runtime import user_path
from ..errors import ImageError

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "read_image", "resize_image"]

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
"""Endings, in lower case, of the files that `read_image` understands."""

MAX_PIXELS = 50_000_000
"""Default bound on width times height: about 7000 x 7000, up to 1 GB while decoding."""

_MIN_SIDE = 2

_FORMATS: dict[bytes, tuple[str, type[ImageFile.ImageFile]]] = {
    b"\x89PNG\r\n\x1a\n": ("PNG", PngImagePlugin.PngImageFile),
    b"\xff\xd8\xff": ("JPEG", JpegImagePlugin.JpegImageFile),
    b"II*\x00": ("TIFF", TiffImagePlugin.TiffImageFile),
    b"MM\x00*": ("TIFF", TiffImagePlugin.TiffImageFile),
    b"II+\x00": ("BigTIFF", TiffImagePlugin.TiffImageFile),
    b"MM\x00+": ("BigTIFF", TiffImagePlugin.TiffImageFile),
    b"BM": ("BMP", BmpImagePlugin.BmpImageFile),
}

_RESIZE = {
    "size": [Interval(Integral, 1, None, closed="left"), None],
    "resize": [StrOptions({"pad", "stretch"})],
}


class _Refused(Exception):
    """The file is not an image that can be used; the message is the reason."""


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
      white, the colour of empty glass;
    - grey and 1-bit images get three equal channels; CMYK is converted without a
      colour profile;
    - of 16-bit RGB the high byte is taken; grey values of 16 or 32 bits are refused.

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
        wide or high, holds more than one page or frame, or grey values of more than
        8 bits. `faults` maps the path to the reason.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from glomclf.data.images import read_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "patch.png")
    ...     Image.new("RGBA", (30, 20), (200, 0, 200, 0)).save(file)  # transparent
    ...     image = read_image(file)
    >>> image.shape, image.dtype, int(image.min())
    ((20, 30, 3), dtype('uint8'), 255)
    """
    with _faults_named(os.fspath(path)), _open(path) as file:
        image = _identify(file, max_pixels)
        ImageOps.exif_transpose(image, in_place=True)
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
    except _Refused as refused:
        raise ImageError({path: str(refused)}) from None
    except FileNotFoundError:
        raise ImageError({path: "there is no such file"}) from None
    except PermissionError:
        raise ImageError({path: "cannot be read: permission denied"}) from None
    # On damaged files Pillow's decoders raise nearly every built-in error.
    except Exception as error:
        detail = str(error) or type(error).__name__
        raise ImageError({path: f"is damaged or cut short: {detail}"}) from error


def _open(path: str | os.PathLike[str]) -> BinaryIO:
    path = user_path(path)
    # Opening a pipe would wait for ever, reading a device would never end.
    if os.path.exists(path) and not os.path.isfile(path):
        kind = "a folder" if os.path.isdir(path) else "not a regular file"
        raise _Refused(f"is {kind}; an image file was expected")
    return open(path, "rb")


def _identify(file: BinaryIO, max_pixels: int) -> ImageFile.ImageFile:
    """Return the image with its header read and within bounds, nothing decoded."""
    start = file.read(8)
    if not start:
        raise _Refused("is empty (0 bytes)")
    known = [form for magic, form in _FORMATS.items() if start.startswith(magic)]
    if not known:
        raise _Refused("is not a PNG, JPEG, TIFF or BMP image")
    name, reader = known[0]
    file.seek(0)
    try:
        image = reader(file)
    except Exception as error:
        raise _Refused(
            f"has a damaged or unsupported {name} header, or no pixels: {error}"
        ) from error
    _check_bounds(image, max_pixels)
    return image


def _check_bounds(image: ImageFile.ImageFile, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise _Refused(
            f"is {width} x {height} = {width * height:,} pixels; at most "
            f"{max_pixels:,} are read (crop it to one glomerulus, or raise max_pixels)"
        )
    if min(width, height) < _MIN_SIDE:
        raise _Refused(
            f"is {width} x {height} pixels; at least {_MIN_SIDE} x {_MIN_SIDE} "
            "are needed"
        )
    if getattr(image, "is_animated", False):
        raise _Refused(
            "holds more than one page or frame; save the one to classify on its own"
        )


def _to_rgb(image: PILImage.Image) -> PILImage.Image:
    if image.mode.startswith(("I", "F")):
        raise _Refused("holds grey values of more than 8 bits; save it as 8-bit RGB")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _on_white(image: PILImage.Image) -> PILImage.Image:
    if image.getchannel("A").getextrema() == (255, 255):
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
