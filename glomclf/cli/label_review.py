"""Labels to look at again: a table that `train` reads back, and a sheet of pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.participants import participant_kind
from ..data.table_files import CORRECTED
from ..evaluation.suspects import suspect_labels
from ..report.labels import labels_report
from .console import note
from .inputs import decoded
from .outputs import write_csv, write_text
from .settings import checked_classifier
from .training_files import out_of_fold


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
    is_of_images = rows is manifest
    classifier = checked_classifier(  # as `train` begins with
        "linear",
        of_features=not is_of_images,
        random_state=seed,
        verbose=int(not quiet),
    )
    probability, _ = out_of_fold(classifier, decoded(classifier, rows), manifest, folds)
    suspects = suspect_labels(
        manifest["label"], probability, groups=manifest["participant"]
    )
    names = [_name(path, images) for path in manifest["path"]]
    write_csv(_table(manifest, names, probability, suspects), folder / "labels.csv")
    unit = participant_kind(manifest)
    shown = manifest if is_of_images else None
    report = labels_report(shown, suspects, names, unit=unit)
    write_text(report.render(), folder / "labels.html")
    note(
        f"{len(suspects)} of {len(manifest)} labels should be looked at again. Fill in "
        f"'corrected label' in {folder / 'labels.csv'} where one is wrong, and train "
        "on that file" + (f" with --images {images}." if is_of_images else ".")
    )


def _table(
    manifest: pd.DataFrame,
    names: list[str],
    probability: np.ndarray,
    suspects: pd.DataFrame,
) -> pd.DataFrame:
    """Put all rows into a table for `train`, those with suspect labels first."""
    label = manifest["label"].to_numpy()
    is_suspect = np.isin(np.arange(len(manifest)), suspects.index)
    own = {"name": names, "ground truth": label, CORRECTED: ""}
    own |= {"suspect": is_suspect.astype(int), "probability": probability}
    stands_in = {"slide": ["participant"], "image": ["participant", "slide"]}
    made_here = ["path", "label", *own, *stands_in.get(participant_kind(manifest), [])]
    kept = manifest.drop(columns=made_here, errors="ignore")
    table = pd.concat([pd.DataFrame(own, index=kept.index), kept], axis=1)
    support = np.where(label == 1, probability, 1 - probability)
    others = np.argsort(support, kind="stable")
    return table.iloc[[*suspects.index, *others[~is_suspect[others]]]]


def _name(path: str, images: Path) -> str:
    """Return the path from the folder of the images, as a csv may have it."""
    inside = os.path.relpath(path, images) if os.path.isabs(path) else path
    return (
        os.path.basename(path) if inside.startswith("..") else Path(inside).as_posix()
    )
