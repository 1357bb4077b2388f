"""XML of Aperio ImageScope.

``Annotations`` holds layers, ``Annotation``, each with a ``Name`` or a description
among its ``Attributes``, and ``Regions``. A ``Region`` has ``Vertices`` in pixels of
the slide. Its ``Type`` is 0 for a freehand outline, 1 for a rectangle and 2 for an
ellipse, which two corners may describe, 3 and 4 for arrow and ruler. ``NegativeROA``
"1" is a hole of the region ``InputRegionId`` of its layer, or of the one around it.
Several programs write the names in several cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from .extras import needed
from .geometry import Shape, UnusableShape, ellipse, geometry_of, rectangle, rings_of
from .verdicts import Verdict

__all__ = ["describes", "document_of", "mark", "shapes"]

_KEPT_ID = "GlomclfId"
_NO_AREA = {"3": "arrow", "4": "ruler", "arrow": "arrow", "ruler": "ruler"}
_PROBABILITY = "probability"


class _Region(NamedTuple):
    number: str
    is_hole: bool
    outer: str  # number of the region that a hole is in, "0" where it is not said
    shape: Shape


def describes(document: Any) -> bool:
    """Tell whether a document is XML of Aperio."""
    return isinstance(document, Element) and _tag(document) == "annotations"


def shapes(document: Element) -> Iterator[Shape]:
    """Yield the regions of a document, each with its holes."""
    found: dict[str, Shape] = {}
    for place, layer in enumerate(_children(document, "annotation"), start=1):
        regions = list(_regions(layer, place))
        outer = [region for region in regions if not region.is_hole]
        holes = [region for region in regions if region.is_hole]
        for hole, around in _around(holes, outer):
            if around is None:
                nothing = hole.shape._replace(parts=[], kind="negative region")
                yield nothing
            else:
                around.shape.parts[0].append(hole.shape.parts[0][0])  # type: ignore[attr-defined]
                around.shape.nodes.extend(hole.shape.nodes)
        for region in outer:
            shape = region.shape
            if _get(shape.nodes[0], _KEPT_ID) and shape.id in found:
                found[shape.id].parts.extend(shape.parts)  # type: ignore[attr-defined]
                found[shape.id].nodes.extend(shape.nodes)
            elif _get(shape.nodes[0], _KEPT_ID):
                found[shape.id] = shape
            else:
                yield shape
    yield from found.values()


def _regions(layer: Element, place: int) -> Iterator[_Region]:
    names = _layer_names(layer)
    layer_id = _get(layer, "Id") or str(place)
    regions = [
        region
        for group in _children(layer, "regions")
        for region in _children(group, "region")
    ]
    for order, region in enumerate(regions, start=1):
        number = _get(region, "Id") or f"unnamed-{order}"
        own = _get(region, _KEPT_ID) or _get(region, "GlobalId")
        kind = (_get(region, "Type") or "0").lower()
        parts = [] if kind in _NO_AREA else [[_outline(region, kind)]]
        text = _get(region, "Text")
        shape = Shape(
            own or f"{layer_id}-{number}",
            tuple(dict.fromkeys(filter(None, (text, *names)))),
            parts,
            [region],
            _NO_AREA.get(kind, "region"),
        )
        is_hole = _get(region, "NegativeROA") == "1" and bool(parts)
        yield _Region(number, is_hole, _get(region, "InputRegionId") or "0", shape)


def _layer_names(layer: Element) -> list[str]:
    """Return what names a layer: its name, then what stands among its attributes."""
    names = [_get(layer, "Name")]
    for group in _children(layer, "attributes"):
        for attribute in _children(group, "attribute"):
            title = _get(attribute, "Name")
            names += [_get(attribute, "Value"), title if title != "Description" else ""]
    return names


def _outline(region: Element, kind: str) -> Any:
    """Return the corners of a region; of a shape, those that its corners stand for."""
    points = [
        (_get(vertex, "X"), _get(vertex, "Y"))
        for group in _children(region, "vertices")
        for vertex in group
        if _tag(vertex) in ("vertex", "v")
    ]
    is_ellipse = kind in ("2", "ellipse")
    if not is_ellipse and (kind not in ("1", "rectangle") or len(points) != 2):
        return points
    try:
        low, high = (f(np.array(points, dtype=float), axis=0) for f in (np.min, np.max))
    except ValueError:
        return points
    make = ellipse if is_ellipse else rectangle
    return make((low + high) / 2, *(high - low))[0]


def _around(
    holes: list[_Region], regions: list[_Region]
) -> Iterator[tuple[_Region, _Region | None]]:
    """Yield each hole with the region it is cut from: the one named, or the smallest.

    A tree of all regions finds those around a hole: there may be many of both.
    """
    shapely = needed("shapely")
    usable = [region for region in regions if region.shape.parts] if holes else []
    by_number = {region.number: region for region in reversed(usable)}
    outlines = [_geometry(region) or shapely.Polygon() for region in usable]
    tree = shapely.STRtree(outlines)
    for hole in holes:
        if hole.outer != "0" and hole.outer in by_number:
            yield hole, by_number[hole.outer]
            continue
        around = tree.query(_geometry(hole), "intersects").tolist()
        place = min(around, key=lambda one: outlines[one].area, default=None)
        yield hole, None if place is None else usable[place]


def _geometry(region: _Region) -> Any:
    """Return the outline of a region as a polygon, None where it is not usable."""
    try:
        return geometry_of(region.shape._replace(parts=[region.shape.parts[0][:1]]))
    except UnusableShape:
        return None


def mark(
    document: Element, found: Iterable[Shape], verdicts: dict[str, Verdict]
) -> Element:
    """Move the regions of a document into layers of their classes.

    Each layer is split on its own: numbers of regions are unique in a layer, and holes
    refer to them.
    """
    verdict_of = {
        node: (shape.id, verdicts[shape.id])
        for shape in found
        if shape.id in verdicts
        for node in shape.nodes
    }
    layers = list(_children(document, "annotation"))
    numbers = [_get(layer, "Id") for layer in layers]
    last = max((int(one) for one in numbers if one.isdecimal()), default=0)
    for layer in layers:
        made: dict[str, Element] = {}
        for group in _children(layer, "regions"):
            for region in list(_children(group, "region")):
                if region not in verdict_of:
                    continue
                shape_id, verdict = verdict_of[region]
                if verdict.name not in made:
                    last += 1
                    made[verdict.name] = _new_layer(document, last, verdict)
                group.remove(region)
                made[verdict.name].append(region)
                if not _get(region, "GlobalId"):
                    region.set(_KEPT_ID, shape_id)
                _measure(region, verdict.probability)
    return document


def _new_layer(document: Element, number: int, verdict: Verdict) -> Element:
    """Add a layer of a class, and return the element for its regions."""
    red, green, blue = verdict.colour
    colour = str(red + (green << 8) + (blue << 16))
    layer = SubElement(
        document,
        "Annotation",
        {"Id": str(number), "Name": verdict.name, "LineColor": colour}
        | {"Type": "4", "Visible": "1", "Selected": "0"},
    )
    attributes = SubElement(layer, "Attributes")
    SubElement(attributes, "Attribute", Name="Description", Id="0", Value=verdict.name)
    regions = SubElement(layer, "Regions")
    headers = SubElement(regions, "RegionAttributeHeaders")
    SubElement(headers, "AttributeHeader", Id="1", Name=_PROBABILITY, ColumnWidth="-1")
    return regions


def _measure(region: Element, probability: float) -> None:
    group = next(_children(region, "attributes"), None)
    if group is None:
        group = SubElement(region, "Attributes")
    for known in list(group):
        if _get(known, "Name") == _PROBABILITY:
            group.remove(known)
    SubElement(group, "Attribute", Name=_PROBABILITY, Id="1", Value=repr(probability))


def document_of(found: Iterable[tuple[Shape, Any]]) -> Element:
    """Return a document of shapes from another format, in one layer a class."""
    root = Element("Annotations")
    layers: dict[str, Element] = {}
    number = 0
    for shape, geometry in found:
        name = shape.names[0] if shape.names else ""
        if name not in layers:
            place = str(len(layers) + 1)
            layer = SubElement(root, "Annotation", Id=place, Name=name, Visible="1")
            layers[name] = SubElement(layer, "Regions")
        for rings in rings_of(geometry):
            outer = number = number + 1
            for ring in rings:
                holes = {"NegativeROA": "0", "InputRegionId": "0"}
                if ring is not rings[0]:
                    number += 1
                    holes = {"NegativeROA": "1", "InputRegionId": str(outer)}
                region = SubElement(
                    layers[name],
                    "Region",
                    {"Id": str(number), "Type": "0", _KEPT_ID: shape.id} | holes,
                )
                _write_vertices(region, ring)
    return root


def _write_vertices(region: Element, ring: np.ndarray) -> None:
    vertices = SubElement(region, "Vertices")
    for x, y in ring[:-1].tolist():
        SubElement(vertices, "Vertex", X=repr(x), Y=repr(y), Z="0")


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _children(element: Element, tag: str) -> Iterator[Element]:
    return (child for child in element if _tag(child) == tag)


def _get(element: Element, name: str) -> str:
    """Return an attribute, whatever the case of its name; empty where there is none."""
    value = element.get(name)
    if value is None:
        lower = name.lower()
        cases = (v for k, v in element.items() if k.lower() == lower)
        value = next(cases, "")
    return value.strip()
