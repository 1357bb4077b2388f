"""The csv that names slides and the files of their polygons."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from .._runtime import user_path
from ..errors import ManifestError
from .image_folders import Faults, cells_at, is_inside
from .table_files import column_name, read_table

__all__ = ["read_pairs"]

_TEXT = ("slide", "annotations", "participant", "centre")


def read_pairs(
    csv: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    r"""Read a csv of slides and the files of their polygons.

    Parameters
    ----------
    csv : str or path-like
        A csv or an Excel file with the columns `slide` and `annotations` and, where
        they are known in all rows, `participant`, `centre` and `mpp`.
    folder : str, path-like or None, default=None
        Where the files lie, if not in the folder of the csv.

    Returns
    -------
    pairs : DataFrame of shape (n_pairs, n_columns)
        As :func:`glomclf.extract_patches` takes it, with whole paths.

    Raises
    ------
    ManifestError
        If the csv cannot be used. The message lists all faults: columns and cells that
        are missing, files that are not there or not in the folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from glomclf.data.slide_pairs import read_pairs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("s1.svs", "s1.geojson"):
    ...         Path(folder, name).touch()
    ...     csv = Path(folder, "slides.csv")
    ...     _ = csv.write_text("slide,annotations,centre\ns1.svs,s1.geojson,Lyon\n")
    ...     pairs = read_pairs(csv)
    >>> pairs["centre"].to_list(), [Path(path).name for path in pairs["slide"]]
    (['Lyon'], ['s1.svs'])
    """
    source = user_path(csv)
    faults = Faults(source)
    pairs = _table(source)
    missing = [repr(name) for name in ("slide", "annotations") if name not in pairs]
    faults.add(f"columns missing (it has {', '.join(map(str, pairs))})", missing)
    for name in pairs.columns.intersection([*_TEXT, "mpp"]):
        faults.add(f"rows without {name}", cells_at(pairs[name], pairs[name] == ""))
    if "mpp" in pairs:
        numbers = pd.to_numeric(pairs["mpp"], errors="coerce")
        wrong = numbers.isna() & (pairs["mpp"] != "")
        faults.add("mpp that is no number", cells_at(pairs["mpp"], wrong))
        pairs["mpp"] = numbers
    places = [user_path(one) for one in (folder, source.parent) if one is not None]
    for name in pairs.columns.intersection(["slide", "annotations"]):
        pairs[name] = _found(pairs[name], places, faults)
    faults.raise_if_any()
    return pairs


def _table(source: Path) -> pd.DataFrame:
    """Return the table as text, indexed by its lines."""
    header, lines = read_table(source)
    titles = [(column_name(title) or "").lower() for title in header]
    wrong = [str(line) for line, row in lines.items() if len(row) != len(header)]
    named = list(filter(None, titles))
    if wrong or len(set(named)) < len(named):
        raise ManifestError(
            f"{source} has a column twice, or lines without the {len(header)} cells of "
            f"the header: {', '.join(wrong)}."
        )
    rows = [[cell.strip() for cell in row] for row in lines.values()]
    return pd.DataFrame(rows, columns=titles, index=list(lines), dtype=object)[named]


def _found(names: pd.Series, places: list[Path], faults: Faults) -> list[str]:
    """Return the file of each row."""
    paths = []
    for name in names:
        # An absolute name stays as it is when a folder is put before it.
        found = [place / name for place in places if (place / name).is_file()]
        paths.append(found[0] if found else None)
    files = pd.Series(paths, index=names.index, dtype=object)
    searched = " or ".join(map(str, places))
    missing = files.isna() & (names != "")
    faults.add(f"files not found in {searched}", cells_at(names, missing))
    outside = [
        file is not None and not any(is_inside(file, place) for place in places)
        for file in files
    ]
    faults.add(
        f"files that do not lie in {searched} (give absolute paths, or a folder "
        "above all of them as images)",
        cells_at(names, outside),
    )
    return [os.path.abspath(str(file)) for file in files]
