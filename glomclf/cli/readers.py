"""Several readers: their labels to train on, or to be compared with a model's calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import InputError, note

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = [
    "LABEL_WEIGHT",
    "READERS_FILE",
    "compare_readers",
    "label_by_readers",
    "reader_columns",
    "reader_option",
]

READERS_FILE = "readers.csv"
LABEL_WEIGHT = "label weight"
_SHOWN = 3  # patches that are named


def reader_option(use: str) -> Callable[..., Any]:
    """Make the option that names columns of readers; `use` ends its help."""
    return click.option(
        "--reader",
        "readers",
        multiple=True,
        metavar="COLUMN",
        show_default=False,
        help="Column of CSV with the labels of one reader, empty where a patch was not "
        f"read. Given for each reader: {use}",
    )


def reader_columns(
    test: pd.DataFrame, readers: tuple[str, ...], csv: Path
) -> pd.DataFrame:
    """Return the columns of readers.

    Raises
    ------
    InputError
        If there is one reader, a column is not there, or it holds anything but 0, 1
        and blanks.
    """
    absent = [name for name in readers if name not in test]
    if absent:
        titles = ", ".join(map(str, test))
        raise InputError(
            f"--reader: {csv} has no column {absent[0]!r}; there are {titles}."
        )
    if len(set(readers)) == 1:
        raise InputError("--reader: give it twice or more, once for each reader.")
    table = test[list(dict.fromkeys(readers))]
    is_label = table.isin([0, 1]) | table.isna()
    strange = [name for name in table if not is_label[name].all()]
    if strange:
        found = table[strange[0]][~is_label[strange[0]]].iloc[0]
        raise InputError(
            f"--reader: in {csv}, {strange[0]!r} holds {found!r}; 0, 1 or nothing was "
            "expected."
        )
    return table


def compare_readers(
    test: pd.DataFrame, readers: pd.DataFrame, calls: np.ndarray, folder: Path
) -> list[Any]:
    """Compare readers and the model, write the table, and make the report's section.

    Parameters
    ----------
    test : DataFrame
        With participants.
    readers : DataFrame
        As from `reader_columns`; without columns there is nothing to compare.
    calls : ndarray of shape (n_samples,), dtype bool
        What the model calls globally sclerotic.
    folder : Path
    """
    if readers.empty:
        return []
    from ..evaluation.agreement import reader_agreement
    from ..report.sections.readers import readers_section
    from .tables import write_csv

    agreement = reader_agreement(readers, groups=test["participant"], model=calls)
    write_csv(agreement.to_frame(), folder / READERS_FILE, index=True)
    return [readers_section(agreement)]


def label_by_readers(
    manifest: pd.DataFrame, readers: tuple[str, ...], csv: Path
) -> pd.DataFrame:
    """Label patches by the majority of readers; leave out those without one.

    Parameters
    ----------
    manifest : DataFrame
        As from `read_manifest`, with the columns of the readers.
    readers : tuple of str
        Their titles.
    csv : Path
        For messages.

    Returns
    -------
    labelled : DataFrame
        The other rows, with the columns ``label`` and `LABEL_WEIGHT`, which is in (0,
        1].

    Raises
    ------
    InputError
        If columns are not those of readers, or no patch has a majority.
    """
    from .._runtime import counted, short_names
    from ..evaluation.reader_labels import combine_readings

    combined = combine_readings(reader_columns(manifest, readers, csv))
    kept = combined["label"].notna().to_numpy()
    if not kept.any():
        raise InputError(f"--reader: in {csv} the readers of no patch have a majority.")
    told = f"Labels are the majority's of {counted(len(set(readers)), 'reader')}; a "
    told += "patch counts by how far they agree."
    if lost := short_names(manifest["path"][~kept]):
        shown = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
        told += (
            f" Left out, without a majority: {counted(len(lost), 'patch')} ({shown})."
        )
    note(told)
    labelled = manifest[kept].reset_index(drop=True)
    found = combined[kept].reset_index(drop=True)
    weights = {LABEL_WEIGHT: found["weight"]}
    return labelled.assign(label=found["label"].astype("int64"), **weights)
