"""The rows of a table under glomclf's column names, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..errors import ParameterError
from .table_files import COLUMNS, CORRECTED, column_name, read_table
from .user_files import CONTROLLING, Faults, has_controls

Labels = Mapping[str, int] | None
_LABELS = {"0": 0, "0.0": 0, "0,0": 0, "1": 1, "1.0": 1, "1,0": 1}
_SHOWN = 20  # titles in a message; a table may have thousands


def check_labels(labels: Labels) -> dict[str, int] | None:
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


def read_rows(
    source: Path,
    faults: Faults,
    chosen: Mapping[str, str] | None = None,
    needed: Collection[str] = (),
) -> pd.DataFrame:
    """Read a table as text, with glomclf's column names, indexed by line.

    Parameters
    ----------
    source : Path
    faults : Faults
        What is wrong is noted there.
    chosen : mapping of str to str, default=None
        As from `check_columns`.
    needed : collection of str, default=()
        Columns that must be there.

    Returns
    -------
    DataFrame
        A column of labels without any is left out.
    """
    header, lines = read_table(source, chosen)
    wrong = [line for line, row in lines.items() if len(row) != len(header)]
    faults.add(
        f"rows that do not have the {len(header)} fields of the header",
        [f"line {line}: {len(lines[line])} fields" for line in wrong],
    )
    places = _places(header, chosen, needed, faults)
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


def _places(
    header: Sequence[str],
    chosen: Mapping[str, str] | None,
    needed: Collection[str],
    faults: Faults,
) -> dict[str, list[int]]:
    """Return where the columns are; note those that are there twice, or not at all."""
    places: dict[str, list[int]] = {}
    for place, title in enumerate(header):
        if name := column_name(title, chosen):
            places.setdefault(name, []).append(place)
    twice = [[header[place] for place in of] for of in places.values() if len(of) > 1]
    faults.add("columns given twice; keep one", [_listed(of, " and ") for of in twice])
    titles = f"its columns are {_listed(header)}"
    asked = chosen or {}
    if absent := [repr(title) for name, title in asked.items() if name not in places]:
        faults.add("columns that it does not have", [*absent, titles])
    for name in needed:
        if name not in {*places, *asked}:
            way = "" if chosen is None else f"; columns={{{name!r}: 'TITLE'}} names it"
            faults.add(f"no column {name!r}{way}", [titles])
    return places


def _listed(titles: Sequence[str], link: str = ", ") -> str:
    shown = [repr(title) for title in titles[:_SHOWN]]
    if len(titles) > _SHOWN:
        shown.append(f"{len(titles) - _SHOWN} more")
    return link.join(shown)


def check_cells(rows: pd.DataFrame, labels: Labels, faults: Faults) -> None:
    """Note the cells that cannot be used; labels become 1 and 0, -1 where unknown.

    Parameters
    ----------
    rows : DataFrame
        As from `read_rows`.
    labels : mapping of str to int, or None
        As from `check_labels`.
    faults : Faults
    """
    if "name" in rows:
        is_empty = rows["name"].str.strip() == ""
        faults.add_cells("rows without a name", rows["name"], is_empty)
    for name in rows.columns.intersection(list(COLUMNS)):
        is_controlling = rows[name].map(has_controls)
        faults.add_cells(f"{name}s with {CONTROLLING}", rows[name], is_controlling)
    if "label" in rows:
        rows["label"] = _codes(rows["label"], labels, faults)
    if "label" in rows and CORRECTED in rows:
        is_given = rows[CORRECTED] != ""
        codes = _codes(rows.loc[is_given, CORRECTED], labels, faults)
        rows.loc[is_given, "label"] = codes
        rows.loc[is_given, CORRECTED] = codes.map(str)


def _codes(texts: pd.Series, labels: Labels, faults: Faults) -> pd.Series:
    """Return what labels mean: 1 or 0, and -1 where it is not known, which is noted."""
    expected = "1 (globally sclerotic) or 0 (the rest) was expected; other texts need "
    expected += "labels={'GS': 1, 'NGS': 0}"
    if labels is not None:
        expected = f"{_listed(list(labels), ' or ')} was expected"
    codes = texts.map(labels or _LABELS)
    unknown = texts[codes.isna()]
    n_rows = unknown.value_counts()
    for line, text in unknown.drop_duplicates().items():
        more = f", and in {n_rows[text] - 1} more rows" if n_rows[text] > 1 else ""
        faults.add(f"unknown labels; {expected}", [f"line {line}: {text!r}{more}"])
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
