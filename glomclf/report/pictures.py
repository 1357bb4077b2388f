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
from sklearn.utils import _safe_indexing

from ..data.loader import ImageLoader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours of text and lines on a light and on a dark page, as in the template.
LIGHT_INK, _DARK_INK = "#24292f", "#d7dce2"
_INKED = "axes.edgecolor axes.labelcolor axes.titlecolor text.color xtick.color"
_STYLE: dict[Any, Any] = {
    **dict.fromkeys([*_INKED.split(), "ytick.color"], LIGHT_INK),
    "axes.facecolor": "none",
    "svg.hashsalt": "glomclf",  # names inside the file are the same on every run
}


@dataclass(frozen=True)
class Picture:
    """A figure, with what to say of it. It is drawn when it is first looked at.

    Parameters
    ----------
    draw : callable
        Takes an empty figure and draws on it, as ``on`` of a display does, or returns
        another figure.
    caption : str
        Its first sentence says what it shows, for those who do not see it, too.
    name : str, default=""
        Of its file, without ending. An empty one: it is in the page only.
    figsize : (float, float), default=(4.6, 4.4)
        In inches.

    Examples
    --------
    >>> from glomclf.report import Picture
    >>> picture = Picture(lambda figure: figure.subplots().plot([0, 1]), "A line.")
    >>> picture.light.partition(",")[0]
    'data:image/svg+xml;base64'
    >>> picture.png[1:4]
    b'PNG'
    """

    draw: Callable[[Figure], Any] = field(repr=False, compare=False)
    caption: str
    name: str = ""
    figsize: tuple[float, float] = (4.6, 4.4)
    kind = "picture"

    @cached_property
    def figure(self) -> Figure:
        """What was drawn, whatever style and backend the user has."""
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        with rc_context(_STYLE):
            figure = Figure(figsize=self.figsize, layout="constrained")
            drawn = self.draw(figure)
        return drawn if isinstance(drawn, Figure) else figure

    @cached_property
    def svg(self) -> str:
        """The picture as SVG, without a background, for a light page."""
        return self._saved("svg", transparent=True, metadata={"Date": None}).decode()

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG, on white."""
        return self._saved("png", facecolor="white", dpi=150, bbox_inches="tight")

    @property
    def alt(self) -> str:
        """What it shows, for those who do not see it."""
        return self.caption.partition(". ")[0]

    @property
    def light(self) -> str:
        """Data address of the picture on a light page."""
        return _address("image/svg+xml", self.svg.encode())

    @property
    def dark(self) -> str:
        """Data address of the picture on a dark page: the same with another ink."""
        return _address(
            "image/svg+xml", self.svg.replace(LIGHT_INK, _DARK_INK).encode()
        )

    def _saved(self, form: str, **options: Any) -> bytes:
        from matplotlib import rc_context

        file = io.BytesIO()
        with rc_context(_STYLE):
            self.figure.savefig(file, format=form, **options)
        return file.getvalue()


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
    some = _safe_indexing(X, np.asarray(rows, dtype=np.intp))
    # A picture at another size is no reason to fill the cache.
    return ImageLoader(image_size, cache_dir=False).fit(some).transform(some)


def thumbnails(X: Any, rows: ArrayLike, image_size: int) -> list[str]:
    """Return data addresses of the images of some rows; see `images_of`."""
    return [thumbnail(image) for image in images_of(X, rows, image_size)]


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
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
