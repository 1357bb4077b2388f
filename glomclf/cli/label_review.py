"""Labels to look at again: a table that `train` reads back, and a sheet of pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import InputError, note, output

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["REVIEW_FILES", "refuse_to_lose_corrections", "review_labels"]

REVIEW_FILES = ("labels.csv", "labels.html")


def refuse_to_lose_corrections(folder: Path) -> None:
    """Refuse to write over what a person filled in.

    Raises
    ------
    InputError
        If ``labels.csv`` in the folder has a corrected label.
    """
    from .._runtime import counted
    from ..data.table_files import CORRECTED, read_table

    kept = folder / REVIEW_FILES[0]
    if not kept.exists():
        return
    header, lines = read_table(kept)
    if CORRECTED not in header:
        return
    place = header.index(CORRECTED)
    n_filled = sum(bool(cells[place].strip()) for cells in lines.values())
    if n_filled:
        raise InputError(
            f"{kept} holds {counted(n_filled, 'corrected label')}, which would be lost."
            " Give another --output."
        )


def review_labels(
    manifest: pd.DataFrame,
    rows: Any,
    folds: list[Any],
    folder: Path,
    images: Path,
    *,
    seed: int,
    quiet: bool,
) -> None:
    """Predict each fold by a model that saw none of its participants; write suspects.

    Parameters
    ----------
    manifest : DataFrame
        With labels of both classes.
    rows : DataFrame or ndarray
        The manifest, or its embeddings.
    folds : list of (ndarray, ndarray)
    folder : Path
    images : Path
        Folder below which `train` will find the images.
    seed : int
    quiet : bool
    """
    from ..data.participants import participant_kind
    from ..evaluation.suspects import suspect_labels
    from ..report.labels import labels_report
    from .tables import write_csv

    is_of_images = rows is manifest
    probability = _out_of_fold(manifest, rows, folds, seed, quiet)
    suspects = suspect_labels(
        manifest["label"], probability, groups=manifest["participant"]
    )
    names = [_name(path, images) for path in manifest["path"]]
    write_csv(_table(manifest, names, probability, suspects), folder / "labels.csv")
    report = labels_report(
        manifest if is_of_images else None,
        suspects,
        names,
        unit=participant_kind(manifest),
    )
    with output(folder / "labels.html") as temporary:
        temporary.write_text(report.render(), "utf-8", "backslashreplace")
    note(
        f"{len(suspects)} of {len(manifest)} labels should be looked at again. Fill in "
        f"'corrected label' in {folder / 'labels.csv'} where one is wrong, and train "
        "on that file" + (f" with --images {images}." if is_of_images else ".")
    )


def _out_of_fold(
    manifest: pd.DataFrame, rows: Any, folds: list[Any], seed: int, quiet: bool
) -> np.ndarray:
    """Return probabilities of the recipe that `train` begins with."""
    from ..model.folds import predict_folds
    from ..model.pipeline import make_pipeline
    from .settings import checked_classifier

    is_of_images = rows is manifest
    classifier = checked_classifier(
        "linear",
        of_features=not is_of_images,
        random_state=seed,
        verbose=int(not quiet),
    )
    if is_of_images:  # decoded once, not in every fold
        loader = make_pipeline(classifier, 0, 0)["load"].set_params(lazy=False)
        rows = loader.fit(manifest).transform(manifest)
    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    predicted = predict_folds(classifier, rows, y, groups=groups, cv=folds)
    return predicted.sort_values("row")["probability"].to_numpy()


def _table(
    manifest: pd.DataFrame,
    names: list[str],
    probability: np.ndarray,
    suspects: pd.DataFrame,
) -> pd.DataFrame:
    """Put all rows into a table for `train`, those with suspect labels first."""
    import numpy as np

    from ..data.participants import participant_kind
    from ..data.table_files import CORRECTED

    label = manifest["label"].to_numpy()
    made_here = ["name", "ground truth", "suspect", "probability"]
    table = manifest.drop(
        columns=["path", "label", CORRECTED, *made_here], errors="ignore"
    )
    kind = participant_kind(manifest)
    stands_in = {"slide": ["participant"], "image": ["participant", "slide"]}
    table = table.drop(columns=stands_in.get(kind, []))
    table.insert(0, "name", names)
    table.insert(1, "ground truth", label)
    table.insert(2, CORRECTED, "")
    table.insert(3, "suspect", np.isin(np.arange(len(table)), suspects.index) * 1)
    table.insert(4, "probability", probability)
    support = np.where(label == 1, probability, 1 - probability)
    others = np.argsort(support, kind="stable")
    others = others[~np.isin(others, suspects.index)]
    return table.iloc[[*suspects.index, *others]]


def _name(path: str, images: Path) -> str:
    """Return the path from the folder of the images, as a csv may have it."""
    inside = os.path.relpath(path, images) if os.path.isabs(path) else path
    return (
        os.path.basename(path) if inside.startswith("..") else Path(inside).as_posix()
    )
