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
from .shapes import Annotation, Shape, Verdict, outline_of, rings_of

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
    """Yield the elements of a document."""
    elements = (
        (layer, mapping(element))
        for layer in _layers(document)
        for element in _items(layer.get("elements"))
    )
    for number, (layer, element) in enumerate(elements, start=1):
        kept = text(mapping(element.get("user")).get(_KEPT_ID))
        label = mapping(element.get("label")).get("value")
        names = map(text, (label, element.get("group"), layer.get("name")))
        kind = text(element.get("type")) or "nothing"
        yield Shape(
            kept or text(element.get("id")) or f"unnamed-{number}",
            tuple(dict.fromkeys(filter(None, names))),
            _parts(kind, element),
            [element],
            kind,
            is_part=bool(kept),
        )


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parts(kind: str, element: dict[str, Any]) -> list[Any]:
    """Return outline and holes of an element; nothing if it has no area."""
    if kind == "polyline" and element.get("closed") is True:
        return [[element.get("points"), *_items(element.get("holes"))]]
    sides = element.get("width"), element.get("height"), element.get("rotation", 0)
    if kind == "circle" and isinstance(radius := element.get("radius"), float | int):
        kind, sides = "ellipse", (2 * radius, 2 * radius, 0)
    if kind in ("rectangle", "ellipse"):
        return [[outline_of(kind, element.get("center"), *sides)]]
    return []


def mark(document: Any, marked: Iterable[tuple[Shape, Verdict]]) -> None:
    """Give elements of a document their labels, groups, colours and numbers."""
    for shape, verdict in marked:
        colour = ", ".join(map(str, verdict.colour))
        for element in shape.nodes:
            element["label"] = mapping(element.get("label")) | {"value": verdict.name}
            element["group"] = verdict.name
            element["lineColor"] = f"rgb({colour})"
            element["fillColor"] = f"rgba({colour}, 0.25)"
            number = {"probability": verdict.probability}
            element["user"] = mapping(element.get("user")) | number


def document_of(annotations: Iterable[Annotation]) -> dict[str, Any]:
    """Return an annotation of polygons from another format, one element a part."""
    elements = []
    for one in annotations:
        polygons = list(rings_of(one.geometry))
        is_taken = _ID.fullmatch(one.id) and len(polygons) == 1
        own: Any = {"id": one.id} if is_taken else {"user": {_KEPT_ID: one.id}}
        if one.names:
            own["label"] = {"value": one.names[0]}
        for rings in polygons:
            outline, *holes = ([[x, y, 0] for x, y in ring] for ring in rings)
            shape = {"type": "polyline", "closed": True, "points": outline}
            elements.append(shape | {"holes": holes} | own)
    return {"name": _MADE, "elements": elements}
