"""Pictures that travel inside the page, as data addresses."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_picture", "thumbnail"]

# Colours of text and lines on a light and on a dark page, as in the template.
_INKS = {"light": "#24292f", "dark": "#d7dce2"}
_INKED = (
    "axes.edgecolor",
    "axes.labelcolor",
    "axes.titlecolor",
    "text.color",
    "xtick.color",
    "ytick.color",
)


def draw_picture(
    draw: Callable[[Figure], Any],
    *,
    alt: str,
    caption: str,
    figsize: tuple[float, float] = (4.6, 4.4),
) -> Picture:
    """Draw a picture twice, for light and for dark pages.

    Parameters
    ----------
    draw : callable
        Takes an empty figure and draws on it.
    alt : str
        What it shows, for those who do not see it.
    caption : str
    figsize : (float, float), default=(4.6, 4.4)
        In inches.

    Returns
    -------
    picture : Picture
        As SVG.

    Examples
    --------
    >>> from glomclf.report import draw_picture
    >>> picture = draw_picture(
    ...     lambda figure: figure.subplots().plot([0, 1]), alt="a line", caption="Rise."
    ... )
    >>> picture.light.partition(",")[0]
    'data:image/svg+xml;base64'
    """
    light, dark = (_as_svg(draw, _INKS[mode], figsize) for mode in ("light", "dark"))
    return Picture(light, dark, alt, caption)


def thumbnail(image: NDArray[np.uint8]) -> str:
    """Encode an image as JPEG.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8 in [0, 255]

    Returns
    -------
    address : str
        Data address.
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, format="JPEG", quality=85)
    return _address("image/jpeg", file.getvalue())


def _as_svg(
    draw: Callable[[Figure], Any], ink: str, figsize: tuple[float, float]
) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = dict.fromkeys(_INKED, ink)
    # A salt makes the names inside the file the same on every run.
    with rc_context({**settings, "axes.facecolor": "none", "svg.hashsalt": "glomclf"}):
        figure = Figure(figsize=figsize, layout="constrained")
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _address("image/svg+xml", file.getvalue())


def _address(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
