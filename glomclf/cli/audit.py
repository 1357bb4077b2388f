"""``glomclf audit``: whether the split that a score rests on leaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import InputError, check_output, drop_unwritten, list_files, note, say
from .inputs import (
    embeddings_of_two,
    labelled_manifest,
    labelled_pair,
    participant_folds,
    rows_of,
)
from .label_review import (
    REVIEW_FILES,
    refuse_to_lose_corrections,
    review_labels,
)
from .options import (
    PATH,
    csv_argument,
    embeddings_pair_option,
    folder_option,
    images_option,
    quiet_option,
    reading_options,
    seed_option,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..leakage.splits import SplitAudit

__all__ = ["audit_folds", "audit_pair", "command"]

_FILES = ("findings.csv", "folds.csv", "audit.json", "pairs.png")


@click.command()
@csv_argument
@images_option
@reading_options
@embeddings_pair_option
@click.option(
    "--test",
    type=PATH,
    metavar="CSV",
    help="Test patches. CSV then holds the training patches.",
)
@click.option(
    "--cv",
    "n_folds",
    type=click.IntRange(min=2),
    default=None,
    show_default="5 without --test",
    metavar="FOLDS",
    help="Folds of participants to audit.",
)
@click.option(
    "--check-labels",
    is_flag=True,
    show_default=False,
    help="Write labels.csv and labels.html, too: labels that a model trained on the "
    "other folds speaks against. `glomclf train` reads the column 'corrected label'.",
)
@folder_option(
    "audit",
    "Folder for the tables and the picture of pairs.",
)
@seed_option
@quiet_option
def command(
    csv: Path,
    images: Path | None,
    reading: dict[str, Any],
    embeddings: tuple[Path, ...],
    test: Path | None,
    n_folds: int | None,
    check_labels: bool,
    folder: Path,
    seed: int,
    quiet: bool,
) -> None:
    """Look for leaks between training and test patches.

    A leak is a participant, an image or a serial section on both sides. With --test,
    CSV holds the training patches. Without it, the folds of `glomclf train --cv` are
    audited, and --check-labels looks for wrong labels. The exit code is 2 if there is a
    leak, and 0 if none was found.

    Example: glomclf audit train.csv --test test.csv
    """
    if test and (n_folds or check_labels):
        option = "--cv" if n_folds else "--check-labels"
        raise InputError(f"--test names the split: {option} has nothing to split.")
    own, others = embeddings_of_two(embeddings, test)
    _check_outputs(folder, [csv, *([test] if test else []), *embeddings], check_labels)
    if test:
        given = (own, others)
        audit, manifest = _audit_two(csv, test, images, given, reading, quiet)
    else:
        manifest = labelled_manifest(csv, images, embeddings=own, **reading)
        folds = participant_folds(manifest, n_folds or 5, seed)
        rows = rows_of(manifest, own)
        audit = audit_folds(manifest, folds, quiet, None if own is None else rows)
        if check_labels:
            place = (images or csv.parent).absolute()
            review_labels(manifest, rows, folds, folder, place, seed=seed, quiet=quiet)
    _write(audit, manifest, folder, has_images=own is None)
    drop_unwritten(folder / name for name in _FILES)
    if not audit.is_leaky:
        say(str(audit))
    elif not audit.participants_known:
        note("Not all participants are known: there may be more of one person.")
    list_files()
    audit.raise_if_leaky()


def _check_outputs(folder: Path, inputs: list[Path], check_labels: bool) -> None:
    for name in (*_FILES, *(REVIEW_FILES if check_labels else ())):
        check_output(folder / name, inputs)
    if check_labels:
        refuse_to_lose_corrections(folder)


def _audit_two(
    csv: Path,
    test: Path,
    images: Path | None,
    embeddings: tuple[Path | None, Path | None],
    reading: dict[str, Any],
    quiet: bool,
) -> tuple[SplitAudit, pd.DataFrame]:
    """Read training and test patches, and look for what is in both."""
    own, others = embeddings
    pair = labelled_pair(csv, test, images, embeddings=own, **reading)
    features = None
    if own is not None:
        features = rows_of(pair[0], own), rows_of(pair[1], others)
    return audit_pair(*pair, quiet, features)


def audit_pair(
    train: pd.DataFrame,
    test: pd.DataFrame,
    quiet: bool,
    features: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[SplitAudit, pd.DataFrame]:
    """Look for what is in the training and in the test set.

    Parameters
    ----------
    train, test : DataFrame
        As from `glomclf.cli.inputs.labelled_pair`.
    quiet : bool
    features : (ndarray, ndarray) or None, default=None
        Their embeddings, to be compared in place of the images.

    Returns
    -------
    audit : SplitAudit
    manifest : DataFrame
        The rows of both.
    """
    import numpy as np

    from ..data.manifest import stack_manifests

    columns = ["path", "label", "slide", "participant"]
    rows = stack_manifests(train[columns], test[columns])
    split = (range(len(train)), range(len(train), len(rows)))
    if features is None:
        return audit_folds(rows, [split], quiet), rows
    widths = [side.shape[1] for side in features]
    if len(set(widths)) > 1:
        raise InputError(
            f"The embeddings of the two csvs have {widths[0]} and {widths[1]} features."
            " Give those of one encoder."
        )
    return audit_folds(rows, [split], quiet, np.concatenate(features)), rows


def audit_folds(
    manifest: pd.DataFrame,
    folds: list[Any],
    quiet: bool,
    embeddings: np.ndarray | None = None,
) -> SplitAudit:
    """Look for what is on both sides of a fold, by images or by embeddings."""
    from ..leakage.splits import audit_splits

    return audit_splits(
        manifest,
        manifest["label"],
        folds,
        embeddings=embeddings,
        n_jobs=-1,
        verbose=int(not quiet),
    )


def _write(
    audit: SplitAudit, manifest: pd.DataFrame, folder: Path, *, has_images: bool
) -> None:
    """Write tables, JSON, and a picture where pairs of images were found."""
    from ..report.displays import LeakyPairsDisplay
    from .pictures import new_figure
    from .tables import write_csv, write_json

    write_csv(audit.to_frame(), folder / "findings.csv")
    write_csv(audit.folds, folder / "folds.csv")
    write_json(audit.to_dict(), folder / "audit.json")
    if has_images and audit.findings["distance"].notna().any():
        with new_figure(folder / "pairs.png") as figure:
            LeakyPairsDisplay.from_audit(audit, manifest, figure=figure)
