"""Pictures: a figure is drawn once, and is SVG in the page and PNG in a folder."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.loader import ImageLoader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "draw_picture", "images_of", "thumbnail"]

# Colours of text and lines on a light and on a dark page, as in the template.
_LIGHT_INK, _DARK_INK = "#24292f", "#d7dce2"
_INKED = (
    "axes.edgecolor",
    "axes.labelcolor",
    "axes.titlecolor",
    "text.color",
    "xtick.color",
    "ytick.color",
)


@dataclass(frozen=True)
class Picture:
    """A figure that was drawn, with what to say of it.

    Make one with `draw_picture`. The files are made when they are asked for.

    Parameters
    ----------
    figure : matplotlib Figure
    alt : str
        What it shows, for those who do not see it.
    caption : str
    name : str, default=""
        Of its file, without ending. An empty one: it is in the page only.
    """

    figure: Figure = field(repr=False, compare=False)
    alt: str
    caption: str
    name: str = ""
    kind = "picture"

    @cached_property
    def svg(self) -> str:
        """The picture as SVG, without a background, for a light page."""
        from matplotlib import rc_context

        # A salt makes the names inside the file the same on every run.
        with rc_context({"svg.hashsalt": "glomclf"}):
            svg = self._saved("svg", transparent=True, metadata={"Date": None})
        return svg.decode("utf-8")

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG, on white."""
        return self._saved("png", facecolor="white", dpi=150, bbox_inches="tight")

    @property
    def light(self) -> str:
        """Data address of the picture on a light page."""
        return _address("image/svg+xml", self.svg.encode("utf-8"))

    @property
    def dark(self) -> str:
        """Data address of the picture on a dark page: the same with another ink."""
        svg = self.svg.replace(_LIGHT_INK, _DARK_INK)
        return _address("image/svg+xml", svg.encode("utf-8"))

    def _saved(self, form: str, **options: Any) -> bytes:
        file = io.BytesIO()
        self.figure.savefig(file, format=form, **options)
        return file.getvalue()


def draw_picture(
    draw: Callable[[Figure], Any],
    *,
    alt: str,
    caption: str,
    name: str = "",
    figsize: tuple[float, float] = (4.6, 4.4),
) -> Picture:
    """Draw a picture for pages and folders.

    Parameters
    ----------
    draw : callable
        Takes an empty figure and draws on it.
    alt : str
        What it shows, for those who do not see it.
    caption : str
    name : str, default=""
        Of its file, without ending. An empty one: it is in the page only.
    figsize : (float, float), default=(4.6, 4.4)
        In inches.

    Returns
    -------
    picture : Picture

    Examples
    --------
    >>> from glomclf.report import draw_picture
    >>> picture = draw_picture(
    ...     lambda figure: figure.subplots().plot([0, 1]), alt="a line", caption="Rise."
    ... )
    >>> picture.light.partition(",")[0]
    'data:image/svg+xml;base64'
    >>> picture.png[1:4]
    b'PNG'
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = dict.fromkeys(_INKED, _LIGHT_INK)
    with rc_context({**settings, "axes.facecolor": "none"}):
        figure = Figure(figsize=figsize, layout="constrained")
        draw(figure)
    return Picture(figure, alt, caption, name)


def images_of(X: Any, rows: ArrayLike, image_size: int) -> NDArray[np.uint8]:
    """Load the images of some rows, and no others.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
        As `glomclf.ImageLoader` takes it.
    rows : array-like of shape (n_rows,)
        Places in it.
    image_size : int
        Side in pixels.

    Returns
    -------
    images : ndarray of shape (n_rows, image_size, image_size, 3), uint8 in [0, 255]
    """
    from sklearn.utils import _safe_indexing

    some = _safe_indexing(X, np.asarray(rows, dtype=np.intp))
    # A picture at another size is no reason to fill the cache.
    return ImageLoader(image_size, cache_dir=False).fit(some).transform(some)


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


def _address(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
