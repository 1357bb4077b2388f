"""``glomclf train``: a csv of labelled patches becomes a model file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .claims import claim_output, save_model
from .console import InputError, check_output, drop_unwritten, list_files, note
from .inputs import labelled_manifest, participant_folds, rows_of
from .options import (
    PATH,
    classifier_options,
    csv_argument,
    embeddings_option,
    images_option,
    overwrite_option,
    quiet_option,
    reading_options,
    seed_option,
)
from .readers import LABEL_WEIGHT, reader_option

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..model.classifier import GlomeruliClassifier

__all__ = ["command"]

_UNFINISHED = "unfinished"


@click.command()
@csv_argument
@images_option
@reading_options
@embeddings_option
@click.option(
    "--output",
    "-o",
    "model",
    type=PATH,
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
@reader_option(
    "the label is the majority's, and a patch counts by how far they agree. Ties are "
    "left out."
)
@classifier_options(recipe="linear")
@seed_option
@quiet_option
def command(
    csv: Path,
    images: Path | None,
    reading: dict[str, Any],
    embeddings: Path | None,
    model: Path,
    overwrite: bool,
    n_folds: int | None,
    ensemble: bool,
    readers: tuple[str, ...],
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
    from .settings import as_ensemble, checked_classifier

    inputs = [csv, *([embeddings] if embeddings else [])]
    check_output(model, inputs, overwrite=overwrite)
    files = _files_beside(model, inputs)
    _check_ensemble(ensemble, n_folds)
    manifest = labelled_manifest(
        csv, images, embeddings=embeddings, readers=readers, **reading
    )
    folds = participant_folds(manifest, n_folds, seed) if n_folds else []
    classifier = checked_classifier(
        **options,
        of_features=embeddings is not None,
        is_weighted=bool(readers),
        random_state=seed,
        verbose=int(not quiet),
    )
    rows = rows_of(manifest, embeddings)
    classifier = as_ensemble(classifier, len(folds)) if ensemble else classifier
    claim_output(model, overwrite=overwrite)
    with _state_kept(classifier, files[0].with_name(_UNFINISHED)):
        _train(classifier, rows, manifest, folds, readers, model, files[0].parent)
    drop_unwritten(files)
    list_files()


def _files_beside(model: Path, inputs: list[Path]) -> list[Path]:
    """Return what a training may leave beside its model, none of which is an input."""
    from .training_files import TRAINING_FILES

    folder = model.with_name(f"{model.stem}-training")
    files = [folder / name for name in TRAINING_FILES]
    for file in files:
        check_output(file, inputs)
    return files


def _check_ensemble(ensemble: bool, n_folds: int | None) -> None:
    if ensemble and not n_folds:
        raise InputError(
            "--ensemble keeps the classifiers of cross-validation, and there is none. "
            "Say how many folds: --cv 5 --ensemble."
        )


def _train(
    classifier: Any,
    rows: Any,
    manifest: pd.DataFrame,
    folds: list[Any],
    readers: tuple[str, ...],
    model: Path,
    folder: Path,
) -> None:
    """Train a classifier or an ensemble on all rows, and score what is out of fold."""
    from .tables import print_scores
    from .training_files import (
        write_ensemble_training,
        write_out_of_fold,
        write_training,
    )

    is_ensemble = hasattr(classifier, "estimator")
    if rows is manifest:
        rows = _load(classifier.estimator if is_ensemble else classifier, manifest)
    weight = manifest[LABEL_WEIGHT].to_numpy() if readers else None
    out_of_fold = None
    if folds and not is_ensemble:
        title = f"Cross-validated by participant, {len(folds)} folds"
        note(f"{title}:")
        scores, out_of_fold = write_out_of_fold(
            classifier, rows, manifest, folds, folder, weight
        )
        print_scores(title, scores)
    note(f"Training on {len(manifest)} patches.")
    y, participants = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    classifier.fit(rows, y, groups=participants, sample_weight=weight)
    _record(classifier, readers, manifest)
    _tell_threshold(classifier)
    _keep_people(classifier, rows, y, participants, out_of_fold)
    save_model(classifier, model)
    write_training(classifier, rows, y, folder)
    if is_ensemble:
        write_ensemble_training(classifier, manifest, folder)
        title = f"Scores of single members, out of {len(folds)} folds"
        print_scores(title, classifier.oof_evaluation_)


def _record(classifier: Any, readers: tuple[str, ...], manifest: pd.DataFrame) -> None:
    """Keep in the model whose labels it learnt, and how its patches were cut."""
    from .training_files import keep_cut

    keep_cut(classifier, manifest)
    if readers:
        told = f"majority of {', '.join(dict.fromkeys(readers))}, weighted by agreement"
        classifier.training_record_["labels"] = told


def _keep_people(
    model: Any,
    rows: np.ndarray,
    y: np.ndarray,
    participants: np.ndarray,
    out_of_fold: np.ndarray | None,
) -> None:
    """Keep in the model what `predict` says of new biopsies, without names."""
    from ..model.known_people import keep_record
    from ..model.reference import training_reference

    if out_of_fold is not None:
        keep_record(model, y, out_of_fold, participants)
    model.training_reference_ = training_reference(model, rows, participants)
    if not hasattr(model, "out_of_fold_record_"):
        note(
            "Without --cv the model keeps no record of people that it had not seen: "
            "`glomclf predict` will not say how sure a biopsy's percentage is."
        )


def _tell_threshold(classifier: Any) -> None:
    """Say which threshold was chosen, and on which rows."""
    asked = classifier.threshold
    if isinstance(asked, Number):
        return
    bound = asked if isinstance(asked, str) else f"'recall>={asked.recall:g}'"
    chosen_on = classifier.training_record_["threshold_chosen_on"]
    note(
        f"Threshold {classifier.threshold_:g}, chosen on {chosen_on} "
        f"(--threshold {bound})."
    )


@contextmanager
def _state_kept(classifier: Any, folder: Path) -> Iterator[None]:
    """Have every training keep its state until the end, that no fold is lost."""
    parameters = classifier.get_params(deep=True)
    unset = [k for k, v in parameters.items() if _is_place_of_state(k) and v is None]
    classifier.set_params(**dict.fromkeys(unset, folder))
    try:
        yield
    except KeyboardInterrupt:
        _say_how_to_go_on(classifier)
        raise
    for path in folder.glob("*.checkpoint"):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # it is not there, or somebody keeps something else in it
        folder.rmdir()


def _is_place_of_state(parameter: str) -> bool:
    return parameter.rpartition("__")[2] == "checkpoint_dir"


def _say_how_to_go_on(classifier: Any) -> None:
    """After Ctrl-C: name what was kept of the training."""
    from .._runtime import user_path

    parameters = classifier.get_params(deep=True)
    places = [v for k, v in parameters.items() if _is_place_of_state(k) and v]
    kept = [one for one in places if any(user_path(one).glob("*.checkpoint"))]
    if kept:
        note(
            "\nThe state of the training, with all folds that are finished, is kept "
            f"in {kept[0]}: the same command goes on after the last whole epoch."
        )
    else:
        note(
            "\nNothing is kept of the training: no epoch was whole. The same command "
            "begins anew, with the features that are in the cache."
        )


def _load(classifier: GlomeruliClassifier, manifest: pd.DataFrame) -> np.ndarray:
    """Decode all images once, so that every bad file is known before training."""
    from ..model.pipeline import make_pipeline

    loader = make_pipeline(classifier, 0, 0)["load"].set_params(lazy=False)
    return loader.fit(manifest).transform(manifest)
