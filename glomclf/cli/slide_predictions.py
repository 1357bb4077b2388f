"""Slides and their polygons in `glomclf predict`: patches in, classes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pandas as pd
from click.core import ParameterSource

from ..data.annotations import DEFAULT_LABELS
from ..data.annotations.reading import read_shapes
from ..data.annotations.writer import write_annotations
from ..data.extraction import extract_patches
from ..data.slide_pairs import read_pairs
from ..data.table_files import TABLE_SUFFIXES
from ..data.temporary_folders import temporary_folder
from .console import InputError, note
from .inputs import PatchTable
from .new_biopsies import PREDICTION_FILES, Predictions, is_polygon_file
from .outputs import check_outputs, remember

_OF_SLIDES = {name: f"--{name}" for name in ("mpp", "scale", "margin", "outside")}
_OF_SLIDES["classes"] = "--label"
_OF_TABLES = {name: f"--{name}" for name in ("columns", "labels", "embeddings")}


def read_slides(
    patches: PatchTable, annotations: Path | None, mpp: float | None
) -> pd.DataFrame | None:
    """Return slides with their polygons; a slide is a biopsy, unless the csv says more.

    Parameters
    ----------
    patches : PatchTable
        Its csv may be a slide, or a csv with the columns `slide` and `annotations`.
    annotations : Path or None
        Polygons of the slide.
    mpp : float or None
        Of all slides, in place of what they say themselves.

    Returns
    -------
    DataFrame or None
        As `extract_patches` takes it. None: the source is neither.

    Raises
    ------
    ManifestError
        If the csv cannot be used.
    InputError
        If two slides have one name.
    """
    source = patches.csv
    if annotations is not None:
        pairs = pd.DataFrame([{"slide": source, "annotations": annotations}])
    elif _names_slides(patches):
        pairs = read_pairs(source, patches.images or None)
    else:
        return None
    stems = pairs["slide"].map(lambda path: Path(path).stem)
    if twice := sorted(set(stems[stems.str.casefold().duplicated()])):
        raise InputError(
            f"{source} has slides of one name: {', '.join(twice)}. Predictions are "
            "told apart by it. Put all polygons of a slide into one file, or rename a "
            "slide."
        )
    if "participant" not in pairs:
        pairs["participant"] = stems
    return pairs if mpp is None else pairs.assign(mpp=mpp)


def _names_slides(patches: PatchTable) -> bool:
    """Tell a csv of slides from one of patches."""
    source = patches.csv
    if source.suffix.lower() not in TABLE_SUFFIXES or not source.is_file():
        return False
    titles = set(PatchTable(source).titles().values())
    return {"slide", "annotations"} <= titles and "name" not in titles


def check_options(context: click.Context, pairs: pd.DataFrame | None) -> None:
    """Refuse options that would have no effect.

    Raises
    ------
    InputError
        If there are some: of slides without polygons, or of tables with them.
    """
    idle = _OF_SLIDES
    if pairs is not None:
        idle = _OF_TABLES
        if context.params["annotations"] is not None:  # a csv of slides has a folder
            idle = {"images": "--images", **_OF_TABLES}
    typed = [option for name, option in idle.items() if _is_typed(context, name)]
    if typed:
        kind = "a slide with polygons" if pairs is None else "a csv of patches"
        raise InputError(f"Leave out {', '.join(typed)}, which only {kind} can have.")


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


@contextmanager
def patches_of(
    pairs: pd.DataFrame, cut: dict[str, Any], classifier: Any, context: click.Context
) -> Iterator[pd.DataFrame]:
    """Cut polygons out for as long as the block runs.

    Parameters
    ----------
    pairs : DataFrame
        As from `read_slides`.
    cut : dict
        As from `cut_options`, without ``mpp``. Of ``classes``, all are taken where it
        is empty.
    classifier : GlomeruliClassifier or FoldEnsembleClassifier
        What its record says stands in place of what was not typed.
    context : click.Context

    Yields
    ------
    DataFrame
        Without labels.
    """
    classes, quiet = cut.pop("classes"), context.params["quiet"]
    table = {**DEFAULT_LABELS, **classes}
    labels = {name: "skip" if one == "skip" else None for name, one in table.items()}
    how = {**_as_trained(cut, classifier, context), "verbose": int(not quiet)}
    with temporary_folder() as folder:
        yield extract_patches(pairs, folder, labels if classes else None, **how)


def _as_trained(
    cut: dict[str, Any], classifier: Any, context: click.Context
) -> dict[str, Any]:
    """Say how patches are cut out: as those that the model learned from, if known."""
    record = classifier.training_record_["patches"]
    known = {name: record[name] for name in cut} if record else {}
    typed = {name: one for name, one in cut.items() if _is_typed(context, name)}
    chosen = {**cut, **known, **typed}
    words = _words(chosen)
    if not known:
        note(f"Cut out by {words}: the model does not say what it was trained on.")
    elif chosen == known:
        note(f"Cut out as what the model was trained on: {words}.")
    else:
        note(f"Caution: cut out by {words}, and trained on {_words(known)}.")
    return chosen


def _words(cut: Mapping[str, Any]) -> str:
    return " ".join(f"--{name} {value}" for name, value in cut.items())


def polygon_files(pairs: pd.DataFrame, output: Path) -> list[Path]:
    """Name the file that the polygons of each slide go to.

    In a folder, they have the format that they came in.
    """
    if is_polygon_file(output):
        return [output]
    return [
        output / f"{Path(slide).stem}-predicted{read_shapes(Path(annotations))[0]}"
        for slide, annotations in zip(pairs["slide"], pairs["annotations"], strict=True)
    ]


def check_places(
    folder: Path, slides: pd.DataFrame | None, inputs: list[Path], overwrite: bool
) -> None:
    """Refuse a file in place of a folder, and what may not be replaced."""
    n_slides = 0 if slides is None else len(slides)
    if is_polygon_file(folder) and n_slides != 1:
        raise InputError(
            f"{folder} is a file of polygons, which are read beside one slide: glomclf "
            "predict SLIDE ANNOTATIONS. Of patches and many slides, --output names a "
            "folder."
        )
    if folder.suffix.lower() == ".csv" or (
        folder.is_file() and not is_polygon_file(folder)
    ):
        raise InputError(
            f"--output names a folder, and {folder} is a file: predictions.csv and "
            "biopsies.csv are written into it."
        )
    files = [] if slides is None else polygon_files(slides, folder)
    if not is_polygon_file(folder):
        files += [folder / name for name in PREDICTION_FILES]
    if slides is not None:
        inputs = [*inputs, *map(Path, slides["annotations"])]
    check_outputs(files, inputs, overwrite=overwrite)


def write_polygons(pairs: pd.DataFrame, output: Path, found: Predictions) -> None:
    """Write the polygons of slides with their classes: to a file, or into a folder.

    Borderline are those that are left to a person, where that is asked for.
    """
    near = found.borderline
    if found.abstention is not None:
        near = found.abstention.is_left(found.probability)
    names, of = found.manifest["annotation_id"], found.manifest["slide"].to_numpy()
    targets = polygon_files(pairs, output)
    for pair, target in zip(pairs.to_dict("records"), targets, strict=True):
        own = of == Path(pair["slide"]).stem
        write_annotations(
            pair["annotations"],
            target,
            dict(zip(names[own], found.probability[own].tolist(), strict=True)),
            threshold=found.model.threshold_,
            borderline=set(names[own & near]),
        )
        remember(target)
