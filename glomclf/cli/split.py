"""``glomclf split``: one csv becomes two, no participant in both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .console import check_output, list_files, note, print_table
from .options import (
    csv_argument,
    folder_option,
    images_option,
    overwrite_option,
    seed_option,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]


@click.command()
@csv_argument
@images_option
@click.option(
    "--test-size",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    metavar="SHARE",
    help="Share of the patches that the test participants should have.",
)
@folder_option(
    ".",
    "Folder for train.csv and test.csv.",
    show_default="the working directory",
)
@overwrite_option
@seed_option
def command(
    csv: Path,
    images: Path | None,
    test_size: float,
    folder: Path,
    overwrite: bool,
    seed: int,
) -> None:
    """Split CSV into train.csv and test.csv.

    No participant is in both files. Each file gets its share of both classes, as near
    as the participants allow. All columns are kept. Participants that were inferred
    from file names get a column.

    Example: glomclf split patches.csv --test-size 0.2
    """
    from ..data.participants import participant_kind
    from ..data.splitting import train_test_split_by_participant
    from .inputs import labelled_manifest
    from .tables import write_csv

    files = [folder / "train.csv", folder / "test.csv"]
    for file in files:  # a model may have been trained on what is there
        check_output(file, [csv], overwrite=overwrite)
    manifest = labelled_manifest(csv, images)
    are_known = participant_kind(manifest) == "participant"
    sides = train_test_split_by_participant(
        manifest, manifest["label"], test_size=test_size, random_state=seed
    )[:2]
    rows = _rows(csv, manifest, are_known)
    for file, side in zip(files, sides, strict=True):
        write_csv(rows.loc[side.index], file)
    _print(files, sides, participant_kind(manifest))
    if folder.resolve() != csv.parent.resolve() and images is None:
        note(f"Give the next commands the folder of the images: --images {csv.parent}")
    list_files()


def _rows(csv: Path, manifest: pd.DataFrame, are_known: bool) -> pd.DataFrame:
    """Return the csv as it was written, with participants where they are known."""
    import pandas as pd

    rows = pd.read_csv(csv, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    rows = rows[(rows != "").any(axis=1)]  # the manifest has no empty rows either
    rows.index = manifest.index
    if not are_known:
        return rows
    known = [name for name in rows if str(name).strip().lower() == "participant"]
    return rows.drop(columns=known).assign(participant=manifest["participant"])


def _print(files: list[Path], sides: list[pd.DataFrame], owner: str) -> None:
    lines = []
    for file, side in zip(files, sides, strict=True):
        counts = side["label"].value_counts()
        per_class = [str(counts.get(label, 0)) for label in (0, 1)]
        lines.append((file.name, str(side["participant"].nunique()), *per_class))
    header = ("file", f"{owner}s", "class 0", "class 1")
    print_table(f"Split by {owner}", header, lines)
