"""A slide and its polygons in `glomclf predict`: patches in, classes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .console import InputError, written_files

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..evaluation.abstention import Abstention

__all__ = ["check_options", "is_polygon_file", "patches_of", "write_polygons"]

_OF_SLIDES = {name: f"--{name}" for name in ("mpp", "scale", "margin", "outside")}
_OF_SLIDES["classes"] = "--label"
_OF_TABLES = {name: f"--{name}" for name in ("images", "columns", "labels")}
_OF_TABLES["embeddings"] = "--embeddings"


def check_options(context: click.Context, annotations: Path | None) -> None:
    """Refuse options that would have no effect.

    Raises
    ------
    InputError
        If there are some: of slides without polygons, or of tables with them.
    """
    idle = _OF_SLIDES if annotations is None else _OF_TABLES
    typed = [
        option
        for name, option in idle.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if typed:
        kind = "a slide with a file of polygons" if annotations is None else "a csv"
        raise InputError(f"Leave out {', '.join(typed)}, which only {kind} can have.")


def is_polygon_file(path: Path) -> bool:
    """Tell by the ending whether polygons are to be written to a file."""
    return path.suffix.lower() in (".geojson", ".json", ".xml")


@contextmanager
def patches_of(
    slide: Path,
    annotations: Path,
    *,
    classes: Mapping[str, Any],
    mpp: float | None,
    **how: Any,
) -> Iterator[pd.DataFrame]:
    """Cut polygons out for as long as the block runs; a slide is a biopsy.

    Parameters
    ----------
    slide, annotations : Path
    classes : mapping of str to {0, 1, None, "skip"}
        What to take and what to skip; all polygons are taken where it is empty.
    mpp : float or None
    **how
        As for `extract_patches`.

    Yields
    ------
    DataFrame
        Without labels.
    """
    import pandas as pd

    from ..data.annotations import DEFAULT_LABELS
    from ..data.extraction import extract_patches
    from ..data.temporary_folders import temporary_folder

    table = {**DEFAULT_LABELS, **classes}
    labels = {name: "skip" if one == "skip" else None for name, one in table.items()}
    pair = {"slide": slide, "annotations": annotations, "participant": slide.stem}
    pairs = pd.DataFrame([pair if mpp is None else {**pair, "mpp": mpp}])
    with temporary_folder() as folder:
        yield extract_patches(pairs, folder, labels if classes else None, **how)


def write_polygons(
    annotations: Path,
    output: Path,
    manifest: pd.DataFrame,
    probability: np.ndarray,
    threshold: float,
    abstention: Abstention | None = None,
) -> None:
    """Write the polygons with their classes: to a file, or into a folder.

    In a folder, they have the format that they came in. Borderline are those that are
    left to a person, where that is asked for.
    """
    from ..data.annotations.writer import ending_of, write_annotations
    from ..evaluation.biopsy_estimates import is_borderline

    target = output
    if not is_polygon_file(output):
        target = output / f"{annotations.stem}-predicted{ending_of(annotations)}"
    near = is_borderline(probability, threshold)
    if abstention is not None:
        near = abstention.is_left(probability)
    names = manifest["annotation_id"]
    write_annotations(
        annotations,
        target,
        dict(zip(names, probability.tolist(), strict=True)),
        threshold=threshold,
        borderline=set(names[near]),
    )
    written_files().append(target)
