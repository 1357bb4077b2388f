"""``glomclf train``: a csv of labelled patches becomes a model file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._runtime import claimed, user_path
from . import options
from .console import note
from .inputs import PatchTable, decoded, participant_folds
from .outputs import check_outputs, drop_unwritten, list_files, save_model

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@click.command()
@options.patches("images", "embeddings")
@options.output(
    "model",
    "Model file to write. Curves and pictures go into a folder beside it.",
    "FILE",
    default="model.glomclf",
)
@options.overwrite
@options.folds(
    "Cross-validate by participant first, and print the scores.",
    show_default="none; 5 with --ensemble",
)
@click.option(
    "--ensemble",
    is_flag=True,
    help="Keep the classifiers of --cv; their mean is the model.",
)
@options.readers(
    "the label is the majority's, and a patch counts by how far they agree. Ties are "
    "left out."
)
@options.classifier(recipe="linear")
@options.seed
@options.quiet
def command(
    patches: PatchTable,
    model: Path,
    overwrite: bool,
    n_folds: int | None,
    ensemble: bool,
    readers: tuple[str, ...],
    seed: int,
    quiet: bool,
    **given: Any,
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
    from .training_files import TRAINING_FILES, write_training

    folder = model.with_name(f"{model.stem}-training")
    files = [folder / name for name in TRAINING_FILES]
    check_outputs([model], patches.files, overwrite=overwrite)
    check_outputs(files, patches.files)
    manifest = patches.labelled(readers=readers)
    n_folds = n_folds or (5 if ensemble else None)
    folds = participant_folds(manifest, n_folds, seed) if n_folds else []
    classifier: Any = checked_classifier(
        **given,
        of_features=bool(patches.embeddings),
        is_weighted=bool(readers),
        random_state=seed,
        verbose=int(not quiet),
    )
    rows = patches.rows_of(manifest)
    trained = as_ensemble(classifier, len(folds)) if ensemble else classifier
    with _state_kept(trained, folder / "unfinished"):
        with claimed(model):
            check_outputs([model], overwrite=overwrite)  # another run may have ended
            X = decoded(classifier, rows)
            _train(trained, X, manifest, folds, readers, folder)
        save_model(trained, model)
    write_training(trained, X, manifest, folder)
    drop_unwritten(files)
    list_files()


def _train(
    classifier: Any,
    X: np.ndarray,
    manifest: pd.DataFrame,
    folds: list[Any],
    readers: tuple[str, ...],
    folder: Path,
) -> None:
    """Score the classifier out of fold where there are folds, and train on all rows."""
    from .readers import LABEL_WEIGHT
    from .tables import print_scores
    from .training_files import keep_cut, write_out_of_fold

    weight = manifest[LABEL_WEIGHT].to_numpy() if readers else None
    out_of_fold = None
    if folds and not hasattr(classifier, "estimator"):  # an ensemble has its own
        title = f"Cross-validated by participant, {len(folds)} folds"
        note(f"{title}:")
        scores, out_of_fold = write_out_of_fold(
            classifier, X, manifest, folds, folder, weight
        )
        print_scores(title, scores)
    note(f"Training on {len(manifest)} patches.")
    y, participants = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    classifier.fit(X, y, groups=participants, sample_weight=weight)
    keep_cut(classifier, manifest)
    if readers:
        told = f"majority of {', '.join(dict.fromkeys(readers))}, weighted by agreement"
        classifier.training_record_["labels"] = told
    _tell_threshold(classifier)
    _keep_people(classifier, X, y, participants, out_of_fold)


def _keep_people(
    model: Any,
    X: np.ndarray,
    y: np.ndarray,
    participants: np.ndarray,
    out_of_fold: np.ndarray | None,
) -> None:
    """Keep in the model what `predict` says of new biopsies, without names."""
    from ..model.known_people import keep_record
    from ..model.reference import training_reference

    if out_of_fold is not None:
        keep_record(model, y, out_of_fold, participants)
    model.training_reference_ = training_reference(model, X, participants)
    if not hasattr(model, "out_of_fold_record_"):
        note(
            "Without --cv the model keeps no record of people that it had not seen: "
            "`glomclf predict` will not say how sure a biopsy's percentage is."
        )


def _tell_threshold(classifier: Any) -> None:
    """Say which threshold was chosen, and on which rows."""
    if not isinstance(classifier.threshold, Number):
        chosen_on = classifier.training_record_["threshold_chosen_on"]
        note(f"Threshold {classifier.threshold_:g}, chosen on {chosen_on}.")


@contextmanager
def _state_kept(classifier: Any, folder: Path) -> Iterator[None]:
    """Have every training keep its state until the end, that no fold is lost."""
    places = {
        name: folder if value is None else value
        for name, value in classifier.get_params(deep=True).items()
        if name.rpartition("__")[2] == "checkpoint_dir"
    }
    classifier.set_params(**places)
    try:
        yield
    except KeyboardInterrupt:
        _say_how_to_go_on(list(places.values()))
        raise
    for path in folder.glob("*.checkpoint"):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # it is not there, or somebody keeps something else in it
        folder.rmdir()


def _say_how_to_go_on(places: list[Any]) -> None:
    """After Ctrl-C: name what was kept of the training."""
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
