"""What commands read: csvs with their images and participants, and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._runtime import counted
from .console import InputError

if TYPE_CHECKING:
    import pandas as pd

    from ..model.classifier import GlomeruliClassifier
    from ..model.ensemble import FoldEnsembleClassifier


@dataclass(frozen=True)
class PatchTable:
    """A csv of patches, and what the user said of how it is read.

    Parameters
    ----------
    csv : Path
    images : Path, False or None, default=None
        Folder of the images. None: that of the csv; False: they are not looked for.
    embeddings : tuple of Path, default=()
        What stands in place of the images.
    columns, labels : mapping or None, default=None
        As `read_manifest` takes them.
    """

    csv: Path
    images: Path | Literal[False] | None = None
    embeddings: tuple[Path, ...] = ()
    columns: Mapping[str, str] | None = None
    labels: Mapping[str, int] | None = None

    @property
    def files(self) -> list[Path]:
        """The files that are read, but for the images."""
        return [self.csv, *self.embeddings]

    @property
    def reading(self) -> dict[str, Any]:
        """What `read_manifest` takes beside the csv.

        Raises
        ------
        InputError
            If there are images as well as embeddings, or too many of these.
        """
        if len(self.embeddings) > 1:
            raise InputError(
                "--embeddings is given too often. Give it once, or once for each csv."
            )
        if self.embeddings and self.images is not None:
            raise InputError(
                "--embeddings stands in place of the images, and --images names their "
                "folder. Leave one out."
            )
        images = False if self.embeddings else self.images
        return {"images": images, "columns": self.columns, "labels": self.labels}

    def labelled(
        self, *, to_train: bool = True, readers: tuple[str, ...] = ()
    ) -> pd.DataFrame:
        """Read a csv that has labels, or gets them from columns of readers.

        Raises
        ------
        ManifestError
            If the csv or its images cannot be used.
        InputError
            If it is a folder, or labels are missing or, for a csv to train on, all the
            same.
        """
        from ..data.manifest import read_manifest
        from .readers import label_by_readers

        _refuse_folder(self.csv)
        manifest = read_manifest(self.csv, **self.reading)
        if readers:
            manifest = label_by_readers(manifest, readers, self.csv)
        if "label" not in manifest:
            raise InputError(
                f"{self.csv} has no labels; its columns are {', '.join(self.titles())}."
                " The column 'ground truth' (or 'label') must say 1 for globally "
                "sclerotic, 0 for the rest. --columns label=TITLE names another "
                "column, and --labels GS=1,NGS=0 tells what other texts mean."
            )
        if to_train and manifest["label"].nunique() < 2:
            raise InputError(
                f"{self.csv} has only the label {manifest['label'].iloc[0]}, in "
                f"{counted(len(manifest), 'row')}. Training needs images of both "
                "classes, 0 and 1."
            )
        return manifest

    def titles(self) -> dict[str, str | None]:
        """Return the titles of the csv, and what each is to glomclf."""
        from ..data.table_files import check_columns, column_name, read_table

        chosen = check_columns(self.columns)
        titles = read_table(self.csv, chosen)[0]
        return {title: column_name(title, chosen) for title in titles}

    def rows_of(self, manifest: pd.DataFrame) -> Any:
        """Return what a classifier takes: the manifest, or its embeddings.

        Raises
        ------
        EmbeddingsError
            If the embeddings cannot be read, or do not fit the manifest.
        """
        from ..data.embeddings import read_embeddings

        if not self.embeddings:
            return manifest
        return read_embeddings(self.embeddings[0], manifest)


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


def labelled_pair(own: PatchTable, other: Path) -> tuple[list[pd.DataFrame], list[Any]]:
    """Read a csv and another with labels, and what a classifier takes of each.

    Participants are inferred from the names in both, for the parts of a biopsy may lie
    in different files. Where a csv names participants, all stay as they are. One file
    of embeddings may be of both.
    """
    from ..data.participants import infer_participants

    first, second = own.embeddings[:1], own.embeddings[1:]
    tables = [
        replace(own, embeddings=first),
        replace(own, csv=other, embeddings=second or first),
    ]
    sides = [table.labelled(to_train=False) for table in tables]
    if not any("participant" in table.titles().values() for table in tables):
        names = [Path(path).name for side in sides for path in side["path"]]
        inferred = iter(infer_participants(names))
        for side in sides:
            side["participant"] = [
                next(inferred) or as_is for as_is in side["participant"]
            ]
    rows = [table.rows_of(side) for table, side in zip(tables, sides, strict=True)]
    return sides, rows


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


def decoded(classifier: GlomeruliClassifier, rows: Any) -> Any:
    """Decode the images of a manifest once, so that every bad file is known at once.

    Embeddings stay as they are.
    """
    from ..model.pipeline import holds_features, make_pipeline

    if holds_features(rows):
        return rows
    loader = make_pipeline(classifier, 0, 0)["load"].set_params(lazy=False)
    return loader.fit(rows).transform(rows)


def check_model(path: Path, table: PatchTable, *, of_slides: bool = False) -> None:
    """Refuse a model of other rows than are given, before any of them is read.

    Parameters
    ----------
    path : Path
    table : PatchTable
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
    if takes_features and not table.embeddings:
        raise InputError(
            f"{path} was trained on embeddings. Give those of these patches, made by "
            "the same encoder: --embeddings FILE."
        )
    if table.embeddings and not takes_features:
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
