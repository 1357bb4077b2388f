"""``glomclf train``: a csv of labelled patches becomes a model file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import check_output, drop_unwritten, list_files, note, output
from .options import (
    OrWord,
    classifier_options,
    images_option,
    quiet_option,
    seed_option,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..model.classifier import GlomeruliClassifier
    from ..model.recipes import Recipe

__all__ = ["command"]


@click.command()
@click.argument("csv", type=click.Path(path_type=Path))
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
@click.option("--overwrite", is_flag=True, help="Replace an existing model file.")
@click.option(
    "--cv",
    "n_folds",
    type=OrWord(click.IntRange(min=2), "none", None),
    default="none",
    metavar="FOLDS|none",
    help="Cross-validate by participant first, and print the scores.",
)
@click.option(
    "--ensemble",
    is_flag=True,
    help="Keep the classifiers of --cv; their mean is the model. --threshold "
    "validation then chooses on what each predicts of the fold it did not see.",
)
@classifier_options
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
    **parameters: Any,
) -> None:
    """Train a model on all patches of CSV.

    CSV has the columns `name` and `ground truth` (1 for globally sclerotic) and, if
    known, `participant`. All are trained on, unless something is decided on others
    (--patience, --threshold validation) or --validation-fraction asks for it: then
    some participants are set aside, and no sampler sees them.

    Example: glomclf train public.csv --cv 5 --output model.glomclf

    With --ensemble no further classifier is trained after the folds: the model is the
    mean of those of the folds, the scores are those of each on its own fold, and
    report.html shows them.
    """
    from .preparation import (
        checked_classifier,
        labelled_manifest,
        participant_folds,
        recipe_text,
    )
    from .results import TRAINING_FILES

    _check_outputs(model, overwrite, csv)
    _check_folds(ensemble, n_folds)
    manifest = labelled_manifest(csv, images)
    folds = participant_folds(manifest, n_folds, seed) if n_folds else []
    # Members of an ensemble are trained on the rows of a training side.
    n_samples = min(len(train) for train, _ in folds) if ensemble else len(manifest)
    classifier = checked_classifier(
        n_samples, **parameters, random_state=seed, verbose=int(not quiet)
    )
    recipe = classifier.resolve(n_samples)
    note(recipe_text(recipe))
    pixels = _load(classifier, recipe, manifest)
    with _told_how_to_go_on(parameters["checkpoint_dir"]):
        if ensemble:
            _train_ensemble(classifier, pixels, manifest, len(folds), model)
        else:
            _train_one(classifier, pixels, manifest, folds, model)
    drop_unwritten(_folder(model) / name for name in TRAINING_FILES)
    list_files()


def _folder(model: Path) -> Path:
    """Name the folder of curves and pictures after the model."""
    return model.with_name(f"{model.stem}-training")


def _check_outputs(model: Path, overwrite: bool, csv: Path) -> None:
    from .faults import InputError
    from .results import TRAINING_FILES

    check_output(model, inputs=[csv])
    if model.exists() and not overwrite:
        raise InputError(
            f"{model} exists. Pass --overwrite to replace it, or another --output."
        )
    for name in TRAINING_FILES:
        check_output(_folder(model) / name, inputs=[csv])


def _check_folds(ensemble: bool, n_folds: int | None) -> None:
    from .faults import InputError

    if ensemble and not n_folds:
        raise InputError(
            "--ensemble keeps the classifiers of cross-validation, and there is none. "
            "Say how many folds: --cv 5 --ensemble."
        )


def _load(
    classifier: GlomeruliClassifier, recipe: Recipe, manifest: pd.DataFrame
) -> np.ndarray:
    """Decode all images once, so that every bad file is known before training."""
    from ..data.loader import ImageLoader

    loader = ImageLoader(
        recipe.parameters["image_size"],
        resize=classifier.resize,
        n_jobs=classifier.n_jobs,
        verbose=classifier.verbose,
        cache_dir=classifier.cache_dir,
    )
    return loader.fit(manifest).transform(manifest)


@contextmanager
def _told_how_to_go_on(folder: Path | None) -> Iterator[None]:
    """If the user ends a training that is kept, say how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        if folder is not None and any(folder.expanduser().glob("*.checkpoint")):
            note(
                f"\nThe state of the training is kept in {folder}: the same command "
                "goes on after the last whole epoch."
            )
        raise


def _train_one(
    classifier: GlomeruliClassifier,
    pixels: np.ndarray,
    manifest: pd.DataFrame,
    folds: list[Any],
    model: Path,
) -> None:
    """Cross-validate where there are folds, then train one classifier on all rows."""
    from ..model.recipes import settled
    from .results import write_training

    participants = manifest["participant"].to_numpy()
    y, folder = manifest["label"].to_numpy(), _folder(model)
    if folds:
        # What is scored is trained like what is kept, though a fold has fewer rows.
        _cross_validate(settled(classifier, len(y)), pixels, manifest, folds, folder)
    note(f"Training on {len(y)} patches.")
    classifier.fit(pixels, y, groups=participants)
    with output(model) as temporary:
        classifier.save(temporary)
    write_training(classifier, pixels, y, folder)


def _train_ensemble(
    classifier: GlomeruliClassifier,
    pixels: np.ndarray,
    manifest: pd.DataFrame,
    n_folds: int,
    model: Path,
) -> None:
    """Train one classifier a fold, keep all of them, and score what is out of fold."""
    from .preparation import as_ensemble
    from .results import print_scores, write_ensemble_training

    note(f"Training {n_folds} classifiers, each without one fold of participants.")
    ensemble = as_ensemble(classifier, n_folds)
    y, participants = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    ensemble.fit(pixels, y, groups=participants)
    with output(model) as temporary:
        ensemble.save(temporary)
    write_ensemble_training(ensemble, manifest, pixels, _folder(model))
    title = f"Scores of single members, out of {n_folds} folds"
    print_scores(title, ensemble.oof_evaluation_)


def _cross_validate(
    classifier: GlomeruliClassifier,
    pixels: np.ndarray,
    manifest: pd.DataFrame,
    folds: list[Any],
    folder: Path,
) -> None:
    """Score predictions of participants that the model was not trained on."""
    from .results import print_scores, write_out_of_fold

    note(f"Cross-validating by participant, {len(folds)} folds.")
    evaluation = write_out_of_fold(classifier, pixels, manifest, folds, folder)
    print_scores(f"Cross-validated by participant, {len(folds)} folds", evaluation)
    note(
        "Predictions of all folds are scored together; ROC AUC and average precision "
        "then rank probabilities of different models, which lowers them a little."
    )
