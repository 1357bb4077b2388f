"""``glomclf predict``: what a model says of new biopsies."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    InputError,
    check_inputs,
    check_output,
    drop_unwritten,
    list_files,
    say,
)
from .extract import cut_options
from .inputs import check_model, load_model, read_images, rows_of
from .new_biopsies import (
    PREDICTION_FILES,
    abstention_of,
    check_explained,
    print_biopsies,
    read_new,
    write_new,
)
from .options import (
    PATH,
    embeddings_option,
    explain_option,
    folder_option,
    images_option,
    model_option,
    overwrite_option,
    quiet_option,
    reading_options,
    threshold_option,
)
from .options import probability as rate
from .slide_predictions import (
    check_options,
    is_polygon_file,
    patches_of,
    polygon_files,
    read_slides,
    write_polygons,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..evaluation.abstention import Abstention
    from ..evaluation.biopsy_estimates import BiopsyEstimates

__all__ = ["command"]


@click.command()
@click.argument("source", type=PATH)
@click.argument("annotations", type=PATH, required=False)
@model_option
@images_option
@reading_options
@embeddings_option
@folder_option(
    "glomclf-predictions",
    "Folder for predictions, biopsies and the report. Of one slide, also a file for "
    "its polygons alone: .geojson, .json or .xml.",
)
@cut_options
@overwrite_option
@threshold_option
@click.option(
    "--max-miss",
    type=rate,
    metavar="RATE",
    default=None,
    show_default="nothing is left to a person",
    help="Mark glomeruli to be left to a person, so that at most this share of the "
    "sclerotic ones among the others is missed: the mean over new participants, with "
    "confidence 0.95. 0.05 needs 59 participants in the model's record.",
)
@explain_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    source: Path,
    annotations: Path | None,
    model: Path,
    images: Path | None,
    reading: dict[str, Any],
    embeddings: Path | None,
    folder: Path,
    cut: dict[str, Any],
    overwrite: bool,
    threshold: float | None,
    max_miss: float | None,
    explain: bool,
    quiet: bool,
) -> None:
    """Predict patches, and the percentage of sclerotic glomeruli of each biopsy.

    SOURCE is a folder, a csv or a slide. Of a folder, all images are read; each
    sub-folder is a biopsy. A csv says whose the patches are in its column
    `participant`. Of a slide, the polygons in ANNOTATIONS are cut out, as `glomclf
    extract` does, and written again with their classes. For many slides, give a csv
    with the columns `slide` and `annotations` and, if known, `participant` and `mpp`.
    They are cut out as the patches that the model was trained on, where `glomclf
    extract` made these; else give the same --scale, --margin and --outside.

    predictions.csv has a row a patch, biopsies.csv a row a biopsy, report.html a page
    a biopsy. The intervals, and --max-miss, need a model that was trained with --cv.
    With --max-miss, polygons that are left to a person are called borderline.
    --explain draws what the model looked at in at most six patches of each biopsy.

    Example: glomclf predict biopsies/ --model model.glomclf --output results/
    """
    inputs = [path for path in (source, model, annotations, embeddings) if path]
    check_inputs(inputs)  # to load a model takes long
    pairs = read_slides(source, annotations, images, cut.pop("mpp"))
    check_options(context, pairs)
    check_model(model, embeddings, of_slides=pairs is not None)
    _check_output(folder, inputs, overwrite, pairs)
    place = read_images(images, embeddings)
    found = read_new(source, place, **reading) if pairs is None else None
    classifier = load_model(model, threshold, quiet)
    abstention = abstention_of(classifier, max_miss)
    new: Any = nullcontext(found)
    if pairs is not None:
        new = patches_of(pairs, cut, classifier, context)
    with new as manifest:
        if explain:
            check_explained(manifest, classifier, folder)
        rows = rows_of(manifest, embeddings)
        probability = classifier.predict_proba(rows)[:, 1]
        told = (probability, classifier, folder, abstention)
        estimates = _write(manifest, rows, pairs, *told, explain=explain)
    _tell(probability, classifier.threshold_)
    _tell_more(probability, abstention, estimates)


def _write(
    manifest: pd.DataFrame,
    rows: Any,
    pairs: pd.DataFrame | None,
    probability: np.ndarray,
    classifier: Any,
    folder: Path,
    abstention: Abstention | None,
    *,
    explain: bool,
) -> BiopsyEstimates | None:
    """Write polygons, where there are some, and all other files, if asked for."""
    cuts = (probability, classifier.threshold_, abstention)
    write_polygons(pairs, folder, manifest, *cuts)
    if is_polygon_file(folder):
        return None
    told = (probability, classifier, folder, abstention)
    estimates = write_new(manifest, rows, *told, explain=explain)
    drop_unwritten(folder / name for name in PREDICTION_FILES)
    return estimates


def _tell(probability: np.ndarray, threshold: float) -> None:
    from .._runtime import counted

    n_positive, n_patches = int((probability >= threshold).sum()), len(probability)
    n = counted(n_patches, "patch")
    say(f"Predicted globally sclerotic: {n_positive} of {n} (threshold {threshold:g}).")


def _tell_more(
    probability: np.ndarray,
    abstention: Abstention | None,
    estimates: BiopsyEstimates | None,
) -> None:
    """Say what is left to a person, and what is known of each biopsy."""
    if abstention is not None:
        _tell_left(probability, abstention)
    if estimates is not None:
        print_biopsies(estimates)
    list_files()


def _tell_left(probability: np.ndarray, abstention: Abstention) -> None:
    """Say how many are left to a person, and what is promised of the others."""
    say(
        f"Left to a person: {int(abstention.is_left(probability).sum())} of "
        f"{len(probability)} (from "
        f"{abstention.low:.3g} to {abstention.high:.3g}; of the "
        f"record's, {100 * abstention.share_left:.0f} % are). Of "
        "the sclerotic glomeruli among the others at most "
        f"{100 * abstention.max_miss:g} % are missed: the mean over participants like "
        f"the {abstention.n_participants} of the record who had any, with confidence "
        f"{abstention.confidence:g}."
    )


def _check_output(
    folder: Path, inputs: list[Path], overwrite: bool, pairs: pd.DataFrame | None
) -> None:
    """Refuse a folder that cannot be written, or holds what may not be replaced."""
    if is_polygon_file(folder) and (pairs is None or len(pairs) > 1):
        raise InputError(
            f"{folder} is a file of polygons, which are read beside one slide: glomclf "
            "predict SLIDE ANNOTATIONS. Of patches and many slides, --output names a "
            "folder."
        )
    polygons = [] if pairs is None else polygon_files(pairs, folder)
    inputs = [*inputs, *([] if pairs is None else map(Path, pairs["annotations"]))]
    for file in polygons:
        check_output(file, inputs, overwrite=overwrite)
    if is_polygon_file(folder):
        return
    if folder.suffix.lower() == ".csv" or folder.is_file():
        raise InputError(
            f"--output names a folder, and {folder} is a file: predictions.csv and "
            "biopsies.csv are written into it."
        )
    for name in PREDICTION_FILES:
        check_output(folder / name, inputs, overwrite=overwrite)
