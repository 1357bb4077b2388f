"""Cheap checks that come before anything slow: parameters, csv, model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .faults import InputError, input_checked

if TYPE_CHECKING:
    import pandas as pd

    from ..model.classifier import GlomeruliClassifier
    from ..model.ensemble import FoldEnsembleClassifier
    from ..model.recipes import Recipe

__all__ = [
    "as_ensemble",
    "checked_classifier",
    "labelled_manifest",
    "load_model",
    "named_alike",
    "participant_folds",
    "recipe_text",
]


def labelled_manifest(csv: Path, images: Path | None) -> pd.DataFrame:
    """Read a csv to train on.

    Raises
    ------
    ManifestError
        If the csv or its images cannot be used.
    InputError
        If labels are missing, or all the same.
    """
    from ..data.manifest import read_manifest

    manifest = read_manifest(csv, images)
    if "label" not in manifest:
        raise InputError(
            f"{csv} has no labels; its columns are {', '.join(_columns(csv))}. The "
            "column 'ground truth' (or 'label') must say 1 for globally sclerotic, 0 "
            "for the rest."
        )
    present = sorted(map(int, manifest["label"].unique()))
    if len(present) < 2:
        raise InputError(
            f"All {len(manifest)} rows of {csv} have the label {present[0]}. Training "
            "needs images of both classes, 0 and 1."
        )
    return manifest


def participant_folds(manifest: pd.DataFrame, n_folds: int, seed: int) -> list[Any]:
    """Draw stratified folds of participants.

    Raises
    ------
    SplitError
        If the participants do not allow so many.
    """
    from ..data.splitting import RepeatedStratifiedGroupKFold

    splitter = RepeatedStratifiedGroupKFold(n_folds, 1, random_state=seed)
    return list(splitter.split(manifest, manifest["label"], manifest["participant"]))


def named_alike(csvs: Sequence[Path], sides: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Infer the participants of several files from the names in all of them.

    The parts of a biopsy may lie in different files. Where a csv names participants,
    all stay as they are.

    Parameters
    ----------
    csvs : sequence of Path
    sides : list of DataFrame
        What each holds.

    Returns
    -------
    list of DataFrame
    """
    from ..data.manifest import infer_participants

    titles = {str(title).strip().lower() for csv in csvs for title in _columns(csv)}
    if "participant" in titles:
        return sides
    names = [Path(path).name for side in sides for path in side["path"]]
    inferred = iter(infer_participants(names))
    return [
        side.assign(participant=[next(inferred) or own for own in side["participant"]])
        for side in sides
    ]


def _columns(csv: Path) -> list[str]:
    import pandas as pd

    return list(pd.read_csv(csv, nrows=0, encoding="utf-8-sig").columns)


def checked_classifier(n_samples: int, **parameters: Any) -> GlomeruliClassifier:
    """Make a classifier whose parameters, sampler and weights can be used.

    Parameters
    ----------
    n_samples : int
        Rows it is to be fitted to.
    **parameters
        Of the classifier.

    Returns
    -------
    GlomeruliClassifier

    Raises
    ------
    InputError
        If parameters are out of range or contradict each other, or checkpoints are to
        go into a file.
    ParameterError
        If the backbone has fewer layers than are to be trained.
    EngineError
        If this processor does not compute in the precision to train in.
    SamplingError, WeightsError
        If the sampler is unknown, or the weights cannot be had.
    """
    from ..errors import ParameterError
    from ..model.classifier import GlomeruliClassifier
    from ..model.recipes import with_origins
    from ..network.processor import check_training_precision
    from ..network.resnet50 import load_backbone
    from ..samplers import make_sampler

    classifier = GlomeruliClassifier(**parameters)
    folder = classifier.checkpoint_dir
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --checkpoint-dir names a folder.")
    with input_checked():
        classifier._validate_params()
        recipe = classifier.resolve(n_samples)
        make_sampler(recipe.parameters["sampler"])
    check_training_precision(recipe.parameters["training_precision"])
    backbone = load_backbone(classifier.backbone, classifier.weights)
    try:
        backbone.n_trainable(recipe.parameters["trainable_layers"])
    except ParameterError as error:
        raise ParameterError(with_origins(str(error), recipe, parameters)) from None
    return classifier


def recipe_text(recipe: Recipe) -> str:
    """Tell which recipe a training follows and, where it was chosen, why."""
    why = "" if recipe.reason == "as given" else f" ({recipe.reason})"
    return f"Recipe {recipe.name!r}{why}."


def as_ensemble(
    classifier: GlomeruliClassifier, n_folds: int
) -> FoldEnsembleClassifier:
    """Make an ensemble of such classifiers, one a fold; it takes over their threshold.

    Parameters
    ----------
    classifier : GlomeruliClassifier
        As from `checked_classifier`. A threshold that it would choose on its training
        participants is chosen on the out-of-fold probabilities.
    n_folds : int

    Returns
    -------
    FoldEnsembleClassifier
        Not fitted.
    """
    from sklearn.base import clone

    from ..model.ensemble import FoldEnsembleClassifier

    member = clone(classifier).set_params(
        threshold=0.5, threshold_aim="f1", threshold_recall=0.95, random_state=None
    )
    chosen = classifier.threshold == "validation"
    return FoldEnsembleClassifier(
        member,
        cv=n_folds,
        threshold="out-of-fold" if chosen else classifier.threshold,
        threshold_aim=classifier.threshold_aim,
        threshold_recall=classifier.threshold_recall,
        random_state=classifier.random_state,
    )


def load_model(
    path: Path, threshold: float | None, quiet: bool
) -> GlomeruliClassifier | FoldEnsembleClassifier:
    """Load a model, and give it another threshold where one is asked for.

    Raises
    ------
    ModelFileError
        If the file is not a model.
    InputError
        If the model was trained for other labels than 0 and 1.
    """
    from ..model.files import read_classifier

    model = read_classifier(path)
    if model.classes_.tolist() != [0, 1]:
        raise InputError(
            f"{path} tells {model.classes_.tolist()} apart; the command line works "
            "with 0 and 1. Use the model in Python."
        )
    if threshold is not None:
        model.threshold_ = threshold
    for member in getattr(model, "estimators_", [model]):
        for step in {"load", "encode"} & set(member.pipeline_.named_steps):
            member.pipeline_[step].set_params(verbose=int(not quiet))
    return model
