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
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ..user_files import needed
from .shapes import (
    Annotation,
    Shape,
    UnusableShape,
    Verdict,
    geometry_of,
    outline_of,
    rings_of,
)

_KEPT_ID = "GlomclfId"
_NO_AREA = {"3": "arrow", "4": "ruler", "arrow": "arrow", "ruler": "ruler"}
_OF_TWO_CORNERS = {"1": "rectangle", "2": "ellipse"}
_HOLE = "negative region"
_PROBABILITY = "probability"


def describes(document: Any) -> bool:
    """Tell whether a document is XML of Aperio."""
    return isinstance(document, Element) and _tag(document) == "annotations"


def shapes(document: Element) -> Iterator[Shape]:
    """Yield the regions of a document, each with its holes."""
    for place, layer in enumerate(_below(document, "annotation"), start=1):
        names = [_get(layer, "Name")]
        for attribute in _below(layer, "attributes", "attribute"):
            title = _get(attribute, "Name")
            names += [_get(attribute, "Value"), title if title != "Description" else ""]
        yield from _cut(
            _shape(region, _get(layer, "Id") or str(place), order, names)
            for order, region in enumerate(_below(layer, "regions", "region"), start=1)
        )


def _shape(region: Element, layer: str, order: int, names: list[str]) -> Shape:
    number = _get(region, "Id") or f"unnamed-{order}"
    kept, given = _get(region, _KEPT_ID), _get(region, "GlobalId")
    kind = (_get(region, "Type") or "0").lower()
    filled = _HOLE if _get(region, "NegativeROA") == "1" else "region"
    return Shape(
        kept or given or f"{layer}-{number}",
        tuple(dict.fromkeys(filter(None, (_get(region, "Text"), *names)))),
        [] if kind in _NO_AREA else [[_outline(region, kind)]],
        [region],
        _NO_AREA.get(kind, filled),
        is_part=bool(kept),
    )


def _outline(region: Element, kind: str) -> Any:
    """Return the corners of a region; of a shape, those that its corners stand for."""
    points = [
        (_get(vertex, "X"), _get(vertex, "Y"))
        for vertex in _below(region, "vertices", "vertex")
    ]
    kind = _OF_TWO_CORNERS.get(kind, kind)
    if kind != "ellipse" and (kind != "rectangle" or len(points) != 2):
        return points
    try:
        corners = np.array(points, dtype=float)
        low, high = corners.min(axis=0), corners.max(axis=0)
    except ValueError:
        return points
    return outline_of(kind, (low + high) / 2, *(high - low))


def _cut(layer: Iterable[Shape]) -> Iterator[Shape]:
    """Yield the regions of a layer with their holes, and the holes of no region.

    A hole is of the region that it names, or of the smallest around it. A tree of all
    regions finds those around it: there may be many of both.
    """
    every = list(layer)
    holes = [one for one in every if one.kind == _HOLE]
    regions = [one for one in every if one.kind != _HOLE]
    usable = [region for region in regions if region.parts] if holes else []
    named = {_get(one.nodes[0], "Id"): one for one in reversed(usable)}
    outlines = [_polygon(region) or needed("shapely").Polygon() for region in usable]
    tree = needed("shapely").STRtree(outlines)
    for hole in holes:
        name = _get(hole.nodes[0], "InputRegionId")
        region = named.get(name) if name not in ("", "0") else None
        if region is None:
            around = tree.query(_polygon(hole), "intersects").tolist()
            place = min(around, key=lambda one: outlines[one].area, default=None)
            region = None if place is None else usable[place]
        if region is None:
            yield hole._replace(parts=[])
        else:
            region.parts[0] += hole.parts[0]
            region.nodes.extend(hole.nodes)
    yield from regions


def _polygon(region: Shape) -> Any:
    """Return the outline of a region as a polygon, None where it is not usable."""
    try:
        return geometry_of(region)
    except UnusableShape:
        return None


def mark(document: Element, marked: Iterable[tuple[Shape, Verdict]]) -> None:
    """Move regions of a document into layers of their classes.

    Each layer is split on its own: numbers of regions are unique in a layer, and holes
    refer to them.
    """
    marks = {node: (one.id, verdict) for one, verdict in marked for node in one.nodes}
    layers = list(_below(document, "annotation"))
    numbers = [_get(layer, "Id") for layer in layers]
    last = max((int(one) for one in numbers if one.isdecimal()), default=0)
    for layer in layers:
        made: dict[str, Element] = {}
        for group in _below(layer, "regions"):
            for region in [one for one in group if one in marks]:
                name, verdict = marks[region]
                if verdict.name not in made:
                    last += 1
                    made[verdict.name] = _verdict_layer(document, last, verdict)
                group.remove(region)
                made[verdict.name].append(region)
                if not _get(region, "GlobalId"):
                    region.set(_KEPT_ID, name)
                _measure(region, verdict.probability)


def _verdict_layer(document: Element, number: int, verdict: Verdict) -> Element:
    """Add a layer of a class, and return the element for its regions."""
    red, green, blue = verdict.colour
    layer = SubElement(
        document,
        "Annotation",
        {"Id": str(number), "Name": verdict.name, "Type": "4", "Selected": "0"}
        | {"LineColor": str(red + (green << 8) + (blue << 16)), "Visible": "1"},
    )
    attributes = SubElement(layer, "Attributes")
    SubElement(attributes, "Attribute", Name="Description", Id="0", Value=verdict.name)
    regions = SubElement(layer, "Regions")
    headers = SubElement(regions, "RegionAttributeHeaders")
    SubElement(headers, "AttributeHeader", Id="1", Name=_PROBABILITY, ColumnWidth="-1")
    return regions


def _measure(region: Element, probability: float) -> None:
    group = next(_below(region, "attributes"), None)
    if group is None:
        group = SubElement(region, "Attributes")
    for known in [one for one in group if _get(one, "Name") == _PROBABILITY]:
        group.remove(known)
    SubElement(group, "Attribute", Name=_PROBABILITY, Id="1", Value=repr(probability))


def document_of(annotations: Iterable[Annotation]) -> Element:
    """Return a document of polygons from another format, in one layer a class."""
    root = Element("Annotations")
    layers: dict[str, Element] = {}
    number = 0
    for one in annotations:
        name = one.names[0] if one.names else ""
        if name not in layers:
            place = str(len(layers) + 1)
            layer = SubElement(root, "Annotation", Id=place, Name=name, Visible="1")
            layers[name] = SubElement(layer, "Regions")
        for rings in rings_of(one.geometry):
            outer = number + 1
            for ring in rings:
                number += 1
                of = {"NegativeROA": "0", "InputRegionId": "0"}
                if number > outer:
                    of = {"NegativeROA": "1", "InputRegionId": str(outer)}
                own = {"Id": str(number), "Type": "0", _KEPT_ID: one.id} | of
                region = SubElement(layers[name], "Region", own)
                vertices = SubElement(region, "Vertices")
                for x, y in ring:
                    SubElement(vertices, "Vertex", X=repr(x), Y=repr(y), Z="0")
    return root


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _below(element: Element, tag: str, *inner: str) -> Iterator[Element]:
    """Yield what lies at a path of tags, whatever their case."""
    for child in element:
        if _tag(child) == tag:
            yield from _below(child, *inner) if inner else (child,)


def _get(element: Element, name: str) -> str:
    """Return an attribute, whatever the case of its name; empty where there is none."""
    cases = (v for k, v in element.items() if k.lower() == name.lower())
    return (element.get(name) or next(cases, "")).strip()
