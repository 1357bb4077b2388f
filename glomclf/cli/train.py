"""``glomclf train``: a csv of labelled patches becomes a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import InputError, check_output, drop_unwritten, list_files, note, output
from .inputs import labelled_manifest, participant_folds
from .options import (
    classifier_options,
    csv_argument,
    images_option,
    overwrite_option,
    quiet_option,
    seed_option,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..model.classifier import GlomeruliClassifier

__all__ = ["command"]


@click.command()
@csv_argument
@images_option
@click.option(
    "--output",
    "-o",
    "model",
    type=click.Path(path_type=Path),
    default="model.glomclf",
    metavar="FILE",
    help="Model file to write. Curves and pictures go into a folder beside it.",
)
@overwrite_option
@click.option(
    "--cv",
    "n_folds",
    type=click.IntRange(min=2),
    default=None,
    show_default="none",
    metavar="FOLDS",
    help="Cross-validate by participant first, and print the scores.",
)
@click.option(
    "--ensemble",
    is_flag=True,
    show_default=False,
    help="Keep the classifiers of --cv; their mean is the model.",
)
@classifier_options()
@seed_option
@quiet_option
def command(
    csv: Path,
    images: Path | None,
    model: Path,
    overwrite: bool,
    n_folds: int | None,
    ensemble: bool,
    seed: int,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a model on all patches of CSV.

    CSV has the columns `name` and `ground truth` (1 for globally sclerotic) and, if
    known, `participant`. Some participants are set aside where something is decided on
    them (--set network.patience=5, --threshold f1). No sampler sees these.

    With --ensemble the model is the mean of the classifiers of all folds. Each is
    scored on its own fold, and report.html shows the scores.

    Example: glomclf train train.csv --cv 5 --output model.glomclf
    """
    from .settings import checked_classifier
    from .training_files import TRAINING_FILES

    folder = model.with_name(f"{model.stem}-training")
    check_output(model, [csv], overwrite=overwrite)
    for name in TRAINING_FILES:
        check_output(folder / name, [csv])
    if ensemble and not n_folds:
        raise InputError(
            "--ensemble keeps the classifiers of cross-validation, and there is none. "
            "Say how many folds: --cv 5 --ensemble."
        )
    manifest = labelled_manifest(csv, images)
    folds = participant_folds(manifest, n_folds, seed) if n_folds else []
    classifier = checked_classifier(
        **options, random_state=seed, verbose=int(not quiet)
    )
    pixels = _load(classifier, manifest)
    if ensemble:
        _train_ensemble(classifier, pixels, manifest, len(folds), model, folder)
    else:
        _train_one(classifier, pixels, manifest, folds, model, folder)
    drop_unwritten(folder / name for name in TRAINING_FILES)
    list_files()


def _load(classifier: GlomeruliClassifier, manifest: pd.DataFrame) -> np.ndarray:
    """Decode all images once, so that every bad file is known before training."""
    from ..data.loader import ImageLoader

    loader = ImageLoader(
        classifier.image_size,
        resize=classifier.resize,
        n_jobs=classifier.n_jobs,
        verbose=classifier.verbose,
        cache_dir=classifier.cache_dir,
    )
    return loader.fit(manifest).transform(manifest)


def _train_one(
    classifier: GlomeruliClassifier,
    pixels: np.ndarray,
    manifest: pd.DataFrame,
    folds: list[Any],
    model: Path,
    folder: Path,
) -> None:
    """Cross-validate where there are folds, then train one classifier on all rows."""
    from .tables import print_scores
    from .training_files import write_out_of_fold, write_training

    if folds:
        title = f"Cross-validated by participant, {len(folds)} folds"
        note(f"{title}:")
        print_scores(
            title, write_out_of_fold(classifier, pixels, manifest, folds, folder)
        )
    note(f"Training on {len(manifest)} patches.")
    _fit(classifier, pixels, manifest, model)
    write_training(classifier, pixels, manifest["label"].to_numpy(), folder)


def _train_ensemble(
    classifier: GlomeruliClassifier,
    pixels: np.ndarray,
    manifest: pd.DataFrame,
    n_folds: int,
    model: Path,
    folder: Path,
) -> None:
    """Train one classifier a fold, keep all of them, and score what is out of fold."""
    from .settings import as_ensemble
    from .tables import print_scores
    from .training_files import write_ensemble_training

    note(f"Training {n_folds} classifiers, each without one fold of participants.")
    ensemble = as_ensemble(classifier, n_folds)
    _fit(ensemble, pixels, manifest, model)
    write_ensemble_training(ensemble, manifest, pixels, folder)
    title = f"Scores of single members, out of {n_folds} folds"
    print_scores(title, ensemble.oof_evaluation_)


def _fit(
    classifier: Any, pixels: np.ndarray, manifest: pd.DataFrame, model: Path
) -> None:
    """Fit a classifier or an ensemble, and save it."""
    y, participants = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    classifier.fit(pixels, y, groups=participants)
    with output(model) as temporary:
        classifier.save(temporary)
