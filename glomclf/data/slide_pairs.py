"""The csv that names slides and the files of their polygons."""

from __future__ import annotations

import os

import pandas as pd

from .._runtime import user_path
from .image_folders import locate_images, path_column
from .manifest_rows import read_rows
from .table_files import TEXT_COLUMNS
from .user_files import Faults

_FILES = ["slide", "annotations"]


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
    pairs = read_rows(source, faults, needed=_FILES)
    for name in pairs.columns.intersection([*_FILES, *TEXT_COLUMNS, "mpp"]):
        faults.add_cells(f"rows without {name}", pairs[name], pairs[name] == "")
    if "mpp" in pairs:
        numbers = pd.to_numeric(pairs["mpp"], errors="coerce")
        wrong = numbers.isna() & (pairs["mpp"] != "")
        faults.add_cells("mpp that is no number", pairs["mpp"], wrong)
        pairs["mpp"] = numbers
    places = [user_path(one) for one in (folder, source.parent) if one is not None]
    found = {
        name: locate_images(pairs[name], places, (), faults)
        for name in pairs.columns.intersection(_FILES)
    }
    faults.raise_if_any()
    files = {name: path_column(of).to_list() for name, of in found.items()}
    return pairs.assign(**files)
