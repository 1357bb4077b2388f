"""Several readers: their labels to train on, or to be compared with a model's calls."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .._runtime import counted, short_names
from ..evaluation.readings import combine_readings
from .console import InputError, note

LABEL_WEIGHT = "label weight"
_SHOWN = 3  # patches that are named


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
    if absent := [name for name in readers if name not in test]:
        titles = ", ".join(map(str, test))
        raise InputError(
            f"--reader: {csv} has no column {absent[0]!r}; there are {titles}."
        )
    if len(set(readers)) == 1:
        raise InputError("--reader: give it twice or more, once for each reader.")
    table = test[list(dict.fromkeys(readers))]
    for name, labels in table.items():
        strange = labels[~(labels.isin([0, 1]) | labels.isna())]
        if len(strange):
            raise InputError(
                f"--reader: in {csv}, {name!r} holds {strange.iloc[0]!r}; 0, 1 or "
                "nothing was expected."
            )
    return table


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
    combined = combine_readings(reader_columns(manifest, readers, csv))
    kept = combined["label"].notna().to_numpy()
    if not kept.any():
        raise InputError(f"--reader: in {csv} the readers of no patch have a majority.")
    note(
        f"Labels are the majority's of {counted(len(set(readers)), 'reader')}; a patch "
        "counts by how far they agree."
    )
    if lost := short_names(manifest["path"][~kept]):
        shown = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
        note(f"Left out, without a majority: {counted(len(lost), 'patch')} ({shown}).")
    labelled, found = (
        table[kept].reset_index(drop=True) for table in (manifest, combined)
    )
    labels = {"label": found["label"].astype("int64"), LABEL_WEIGHT: found["weight"]}
    return labelled.assign(**labels)
