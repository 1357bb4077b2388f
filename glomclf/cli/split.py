"""``glomclf split``: one csv becomes two, no participant in both."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .console import note, print_table
from .inputs import PatchTable
from .messages import as_option
from .outputs import check_outputs, list_files, write_csv

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@options.patches()
@click.option(
    "--test-size",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    metavar="SHARE",
    help="Share of the patches that the test participants should have.",
)
@options.output(
    "folder",
    "Folder for train.csv and test.csv.",
    default=".",
    show_default="the working directory",
)
@options.overwrite
@options.seed
def command(
    patches: PatchTable, test_size: float, folder: Path, overwrite: bool, seed: int
) -> None:
    """Split CSV into train.csv and test.csv.

    No participant is in both files. Each file gets its share of both classes, as near
    as the participants allow. All columns are kept. Participants that were inferred
    from file names get a column. The images are not looked for.

    Example: glomclf split patches.csv --test-size 0.2
    """
    from ..data.participants import participant_kind
    from ..data.splitting import train_test_split_by_participant

    files = [folder / "train.csv", folder / "test.csv"]
    # A model may have been trained on what is there.
    check_outputs(files, patches.files, overwrite=overwrite)
    table = replace(patches, images=False)
    manifest = table.labelled()
    sides = train_test_split_by_participant(
        manifest, manifest["label"], test_size=test_size, random_state=seed
    )[:2]
    kind = participant_kind(manifest)
    rows = _rows(table, manifest, are_known=kind == "participant")
    for file, side in zip(files, sides, strict=True):
        write_csv(rows.loc[side.index], file)
    _print(files, sides, kind)
    _note_options(patches, folder)
    list_files()


def _rows(
    table: PatchTable, manifest: pd.DataFrame, *, are_known: bool
) -> pd.DataFrame:
    """Return the csv as it was written, with participants where they are known."""
    import pandas as pd

    from ..data.table_files import check_columns, column_name, read_table

    chosen = check_columns(table.columns)
    titles, lines = read_table(table.csv, chosen)
    rows = pd.DataFrame(list(lines.values()), columns=titles, index=manifest.index)
    if are_known:
        names = {column_name(title, chosen): title for title in titles}
        title = names.get("participant", "participant")
        rows[title] = manifest["participant"]
    return rows


def _note_options(patches: PatchTable, folder: Path) -> None:
    """Say what the commands after this one need to read its files."""
    given = {"columns": patches.columns, "labels": patches.labels}
    words = [as_option(name, of) for name, of in given.items() if of]
    place = patches.csv.parent
    lie_elsewhere = os.path.realpath(folder) != os.path.realpath(place)
    if lie_elsewhere:
        words.insert(0, f"--images {place}")
    if words:
        note(f"Give the next commands {' '.join(words)}")
    if lie_elsewhere:
        note(
            "If the images are not in the folder of the csv, name theirs. Leave "
            "--images out where you give --embeddings."
        )


def _print(files: list[Path], sides: list[pd.DataFrame], owner: str) -> None:
    rows = []
    for file, side in zip(files, sides, strict=True):
        labels = side["label"].to_list()
        n_owners = side["participant"].nunique()
        rows.append((file.name, n_owners, labels.count(0), labels.count(1)))
    header = ("file", f"{owner}s", "class 0", "class 1")
    print_table(f"Split by {owner}", header, rows)
