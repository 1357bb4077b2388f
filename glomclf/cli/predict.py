"""``glomclf predict``: what a model says of new biopsies."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from . import options, outputs
from .extract import cut_options
from .inputs import PatchTable, check_model, load_model


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
    from . import new_biopsies
    from . import slide_predictions as of_slides

    inputs = [*patches.files, model, *([annotations] if annotations else [])]
    outputs.check_inputs(inputs)  # to load a model takes long
    slides = of_slides.read_slides(patches, annotations, cut.pop("mpp"))
    of_slides.check_options(context, slides)
    check_model(model, patches, of_slides=slides is not None)
    of_slides.check_places(folder, slides, inputs, overwrite)
    new: Any = nullcontext(new_biopsies.read_new(patches) if slides is None else None)
    classifier = load_model(model, threshold, quiet)
    abstention = new_biopsies.abstention_of(classifier, max_miss)
    if slides is not None:
        new = of_slides.patches_of(slides, cut, classifier, context)
    with new as manifest:
        if explain:
            new_biopsies.check_explained(manifest, classifier, folder)
        X = patches.rows_of(manifest)
        probability = classifier.predict_proba(X)[:, 1]
        found = new_biopsies.Predictions(
            manifest, X, probability, classifier, abstention
        )
        if slides is not None:
            of_slides.write_polygons(slides, folder, found)
        estimates = new_biopsies.write_new(found, folder, explain=explain)
    new_biopsies.print_predictions(found, estimates)
    outputs.list_files()
