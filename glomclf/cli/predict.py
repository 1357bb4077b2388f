"""``glomclf predict``: what a model says of new biopsies."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._runtime import counted
from . import options
from .console import InputError, say
from .extract import cut_options
from .inputs import PatchTable, check_model, load_model
from .new_biopsies import (
    PREDICTION_FILES,
    Predictions,
    abstention_of,
    check_explained,
    print_biopsies,
    read_new,
    write_new,
)
from .outputs import check_inputs, check_outputs, list_files
from .slide_predictions import (
    check_options,
    is_polygon_file,
    patches_of,
    polygon_files,
    read_slides,
    write_polygons,
)

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@options.patches("images", "embeddings", argument="source")
@click.argument("annotations", type=options.PATH, required=False)
@options.model
@options.output(
    "folder",
    "Folder for predictions, biopsies and the report. Of one slide, also a file for "
    "its polygons alone: .geojson, .json or .xml.",
    default="glomclf-predictions",
)
@cut_options
@options.overwrite
@options.model_threshold
@click.option(
    "--max-miss",
    type=options.probability,
    metavar="RATE",
    show_default="nothing is left to a person",
    help="Mark glomeruli to be left to a person, so that at most this share of the "
    "sclerotic ones among the others is missed: the mean over new participants, with "
    "confidence 0.95. 0.05 needs 59 participants in the model's record.",
)
@options.explain
@options.quiet
@click.pass_context
def command(
    context: click.Context,
    patches: PatchTable,
    annotations: Path | None,
    model: Path,
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
    inputs = [*patches.files, model, *([annotations] if annotations else [])]
    check_inputs(inputs)  # to load a model takes long
    slides = read_slides(patches, annotations, cut.pop("mpp"))
    check_options(context, slides)
    check_model(model, patches, of_slides=slides is not None)
    _check_outputs(folder, slides, inputs, overwrite)
    new: Any = nullcontext(read_new(patches) if slides is None else None)
    classifier = load_model(model, threshold, quiet)
    abstention = abstention_of(classifier, max_miss)
    if slides is not None:
        new = patches_of(slides, cut, classifier, context)
    with new as manifest:
        if explain:
            check_explained(manifest, classifier, folder)
        X = patches.rows_of(manifest)
        probability = classifier.predict_proba(X)[:, 1]
        found = Predictions(manifest, X, probability, classifier, abstention)
        if slides is not None:
            write_polygons(slides, folder, found)
        estimates = write_new(found, folder, explain=explain)
    _tell(found)
    if estimates is not None:
        print_biopsies(estimates)
    list_files()


def _check_outputs(
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


def _tell(found: Predictions) -> None:
    """Say how many are called sclerotic, and how many are left to a person."""
    n_patches, abstention = len(found.probability), found.abstention
    say(
        f"Predicted globally sclerotic: {found.called.sum()} of "
        f"{counted(n_patches, 'patch')} (threshold {found.model.threshold_:g})."
    )
    if abstention is not None:
        say(
            f"Left to a person: {abstention.is_left(found.probability).sum()} of "
            f"{n_patches} (from {abstention.low:.3g} to {abstention.high:.3g}; of the "
            f"record's, {100 * abstention.share_left:.0f} % are). Of the sclerotic "
            f"glomeruli among the others at most {100 * abstention.max_miss:g} % are "
            "missed: the mean over participants like the "
            f"{abstention.n_participants} of the record who had any, with confidence "
            f"{abstention.confidence:g}."
        )
