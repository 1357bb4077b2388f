"""From the numbers of a file to polygons that can be cut out, or a reason why not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..user_files import needed

_FARTHEST = 1e7  # pixels: ten times the side of the largest slides
_ANGLES = np.arange(128) * (2 * math.pi / 128)
# Corners of what fills the square from -1 to 1; the ellipse's area is 0.04 % too small.
_CORNERS = {
    "rectangle": np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]),
    "ellipse": np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)]),
}
_NO_NUMBERS = "coordinates that are no numbers, or lie beyond any slide"


class Shape(NamedTuple):
    """One object of a file, as it is written there."""

    id: str
    names: tuple[str, ...]
    """What may name its class, the most specific first."""
    parts: list[Any]
    """Polygons, each an outline and its holes; none where it is a point or a line."""
    nodes: list[Any]
    """Where it stands in the file."""
    kind: str = "polygon"
    is_part: bool = False
    """Whether all shapes of its id are one polygon."""


@dataclass(frozen=True)
class Annotation:
    """One polygon on a slide.

    Parameters
    ----------
    id : str
        As in the file; where it has none, a name made of the polygon's place in it.
    names : tuple of str
        What may name its class, the most specific first: the class or label, the group,
        the layer.
    geometry : shapely.Polygon or shapely.MultiPolygon
        In pixels of the slide at full resolution, x to the right, y downwards.
    label : {0, 1} or None
        1 for globally sclerotic, 0 for the rest, None where it is not known.
    """

    id: str
    names: tuple[str, ...]
    geometry: Any
    label: int | None


class Verdict(NamedTuple):
    """The class of a polygon, its colour and the probability that it rests on."""

    name: str
    colour: tuple[int, int, int]
    probability: float


class UnusableShape(Exception):
    """A shape is no polygon; the arguments are the kind of fault and the detail."""


def joined(shapes: Iterable[Shape]) -> list[Shape]:
    """Put the parts of a polygon together where a format has no more than one each."""
    found: dict[Any, Shape] = {}
    for number, shape in enumerate(shapes):
        whole = found.setdefault(shape.id if shape.is_part else number, shape)
        if whole is not shape:
            whole.parts.extend(shape.parts)
            whole.nodes.extend(shape.nodes)
    return list(found.values())


def geometry_of(shape: Shape) -> Any:
    """Return the polygon of a shape, its corners as they are.

    Returns
    -------
    shapely.Polygon or shapely.MultiPolygon

    Raises
    ------
    UnusableShape
        If coordinates are no numbers or beyond any slide, or outlines cross.
    """
    shapely = needed("shapely")
    polygons = []
    for rings in shape.parts:
        outline, *holes = (_ring(points) for points in rings)
        if any(len(np.unique(ring, axis=0)) < 3 for ring in (outline, *holes)):
            raise UnusableShape("outlines without an area", "fewer than 3 corners")
        polygons.append(shapely.Polygon(outline, holes))
    geometry = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        raise UnusableShape("outlines that cross themselves or each other", reason)
    return geometry


def _ring(points: Any) -> NDArray[np.float64]:
    """Return the corners of an outline, shape (n, 2)."""
    try:
        ring = np.asarray(points, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise UnusableShape(_NO_NUMBERS, "not a list of points") from None
    if ring.ndim != 2 or ring.shape[1] not in (2, 3):
        raise UnusableShape(_NO_NUMBERS, f"an array of shape {ring.shape}, not (n, 2)")
    if wrong := ring[:, :2][~(np.abs(ring[:, :2]) <= _FARTHEST).all(axis=1)].tolist():
        raise UnusableShape(_NO_NUMBERS, f"{wrong[0]}")
    return ring[:, :2]


def outline_of(
    kind: str, centre: Any, width: Any, height: Any, rotation: Any = 0
) -> NDArray[np.float64]:
    """Return a rectangle or an ellipse as corners, turned by radians from x towards y.

    What is no number in a file gives a point that `geometry_of` refuses.

    Examples
    --------
    >>> from glomclf.data.annotations.shapes import outline_of
    >>> outline_of("rectangle", [1, 1], 2, 2).tolist()
    [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
    """
    try:
        half = np.array([float(width), float(height)]) / 2
        cos, sin = math.cos(float(rotation)), math.sin(float(rotation))
        with np.errstate(all="ignore"):
            turned = (_CORNERS[kind] * half) @ np.array([[cos, sin], [-sin, cos]])
            return turned + np.asarray(centre, dtype=float)[:2]
    except (TypeError, ValueError, OverflowError, IndexError):
        return np.full((1, 2), math.nan)


def rings_of(geometry: Any) -> Iterable[list[list[list[float]]]]:
    """Yield the polygons of a geometry: outline and holes, their corners once each."""
    for polygon in getattr(geometry, "geoms", [geometry]):
        rings = (polygon.exterior, *polygon.interiors)
        yield [np.asarray(ring.coords)[:-1].tolist() for ring in rings]
