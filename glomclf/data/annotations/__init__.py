"""Polygons on slides: QuPath, Digital Slide Archive and Aperio, in and out."""

from .reading import DEFAULT_LABELS, Annotation, read_annotations
from .writer import write_annotations

__all__ = ["DEFAULT_LABELS", "Annotation", "read_annotations", "write_annotations"]
