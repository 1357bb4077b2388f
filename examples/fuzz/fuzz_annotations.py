"""Files of polygons, damaged: QuPath's, Digital Slide Archive's and ImageScope's."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing import Kind, Wrong, mutated

from glomclf.data.annotations import read_annotations, write_annotations
from glomclf.errors import AnnotationWarning

_WORDS = (
    *(b"null", b"[]", b"{}", b'"x"', b"1e999", b"NaN", b"-1", b"Infinity", b"[[[["),
    *(b"Polygon", b"Point", b"polyline", b"rectangle", b"&a;", b"<!DOCTYPE a>"),
)
_SQUARE = [[0, 0], [40, 0], [40, 40], [0, 40], [0, 0]]
_HOLE = [[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]]
_ENDINGS = (".geojson", ".json", ".xml")


def _prepare(folder: Path) -> list[str]:
    """Write a glomerulus with a hole, and a second one, in each format."""
    features = [
        {
            "type": "Feature",
            "id": name,
            "geometry": {"type": "Polygon", "coordinates": rings},
            "properties": {"classification": {"name": "GS"}},
        }
        for name, rings in (("a", [_SQUARE, _HOLE]), ("b", [_HOLE]))
    ]
    flat = [[*point, 0] for point in _SQUARE[:-1]]
    elements = [
        {"type": "polyline", "points": flat, "closed": True, "label": {"value": "GS"}},
        {"type": "circle", "center": [90, 90, 0], "radius": 9, "label": {"value": "x"}},
    ]
    regions = "".join(
        f'<Region Id="{number}" Type="0" NegativeROA="{negative}"><Vertices>'
        + "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in ring[:-1])
        + "</Vertices></Region>"
        for number, negative, ring in ((1, 0, _SQUARE), (2, 1, _HOLE))
    )
    layer = f'<Annotation Id="1" Name="GS"><Regions>{regions}</Regions></Annotation>'
    return [
        json.dumps({"type": "FeatureCollection", "features": features}),
        json.dumps({"name": "GS", "elements": elements}),
        f"<Annotations>{layer}</Annotations>",
    ]


def _case(known: Any, folder: Path, rng: np.random.Generator) -> str:
    """Damage a file; what is read of it must come back from another format."""
    number = rng.integers(len(known))
    file = folder / f"a{_ENDINGS[number]}"
    file.write_bytes(mutated(known[number].encode(), rng, _WORDS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnnotationWarning)
        polygons = read_annotations(file, None)
        again = folder / f"b{_ENDINGS[rng.integers(3)]}"
        write_annotations(file, again, {one.id: 0.5 for one in polygons})
        n_again = len(read_annotations(again, None))
    if n_again != len(polygons):
        raise Wrong(f"{len(polygons)} polygons became {n_again}")
    return f"read: {file.suffix}"


KIND = Kind(_prepare, _case, 2000)
