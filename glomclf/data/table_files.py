"""Tables as others wrote them: csvs of any usual kind, and Excel's files, as text."""

from __future__ import annotations

import csv as csv_format
import io
import json
import re
import warnings
import zipfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ManifestError, ParameterError
from .user_files import bytes_of, needed

TEXT_COLUMNS = ("slide", "participant", "centre")
"""Columns of names, which stay text where they are made of digits."""
COLUMNS = ("name", "label", *TEXT_COLUMNS)
"""What a column of a table may be; any other is kept as it is."""
CORRECTED = "corrected label"
"""A column that stands above the label where it is filled in."""
TABLE_SUFFIXES = (".csv", ".xlsx")
"""Endings, in lower case, that tell a table from a slide."""
# Titles, in lower case and with blanks, and the columns that they name.
_TITLES = {
    "ground truth": "label",
    "path": "name",
    "center": "centre",
    "corrected label": CORRECTED,
    **{name: name for name in (*COLUMNS, "annotations", "mpp")},
}
_SEPARATORS = ",;\t"
# The line by which Excel is told the separator.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ \t]*\r?\n', re.IGNORECASE)
_MAX_BYTES = 200_000_000  # of a file, and of what an Excel file holds unpacked
_MAX_CELLS = 20_000_000
_MAX_ROWS = 1_048_576  # Excel's own bound
# What spreadsheets take for a formula, after any apostrophes; a number is none.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠].", re.DOTALL)
_NUMBER = re.compile(r"'*[+-]?[\d.,]+([eE][+-]?\d+)?%?")
_EXCEL, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"

_Rows = Iterable[tuple[int, list[str]]]


def check_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return the titles that were chosen for columns, once these are known.

    Raises
    ------
    ParameterError
        If there is no such column, or one title is chosen for two.
    """
    given = columns or {}
    chosen = {}
    if isinstance(given, Mapping):
        chosen = {name: folded(str(title)) for name, title in given.items()}
    are_known = chosen.keys() == set(given) and chosen.keys() <= set(COLUMNS)
    if not are_known or len(set(chosen.values())) < len(chosen):
        raise ParameterError(
            f"columns={columns!r} must give some of {', '.join(COLUMNS)} the title "
            "of a column each, as columns={'participant': 'patient'}."
        )
    return chosen


def column_name(title: str, chosen: Mapping[str, str] | None = None) -> str | None:
    """Return glomclf's name of a column, or the title where it has none.

    Parameters
    ----------
    title : str
    chosen : mapping of str to str, default=None
        As from `check_columns`.

    Returns
    -------
    str or None
        None: the title says what another column was chosen for.

    Examples
    --------
    >>> from glomclf.data.table_files import column_name
    >>> column_name("Ground_Truth"), column_name("Age ")
    ('label', 'Age')
    >>> [column_name(title, {"label": "class"}) for title in ("class", "label")]
    ['label', None]
    """
    chosen = chosen or {}
    for name, wanted in chosen.items():
        if folded(title) == wanted:
            return name
    name = _TITLES.get(folded(title), title.strip())
    return None if name in chosen else name


def folded(title: str) -> str:
    """Take upper and lower case, blanks and underscores for the same."""
    return " ".join(title.casefold().replace("_", " ").split())


def read_table(
    source: Path, chosen: Mapping[str, str] | None = None
) -> tuple[list[str], dict[int, list[str]]]:
    """Read a csv or an Excel file as text.

    Commas, semicolons or tabs separate the cells: those under which the header has
    most of the known titles, then most titles. Text is UTF-8 or UTF-16, with or without
    byte order mark. Of an Excel file (.xlsx) the first sheet is read.

    Parameters
    ----------
    source : Path
    chosen : mapping of str to str, default=None
        As from `check_columns`: titles that are known as well.

    Returns
    -------
    header : list of str
    lines : dict of int to list of str
        The other rows, each by the number of its last line. Rows of empty cells are
        passed over.

    Raises
    ------
    ManifestError
        If it is no such file, or holds no row beside its header.
    """
    content = bytes_of(source, _MAX_BYTES, ManifestError, "a csv")
    if content.startswith(_OLD_EXCEL):
        raise ManifestError(
            f"{source} is an Excel file of the old kind, or has a password. Save it as "
            "'CSV UTF-8', or as .xlsx without a password."
        )
    if content.startswith(_EXCEL):
        rows = list(_sheet_rows(content, source))
    else:
        rows = list(_csv_rows(_text(content, source), source, chosen or {}))
    if len(rows) < 2:
        raise ManifestError(
            f"{source} holds {len(rows)} rows; a header and at least one image were "
            "expected."
        )
    return rows[0][1], dict(rows[1:])


def as_cell(value: Any) -> Any:
    """Write text so that a spreadsheet that opens the csv calculates nothing.

    An apostrophe is put before what would be a formula. `read_table` takes it away, so
    that what is written is what is read.

    Parameters
    ----------
    value : object

    Returns
    -------
    object
        What is no text as it was.

    Examples
    --------
    >>> from glomclf.data.table_files import as_cell
    >>> as_cell("=1+1"), as_cell("-1.5"), as_cell("S-7"), as_cell(7)
    ("'=1+1", '-1.5', 'S-7', 7)
    """
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def _from_cell(text: str) -> str:
    return text[1:] if text.startswith("'") and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def _text(content: bytes, source: Path) -> str:
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{source} is not UTF-8 or UTF-16 text ({error}); save it as 'CSV UTF-8'."
        ) from error
    if "\0" in text:
        raise ManifestError(
            f"{source} is not text: it holds NUL characters. A csv was expected."
        )
    return text


def _csv_rows(text: str, source: Path, chosen: Mapping[str, str]) -> _Rows:
    told = _SEPARATOR_LINE.match(text)
    if told:
        text = "\n" + text[told.end() :]  # the lines keep their numbers
    separator = told[1] if told else _separator(text, chosen)
    reader = _reader(text, separator)
    try:
        for row in reader:
            if any(row):
                yield reader.line_num, [_from_cell(cell) for cell in row]
    except csv_format.Error as error:
        raise ManifestError(
            f"{source} is not a well-formed csv: line {reader.line_num}: {error}."
        ) from error


def _reader(text: str, separator: str) -> Any:
    return csv_format.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True
    )


def _separator(text: str, chosen: Mapping[str, str]) -> str:
    """Return the separator that makes most of the header; of equals, the comma."""

    def understood(separator: str) -> tuple[int, int]:
        try:
            rows = _reader(text, separator)
            header: list[str] = next((row for row in rows if any(row)), [])
        except csv_format.Error:
            return 0, 0
        names = [column_name(title, chosen) for title in header]
        return len(set(names) & set(COLUMNS)), len(names)

    return max(_SEPARATORS, key=understood)


def _sheet_rows(content: bytes, source: Path) -> _Rows:
    """Yield the rows of the first sheet.

    pandas' reader fills all rows up to the widest, so that a file of a kilobyte could
    ask for all memory. Its reader's own library is called here instead.
    """
    try:
        load_workbook = needed("openpyxl", "excel").load_workbook
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            n_bytes = sum(member.file_size for member in archive.infolist())
        if n_bytes > _MAX_BYTES:
            raise ValueError(f"it is {n_bytes:,} bytes unpacked")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of colours and formulas that are not read
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # other programs write wrong ones
            yield from _filled(sheet.iter_rows(max_row=_MAX_ROWS, values_only=True))
    except Exception as error:  # on damaged files it raises nearly everything
        reason = str(error) or type(error).__name__
        raise ManifestError(
            f"{source} cannot be read as an Excel file: {reason}. Save it as 'CSV "
            "UTF-8'."
        ) from error


def _filled(rows: Iterable[Collection[Any]]) -> _Rows:
    """Yield the rows that are not empty, as wide as the first of them."""
    width = n_cells = 0
    for line, values in enumerate(rows, 1):
        cells = [_as_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        width = width or len(cells)
        n_cells += max(width, len(cells))
        if n_cells > _MAX_CELLS:
            raise ValueError(f"it holds more than {_MAX_CELLS:,} cells")
        yield line, cells + [""] * (width - len(cells))


def _as_text(value: Any) -> str:
    """Write a cell as Excel would write it into a csv."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
