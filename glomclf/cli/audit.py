"""``glomclf audit``: whether the split that a score rests on leaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options, outputs
from .console import InputError, note, say
from .inputs import PatchTable, labelled_pair, participant_folds

if TYPE_CHECKING:
    import pandas as pd

    from ..leakage.splits import SplitAudit

_REVIEW_FILES = ("labels.csv", "labels.html")
_FILES = ("findings.csv", "folds.csv", "audit.json", "pairs.png")


@click.command()
@options.patches("images", "embeddings")
@click.option(
    "--test",
    type=options.PATH,
    metavar="CSV",
    help="Test patches. CSV then holds the training patches.",
)
@options.folds("Folds of participants to audit.", show_default="5 without --test")
@click.option(
    "--check-labels",
    is_flag=True,
    help="Write labels.csv and labels.html, too: labels that a model trained on the "
    "other folds speaks against. `glomclf train` reads the column 'corrected label'.",
)
@options.output(
    "folder", "Folder for the tables and the picture of pairs.", default="audit"
)
@options.seed
@options.quiet
def command(
    patches: PatchTable,
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
    names = [*_FILES, *(_REVIEW_FILES if check_labels else ())]
    inputs = [*patches.files, *([test] if test else [])]
    outputs.check_outputs((folder / name for name in names), inputs)
    if check_labels and (folder / "labels.csv").exists():
        raise InputError(
            f"{folder / 'labels.csv'} exists, and corrected labels in it would be lost."
            " Give another --output, or remove it."
        )
    if test:
        audit, manifest = audit_pair(*labelled_pair(patches, test), quiet)
    else:
        manifest = patches.labelled()
        folds = participant_folds(manifest, n_folds or 5, seed)
        rows = patches.rows_of(manifest)
        audit = audit_folds(manifest, rows, folds, quiet)
        if check_labels:
            from .label_review import review_labels

            place = (patches.images or patches.csv.parent).absolute()
            review_labels(manifest, rows, folds, folder, place, seed=seed, quiet=quiet)
    _write(audit, manifest, folder, has_images=not patches.embeddings)
    _tell(audit)
    audit.raise_if_leaky()


def audit_pair(
    sides: list[pd.DataFrame], rows: list[Any], quiet: bool
) -> tuple[SplitAudit, pd.DataFrame]:
    """Look for what is in the training and in the test set.

    Parameters
    ----------
    sides, rows : list of length 2
        As from `glomclf.cli.inputs.labelled_pair`, training set first.
    quiet : bool

    Returns
    -------
    audit : SplitAudit
    manifest : DataFrame
        The rows of both.
    """
    import numpy as np

    from ..data.manifest import stack_manifests

    columns = ["path", "label", "slide", "participant"]
    manifest = stack_manifests(*(side[columns] for side in sides))
    split = (range(len(sides[0])), range(len(sides[0]), len(manifest)))
    if rows[0] is sides[0]:
        return audit_folds(manifest, manifest, [split], quiet), manifest
    widths = [features.shape[1] for features in rows]
    if len(set(widths)) > 1:
        raise InputError(
            f"The embeddings of the two csvs have {widths[0]} and {widths[1]} features."
            " Give those of one encoder."
        )
    return audit_folds(manifest, np.concatenate(rows), [split], quiet), manifest


def audit_folds(
    manifest: pd.DataFrame, rows: Any, folds: list[Any], quiet: bool
) -> SplitAudit:
    """Look for what is on both sides of a fold, by images or by embeddings."""
    from ..leakage.splits import audit_splits

    return audit_splits(
        manifest,
        manifest["label"],
        folds,
        embeddings=None if rows is manifest else rows,
        n_jobs=-1,
        verbose=int(not quiet),
    )


def _tell(audit: SplitAudit) -> None:
    if not audit.is_leaky:
        say(str(audit))
    elif not audit.participants_known:
        note("Not all participants are known: there may be more of one person.")
    outputs.list_files()


def _write(
    audit: SplitAudit, manifest: pd.DataFrame, folder: Path, *, has_images: bool
) -> None:
    """Write tables, JSON, and a picture where pairs of images were found."""
    from ..report.displays import LeakyPairsDisplay

    outputs.write_csv(audit.to_frame(), folder / "findings.csv")
    outputs.write_csv(audit.folds, folder / "folds.csv")
    outputs.write_json(audit.to_dict(), folder / "audit.json")
    if has_images and audit.findings["distance"].notna().any():
        with outputs.new_figure(folder / "pairs.png") as figure:
            LeakyPairsDisplay.from_audit(audit, manifest, figure=figure)
    outputs.drop_unwritten(folder / name for name in _FILES)
