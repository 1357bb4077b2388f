"""The polygons of a file with what was predicted of them, for a viewer to show."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping
from xml.etree.ElementTree import Element, ElementTree

from ..._runtime import user_path, written_whole
from ...errors import AnnotationError
from .reading import FORMATS, annotations_of, read_shapes
from .shapes import Verdict, joined

# The prefix keeps predictions from being read as labels later.
_PREDICTED = (
    ("predicted_non_globally_sclerotic_glomeruli", (0, 114, 178)),
    ("predicted_globally_sclerotic_glomeruli", (213, 94, 0)),
)
_BORDERLINE = ("predicted_borderline_glomeruli", (240, 228, 66))


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
    wanted = target.suffix.lower()
    if wanted not in FORMATS:
        raise AnnotationError(
            f"{target} does not end in {', '.join(FORMATS)}; its ending tells the "
            "format."
        )
    ending, document, shapes = read_shapes(path)
    if missing := sorted(set(probability) - {shape.id for shape in shapes}):
        raise AnnotationError(f"{path} has no polygons {', '.join(missing)}.")
    if ending != wanted:
        document = FORMATS[wanted].document_of(annotations_of(shapes, path, None))
        shapes = joined(FORMATS[wanted].shapes(document))
    marked = []
    for shape in shapes:
        if shape.id in probability:
            value = float(probability[shape.id])
            is_borderline = shape.id in borderline
            look = _BORDERLINE if is_borderline else _PREDICTED[value >= threshold]
            marked.append((shape, Verdict(*look, value)))
    FORMATS[wanted].mark(document, marked)
    with written_whole(target) as temporary:
        if isinstance(document, Element):
            ElementTree(document).write(temporary, "utf-8", xml_declaration=True)
        else:
            temporary.write_text(json.dumps(document), encoding="utf-8")
