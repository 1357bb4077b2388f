"""The polygons of a file, with their labels."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ..._runtime import counted, user_path
from ...errors import AnnotationError, AnnotationWarning, ParameterError
from ..image_folders import CLASS_FOLDERS
from ..table_files import folded
from ..user_files import Faults
from . import aperio, dsa, geojson
from .files import EXPECTED, read_document
from .shapes import Annotation, Shape, UnusableShape, geometry_of, joined

Labels = Mapping[str, int | str | None] | None

DEFAULT_LABELS = {name: label for label, name in enumerate(CLASS_FOLDERS)}
UNCLASSIFIED = "unclassified"
"""Stands for the class of polygons that have none."""
_VALUES = (0, 1, None, "skip")
_LONGEST_ID = 200
FORMATS: dict[str, ModuleType] = {".geojson": geojson, ".json": dsa, ".xml": aperio}
"""What reads and writes each format, by the ending of its files."""


def read_annotations(
    file: str | os.PathLike[str], labels: Labels = DEFAULT_LABELS
) -> list[Annotation]:
    """Read the polygons that were drawn on a slide.

    The content decides about the format, not the name of the file:

    - GeoJSON of QuPath: a feature, a collection or a list of features;
    - JSON of Digital Slide Archive (HistomicsUI, HistomicsTK): closed polylines with
      their holes, rectangles, circles and ellipses, rotated or not;
    - XML of Aperio ImageScope: outlines, rectangles and ellipses; negative regions are
      holes.

    Parameters
    ----------
    file : str or path-like
        At most 100 MB.
    labels : mapping of str to {0, 1, None, "skip"}, or None
        The label of each class, by the name of the class, label, group or layer. Upper
        and lower case are the same, and so are blanks and underscores. None as a label
        stands for glomeruli that are not labelled, "skip" leaves a class out.
        ``"unclassified"`` is the name of polygons without a class. By default the names
        `globally_sclerotic_glomeruli` (1) and `non_globally_sclerotic_glomeruli` (0).
        None instead of a mapping takes all polygons, without labels.

    Returns
    -------
    annotations : list of Annotation
        In the order of the file.

    Raises
    ------
    AnnotationError
        If the file is of no such format, or some of its polygons cannot be used. The
        message lists all of them: classes that `labels` does not name, identifiers
        given twice, outlines that cross themselves, coordinates that are no numbers.
    SlideError
        If the extra ``slides`` is not installed.

    Warns
    -----
    AnnotationWarning
        If points, lines or other shapes without an area are left out.

    See Also
    --------
    glomclf.extract_patches : Cut the polygons out of their slide.
    glomclf.write_annotations : Write what was predicted of them.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from glomclf import read_annotations
    >>> outline = [[[0, 0], [40, 0], [40, 30], [0, 0]]]
    >>> feature = {
    ...     "type": "Feature",
    ...     "id": "a1",
    ...     "geometry": {"type": "Polygon", "coordinates": outline},
    ...     "properties": {"classification": {"name": "GS"}},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "slide.geojson")
    ...     _ = file.write_text(json.dumps(feature))
    ...     (polygon,) = read_annotations(file, labels={"GS": 1})
    >>> polygon.id, polygon.label, polygon.geometry.area
    ('a1', 1, 600.0)
    """
    return read_checked(user_path(file), labels)


def read_checked(
    path: Path, labels: Labels, check: Callable[[Annotation], None] | None = None
) -> list[Annotation]:
    """Read polygons, and list what `check` finds wrong with them among the faults.

    It is called with each polygon, and raises `UnusableShape`.
    """
    return annotations_of(read_shapes(path)[2], path, labels, check)


def read_shapes(path: Path) -> tuple[str, Any, list[Shape]]:
    """Return the ending of a file's format, its content and the shapes in it.

    Raises
    ------
    AnnotationError
        If it is of no known format.
    """
    document = read_document(path)
    for ending, form in FORMATS.items():
        if form.describes(document):
            return ending, document, joined(form.shapes(document))
    raise AnnotationError(f"{path} holds no polygons of a known format. {EXPECTED}")


def annotations_of(
    shapes: Iterable[Shape],
    path: Path,
    labels: Labels,
    check: Callable[[Annotation], None] | None = None,
) -> list[Annotation]:
    """Check the shapes of a file and give them their labels.

    Raises
    ------
    AnnotationError
        If some cannot be used.
    """
    table = _table(labels)
    faults = Faults(path, AnnotationError)
    labelled = [(shape, _label(shape.names, table)) for shape in shapes]
    wanted = [(shape, label) for shape, label in labelled if label != "skip"]
    usable = []
    for shape, label in wanted:
        try:
            if shape.parts:
                one = Annotation(shape.id, shape.names, geometry_of(shape), label)
                if check is not None:
                    check(one)
                usable.append(one)
        except UnusableShape as why:
            kind, detail = why.args
            faults.add(kind, [f"{shape.id!r}: {detail}"])
    unknown = [one for one, label in wanted if label == "unknown" and one.parts]
    _add_faults(faults, usable, [(one.names or (UNCLASSIFIED,))[0] for one in unknown])
    faults.raise_if_any()
    if left_out := Counter(shape.kind for shape, _ in wanted if not shape.parts):
        kinds = ", ".join(f"{kind} ({n})" for kind, n in left_out.items())
        message = f"{path}: shapes without an area are left out: {kinds}."
        warnings.warn(message, AnnotationWarning, stacklevel=4)
    return usable


def _table(labels: Labels) -> dict[str, Any] | None:
    if labels is None:
        return None
    if wrong := [repr(label) for label in labels.values() if label not in _VALUES]:
        raise ParameterError(
            f"labels has the values {', '.join(wrong)}; 1, 0, None or 'skip' was "
            "expected."
        )
    return {folded(name): label for name, label in labels.items()}


def _label(names: tuple[str, ...], table: dict[str, Any] | None) -> Any:
    """Return the label of the first name that has one, or "unknown"."""
    if table is None:
        return None
    keys = [folded(name) for name in names or (UNCLASSIFIED,)]
    return next((table[key] for key in keys if key in table), "unknown")


def _add_faults(faults: Faults, usable: list[Annotation], unknown: list[str]) -> None:
    times = Counter(one.id for one in usable)
    faults.add(
        "identifiers given twice",
        [f"{one!r}: {n} polygons" for one, n in times.items() if n > 1],
    )
    odd = [one for one in times if len(one) > _LONGEST_ID or not one.isprintable()]
    faults.add(
        "identifiers that are too long, or cannot be printed",
        [repr(one[:_LONGEST_ID]) for one in odd],
    )
    faults.add(
        "classes without a label; give each one by labels={NAME: 1, 0, None or 'skip'}",
        [f"{name!r}: {counted(n, 'polygon')}" for name, n in Counter(unknown).items()],
    )
    if not usable and not faults.items:
        faults.add("no polygons", ["nothing is left to be cut out"])
