"""Several readers of a test set: checked before a model is run, and compared after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["READERS_FILE", "compare_readers", "reader_columns"]

READERS_FILE = "readers.csv"


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
