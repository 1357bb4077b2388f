"""Where the images of a csv or a folder lie, and all that is wrong with them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import ManifestError
from .images import IMAGE_SUFFIXES

__all__ = [
    "CLASS_FOLDERS",
    "LEAVING",
    "Faults",
    "cells_at",
    "check_class_folders",
    "check_paths",
    "images_in",
    "is_inside",
    "locate_images",
]

CLASS_FOLDERS = ("non_globally_sclerotic_glomeruli", "globally_sclerotic_glomeruli")
"""Names of the class folders; the position of a name is its label."""
LEAVING = (
    "names that lead out of the image folder (absolute, through '..' or by a link); "
    "name files relative to the folder that holds them"
)
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
    names: pd.Series, places: list[Path], faults: Faults
) -> list[Path | None]:
    """Find the image of each row; None, and a fault, where it cannot be used."""
    found = [_locate(name, places) for name in names]
    kinds = pd.Series([kind for _, kind in found], index=names.index, dtype=object)
    for kind in (LEAVING, _AMBIGUOUS):
        faults.add(kind, cells_at(names, kinds == kind))
    is_named = names.str.strip() != ""
    missing = cells_at(names, (kinds == _MISSING) & is_named)
    if len(missing) == len(names) > 1:
        missing = [f"none of its {len(names)} images; pass images=FOLDER"]
    searched = " or ".join(str(place) for place in dict.fromkeys(places))
    faults.add(_MISSING.format(searched=searched), missing)
    return [path for path, _ in found]


def _locate(name: str, places: list[Path]) -> tuple[Path | None, str | None]:
    """Return the path of an image, or the kind of fault that keeps it from being used.

    The places are searched in turn; the first that has the image is taken.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return None, LEAVING
    for place in places:
        candidates = [place / folder / name for folder in ("", *CLASS_FOLDERS)]
        found = [path for path in candidates if os.path.isfile(path)]
        if not found:
            continue
        if not all(is_inside(path, place) for path in found):
            return None, LEAVING
        return (found[0], None) if len(found) == 1 else (None, _AMBIGUOUS)
    return None, _MISSING


def is_inside(path: Path, place: Path) -> bool:
    """Tell whether a file lies in a folder, links followed."""
    return path.resolve().is_relative_to(place.resolve())


def check_paths(rows: pd.DataFrame, paths: list[Path | None], faults: Faults) -> None:
    """Check that no image is named twice or lies in the other label's folder."""
    names = rows["name"]
    files = pd.Series(
        [
            name if path is None else str(path.resolve())
            for name, path in zip(names, paths, strict=True)
        ]
    )
    is_repeated = files.duplicated(keep=False).to_numpy() & (names != "")
    faults.add(
        "images named more than once; keep one row each", cells_at(names, is_repeated)
    )
    if "label" not in rows:
        return
    in_other = [
        path is not None and label >= 0 and path.parent.name == CLASS_FOLDERS[1 - label]
        for path, label in zip(paths, rows["label"], strict=True)
    ]
    faults.add(
        "images in the class folder of the other label; mend the label or move them",
        cells_at(names, in_other),
    )


def images_in(folder: Path) -> list[Path]:
    """Return the images that lie directly in a folder."""
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.is_dir()
    ]


def check_class_folders(root: Path, paths: list[Path], faults: Faults) -> None:
    """Check that nothing is left out in silence, and no patch has two labels."""
    missing = [name for name in CLASS_FOLDERS if not (root / name).is_dir()]
    faults.add("class folders missing", map(repr, missing))
    strays = [repr(path.name) for path in sorted(images_in(root))]
    faults.add("images beside the class folders; move them into one", strays)
    names = Counter(path.name for path in paths)
    twice = [repr(name) for name, n_paths in names.items() if n_paths > 1]
    faults.add("names in both class folders; keep one of each", twice)
