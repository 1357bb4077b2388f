"""``glomclf audit``: whether the split that a score rests on leaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import InputError, check_output, list_files, note, print_table
from .options import (
    Number,
    csv_argument,
    folder_option,
    images_option,
    quiet_option,
    seed_option,
)

if TYPE_CHECKING:
    import pandas as pd

    from ..leakage.splits import SplitAudit

__all__ = ["command"]

_FILES = ("findings.csv", "folds.csv", "audit.json", "pairs.png")


@click.command()
@csv_argument
@images_option
@click.option(
    "--test",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Test patches. CSV then holds the training patches.",
)
@click.option(
    "--cv",
    "n_folds",
    type=click.IntRange(min=2),
    default=5,
    metavar="FOLDS",
    help="Folds of the cross-validation to audit.",
)
@click.option(
    "--by",
    type=click.Choice(["participant", "slide", "random"]),
    default="participant",
    help="What stays whole in a fold. random splits by patch.",
)
@click.option(
    "--max-distance",
    type=Number(0, 1),
    default=0.4,
    help="Largest distance of near-duplicates. 0 looks for equal pixels only.",
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
    test: Path | None,
    n_folds: int,
    by: str,
    max_distance: float,
    folder: Path,
    seed: int,
    quiet: bool,
) -> None:
    """Look for leaks between training and test patches.

    A leak is a participant, an image or a serial section on both sides. With --test,
    CSV holds the training patches. Without it, the folds of `glomclf train --cv` are
    audited. The exit code is 2 if there is a leak, and 0 if none was found.

    Example: glomclf audit train.csv --test test.csv
    """
    from ..leakage.splits import audit_splits

    inputs = [csv] if test is None else [csv, test]
    for name in _FILES:
        check_output(folder / name, inputs=inputs)
    _check_combination(test)
    if test is None:
        manifest, cv = _with_folds(csv, images, n_folds, by, seed)
    else:
        manifest, cv = _with_test(csv, test, images)
    audit = audit_splits(
        manifest,
        manifest["label"],
        cv,
        max_distance=max_distance,
        n_jobs=-1,
        verbose=int(not quiet),
    )
    _write(audit, manifest, folder)
    _print(audit)
    list_files()
    audit.raise_if_leaky()


def _check_combination(test: Path | None) -> None:
    """Refuse folds of one csv together with a split into two."""
    from click.core import ParameterSource

    source = click.get_current_context().get_parameter_source
    given = [
        flag
        for flag, name in (("--cv", "n_folds"), ("--by", "by"))
        if source(name) is not ParameterSource.DEFAULT
    ]
    if test is not None and given:
        raise InputError(
            f"--test names the split, so that {' and '.join(given)} has nothing to "
            "split. Give either."
        )


def _with_folds(
    csv: Path, images: Path | None, n_folds: int, by: str, seed: int
) -> tuple[pd.DataFrame, Any]:
    """Make the folds that `glomclf train --cv` makes, or less careful ones."""
    from sklearn.model_selection import StratifiedKFold

    from ..data.splitting import RepeatedStratifiedGroupKFold
    from .inputs import labelled_manifest
    from .messages import input_checked

    manifest = labelled_manifest(csv, images)
    if by != "random" and by not in manifest:
        raise InputError(f"{csv} has no column {by!r}. Give it one, or another --by.")
    cv: Any = RepeatedStratifiedGroupKFold(n_folds, 1, random_state=seed)
    if by == "random":
        cv = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    groups = None if by == "random" else manifest[by]
    with input_checked():
        return manifest, list(cv.split(manifest, manifest["label"], groups))


def _with_test(
    csv: Path, test: Path, images: Path | None
) -> tuple[pd.DataFrame, list[Any]]:
    """Put the rows of two files into one table, with the split between them."""
    from ..data.manifest import read_manifest, stack_manifests
    from .inputs import named_alike

    sides = [read_manifest(file, images) for file in (csv, test)]
    unlabelled = [
        str(file)
        for file, side in zip((csv, test), sides, strict=True)
        if "label" not in side
    ]
    if unlabelled:
        raise InputError(
            f"{' and '.join(unlabelled)} have no labels. The column 'ground truth' (or "
            "'label') must say 1 for globally sclerotic, 0 for the rest."
        )
    sides = named_alike([csv, test], sides)
    manifest = stack_manifests(*sides)
    n_train = len(sides[0])
    return manifest, [(range(n_train), range(n_train, len(manifest)))]


def _write(audit: SplitAudit, manifest: pd.DataFrame, folder: Path) -> None:
    """Write tables, JSON, and a picture where pairs were found."""
    from ..report.displays import LeakyPairsDisplay
    from .pictures import new_figure
    from .tables import write_csv, write_json

    write_csv(audit.to_frame(), folder / "findings.csv")
    write_csv(audit.folds, folder / "folds.csv")
    write_json(audit.to_dict(), folder / "audit.json")
    picture = folder / "pairs.png"
    if audit.findings["distance"].notna().any():
        with new_figure(picture) as figure:
            LeakyPairsDisplay.from_audit(audit, manifest, figure=figure)
    else:
        picture.unlink(missing_ok=True)  # that of an earlier run would mislead


def _print(audit: SplitAudit) -> None:
    shown = {"n_samples": "rows", "n_participants": "participants"}
    table = audit.folds.astype(str).rename(columns=shown)
    table.columns = table.columns.str.removeprefix("n_").str.replace("_", " ")
    print_table("Folds", table.columns.tolist(), table.to_numpy().tolist())
    if not audit.is_leaky:
        click.echo(str(audit))
        return
    counts = audit.findings["kind"].value_counts(sort=False)
    rows = [(str(kind), str(n)) for kind, n in counts.items()]
    print_table("Findings, over all folds", ("kind", "findings"), rows)
    if not audit.participants_known:
        note("Not all participants are known: there may be more of one person.")
