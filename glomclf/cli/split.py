"""``glomclf split``: one csv becomes two, no participant in both."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import check_output, list_files, note, print_table
from .options import (
    csv_argument,
    folder_option,
    overwrite_option,
    reading_options,
    seed_option,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]


@click.command()
@csv_argument
@reading_options
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
    reading: dict[str, Any],
    test_size: float,
    folder: Path,
    overwrite: bool,
    seed: int,
) -> None:
    """Split CSV into train.csv and test.csv.

    No participant is in both files. Each file gets its share of both classes, as near
    as the participants allow. All columns are kept. Participants that were inferred
    from file names get a column. The images are not looked for.

    Example: glomclf split patches.csv --test-size 0.2
    """
    from ..data.participants import participant_kind
    from ..data.splitting import train_test_split_by_participant
    from .inputs import labelled_manifest
    from .tables import write_csv

    files = [folder / "train.csv", folder / "test.csv"]
    for file in files:  # a model may have been trained on what is there
        check_output(file, [csv], overwrite=overwrite)
    manifest = labelled_manifest(csv, False, **reading)
    are_known = participant_kind(manifest) == "participant"
    sides = train_test_split_by_participant(
        manifest, manifest["label"], test_size=test_size, random_state=seed
    )[:2]
    rows = _rows(csv, manifest, reading, are_known)
    for file, side in zip(files, sides, strict=True):
        write_csv(rows.loc[side.index], file)
    _print(files, sides, participant_kind(manifest))
    _note_options(csv, folder, reading)
    list_files()


def _rows(
    csv: Path, manifest: pd.DataFrame, reading: dict[str, Any], are_known: bool
) -> pd.DataFrame:
    """Return the csv as it was written, with participants where they are known."""
    import pandas as pd

    from ..data.table_files import check_columns, column_name, read_table

    chosen = check_columns(reading["columns"])
    titles, lines = read_table(csv, chosen)
    rows = pd.DataFrame(list(lines.values()), columns=titles, index=manifest.index)
    if are_known:
        names = [column_name(title, chosen) for title in titles]
        known = "participant" in names
        place = names.index("participant") if known else len(titles)
        title = titles[place] if known else "participant"
        rows = rows.drop(columns=title, errors="ignore")
        rows.insert(place, title, manifest["participant"])
    return rows


def _note_options(csv: Path, folder: Path, reading: dict[str, Any]) -> None:
    """Say what the commands after this one need to read its files."""
    from .messages import as_option

    words = [as_option(name, of) for name, of in reading.items() if of]
    lie_elsewhere = os.path.realpath(folder) != os.path.realpath(csv.parent)
    if lie_elsewhere:
        words.insert(0, f"--images {csv.parent}")
    if words:
        note(f"Give the next commands {' '.join(words)}")
    if lie_elsewhere:
        note(
            "--images is the folder of the images: that of the csv, unless yours lie "
            "elsewhere. With --embeddings, leave it out."
        )


def _print(files: list[Path], sides: list[pd.DataFrame], owner: str) -> None:
    lines = []
    for file, side in zip(files, sides, strict=True):
        counts = side["label"].value_counts()
        per_class = [str(counts.get(label, 0)) for label in (0, 1)]
        lines.append((file.name, str(side["participant"].nunique()), *per_class))
    header = ("file", f"{owner}s", "class 0", "class 1")
    print_table(f"Split by {owner}", header, lines)
