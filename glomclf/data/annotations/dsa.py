"""JSON of Digital Slide Archive (HistomicsUI, HistomicsTK).

An annotation is a layer with a ``name`` and ``elements``, shapes with a ``label``, a
``group`` and an ``id`` of 24 hexadecimal digits; the server wraps it as ``annotation``,
and a download may be a list. The schema is that of girder's large_image, "Annotation
Schema": coordinates in pixels of the slide, rotation in radians.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from .files import mapping, text
from .geometry import Shape, ellipse, rectangle, rings_of
from .verdicts import Verdict

__all__ = ["describes", "document_of", "mark", "shapes"]

_ID = re.compile(r"[0-9a-f]{24}")
_KEPT_ID = "glomclf_id"  # in `user`, where it is not one that the server takes
_MADE = "glomclf"  # the name of a layer of shapes from another format


def describes(document: Any) -> bool:
    """Tell whether a document is one or more annotations."""
    layers = _layers(document)
    return bool(layers) and all("elements" in layer for layer in layers)


def _layers(document: Any) -> list[dict[str, Any]]:
    items = document if isinstance(document, list) else [document]
    return [mapping(mapping(item).get("annotation", item)) for item in items]


def shapes(document: Any) -> Iterator[Shape]:
    """Yield the elements of a document; those of one polygon in parts, as one."""
    found: dict[str, Shape] = {}
    for number, (layer, element) in enumerate(_elements(document), start=1):
        kept = text(mapping(element.get("user")).get(_KEPT_ID))
        label = mapping(element.get("label")).get("value")
        names = map(text, (label, element.get("group"), layer.get("name")))
        kind = text(element.get("type")) or "nothing"
        shape = Shape(
            kept or text(element.get("id")) or f"unnamed-{number}",
            tuple(dict.fromkeys(filter(None, names))),
            _parts(kind, element),
            [element],
            kind,
        )
        if not kept:
            yield shape
        elif kept in found:
            found[kept].parts.extend(shape.parts)  # type: ignore[attr-defined]
            found[kept].nodes.append(element)
        else:
            found[kept] = shape
    yield from found.values()


def _elements(document: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for layer in _layers(document):
        elements = layer.get("elements")
        for element in elements if isinstance(elements, list) else []:
            yield layer, mapping(element)


def _parts(kind: str, element: dict[str, Any]) -> list[list[Any]]:
    """Return outline and holes of an element; nothing if it has no area."""
    if kind == "polyline" and element.get("closed") is True:
        holes = element.get("holes")
        return [[element.get("points"), *(holes if isinstance(holes, list) else [])]]
    if kind in ("rectangle", "ellipse"):
        make = rectangle if kind == "rectangle" else ellipse
        width, height = element.get("width"), element.get("height")
        turn = element.get("rotation", 0)
        return [make(element.get("center"), width, height, turn)]
    if kind == "circle" and isinstance(radius := element.get("radius"), float | int):
        return [ellipse(element.get("center"), 2 * radius, 2 * radius)]
    return []


def mark(document: Any, found: Iterable[Shape], verdicts: dict[str, Verdict]) -> Any:
    """Give the elements of a document their labels, groups, colours and numbers."""
    for shape in found:
        if (verdict := verdicts.get(shape.id)) is None:
            continue
        for element in shape.nodes:
            colour = ", ".join(map(str, verdict.colour))
            element["label"] = {
                **mapping(element.get("label")),
                "value": verdict.name,
            }
            element["group"] = verdict.name
            element["lineColor"] = f"rgb({colour})"
            element["fillColor"] = f"rgba({colour}, 0.25)"
            user = mapping(element.get("user"))
            element["user"] = {**user, "probability": verdict.probability}
    return document


def document_of(found: Iterable[tuple[Shape, Any]]) -> dict[str, Any]:
    """Return an annotation of shapes from another format, one element a part."""
    elements = []
    for shape, geometry in found:
        polygons = list(rings_of(geometry))
        is_taken = _ID.fullmatch(shape.id) and len(polygons) == 1
        for outline, *holes in polygons:
            element: dict[str, Any] = {
                "type": "polyline",
                "closed": True,
                "points": _points(outline),
            }
            if holes:
                element["holes"] = [_points(hole) for hole in holes]
            if shape.names:
                element["label"] = {"value": shape.names[0]}
            elements.append(
                element
                | ({"id": shape.id} if is_taken else {"user": {_KEPT_ID: shape.id}})
            )
    return {"name": _MADE, "elements": elements}


def _points(ring: Any) -> list[list[float]]:
    """Return the corners, the first not again at the end, with z."""
    return [[x, y, 0] for x, y in ring[:-1].tolist()]
