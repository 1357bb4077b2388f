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
from ..user_files import bytes_of, needed

_MAX_BYTES = 100_000_000
_MAX_DEPTH = 64
_MAX_PARTS = 2_000_000  # they fill up to 1 GB
EXPECTED = (
    "GeoJSON of QuPath, JSON of Digital Slide Archive or XML of Aperio ImageScope was "
    "expected."
)
_NO_MARKS = bytes(code for code in range(256) if code not in b'"[]{}')


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
    raw = bytes_of(path, _MAX_BYTES, AnnotationError, "a file of polygons")
    start = raw[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1]
    try:
        if start == b"<":
            return _parse_xml(raw)
        if start in (b"{", b"["):
            return _parse_json(raw.removeprefix(b"\xef\xbb\xbf"))
    except AnnotationError as error:
        raise AnnotationError(f"{path} {error}") from error.__cause__
    raise AnnotationError(f"{path} is neither JSON nor XML. {EXPECTED}")


def _parse_json(raw: bytes) -> Any:
    _check_brackets(raw)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:  # of bad text and numbers, too
        raise AnnotationError(f"is not well-formed JSON: {error}.") from error


def _check_brackets(raw: bytes) -> None:
    """Bound the number and the depth of the brackets that are not inside of strings."""
    bare = raw.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _NO_MARKS)
    marks = np.frombuffer(bare, np.uint8)
    is_quote = marks == ord('"')
    is_inside = np.cumsum(is_quote, dtype=np.uint8) % 2 == 1
    brackets = marks[~(is_quote | is_inside)]
    _check_bounds(0, len(brackets) // 2)
    steps = np.where(brackets | 32 == ord("{"), 1, -1)  # [ | 32 is {
    _check_bounds(steps.cumsum().max(initial=0), (steps == 1).sum())


def _parse_xml(raw: bytes) -> Any:
    safe = needed("defusedxml.ElementTree")
    parser = safe.DefusedXMLParser(target=_Builder(), forbid_dtd=True)
    try:
        parser.feed(raw)
        return parser.close()
    except AnnotationError:  # of the builder; it is a ValueError as well
        raise
    except needed("defusedxml").DefusedXmlException as error:
        raise AnnotationError(
            "declares a document type or entities, which may be harmful. Export it "
            "again without them."
        ) from error
    except (safe.ParseError, LookupError, ValueError) as error:
        raise AnnotationError(f"is not well-formed XML: {error}.") from error


class _Builder(TreeBuilder):
    """Builds the elements of XML, but neither too many nor too deep."""

    depth = n_parts = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self.depth += 1
        self.n_parts += 1
        _check_bounds(self.depth, self.n_parts)
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> Element:
        self.depth -= 1
        return super().end(tag)


def _check_bounds(depth: int, n_parts: int) -> None:
    if depth > _MAX_DEPTH:
        raise AnnotationError(
            f"is nested more than {_MAX_DEPTH} levels deep, which no file of polygons "
            "is. Export it again."
        )
    if n_parts > _MAX_PARTS:
        raise AnnotationError(
            f"holds more than {_MAX_PARTS:,} points and objects. Export the outlines "
            "of glomeruli alone."
        )


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one where the file has something else."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Return a name that stands in JSON, what can be printed of it."""
    if not isinstance(value, str):
        return ""
    return "".join(filter(str.isprintable, value)).strip()
