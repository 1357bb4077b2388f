"""The rows of a table under glomclf's column names, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..errors import ParameterError
from .image_folders import CONTROLLING, Faults, cells_at, has_controls
from .table_files import COLUMNS, CORRECTED, column_name

__all__ = ["as_numbers", "check_cells", "check_labels", "name_columns"]

_LABELS = {"0": 0, "0.0": 0, "0,0": 0, "1": 1, "1.0": 1, "1,0": 1}
_SHOWN = 20  # titles in a message; a table may have thousands


def check_labels(labels: Mapping[str, int] | None) -> dict[str, int] | None:
    """Return what texts mean, as text.

    Raises
    ------
    ParameterError
        If not some of them mean 1 and some 0.
    """
    if labels is None:
        return None
    if not isinstance(labels, Mapping) or set(labels.values()) != {0, 1}:
        raise ParameterError(
            f"labels={labels!r} must say which texts mean 1 (globally sclerotic) and "
            "which 0 (the rest), as labels={'GS': 1, 'NGS': 0}."
        )
    return {str(text).strip(): int(label) for text, label in labels.items()}


def name_columns(
    header: Sequence[str],
    lines: Mapping[int, Sequence[str]],
    chosen: Mapping[str, str],
    faults: Faults,
) -> pd.DataFrame:
    """Return the rows as text, with glomclf's column names, indexed by line.

    Parameters
    ----------
    header : sequence of str
    lines : mapping of int to sequence of str
    chosen : mapping of str to str
        As from `check_columns`.
    faults : Faults
        What is wrong is noted there.

    Returns
    -------
    DataFrame
        A column of labels without any is left out.
    """
    wrong = [line for line, row in lines.items() if len(row) != len(header)]
    faults.add(
        f"rows that do not have the {len(header)} fields of the header",
        [f"line {line}: {len(lines[line])} fields" for line in wrong],
    )
    places: dict[str, list[int]] = {}
    for place, title in enumerate(header):
        if name := column_name(title, chosen):
            places.setdefault(name, []).append(place)
    _check_header(header, places, chosen, faults)
    columns = {
        name: [row[of[0]] if of[0] < len(row) else "" for row in lines.values()]
        for name, of in places.items()
    }
    # "P1 " is P1; a file may have a blank at the end of its name.
    for name in columns.keys() - {"name"}:
        columns[name] = [cell.strip() for cell in columns[name]]
    rows = pd.DataFrame(columns, index=list(lines), dtype=object)
    if "label" in rows and not rows["label"].any():
        return rows.drop(columns="label")
    return rows


def _check_header(
    header: Sequence[str],
    places: Mapping[str, Sequence[int]],
    chosen: Mapping[str, str],
    faults: Faults,
) -> None:
    """Note columns that are there twice, or not at all."""
    faults.add(
        "columns given twice; keep one",
        [
            _listed([header[place] for place in of], " and ")
            for of in places.values()
            if len(of) > 1
        ],
    )
    titles = f"its columns are {_listed(header)}"
    absent = [repr(title) for name, title in chosen.items() if name not in places]
    if absent:
        faults.add("columns that it does not have", [*absent, titles])
    if "name" not in {*places, *chosen}:
        faults.add(
            "no column 'name'; columns={'name': 'TITLE'} says which one names images",
            [titles],
        )


def _listed(titles: Sequence[str], link: str = ", ") -> str:
    shown = [repr(title) for title in titles[:_SHOWN]]
    if len(titles) > _SHOWN:
        shown.append(f"{len(titles) - _SHOWN} more")
    return link.join(shown)


def check_cells(
    rows: pd.DataFrame, labels: Mapping[str, int] | None, faults: Faults
) -> None:
    """Note the cells that cannot be used; labels become 1 and 0, -1 where unknown.

    Parameters
    ----------
    rows : DataFrame
        As from `name_columns`.
    labels : mapping of str to int, or None
        As from `check_labels`.
    faults : Faults
    """
    if "name" in rows:
        is_empty = rows["name"].str.strip() == ""
        faults.add("rows without a name", cells_at(rows["name"], is_empty))
    for name in rows.columns.intersection(list(COLUMNS)):
        is_controlling = rows[name].map(has_controls)
        faults.add(f"{name}s with {CONTROLLING}", cells_at(rows[name], is_controlling))
    if "label" in rows:
        rows["label"] = _codes(rows["label"], labels, faults)
        if CORRECTED in rows:
            _correct_labels(rows, labels, faults)


def _correct_labels(
    rows: pd.DataFrame, labels: Mapping[str, int] | None, faults: Faults
) -> None:
    """Put the corrected labels in place of the labels, where there are any."""
    given = rows[CORRECTED][rows[CORRECTED] != ""]
    codes = _codes(given, labels, faults)
    rows.loc[given.index, "label"] = codes
    rows[CORRECTED] = rows[CORRECTED].where(
        rows[CORRECTED] == "", rows["label"].map(str)
    )


def _codes(
    texts: pd.Series, labels: Mapping[str, int] | None, faults: Faults
) -> pd.Series:
    """Return what labels mean: 1 or 0, and -1 where it is not known, which is noted."""
    expected = "1 (globally sclerotic) or 0 (the rest) was expected; other texts need "
    expected += "labels={'GS': 1, 'NGS': 0}"
    if labels is not None:
        expected = f"{_listed(list(labels), ' or ')} was expected"
    codes = texts.map(labels or _LABELS)
    unknown = texts[codes.isna()]
    n_rows = unknown.value_counts()
    faults.add(
        f"unknown labels; {expected}",
        [
            f"line {line}: {text!r}"
            + (f", and in {n_rows[text] - 1} more rows" if n_rows[text] > 1 else "")
            for line, text in unknown.drop_duplicates().items()
        ],
    )
    return codes.fillna(-1).astype("int64")


def as_numbers(text: pd.Series) -> pd.Series:
    """Return numbers if that is what all the text is; missing where it is empty.

    A zero in front makes it text: 007 is no number, but a name.
    """
    filled = text.where(text.str.strip() != "", None)
    if filled.str.match(r"[+-]?0\d").any():
        return filled
    try:
        return pd.to_numeric(filled)
    except ValueError:
        return filled
