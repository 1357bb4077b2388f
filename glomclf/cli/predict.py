"""``glomclf predict``: what a model says of new biopsies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .console import InputError, check_output, drop_unwritten, list_files, say
from .inputs import load_model, read_images, rows_of
from .new_biopsies import PREDICTION_FILES, print_biopsies, read_new, write_new
from .options import (
    embeddings_option,
    folder_option,
    images_option,
    model_option,
    overwrite_option,
    quiet_option,
    reading_options,
    threshold_option,
)

__all__ = ["command"]


@click.command()
@click.argument("source", metavar="FOLDER_OR_CSV", type=click.Path(path_type=Path))
@model_option
@images_option
@reading_options
@embeddings_option
@folder_option(
    "glomclf-predictions", "Folder for predictions, biopsies and the report."
)
@overwrite_option
@threshold_option
@quiet_option
def command(
    source: Path,
    model: Path,
    images: Path | None,
    reading: dict[str, Any],
    embeddings: Path | None,
    folder: Path,
    overwrite: bool,
    threshold: float | None,
    quiet: bool,
) -> None:
    """Predict patches, and the percentage of sclerotic glomeruli of each biopsy.

    Of a folder, all images are read; each sub-folder is a biopsy. A csv says whose the
    patches are in its column `participant`.

    predictions.csv has a row a patch, biopsies.csv a row a biopsy, report.html a page
    a biopsy. The intervals need a model that was trained with --cv.

    Example: glomclf predict biopsies/ --model model.glomclf --output results/
    """
    inputs = [source, model, *([embeddings] if embeddings else [])]
    _check_folder(folder, inputs, overwrite)
    manifest = read_new(source, read_images(images, embeddings), **reading)
    rows = rows_of(manifest, embeddings)
    classifier = load_model(model, threshold, quiet)
    probability = classifier.predict_proba(rows)[:, 1]
    estimates = write_new(manifest, rows, probability, classifier, folder)
    drop_unwritten(folder / name for name in PREDICTION_FILES)
    n_positive = int((probability >= classifier.threshold_).sum())
    say(
        f"{n_positive} of {len(manifest)} patches are predicted globally sclerotic "
        f"(threshold {classifier.threshold_:g})."
    )
    if estimates is not None:
        print_biopsies(estimates)
    list_files()


def _check_folder(folder: Path, inputs: list[Path], overwrite: bool) -> None:
    """Refuse a folder that cannot be written, or holds what may not be replaced."""
    if folder.suffix.lower() == ".csv" or folder.is_file():
        raise InputError(
            f"--output names a folder, and {folder} is a file: predictions.csv and "
            "biopsies.csv are written into it."
        )
    for name in PREDICTION_FILES:
        check_output(folder / name, inputs, overwrite=overwrite)
