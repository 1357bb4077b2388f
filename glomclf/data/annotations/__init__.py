"""Polygons on slides: QuPath, Digital Slide Archive and Aperio, in and out."""

from .reading import DEFAULT_LABELS, read_annotations
from .shapes import Annotation
from .writer import write_annotations

__all__ = ["DEFAULT_LABELS", "Annotation", "read_annotations", "write_annotations"]
