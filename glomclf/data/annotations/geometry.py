"""From the numbers of a file to polygons that can be cut out, or a reason why not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .extras import needed

__all__ = ["Shape", "UnusableShape", "ellipse", "geometry_of", "rectangle", "rings_of"]

_FARTHEST = 1e7  # pixels: ten times the side of the largest slides
_N_CORNERS = 128  # of an ellipse: its area is then 0.04 % too small


class Shape(NamedTuple):
    """One object of a file, as it is written there."""

    id: str
    names: tuple[str, ...]
    """What may name its class, the most specific first."""
    parts: Sequence[Sequence[Any]]
    """Polygons, each an outline and its holes; none where it is a point or a line."""
    nodes: list[Any]
    """Where it stands in the file."""
    kind: str = "polygon"


class UnusableShape(Exception):
    """A shape is no polygon; the arguments are the kind of fault and the detail."""


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
    kind = "coordinates that are no numbers, or lie beyond any slide"
    try:
        ring = np.asarray(points, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise UnusableShape(kind, "not a list of points") from None
    if ring.ndim != 2 or ring.shape[1] not in (2, 3):
        raise UnusableShape(kind, f"an array of shape {ring.shape}, not (n, 2)")
    if wrong := ring[:, :2][~(np.abs(ring[:, :2]) <= _FARTHEST).all(axis=1)].tolist():
        raise UnusableShape(kind, f"{wrong[0]}")
    return ring[:, :2]


def rectangle(
    centre: Any, width: Any, height: Any, rotation: Any = 0
) -> list[NDArray[np.float64]]:
    """Return the outline of a rectangle, turned by radians from x towards y.

    Examples
    --------
    >>> from glomclf.data.annotations.geometry import rectangle
    >>> rectangle([1, 1], 2, 2)[0].tolist()
    [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
    """
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return [_placed(corners, centre, width, height, rotation)]


def ellipse(
    centre: Any, width: Any, height: Any, rotation: Any = 0
) -> list[NDArray[np.float64]]:
    """Return an ellipse as a polygon of 128 corners, turned like a `rectangle`."""
    angles = np.arange(_N_CORNERS) * (2 * math.pi / _N_CORNERS)
    corners = np.column_stack([np.cos(angles), np.sin(angles)])
    return [_placed(corners, centre, width, height, rotation)]


def _placed(
    corners: NDArray, centre: Any, width: Any, height: Any, rotation: Any
) -> NDArray[np.float64]:
    try:
        place = np.asarray(centre, dtype=float)[:2]
        half = np.array([float(width), float(height)]) / 2
        cos, sin = math.cos(float(rotation)), math.sin(float(rotation))
        with np.errstate(all="ignore"):  # what is no number is found with the ring
            placed = (corners * half) @ np.array([[cos, sin], [-sin, cos]]) + place
    except (TypeError, ValueError, OverflowError, IndexError):
        return np.full((1, 2), math.nan)
    return placed


def rings_of(geometry: Any) -> Iterable[list[NDArray[np.float64]]]:
    """Yield the polygons of a geometry, each as its outline and its holes, closed."""
    for polygon in getattr(geometry, "geoms", [geometry]):
        yield [
            np.asarray(ring.coords) for ring in (polygon.exterior, *polygon.interiors)
        ]
