"""Where the images of a csv or a folder lie, and all that is wrong with them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from unicodedata import normalize

import pandas as pd

from .._runtime import user_path
from ..errors import ManifestError
from .images import IMAGE_SUFFIXES
from .table_files import CORRECTED, as_cell
from .user_files import Faults, is_inside

CLASS_FOLDERS = ("non_globally_sclerotic_glomeruli", "globally_sclerotic_glomeruli")
"""Names of the class folders; the position of a name is its label."""
FOLDER_LABELS = {name: label for label, name in enumerate(CLASS_FOLDERS)}
LEAVING = (
    "names that lead out of the image folder (absolute, through '..' or by a link); "
    "name files relative to the folder that holds them"
)
_AMBIGUOUS = "images found in more than one folder; keep one of each"
_MISSING = "not found"


def locate_images(
    names: pd.Series, places: Iterable[Path], folders: Iterable[str], faults: Faults
) -> pd.Series:
    """Find the images of rows, and note why where one cannot be used.

    Parameters
    ----------
    names : Series of str
    places : iterable of Path
        Searched in turn.
    folders : iterable of str
        Class folders, that are searched in each place.
    faults : Faults

    Returns
    -------
    Series of Path
        Without the rows that have none.
    """
    disk = _Disk(places, ["", *folders])
    found = names.map(disk.locate)
    for kind in (LEAVING, _AMBIGUOUS):
        faults.add_cells(kind, names, found == kind)
    missing = names[(found == _MISSING) & (names.str.strip() != "")]
    searched = " or ".join(map(str, disk.places))
    kind = f"files not found in {searched}"
    if folders:
        kind = f"images not found in {searched}, nor in class folders there"
    if missing.str.contains("\\", regex=False).any():
        kind += " (a backslash was read as /, too)"
    if len(missing) == len(names) > 1:
        told = f"none of its {len(names)} images, such as {names.iloc[0]!r}"
        faults.add(kind, [f"{told}; pass images=FOLDER"])
    else:
        faults.add_cells(kind, missing, missing.notna())
    return found[found.map(lambda one: isinstance(one, Path)).astype(bool)]


class _Disk:
    """Places of images, in whatever way a csv writes their names."""

    def __init__(self, places: Iterable[Path], folders: Iterable[str]):
        self.places = list(dict.fromkeys(places))
        self.folders = list(folders)
        self.listed: dict[Path, dict[str, list[str]]] = {}

    def locate(self, name: str) -> Path | str:
        """Return the path of an image, or the kind of fault that keeps it from use.

        The first place that has the image is taken.
        """
        if ".." in PureWindowsPath(name).parts:  # a slash parts folders there, too
            return LEAVING
        for place in self.places:
            ways = (self._in(place, spelling) for spelling in _spellings(name))
            found = next(filter(None, ways), [])
            if not all(is_inside(path, place) for path in found):
                return LEAVING
            if found:
                return found[0] if len(found) == 1 else _AMBIGUOUS
        is_absolute = Path(name).is_absolute() or PureWindowsPath(name).is_absolute()
        return LEAVING if is_absolute else _MISSING

    def _in(self, place: Path, name: str) -> list[Path]:
        """Return the files of a name in a place and its class folders."""
        folders = [""] if Path(name).is_absolute() else self.folders
        paths = [place / folder / name for folder in folders]
        found = [path for path in paths if os.path.isfile(path)]
        if found or name.isascii():
            return found
        tops = [place / folder for folder in folders]
        return [path for top in tops for path in self._alike(top, Path(name).parts)]

    def _alike(self, folder: Path, parts: Sequence[str]) -> list[Path]:
        """Return the files of a folder that are called so, in any form of Unicode."""
        if not parts:
            return [folder] if os.path.isfile(folder) else []
        if folder not in self.listed:
            entries = self.listed[folder] = {}
            for entry in os.listdir(folder) if folder.is_dir() else ():
                entries.setdefault(normalize("NFC", entry), []).append(entry)
        alike = self.listed[folder].get(normalize("NFC", parts[0]), [])
        exact = [one for one in alike if one == parts[0]] or alike
        return [path for one in exact for path in self._alike(folder / one, parts[1:])]


def _spellings(name: str) -> Iterator[str]:
    """Yield a name as it is written, and as other systems and glomclf write it."""
    yield name
    yield as_cell(name)  # where the apostrophe was the name's own
    # glomclf writes the bytes of a name that is not UTF-8 so.
    yield re.sub(r"\\udc([89a-f][0-9a-f])", lambda m: chr(0xDC00 + int(m[1], 16)), name)
    if "\\" in name:
        yield name.replace("\\", "/")


def check_paths(
    rows: pd.DataFrame, paths: pd.Series, folders: Mapping[str, int], faults: Faults
) -> None:
    """Check that no image is named twice or lies in the other label's folder.

    Parameters
    ----------
    rows : DataFrame
    paths : Series of Path
        Of these rows, or some of them.
    folders : mapping of str to int
        Class folders and their labels.
    faults : Faults
    """
    rows = rows.loc[paths.index]
    files = path_column(map(os.path.realpath, paths))
    told = "images named more than once; keep one row each"
    faults.add_cells(told, rows["name"], files.duplicated(keep=False))
    if "label" not in rows:
        return
    of_folder = paths.map(lambda path: folders.get(path.parent.name, -1))
    is_other = (of_folder == 1 - rows["label"]) & (of_folder >= 0)
    if CORRECTED in rows:  # on purpose, after the folders were made
        is_other &= rows[CORRECTED] == ""
    told = "images in the class folder of the other label; mend the label or move them"
    faults.add_cells(told, rows["name"], is_other)


def path_column(paths: Iterable[str | Path]) -> pd.Series:
    """Return absolute paths, also those whose names are not UTF-8.

    Arrow's text, that pandas takes where it is installed, holds no such names.
    """
    return pd.Series([os.path.abspath(path) for path in paths], dtype=object)


def folder_of(path: str | os.PathLike[str]) -> Path:
    """Return a folder of images as a path, if it is one."""
    root = user_path(path)
    if not root.is_dir():
        raise ManifestError(f"{root} is not a folder; a folder of images was expected.")
    return root


def images_in(folder: Path) -> list[Path]:
    """Return the images that lie directly in a folder."""
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.is_dir()
    ]


def refuse_paths(root: Path, paths: Sequence[Path], faults: Faults) -> None:
    """Raise all faults, those of the images that were found in a folder among them."""
    if not paths and not faults.items:
        endings = ", ".join(IMAGE_SUFFIXES)
        faults.add(f"no images: no file ends in {endings}", [str(root)])
    names = {str(path.relative_to(root)): path for path in paths}
    leaving = [repr(one) for one, path in names.items() if not is_inside(path, root)]
    faults.add(LEAVING, leaving)
    faults.add_controlling(names)
    faults.raise_if_any()


def check_class_folders(
    root: Path, folders: Iterable[str], paths: list[Path], faults: Faults
) -> None:
    """Check that nothing is left out in silence, and no patch has two labels."""
    missing = [name for name in folders if not (root / name).is_dir()]
    faults.add("class folders missing", map(repr, missing))
    strays = [repr(path.name) for path in sorted(images_in(root))]
    faults.add("images beside the class folders; move them into one", strays)
    names = Counter(path.name for path in paths)
    twice = [repr(name) for name, n_paths in names.items() if n_paths > 1]
    faults.add("names in both class folders; keep one of each", twice)
