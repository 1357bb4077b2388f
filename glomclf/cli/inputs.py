"""What commands read: csvs with their images and participants, and models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import InputError

if TYPE_CHECKING:
    import pandas as pd

    from ..model.classifier import GlomeruliClassifier
    from ..model.ensemble import FoldEnsembleClassifier

__all__ = [
    "labelled_manifest",
    "load_model",
    "named_alike",
    "participant_folds",
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
    from ..data.participants import infer_participants

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
    from ..model.model_files import read_classifier

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
