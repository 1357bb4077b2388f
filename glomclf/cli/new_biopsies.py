"""What `glomclf predict` reads, and what it writes of new biopsies."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._runtime import counted
from ..data.annotations.reading import FORMATS
from ..data.image_folders import FOLDER_LABELS
from ..data.images import IMAGE_SUFFIXES
from ..data.manifest import biopsy_folder_manifest, read_manifest
from ..data.participants import participant_kind
from ..errors import ParticipantWarning
from ..evaluation.abstention import Abstention, choose_abstention
from ..evaluation.biopsy_estimates import (
    BiopsyEstimates,
    is_borderline,
    summarize_biopsies,
)
from ..model.explanation import refuse_unexplained
from ..model.pipeline import holds_features
from .console import InputError, note, print_table, say, typed_command
from .inputs import PatchTable
from .outputs import drop_unwritten, write_csv, write_report
from .tables import predictions_table

PREDICTION_FILES = ("predictions.csv", "biopsies.csv", "biopsies.png", "report.html")


@dataclass(frozen=True)
class Predictions:
    """Patches of new biopsies, and what a model says of them.

    Parameters
    ----------
    manifest : DataFrame
        With ``path``, and ``participant`` where it is known.
    X : DataFrame or ndarray
        The same rows as the model takes them.
    probability : ndarray of shape (n_samples,)
        Of class 1.
    model : GlomeruliClassifier or FoldEnsembleClassifier
    abstention : Abstention or None
        Which patches are left to a person.
    """

    manifest: pd.DataFrame
    X: Any
    probability: np.ndarray
    model: Any
    abstention: Abstention | None

    @property
    def called(self) -> np.ndarray:
        """Which patches are called globally sclerotic."""
        return self.probability >= self.model.threshold_

    @property
    def borderline(self) -> np.ndarray:
        """Which patches are near the threshold."""
        return is_borderline(self.probability, self.model.threshold_)


def is_polygon_file(path: Path) -> bool:
    """Tell by the ending whether polygons are to be written to a file."""
    return path.suffix.lower() in FORMATS


def read_new(patches: PatchTable) -> pd.DataFrame:
    """Read a csv or a folder of patches, and say what counts as a biopsy.

    Raises
    ------
    ManifestError
        If images or columns cannot be used.
    InputError
        If it is a single image, or --images or --columns is given with a folder.
    """
    source, reading = patches.csv, patches.reading
    if source.is_dir():
        for name in ("images", "columns"):
            if reading[name]:
                raise InputError(
                    f"--{name} belongs to a csv, and {source} is a folder. Leave it "
                    "out."
                )
        return _read_folder(source, patches.labels)
    if source.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(
            f"{source} is a single image. Give the folder that it lies in, a csv that "
            "names it or, if it is a slide, the file of its polygons after it."
        )
    return _read_csv(source, reading)


def _read_folder(source: Path, labels: Mapping[str, int] | None) -> pd.DataFrame:
    manifest = biopsy_folder_manifest(source, class_folders=labels or FOLDER_LABELS)
    n_images = manifest.groupby("participant").size()
    note(
        f"{counted(len(manifest), 'patch')} of {counted(len(n_images), 'biopsy')} in "
        f"{source}: {_counts(n_images)}. A sub-folder is a biopsy. Patches beside each "
        "other in the folder itself are told apart by their names where all of these "
        "say whose they are; else they are one biopsy."
    )
    _caution_of_names(manifest)
    return manifest


def _caution_of_names(manifest: pd.DataFrame) -> None:
    """Say which biopsies may be several, because their files are named like several."""
    names = manifest["path"].map(lambda path: Path(path).stem)
    beginnings = names.str.extract(r"^(.+?)[_-]\d+$", expand=False)
    for biopsy, own in beginnings.groupby(manifest["participant"]):
        found = sorted(own.dropna().unique())
        if own.notna().all() and len(found) > 1:
            note(
                f"Caution: {biopsy} counts as one biopsy, and its files begin in "
                f"{len(found)} ways: {', '.join(found[:5])}. If these are several "
                "biopsies, make a sub-folder for each, or give a csv with the columns "
                "'name' and 'participant'."
            )


def _counts(n_images: pd.Series, most: int = 5) -> str:
    told = [f"{name} ({n})" for name, n in n_images.head(most).items()]
    return ", ".join(told) + (", ..." if len(n_images) > most else "")


def _read_csv(source: Path, reading: dict[str, Any]) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ParticipantWarning)  # said below
        manifest = read_manifest(source, **reading)
    kind = participant_kind(manifest)
    if kind == "image":
        note(
            f"{source} does not say which patches are of one biopsy, so that there are "
            "predictions and no percentages. Add a column 'participant'."
        )
    elif kind != "participant":
        note(f"{source} names no participants: a slide counts as a biopsy.")
    return manifest


def abstention_of(model: Any, max_miss: float | None) -> Abstention | None:
    """Choose which glomeruli are left to a person, where that is asked for.

    Raises
    ------
    InputError
        If the model keeps no record.
    ScoreError
        If so little cannot be promised by its record.
    """
    if max_miss is None:
        return None
    record = getattr(model, "out_of_fold_record_", None)
    if record is None:
        raise InputError(
            "--max-miss needs a model that keeps a record of people it had not seen: "
            "train it with --cv 5."
        )
    return choose_abstention(record, threshold=model.threshold_, max_miss=max_miss)


def check_explained(manifest: pd.DataFrame, model: Any, folder: Path) -> None:
    """Refuse --explain where there is no report to draw in, or nothing to explain.

    Raises
    ------
    InputError
        If there will be no report.
    ParameterError
        If the model takes features.
    """
    if is_polygon_file(folder) or participant_kind(manifest) == "image":
        raise InputError(
            "--explain draws into report.html, and none is written: that takes a "
            "folder as --output, and a column 'participant'. Or leave --explain out."
        )
    refuse_unexplained(model)


def write_new(
    found: Predictions, folder: Path, *, explain: bool = False
) -> BiopsyEstimates | None:
    """Write predictions and, where it is known whose patches these are, biopsies.

    Parameters
    ----------
    found : Predictions
    folder : Path
    explain : bool, default=False
        Whether the report shows what the model looked at.

    Returns
    -------
    BiopsyEstimates or None
        None where participants are not known, or polygons alone are written.
    """
    if is_polygon_file(folder):
        return None
    table = _table(found)
    is_known = participant_kind(found.manifest) != "image"
    if is_known:  # a slide, too
        table["participant"] = found.manifest["participant"].to_numpy()
    write_csv(table, folder / "predictions.csv")
    if not is_known:
        drop_unwritten(folder / name for name in PREDICTION_FILES)
        return None
    model, groups = found.model, table["participant"].to_numpy()
    record = getattr(model, "out_of_fold_record_", None)
    estimates = summarize_biopsies(
        found.probability, groups, record, threshold=model.threshold_
    )
    distances = None
    if hasattr(model, "training_reference_"):
        distances = model.training_reference_.distances(model, found.X, groups)
    biopsies = estimates.table if distances is None else estimates.table.join(distances)
    if found.abstention is not None:
        n_left = table.groupby("participant")["left_to_person"].sum()
        biopsies = biopsies.assign(n_left_to_person=n_left)
    _write_biopsies(biopsies, folder)
    known = {"distances": distances, "explain": explain}
    _write_report(estimates, table, found, folder, known)
    return estimates


def _table(found: Predictions) -> pd.DataFrame:
    """Return a row a patch; what is unsure stands beside the prediction."""
    threshold = found.model.threshold_
    table = predictions_table(found.manifest, found.probability, threshold)
    table.insert(3, "borderline", found.borderline.astype(int))
    if found.abstention is not None:
        left = found.abstention.is_left(found.probability)
        table.insert(4, "left_to_person", left.astype(int))
    return table


def _write_biopsies(biopsies: pd.DataFrame, folder: Path) -> None:
    """Write a row a biopsy, and name those whose patches are unlike the training's."""
    write_csv(biopsies, folder / "biopsies.csv", index=True)
    if "unlike_training" not in biopsies:
        return
    unlike = biopsies.index[biopsies["unlike_training"].astype(bool)]
    if len(unlike):
        note(
            "Caution: unlike anything that the model was trained on: "
            f"{', '.join(unlike.astype(str))}. Check that these are patches of "
            "glomeruli, stained and cut out as those of the training were."
        )


def _write_report(
    estimates: BiopsyEstimates,
    predictions: pd.DataFrame,
    found: Predictions,
    folder: Path,
    known: dict[str, Any],
) -> None:
    from ..report import biopsies_report

    report = biopsies_report(
        estimates,
        found.probability,
        predictions["participant"],
        X=None if holds_features(found.X) else found.X,
        names=predictions["name"].to_list(),
        classifier=found.model,
        abstention=found.abstention,
        command=typed_command(),
        **known,
    )
    write_report(report, folder, PREDICTION_FILES)
    drop_unwritten(folder / name for name in PREDICTION_FILES)


def print_predictions(found: Predictions, estimates: BiopsyEstimates | None) -> None:
    """Say how many are called sclerotic, and how many are left to a person."""
    n_patches, abstention = len(found.probability), found.abstention
    say(
        f"Predicted globally sclerotic: {found.called.sum()} of "
        f"{counted(n_patches, 'patch')} (threshold {found.model.threshold_:g})."
    )
    if abstention is not None:
        say(
            f"Left to a person: {abstention.is_left(found.probability).sum()} of "
            f"{n_patches} (from {abstention.low:.3g} to {abstention.high:.3g}; of the "
            f"record's, {100 * abstention.share_left:.0f} % are). Of the sclerotic "
            f"glomeruli among the others at most {100 * abstention.max_miss:g} % are "
            "missed: the mean over participants like the "
            f"{abstention.n_participants} of the record who had any, with confidence "
            f"{abstention.confidence:g}."
        )
    if estimates is not None:
        _print_biopsies(estimates)


def _print_biopsies(estimates: BiopsyEstimates) -> None:
    """Print the percentage of each biopsy with both intervals."""
    alone = bool(estimates.missing)
    value, part, title = ("estimate", "biopsy", "of this biopsy")
    if alone:
        value, part, title = ("predicted", "sampling", "by sampling alone")
    cuts = [] if alone else [f"{cut_off:g}" for cut_off in estimates.cut_offs]
    rows = []
    for name, row in estimates.table.iterrows():
        own = f"{row[value]:.0f} ({_ends(row, part)})"
        cells = [name, row["n_glomeruli"], f"{row['predicted']:.0f}", own]
        cells += [] if alone else [_ends(row, "kidney")]
        rows.append([*cells, *(row[f"kidney_verdict_{cut}"] for cut in cuts)])
    columns = ["biopsy", "n", "predicted", title, *([] if alone else ["of kidney"])]
    level = f"{100 * estimates.confidence:g} % intervals"
    head = f"Globally sclerotic glomeruli, %, with {level}"
    print_table(head, [*columns, *(f"> {cut} %" for cut in cuts)], rows)
    note(
        f"How sure the model is cannot be told, for {estimates.missing}: train it "
        "with --cv 5. The interval is that of sampling alone."
        if alone
        else "Predicted: the share of patches above the threshold. Of this biopsy: "
        "read from the probabilities and the model's record, with its interval. Of "
        "kidney: the same of the whole kidney that the biopsy comes from."
    )


def _ends(row: pd.Series, part: str) -> str:
    return f"{row[f'{part}_low']:.0f} to {row[f'{part}_high']:.0f}"
