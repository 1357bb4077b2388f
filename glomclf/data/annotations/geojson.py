"""GeoJSON, as QuPath writes it.

A Feature has an ``id``, a ``geometry`` and ``properties`` with ``classification``
(text, or an object with ``name`` or ``names``, formerly nested by ``parentClass``),
``measurements`` and, in an export of the hierarchy, ``childObjects``. See QuPath's
documentation, "Exporting annotations", and RFC 7946.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..user_files import needed
from .files import mapping, text
from .shapes import Annotation, Shape, Verdict

_POLYGONS = {"Polygon": lambda rings: [rings], "MultiPolygon": lambda parts: parts}
_GEOMETRIES = {*_POLYGONS, "Point", "MultiPoint", "LineString", "MultiLineString"}
# QuPath 0.2 wrote the kind of the object where its identifier belongs.
_KINDS = {"PathAnnotationObject", "PathDetectionObject", "PathCellObject"}


def describes(document: Any) -> bool:
    """Tell whether a document is GeoJSON."""
    first = document[0] if isinstance(document, list) and document else document
    kinds = {"FeatureCollection", "Feature", "GeometryCollection", *_GEOMETRIES}
    return text(mapping(first).get("type")) in kinds


def shapes(document: Any) -> Iterator[Shape]:
    """Yield the objects of a document."""
    for number, feature in enumerate(_features(document), start=1):
        geometry = mapping(feature.get("geometry"))
        kind = text(geometry.get("type")) or "nothing"
        parts = _POLYGONS.get(kind, lambda _: [])(geometry.get("coordinates"))
        yield Shape(
            _id_of(feature, number),
            _names(mapping(feature.get("properties")).get("classification")),
            [
                rings if isinstance(rings, list) and rings else [None]
                for rings in (parts if isinstance(parts, list) else [None])
            ],
            [feature],
            kind,
        )


def _features(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the features, those inside of others after these."""
    if isinstance(document, list):
        for item in document:
            yield from _features(item)
        return
    item = mapping(document)
    if item.get("type") == "FeatureCollection":
        yield from _features(item.get("features"))
    elif item.get("type") in _GEOMETRIES:
        yield {"geometry": item}
    elif item:
        yield item
        inside = mapping(item.get("properties"))
        yield from _features(inside.get("childObjects", inside.get("children", [])))


def _id_of(feature: dict[str, Any], number: int) -> str:
    given = feature.get("id")
    if isinstance(given, str | int) and given != "" and given not in _KINDS:
        return str(given)
    return f"unnamed-{number}"


def _names(classification: Any) -> tuple[str, ...]:
    """Return the class, whole and then its parts, the most specific first."""
    parts: list[str] = []
    while isinstance(classification, dict):
        names = classification.get("names", [classification.get("name")])
        names = names if isinstance(names, list) else [names]
        parts = [*filter(None, map(text, names)), *parts]
        classification = classification.get("parentClass")
    if not parts:
        parts = [*filter(None, map(str.strip, text(classification).split(":")))]
    return tuple(dict.fromkeys([": ".join(parts), *parts[::-1]])) if parts else ()


def mark(document: Any, marked: Iterable[tuple[Shape, Verdict]]) -> None:
    """Give features of a document their classes and probabilities."""
    for shape, verdict in marked:
        for feature in shape.nodes:
            properties = mapping(feature.get("properties"))
            properties.setdefault("objectType", "annotation")
            properties["classification"] = {
                "name": verdict.name,
                "color": list(verdict.colour),
            }
            _measure(properties, verdict.probability)
            feature["properties"] = properties


def _measure(properties: dict[str, Any], probability: float) -> None:
    """Add the measurement, in QuPath's form of today or in that before 0.4."""
    title, known = "glomclf: probability", properties.get("measurements")
    if isinstance(known, list):
        known = [one for one in known if mapping(one).get("name") != title]
        properties["measurements"] = [*known, {"name": title, "value": probability}]
    else:
        properties["measurements"] = {**mapping(known), title: probability}


def document_of(annotations: Iterable[Annotation]) -> dict[str, Any]:
    """Return a document of polygons from another format."""
    features = []
    for one in annotations:
        properties: dict[str, Any] = {"objectType": "annotation"}
        if one.names:
            properties["classification"] = {"name": one.names[0]}
        geometry = json.loads(needed("shapely").to_geojson(one.geometry))
        feature = {"type": "Feature", "id": one.id, "geometry": geometry}
        features.append(feature | {"properties": properties})
    return {"type": "FeatureCollection", "features": features}
