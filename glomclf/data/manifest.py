"""The table of patches: which file, which label, which slide, which participant."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from .._runtime import as_text, user_path
from .image_folders import (
    CLASS_FOLDERS,
    FOLDER_LABELS,
    LEAVING,
    check_class_folders,
    check_paths,
    folder_of,
    images_in,
    locate_images,
    path_column,
    refuse_paths,
)
from .manifest_rows import as_numbers, check_cells, check_labels, read_rows
from .participants import KIND, infer_participants, participant_kind
from .spellings import is_missing
from .stand_ins import slides_and_participants, warn_of_spellings
from .table_files import TEXT_COLUMNS, check_columns
from .user_files import Faults


def read_manifest(
    csv: str | os.PathLike[str],
    images: str | os.PathLike[str] | Literal[False] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Read a csv of patches and find their images.

    Parameters
    ----------
    csv : str or path-like
        A file with a header, whose cells are separated by commas, semicolons or tabs,
        in UTF-8 or UTF-16, or the first sheet of an Excel file (.xlsx; needs the extra
        `excel`). Its columns, in any order, in upper or lower case:

        - `name` (or `path`): file of the image, in a place named below;
        - `ground truth` (or `label`): 1 for globally sclerotic, 0 for the rest. May
          be left out, or left empty in every row, for prediction;
        - `corrected label`: optional. Where it is filled in, it stands in place of the
          label and may differ from the class folder;
        - `slide`, `participant`, `centre`: optional, text, also where all are numbers.
          Cells that are empty or say NA, nan, None, NULL, ``-``, ``?`` or the like are
          not known;
        - any other column is kept; it is numeric if all of its values are numbers and
          none begins with a zero. Columns without a title are dropped.
    images : str, path-like, False or None, default=None
        Folder of the images. It is searched first and then the folder of the csv, in
        each the name itself and the name inside either of the class folders
        `globally_sclerotic_glomeruli` and `non_globally_sclerotic_glomeruli`. False
        looks for none: the images are elsewhere, and `read_embeddings` has what was
        made of them.
    columns : mapping of str to str, default=None
        Titles of the columns `name`, `label`, `slide`, `participant` and `centre` where
        they are others, as ``{"label": "diagnosis", "participant": "patient"}``. A
        column that has one of glomclf's titles, and was not chosen for it, is left out.
    labels : mapping of str to int, default=None
        What the labels in the csv mean, as ``{"GS": 1, "NGS": 0}``. Folders of these
        names are class folders, too.

    Returns
    -------
    manifest : DataFrame of shape (n_images, n_columns)
        One row an image, in the order of the csv: `path` (str, absolute; with
        ``images=False`` the name as it is), `label` (int64; only where the csv has
        labels), `slide` and `participant` (str), then the further columns.

        Slides and participants that are not given are inferred for names like
        ``S-2006-005094_PAS_1of2_6455.png``, see :func:`infer_participants`. For other
        names the slide stands for the participant; where the slide is not known
        either, the participant stands for it, or, without both, each image counts as
        its own slide. :func:`participant_kind` tells which it was.

    Raises
    ------
    ManifestError
        If the csv cannot be used. The message lists, by kind and with line numbers,
        all faults at once: columns missing or named twice, rows without name, unknown
        labels, names given twice, images not found or found twice, names that lead out
        of the folders (absolute, through `..` or a symbolic link), and images in the
        class folder of the other label.
    ParameterError
        If `columns` or `labels` is no such mapping.

    Warns
    -----
    ParticipantWarning
        If slides or single images stand for participants, or two participants or
        centres differ only in how they are written.

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
    source, chosen = user_path(csv), check_columns(columns)
    meanings = check_labels(labels)
    faults = Faults(source)
    rows = read_rows(source, faults, chosen, needed=["name"])
    check_cells(rows, meanings, faults)
    paths: Any = []
    if "name" in rows:
        folders = FOLDER_LABELS | (meanings or {})
        paths = _find_images(rows, source, images, folders, faults)
    faults.raise_if_any()
    return _assemble(rows, paths)


def _find_images(
    rows: pd.DataFrame,
    source: Path,
    images: str | os.PathLike[str] | Literal[False] | None,
    folders: Mapping[str, int],
    faults: Faults,
) -> Iterable[Any]:
    """Return the image of each row; its name, where images are not looked for."""
    if images is False:
        check_paths(rows, rows["name"].map(Path), folders, faults)
        return rows["name"]
    places = [source.parent]
    if images is not None:
        places.insert(0, user_path(images))
    if not places[0].is_dir():
        faults.add("images is not a folder", [str(images)])
    paths = locate_images(rows["name"], places, folders, faults)
    check_paths(rows, paths, folders, faults)
    return path_column(paths)


def image_folder_manifest(
    folder: str | os.PathLike[str], *, labels: Mapping[str, int] | None = None
) -> pd.DataFrame:
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
    labels : mapping of str to int, default=None
        Class folders of other names and their labels, as ``{"GS": 1, "NGS": 0}``.

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
    root, classes = folder_of(folder), check_labels(labels) or FOLDER_LABELS
    faults = Faults(root)
    present = [root / name for name in classes if (root / name).is_dir()]
    paths = sorted(path for place in present or [root] for path in images_in(place))
    if present or labels is not None:
        check_class_folders(root, classes, paths, faults)
    refuse_paths(root, paths, faults)
    rows = pd.DataFrame({"name": [path.name for path in paths]}, dtype=object)
    if present:
        rows["label"] = [classes[path.parent.name] for path in paths]
    return _assemble(rows, path_column(paths))


def biopsy_folder_manifest(
    folder: str | os.PathLike[str], *, class_folders: Collection[str] = CLASS_FOLDERS
) -> pd.DataFrame:
    """List the images of a folder and its sub-folders; a sub-folder is a biopsy.

    Parameters
    ----------
    folder : str or path-like
        Hidden files and folders are passed over.
    class_folders : collection of str
        Names of folders that do not count.

    Returns
    -------
    manifest : DataFrame of shape (n_images, 2)
        ``path``, sorted, and ``participant``: the folder that an image lies in,
        relative to `folder`. Images that lie directly in
        `folder` belong to the participants that their names tell, where every name
        does (:func:`infer_participants`), else to one biopsy with the name of
        `folder`.

    Raises
    ------
    ManifestError
        If the folder is missing, holds no image, or a symbolic link leads out of it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from glomclf.data import biopsy_folder_manifest
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("left/a.png", "right/a.png", "right/b.png"):
    ...         Path(folder, name).parent.mkdir(exist_ok=True)
    ...         Path(folder, name).touch()
    ...     biopsy_folder_manifest(folder)["participant"].tolist()
    ['left', 'right', 'right']
    """
    root = folder_of(folder)
    faults = Faults(root)
    paths = sorted(_images_below(root, faults))
    refuse_paths(root, paths, faults)
    biopsies = _biopsies(root, paths, class_folders)
    return pd.DataFrame({"path": path_column(paths), "participant": biopsies})


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


def _assemble(rows: pd.DataFrame, paths: Iterable[str]) -> pd.DataFrame:
    """Put the columns of a manifest together, once nothing is wrong."""
    # Arrow's text would hold no name that is not UTF-8.
    columns: dict[str, Any] = {"path": pd.Series(list(paths), dtype=object)}
    if "label" in rows:
        columns["label"] = rows["label"].to_list()
    slides, participants, kind = slides_and_participants(rows, rows.columns)
    columns |= {"slide": slides, "participant": participants}
    for title in rows.columns.difference(["name", *columns], sort=False):
        cells = rows[title]
        if title in TEXT_COLUMNS:
            columns[title] = cells.mask(cells.map(is_missing)).to_list()
        else:
            columns[title] = as_numbers(cells).to_list()
    manifest = pd.DataFrame(columns)
    manifest.attrs[KIND] = kind
    warn_of_spellings(rows)
    return manifest


def _images_below(root: Path, faults: Faults) -> Iterator[Path]:
    """Walk through the folders; links to other folders are faults, not followed."""
    for place, folders, _ in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [
            Path(place, name) for name in folders if Path(place, name).is_symlink()
        ]
        faults.add(LEAVING, [repr(str(link.relative_to(root))) for link in links])
        yield from images_in(Path(place))


def _biopsies(
    root: Path, paths: list[Path], class_folders: Collection[str]
) -> list[str]:
    """Name the biopsy of each image."""
    places = []
    for path in paths:
        parts = path.parent.relative_to(root).parts
        kept = [as_text(part) for part in parts if part not in class_folders]
        places.append("/".join(kept))
    loose = [path.name for path, place in zip(paths, places, strict=True) if not place]
    told = infer_participants(loose)
    names = iter(told if all(told) else [as_text(root.resolve().name)] * len(loose))
    return [place or str(next(names)) for place in places]
