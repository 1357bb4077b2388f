"""What commands read: csvs with their images and participants, and models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .console import InputError
from .readers import label_by_readers

if TYPE_CHECKING:
    import pandas as pd

    from ..model.classifier import GlomeruliClassifier
    from ..model.ensemble import FoldEnsembleClassifier

__all__ = [
    "check_model",
    "embeddings_of_two",
    "labelled_manifest",
    "labelled_pair",
    "load_model",
    "participant_folds",
    "read_images",
    "rows_of",
]


def labelled_manifest(
    csv: Path,
    images: Path | Literal[False] | None,
    *,
    to_train: bool = True,
    embeddings: Path | None = None,
    readers: tuple[str, ...] = (),
    **reading: Any,
) -> pd.DataFrame:
    """Read a csv that has labels.

    Parameters
    ----------
    csv : Path
    images : Path, False or None
        False: they are not looked for.
    to_train : bool, default=True
    embeddings : Path or None, default=None
        Where they are given, images need not be there.
    readers : tuple of str, default=()
        Columns of readers, whose majority makes the labels: see `label_by_readers`.
    **reading : object
        What `options.reading_options` gave: `columns` and `labels`.

    Raises
    ------
    ManifestError
        If the csv or its images cannot be used.
    InputError
        If it is a folder, or labels are missing or, for a csv to train on, all the
        same.
    """
    from .._runtime import counted
    from ..data.manifest import read_manifest

    _refuse_folder(csv)
    manifest = read_manifest(csv, read_images(images, embeddings), **reading)
    if readers:
        manifest = label_by_readers(manifest, readers, csv)
    if "label" not in manifest:
        titles, _ = _header(csv, reading)
        raise InputError(
            f"{csv} has no labels; its columns are {', '.join(titles)}. The "
            "column 'ground truth' (or 'label') must say 1 for globally sclerotic, 0 "
            "for the rest. --columns label=TITLE names another column, and --labels "
            "GS=1,NGS=0 tells what other texts mean."
        )
    if to_train and manifest["label"].nunique() < 2:
        raise InputError(
            f"{csv} has only the label {manifest['label'].iloc[0]}, in "
            f"{counted(len(manifest), 'row')}. Training needs images of both classes, "
            "0 and 1."
        )
    return manifest


def read_images(
    images: Path | Literal[False] | None, embeddings: Path | None
) -> Path | Literal[False] | None:
    """Return where `read_manifest` finds images: nowhere, if there are embeddings.

    Raises
    ------
    InputError
        If both are given.
    """
    if embeddings is None:
        return images
    if images is not None:
        raise InputError(
            "--embeddings stands in place of the images, and --images names their "
            "folder. Leave one out."
        )
    return False


def rows_of(manifest: pd.DataFrame, embeddings: Path | None) -> Any:
    """Return what a classifier takes: the manifest, or its embeddings.

    Raises
    ------
    EmbeddingsError
        If the embeddings cannot be read, or do not fit the manifest.
    """
    from ..data.embeddings import read_embeddings

    return manifest if embeddings is None else read_embeddings(embeddings, manifest)


def embeddings_of_two(
    embeddings: tuple[Path, ...], other: Path | None
) -> tuple[Path | None, Path | None]:
    """Tell which file is of CSV, and which of the other csv: one may be of both.

    Raises
    ------
    InputError
        If there are more files than csvs.
    """
    if len(embeddings) > (1 if other is None else 2):
        raise InputError(
            f"--embeddings is given {len(embeddings)} times. Give it once, or once for "
            "each csv."
        )
    return (embeddings[0], embeddings[-1]) if embeddings else (None, None)


def _refuse_folder(csv: Path) -> None:
    """Refuse a folder; name the csv in it, if there is one."""
    if not csv.is_dir():
        return
    inside = sorted(csv.glob("*.csv"))
    hint = f" Did you mean {inside[0]}?" if len(inside) == 1 else ""
    if not inside:
        hint = (
            " The csv has the columns 'name' (of the image), 'ground truth' (0 or 1) "
            "and, if known, 'participant'. For a folder a class, image_folder_manifest "
            "in Python makes the table."
        )
    raise InputError(f"{csv} is a folder; a csv was expected.{hint}")


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


def labelled_pair(
    train: Path,
    test: Path,
    images: Path | None,
    *,
    embeddings: Path | None = None,
    **reading: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read two csvs with labels; participants are inferred from the names in both.

    The parts of a biopsy may lie in different files. Where a csv names participants,
    all stay as they are.
    """
    from ..data.participants import infer_participants

    csvs = (train, test)
    first, second = (
        labelled_manifest(csv, images, to_train=False, embeddings=embeddings, **reading)
        for csv in csvs
    )
    if not any("participant" in _header(csv, reading)[1] for csv in csvs):
        paths = [*first["path"], *second["path"]]
        inferred = iter(infer_participants([Path(path).name for path in paths]))
        for side in (first, second):
            side["participant"] = [next(inferred) or own for own in side["participant"]]
    return first, second


def _header(csv: Path, reading: dict[str, Any]) -> tuple[list[str], set[str | None]]:
    """Return the titles of a csv, and what they are to glomclf."""
    from ..data.table_files import check_columns, column_name, read_table

    chosen = check_columns(reading.get("columns"))
    titles = read_table(csv, chosen)[0]
    return titles, {column_name(title, chosen) for title in titles}


def check_model(
    path: Path, embeddings: Path | None, *, of_slides: bool = False
) -> None:
    """Refuse a model of other rows than are given, before any of them is read.

    Parameters
    ----------
    path : Path
    embeddings : Path or None
        What stands in place of the images.
    of_slides : bool, default=False
        Whether the images are cut out of slides.

    Raises
    ------
    ModelFileError
        If the file is not a model.
    InputError
        If it was trained on embeddings and images are given, or the other way.
    """
    from ..model.model_files import file_takes_features

    takes_features = file_takes_features(path)
    if takes_features and of_slides:
        raise InputError(
            f"{path} was trained on embeddings, and polygons of a slide give images. "
            "Give a model that was trained on images."
        )
    if takes_features and embeddings is None:
        raise InputError(
            f"{path} was trained on embeddings. Give those of these patches, made by "
            "the same encoder: --embeddings FILE."
        )
    if embeddings is not None and not takes_features:
        raise InputError(
            f"{path} was trained on images, and encodes them itself. Leave out "
            "--embeddings, or give a model that was trained with it."
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
