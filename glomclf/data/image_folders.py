"""Where the images of a csv or a folder lie, and all that is wrong with them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PureWindowsPath
from unicodedata import normalize

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import ManifestError
from .images import IMAGE_SUFFIXES
from .table_files import CORRECTED

__all__ = [
    "CLASS_FOLDERS",
    "CONTROLLING",
    "FOLDER_LABELS",
    "LEAVING",
    "Faults",
    "cells_at",
    "check_class_folders",
    "check_paths",
    "has_controls",
    "images_in",
    "is_inside",
    "locate_images",
    "path_column",
    "refuse_controls",
]

CLASS_FOLDERS = ("non_globally_sclerotic_glomeruli", "globally_sclerotic_glomeruli")
"""Names of the class folders; the position of a name is its label."""
FOLDER_LABELS = {name: label for label, name in enumerate(CLASS_FOLDERS)}
LEAVING = (
    "names that lead out of the image folder (absolute, through '..' or by a link); "
    "name files relative to the folder that holds them"
)
CONTROLLING = "line ends or control characters"
# What ends a line, moves a cursor or turns the direction of writing.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_AMBIGUOUS = "images found in more than one folder; keep one of each"
_MISSING = "images not found in {searched}, nor in class folders there"


class Faults:
    """All that is wrong with one csv, folder or file, by kind, in the order found."""

    def __init__(self, source: Path, error: type[Exception] = ManifestError):
        self.source = source
        self.error = error
        self.items: dict[str, list[str]] = {}

    def add(self, kind: str, items: Iterable[str]) -> None:
        """Note faults of one kind."""
        new = list(items)
        if new:
            self.items.setdefault(kind, []).extend(new)

    def raise_if_any(self) -> None:
        """Raise one error that lists all that was noted."""
        if not self.items:
            return
        blocks = [
            "\n    ".join([f"  {kind}:", *items]) for kind, items in self.items.items()
        ]
        raise self.error("\n".join([f"{self.source} cannot be used.", *blocks]))


def cells_at(cells: pd.Series, wrong: ArrayLike) -> list[str]:
    """Describe the wrong cells of a column, with their lines."""
    found = cells[np.asarray(wrong, dtype=bool)]
    return [f"line {line}: {cell!r}" for line, cell in found.items()]


def locate_images(
    names: pd.Series, places: list[Path], folders: Iterable[str], faults: Faults
) -> list[Path | None]:
    """Find the image of each row; None, and a fault, where it cannot be used.

    Parameters
    ----------
    names : Series of str
    places : list of Path
        Searched in turn.
    folders : iterable of str
        Class folders, that are searched in each place.
    faults : Faults
    """
    disk = _Disk(places, ["", *folders])
    found = [disk.locate(name) for name in names]
    kinds = pd.Series([kind for _, kind in found], index=names.index, dtype=object)
    for kind in (LEAVING, _AMBIGUOUS):
        faults.add(kind, cells_at(names, kinds == kind))
    is_named = names.str.strip() != ""
    missing = cells_at(names, (kinds == _MISSING) & is_named)
    if len(missing) == len(names) > 1:
        missing = [
            f"none of its {len(names)} images, such as {names.iloc[0]!r}; pass "
            "images=FOLDER"
        ]
    searched = " or ".join(str(place) for place in disk.places)
    is_foreign = any("\\" in line for line in missing)
    note = " (a backslash was read as /, too)" if is_foreign else ""
    faults.add(_MISSING.format(searched=searched) + note, missing)
    return [path for path, _ in found]


class _Disk:
    """Places of images, in whatever way a csv writes their names."""

    def __init__(self, places: Iterable[Path], folders: Iterable[str]):
        self.places = list(dict.fromkeys(places))
        self.folders = list(folders)
        self.listed: dict[Path, dict[str, list[str]]] = {}

    def locate(self, name: str) -> tuple[Path | None, str | None]:
        """Return the path of an image, or the kind of fault that keeps it from use.

        The first place that has the image is taken.
        """
        if ".." in PureWindowsPath(name).parts:  # a slash parts folders there, too
            return None, LEAVING
        for place in self.places:
            found = next(
                filter(None, map(partial(self._in, place), _spellings(name))), []
            )
            if not all(is_inside(path, place) for path in found):
                return None, LEAVING
            if found:
                return (found[0], None) if len(found) == 1 else (None, _AMBIGUOUS)
        is_absolute = Path(name).is_absolute() or PureWindowsPath(name).is_absolute()
        return None, LEAVING if is_absolute else _MISSING

    def _in(self, place: Path, name: str) -> list[Path]:
        """Return the files of a name in a place and its class folders."""
        folders = [""] if Path(name).is_absolute() else self.folders
        return [
            path for folder in folders for path in self._files(place / folder, name)
        ]

    def _files(self, place: Path, name: str) -> list[Path]:
        path = place / name
        if os.path.isfile(path) or name.isascii():
            return [path] if os.path.isfile(path) else []
        found = [place]
        for part in Path(name).parts:
            found = [
                folder / entry
                for folder in found
                for entry in self._alike(folder, part)
            ]
        return [path for path in found if os.path.isfile(path)]

    def _alike(self, folder: Path, name: str) -> list[str]:
        """Return the entries of a folder that are called so, in any form of Unicode."""
        if folder not in self.listed:
            entries: dict[str, list[str]] = {}
            for entry in os.listdir(folder) if folder.is_dir() else ():
                entries.setdefault(normalize("NFC", entry), []).append(entry)
            self.listed[folder] = entries
        alike = self.listed[folder].get(normalize("NFC", name), [])
        return [name] if name in alike else alike


def _spellings(name: str) -> Iterator[str]:
    """Yield a name as it is written, and as other systems and glomclf write it."""
    yield name
    # glomclf writes the bytes of a name that is not UTF-8 so.
    yield re.sub(r"\\udc([89a-f][0-9a-f])", lambda m: chr(0xDC00 + int(m[1], 16)), name)
    if "\\" in name:
        yield name.replace("\\", "/")


def is_inside(path: Path, place: Path) -> bool:
    """Tell whether a file lies in a folder, links followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(place))


def check_paths(
    rows: pd.DataFrame,
    paths: list[Path | None],
    folders: Mapping[str, int],
    faults: Faults,
) -> None:
    """Check that no image is named twice or lies in the other label's folder.

    Parameters
    ----------
    rows : DataFrame
    paths : list of Path or None
    folders : mapping of str to int
        Class folders and their labels.
    faults : Faults
    """
    names = rows["name"]
    files = pd.Series(
        [
            name if path is None else os.path.realpath(path)
            for name, path in zip(names, paths, strict=True)
        ],
        dtype=object,  # Arrow's text holds no name that is not UTF-8
    )
    is_repeated = files.duplicated(keep=False).to_numpy() & (names != "")
    faults.add(
        "images named more than once; keep one row each", cells_at(names, is_repeated)
    )
    if "label" not in rows:
        return
    corrected = rows.get(CORRECTED, pd.Series("", rows.index))
    in_other = [
        path is not None
        and label >= 0
        and not changed  # on purpose, after the folders were made
        and folders.get(path.parent.name, label) != label
        for path, label, changed in zip(paths, rows["label"], corrected, strict=True)
    ]
    faults.add(
        "images in the class folder of the other label; mend the label or move them",
        cells_at(names, in_other),
    )


def has_controls(name: str) -> bool:
    r"""Tell whether a name ends a line, or does to a terminal what nobody reads.

    Examples
    --------
    >>> from glomclf.data.image_folders import has_controls
    >>> has_controls("é.png"), has_controls("a\n.png")
    (False, True)
    """
    return _CONTROLS.search(name) is not None


def refuse_controls(names: Iterable[str], faults: Faults) -> None:
    """Note the names of files that have what no name should."""
    controlling = [repr(name) for name in names if has_controls(name)]
    faults.add(f"names with {CONTROLLING}; rename them", controlling)


def path_column(paths: Iterable[str | Path]) -> pd.Series:
    """Return absolute paths, also those whose names are not UTF-8.

    Arrow's text, that pandas takes where it is installed, holds no such names.
    """
    return pd.Series([os.path.abspath(path) for path in paths], dtype=object)


def images_in(folder: Path) -> list[Path]:
    """Return the images that lie directly in a folder."""
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.is_dir()
    ]


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
