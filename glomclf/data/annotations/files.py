"""One file of polygons -> what it says, within bounds, or a named reason.

Size and depth are bounded before anything is built from a file, and no XML may declare
entities: a small file could otherwise fill the memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

import numpy as np

from ...errors import AnnotationError
from .extras import needed

__all__ = ["mapping", "read_document", "text"]

_MAX_BYTES = 100_000_000
_MAX_DEPTH = 64
_MAX_PARTS = 2_000_000  # they fill up to 1 GB
_CHUNK = 1 << 22


def read_document(path: Path) -> Any:
    """Return the content of a file: of JSON, or the root of XML.

    Returns
    -------
    dict, list or xml.etree.ElementTree.Element

    Raises
    ------
    AnnotationError
        If it cannot be read, is too large or too deep, or is neither JSON nor XML.
    """
    raw = _bytes_of(path)
    start = raw[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1]
    if start == b"<":
        return _parse_xml(path, raw)
    if start in (b"{", b"["):
        return _parse_json(path, raw.removeprefix(b"\xef\xbb\xbf"))
    raise AnnotationError(
        f"{path} is neither JSON nor XML. GeoJSON of QuPath, JSON of Digital Slide "
        "Archive or XML of Aperio ImageScope was expected."
    )


def _bytes_of(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise AnnotationError(f"{path} is not a file; a file of polygons was expected.")
    try:
        n_bytes = path.stat().st_size
        if n_bytes > _MAX_BYTES:
            raise AnnotationError(
                f"{path} has {n_bytes:,} bytes; at most {_MAX_BYTES:,} are read. "
                "Export the outlines of glomeruli alone."
            )
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise AnnotationError(f"{path} cannot be read: {reason}.") from error


def _parse_json(path: Path, raw: bytes) -> Any:
    _check_brackets(path, raw)
    try:
        return json.loads(raw)
    except (
        ValueError,
        RecursionError,
    ) as error:  # bad text and numbers are ValueErrors
        raise AnnotationError(f"{path} is not well-formed JSON: {error}.") from error


def _check_brackets(path: Path, raw: bytes) -> None:
    """Count the brackets that are not inside of strings, part by part."""
    n_quotes = n_parts = depth = 0
    bare = raw.replace(rb"\\", b"--").replace(rb"\"", b"--")
    for start in range(0, len(bare), _CHUNK):
        part = np.frombuffer(bare, np.uint8, min(_CHUNK, len(bare) - start), start)
        quotes = n_quotes + np.cumsum(part == ord('"'), dtype=np.int32)
        outside = quotes % 2 == 0
        opened = outside & (part | 32 == ord("{"))  # [ | 32 is {
        closed = outside & (part | 32 == ord("}"))
        course = depth + np.cumsum(opened.astype(np.int8) - closed, dtype=np.int32)
        n_parts += int(opened.sum())
        if course.max() > _MAX_DEPTH:
            raise _too_deep(path)
        if n_parts > _MAX_PARTS:
            raise _too_many(path)
        n_quotes, depth = int(quotes[-1]), int(course[-1])


def _parse_xml(path: Path, raw: bytes) -> Any:
    safe = needed("defusedxml.ElementTree")
    parser = safe.DefusedXMLParser(target=_Builder(path), forbid_dtd=True)
    try:
        for start in range(0, len(raw), _CHUNK):
            parser.feed(raw[start : start + _CHUNK])
        return parser.close()
    except AnnotationError:  # of the builder; it is a ValueError as well
        raise
    except needed("defusedxml").DefusedXmlException as error:
        raise AnnotationError(
            f"{path} declares a document type or entities, which may be harmful. "
            "Export it again without them."
        ) from error
    except (safe.ParseError, LookupError, ValueError) as error:
        raise AnnotationError(f"{path} is not well-formed XML: {error}.") from error


class _Builder(TreeBuilder):
    """Builds the elements of XML, but neither too many nor too deep."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.depth, self.n_parts = path, 0, 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self.depth += 1
        self.n_parts += 1
        if self.depth > _MAX_DEPTH:
            raise _too_deep(self.path)
        if self.n_parts > _MAX_PARTS:
            raise _too_many(self.path)
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> Element:
        self.depth -= 1
        return super().end(tag)


def _too_deep(path: Path) -> AnnotationError:
    return AnnotationError(
        f"{path} is nested more than {_MAX_DEPTH} levels deep, which no file of "
        "polygons is. Export it again."
    )


def _too_many(path: Path) -> AnnotationError:
    return AnnotationError(
        f"{path} holds more than {_MAX_PARTS:,} points and objects. Export the "
        "outlines of glomeruli alone."
    )


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one where the file has something else."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Return a name that stands in JSON, what can be printed of it."""
    if not isinstance(value, str):
        return ""
    return "".join(filter(str.isprintable, value)).strip()
