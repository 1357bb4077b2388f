"""``glomclf predict``: probabilities for a folder or a csv of patches."""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import InputError, check_output, list_files, note
from .options import (
    images_option,
    model_option,
    overwrite_option,
    quiet_option,
    reading_options,
    threshold_option,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]


@click.command()
@click.argument("source", metavar="FOLDER_OR_CSV", type=click.Path(path_type=Path))
@model_option
@images_option
@reading_options
@click.option(
    "--output",
    "-o",
    "predictions",
    type=click.Path(path_type=Path),
    default="predictions.csv",
    metavar="FILE",
    help="csv to write.",
)
@overwrite_option
@threshold_option
@quiet_option
def command(
    source: Path,
    model: Path,
    images: Path | None,
    reading: dict[str, Any],
    predictions: Path,
    overwrite: bool,
    threshold: float | None,
    quiet: bool,
) -> None:
    """Predict the patches of a folder or a csv.

    Of a folder, the images that lie directly in it are read.

    Example: glomclf predict patches/ --model model.glomclf
    """
    from .inputs import load_model
    from .tables import predictions_table, write_csv

    check_output(predictions, inputs=[source, model], overwrite=overwrite)
    manifest = _read(source, images, **reading)
    if source.is_dir():
        _note_subfolders(source, model)
    classifier = load_model(model, threshold, quiet)
    probability = classifier.predict_proba(manifest)[:, 1]
    table = predictions_table(manifest, probability, classifier.threshold_)
    write_csv(table, predictions)
    n_positive = int(table["prediction"].sum())
    click.echo(
        f"{n_positive} of {len(table)} patches are predicted globally sclerotic "
        f"(threshold {classifier.threshold_:g})."
    )
    list_files()


def _read(source: Path, images: Path | None, columns: Any, labels: Any) -> pd.DataFrame:
    from ..data.images import IMAGE_SUFFIXES
    from ..data.manifest import image_folder_manifest, read_manifest
    from ..errors import ParticipantWarning

    with warnings.catch_warnings():
        # Nothing here is split or scored, so participants do not matter.
        warnings.simplefilter("ignore", ParticipantWarning)
        if source.suffix.lower() in IMAGE_SUFFIXES and not source.is_dir():
            raise InputError(
                f"{source} is a single image. Give the folder that it lies in, or a "
                "csv that names it."
            )
        if not source.is_dir():
            return read_manifest(source, images, columns=columns, labels=labels)
        for option, value in {"--images": images, "--columns": columns}.items():
            if value is not None:
                raise InputError(
                    f"{option} belongs to a csv, and {source} is a folder. Leave it "
                    "out."
                )
        return image_folder_manifest(source, labels=labels)


def _note_subfolders(folder: Path, model: Path) -> None:
    """Say which images are passed over: those of sub-folders."""
    from ..data.image_folders import CLASS_FOLDERS
    from ..data.images import IMAGE_SUFFIXES

    passed_over = [
        entry.name
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and entry.name not in CLASS_FOLDERS
        if any(file.suffix.lower() in IMAGE_SUFFIXES for file in entry.rglob("*"))
    ]
    if passed_over:
        first = folder / passed_over[0]
        options = ["--model", str(model), "--output", f"{first.name}.csv"]
        note(
            f"Not read: the images in the sub-folders {', '.join(passed_over)} of "
            f"{folder}. Call predict for each of them:\n  "
            + shlex.join(["glomclf", "predict", str(first), *options])
        )
