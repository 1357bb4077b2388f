"""The polygons of a file with what was predicted of them, for a viewer to show."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree.ElementTree import Element, ElementTree

from ..._runtime import user_path, written_whole
from ...errors import AnnotationError
from . import aperio, dsa, geojson
from .files import read_document
from .reading import annotations_of, format_of
from .verdicts import BORDERLINE, PREDICTED, Verdict

__all__ = ["FORMATS", "ending_of", "write_annotations"]

FORMATS: dict[str, ModuleType] = {".geojson": geojson, ".json": dsa, ".xml": aperio}
"""Formats by the ending of the file."""


def write_annotations(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    probability: Mapping[str, float],
    *,
    threshold: float = 0.5,
    borderline: Container[str] = (),
) -> None:
    """Write the polygons of a file with their predicted classes.

    In the format of `source`, all that stands there stays as it is, but for the class,
    the colour and the probability of the polygons in `probability`. In another format,
    polygons, identifiers and classes are written.

    Parameters
    ----------
    source : str or path-like
        A file that :func:`glomclf.read_annotations` reads.
    target : str or path-like
        File to write. Its ending tells the format: ``.geojson`` for QuPath, ``.json``
        for Digital Slide Archive, ``.xml`` for Aperio ImageScope.
    probability : mapping of str to float
        Of being globally sclerotic, in [0, 1], by identifier. Polygons that are not
        named keep the class that they have.
    threshold : float, default=0.5
        Probability from which a polygon is predicted globally sclerotic.
    borderline : container of str, default=()
        Identifiers of polygons that get a class of their own.

    Raises
    ------
    AnnotationError
        If `source` cannot be read, lacks polygons of `probability`, or the ending of
        `target` is another one.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from glomclf import read_annotations, write_annotations
    >>> outline = [[[0, 0], [40, 0], [40, 30], [0, 0]]]
    >>> shape = {"type": "Polygon", "coordinates": outline}
    >>> feature = {"type": "Feature", "id": "a1", "geometry": shape, "properties": {}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "in.geojson"), Path(folder, "out.geojson")
    ...     _ = source.write_text(json.dumps(feature))
    ...     write_annotations(source, target, {"a1": 0.9})
    ...     written = json.loads(target.read_text())
    >>> written["properties"]["classification"]["name"]
    'predicted_globally_sclerotic_glomeruli'
    >>> written["properties"]["measurements"]
    {'glomclf: probability': 0.9}
    """
    path, target = user_path(source), user_path(target)
    if target.suffix.lower() not in FORMATS:
        raise AnnotationError(
            f"{target} does not end in {', '.join(FORMATS)}; its ending tells the "
            "format."
        )
    document = read_document(path)
    form, wanted = format_of(document, path), FORMATS[target.suffix.lower()]
    found = list(form.shapes(document))
    if missing := sorted(set(probability) - {shape.id for shape in found}):
        raise AnnotationError(f"{path} has no polygons {', '.join(missing)}.")
    if form is not wanted:
        usable = annotations_of(found, path, None)
        document = wanted.document_of((shape, one.geometry) for shape, one in usable)
        found = list(wanted.shapes(document))
    verdicts = {
        name: _verdict(float(value), threshold, name in borderline)
        for name, value in probability.items()
    }
    _write(wanted.mark(document, found, verdicts), target)


def ending_of(source: Path) -> str:
    """Return the ending for a file of the format that a file has."""
    form = format_of(read_document(source), source)
    return next(ending for ending, one in FORMATS.items() if one is form)


def _verdict(probability: float, threshold: float, is_borderline: bool) -> Verdict:
    name, colour = BORDERLINE if is_borderline else PREDICTED[probability >= threshold]
    return Verdict(name, colour, probability)


def _write(document: Any, target: Path) -> None:
    with written_whole(target) as temporary:
        if isinstance(document, Element):
            ElementTree(document).write(temporary, "utf-8", xml_declaration=True)
        else:
            temporary.write_text(json.dumps(document), encoding="utf-8")
