"""The table of patches: which file, which label, which slide, which participant."""

from __future__ import annotations

import csv as csv_format
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ..errors import ManifestError
from .image_folders import (
    CLASS_FOLDERS,
    LEAVING,
    Faults,
    cells_at,
    check_class_folders,
    check_paths,
    images_in,
    is_inside,
    locate_images,
)
from .images import IMAGE_SUFFIXES
from .participants import KIND, participant_kind, slides_and_participants

__all__ = [
    "image_folder_manifest",
    "read_manifest",
    "stack_manifests",
]


_LABELS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
_TITLES = {
    "ground truth": "label",
    "label": "label",
    "name": "name",
    "path": "name",
    "slide": "slide",
    "participant": "participant",
}
"""Columns of a csv that are checked; any other is kept as it is."""


def read_manifest(
    csv: str | os.PathLike[str],
    images: str | os.PathLike[str] | Literal[False] | None = None,
) -> pd.DataFrame:
    """Read a csv of patches and find their images.

    Parameters
    ----------
    csv : str or path-like
        A comma-separated UTF-8 file with a header, with or without byte order mark,
        with LF or CRLF line ends. Its columns, in any order, in upper or lower case:

        - `name` (or `path`): file of the image, relative to a place named below;
        - `ground truth` (or `label`): 1 for globally sclerotic, 0 for the rest. May
          be left out, or left empty in every row, for prediction;
        - `slide`, `participant`: optional, text, without gaps;
        - any other column, such as `centre`, is kept; it is numeric if all of its
          values are numbers. Columns without a title are dropped.
    images : str, path-like, False or None, default=None
        Folder of the images. It is searched first and then the folder of the csv, in
        each the name itself and the name inside either of the class folders
        `globally_sclerotic_glomeruli` and `non_globally_sclerotic_glomeruli`. False
        looks for none: the images are elsewhere, and `read_embeddings` has what was
        made of them.

    Returns
    -------
    manifest : DataFrame of shape (n_images, n_columns)
        One row an image, in the order of the csv: `path` (str, absolute; with
        ``images=False`` the name as it is), `label` (int64; only where the csv has
        labels), `slide` and `participant` (str), then the further columns.

        Slides and participants that are not given are inferred for names of the
        seed's form, see :func:`infer_participants`. For other names the slide stands
        for the participant; where the slide is not known either, the participant
        stands for it, or, without both, each image counts as its own slide.
        :func:`participant_kind` tells which it was.

    Raises
    ------
    ManifestError
        If the csv cannot be used. The message lists, by kind and with line numbers,
        all faults at once: columns missing or named twice, rows without name, slide
        or participant, labels other than 0 and 1, names given twice, images not found
        or found twice, names that lead out of the folders (absolute, through `..` or
        a symbolic link), and images in the class folder of the other label.

    Warns
    -----
    ParticipantWarning
        If slides or single images stand for participants.

    See Also
    --------
    image_folder_manifest : The same for folders without a csv.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from glomclf import read_manifest
    >>> names = ["S-2102-000007_PAS_1of2_a.png", "S-2102-000006_PAS_2of2_b.png"]
    >>> table = pd.DataFrame({"name": names, "ground truth": [0, 1]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in names:
    ...         Path(folder, name).touch()
    ...     table.to_csv(Path(folder, "public.csv"), index=False)
    ...     manifest = read_manifest(Path(folder, "public.csv"))
    >>> manifest.drop(columns="path")
       label                   slide    participant
    0      0  S-2102-000007_PAS_1of2  S-2102-000006
    1      1  S-2102-000006_PAS_2of2  S-2102-000006
    """
    source = Path(csv)
    faults = Faults(source)
    header, lines = _parse_csv(source)
    rows = _name_columns(header, lines, faults)
    _check_cells(rows, faults)
    paths: Sequence[str | Path | None] = []
    if "name" in rows:
        paths = _find_images(rows, source, images, faults)
    faults.raise_if_any()
    return _assemble(rows, paths)


def _find_images(
    rows: pd.DataFrame,
    source: Path,
    images: str | os.PathLike[str] | Literal[False] | None,
    faults: Faults,
) -> Sequence[str | Path | None]:
    """Return the image of each row; its name, where images are not looked for."""
    if images is False:
        check_paths(rows, [None] * len(rows), faults)
        return rows["name"].to_list()
    places = [source.parent]
    if images is not None and not Path(images).is_dir():
        faults.add("images is not a folder", [str(images)])
    elif images is not None:
        places.insert(0, Path(images))
    paths = locate_images(rows["name"], places, faults)
    check_paths(rows, paths, faults)
    return [path and os.path.abspath(path) for path in paths]


def image_folder_manifest(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """List the images of a folder that has no csv.

    Two kinds of folder are understood. One with the class folders
    `globally_sclerotic_glomeruli` (label 1) and `non_globally_sclerotic_glomeruli`
    (label 0) gives the images in these, labelled. One without them gives the images
    that lie directly in it, without labels, for prediction.

    Parameters
    ----------
    folder : str or path-like
        The folder. Files are recognised by their ending (bmp, jpeg, jpg, png, tif,
        tiff, in upper or lower case); hidden and other files are passed over.

    Returns
    -------
    manifest : DataFrame of shape (n_images, n_columns)
        One row an image, sorted by path: `path`, `label` (int64; only with class
        folders), `slide` and `participant`, as in :func:`read_manifest`.

    Raises
    ------
    ManifestError
        If the folder is missing, holds no images or only one of the class folders, or
        a symbolic link leads out of it.

    Warns
    -----
    ParticipantWarning
        If single images stand for participants.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from glomclf import image_folder_manifest
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for kind in ("globally_sclerotic", "non_globally_sclerotic"):
    ...         Path(folder, f"{kind}_glomeruli").mkdir()
    ...         name = f"{kind}_glomeruli/18-162_PAS_1of6_{kind}.png"
    ...         Path(folder, name).touch()
    ...     manifest = image_folder_manifest(folder)
    >>> manifest.drop(columns="path")
       label            slide participant
    0      1  18-162_PAS_1of6      18-162
    1      0  18-162_PAS_1of6      18-162
    """
    root = Path(folder)
    if not root.is_dir():
        raise ManifestError(f"{root} is not a folder; a folder of images was expected.")
    faults = Faults(root)
    present = [root / name for name in CLASS_FOLDERS if (root / name).is_dir()]
    paths = sorted(path for place in present or [root] for path in images_in(place))
    if present:
        check_class_folders(root, paths, faults)
    if not paths:
        endings = ", ".join(IMAGE_SUFFIXES)
        faults.add(f"no images: no file ends in {endings}", [str(root)])
    faults.add(
        LEAVING, [repr(path.name) for path in paths if not is_inside(path, root)]
    )
    faults.raise_if_any()
    rows = pd.DataFrame({"name": [path.name for path in paths]})
    if present:
        rows["label"] = [CLASS_FOLDERS.index(path.parent.name) for path in paths]
    return _assemble(rows, [os.path.abspath(path) for path in paths])


def stack_manifests(*manifests: pd.DataFrame) -> pd.DataFrame:
    """Put manifests one below the other, and keep what their participants are.

    Parameters
    ----------
    *manifests : DataFrame

    Returns
    -------
    manifest : DataFrame
        With rows numbered anew.

    Examples
    --------
    >>> import pandas as pd
    >>> from glomclf.data.manifest import stack_manifests
    >>> one = pd.DataFrame({"path": ["a.png"], "participant": ["P1"]})
    >>> len(stack_manifests(one, one))
    2
    """
    rows = pd.concat(manifests, ignore_index=True)
    rows.attrs[KIND] = participant_kind(*manifests)
    return rows


def _parse_csv(source: Path) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header and the other rows, each by the number of its last line."""
    try:
        text = source.read_bytes().decode("utf-8-sig")
        reader = csv_format.reader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except OSError as error:
        reason = error.strerror or str(error)
        raise ManifestError(f"{source} cannot be read as a csv: {reason}.") from error
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{source} is not UTF-8 text ({error}); save it as 'CSV UTF-8'."
        ) from error
    except csv_format.Error as error:
        raise ManifestError(
            f"{source} is not a well-formed csv: line {reader.line_num}: {error}."
        ) from error
    if len(rows) < 2:
        raise ManifestError(
            f"{source} holds {len(rows)} rows; a header and at least one image were "
            "expected."
        )
    return rows[0][1], dict(rows[1:])


def _name_columns(
    header: list[str], lines: dict[int, list[str]], faults: Faults
) -> pd.DataFrame:
    """Return the rows as text, with glomclf's column names, indexed by line."""
    wrong = [line for line, row in lines.items() if len(row) != len(header)]
    faults.add(
        f"rows that do not have the {len(header)} fields of the header",
        [f"line {line}: {len(lines[line])} fields" for line in wrong],
    )
    columns: dict[str, list[str]] = {}
    for place, title in enumerate(header):
        name = column_name(title)
        if name in columns:
            alike = [repr(other) for other in header if column_name(other) == name]
            faults.add("columns given twice; keep one", [" and ".join(alike)])
        elif name:
            cells = [row[place] if place < len(row) else "" for row in lines.values()]
            # "P1 " is P1; a file may have a blank at the end of its name.
            columns[name] = cells if name == "name" else [c.strip() for c in cells]
    if "name" not in columns:
        faults.add(
            "no column 'name' (columns are separated by commas)",
            [f"its columns are {', '.join(map(repr, header))}"],
        )
    rows = pd.DataFrame(columns, index=list(lines), dtype=object)
    if "label" in rows and not rows["label"].any():
        return rows.drop(columns="label")
    return rows


def column_name(title: str) -> str:
    """Return glomclf's name of a column, or the title where it has none."""
    folded = " ".join(title.casefold().replace("_", " ").split())
    return _TITLES.get(folded, title.strip())


def _check_cells(rows: pd.DataFrame, faults: Faults) -> None:
    """Note the cells that cannot be used; labels become 1 and 0, -1 where unknown."""
    if "label" in rows:
        labels = rows["label"].map(_LABELS)
        faults.add(
            "unknown labels; 1 (globally sclerotic) or 0 (the rest) was expected",
            cells_at(rows["label"], labels.isna()),
        )
        rows["label"] = labels.fillna(-1).astype("int64")
    for name in ("name", "slide", "participant"):
        if name in rows:
            is_empty = rows[name].str.strip() == ""
            faults.add(f"rows without a {name}", cells_at(rows[name], is_empty))


def _assemble(rows: pd.DataFrame, paths: Sequence[str | Path | None]) -> pd.DataFrame:
    """Put the columns of a manifest together, once nothing is wrong."""
    columns: dict[str, Any] = {"path": [str(path) for path in paths]}
    if "label" in rows:
        columns["label"] = rows["label"].to_list()
    slides, participants, kind = slides_and_participants(rows)
    columns |= {"slide": slides, "participant": participants}
    for title in rows.columns.difference(["name", *columns], sort=False):
        columns[title] = _as_numbers(rows[title]).to_list()
    manifest = pd.DataFrame(columns)
    manifest.attrs[KIND] = kind
    return manifest


def _as_numbers(text: pd.Series) -> pd.Series:
    """Return numbers if that is what all the text is; missing where it is empty."""
    filled = text.where(text.str.strip() != "", None)
    try:
        return pd.to_numeric(filled)
    except ValueError:
        return filled
