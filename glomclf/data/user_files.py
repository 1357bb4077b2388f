"""Files that a user gives: what reads them, within bounds, and all that is wrong."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import ManifestError, SlideError

CONTROLLING = "line ends or control characters"
# What ends a line, moves a cursor or turns the direction of writing.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Faults:
    """All that is wrong with one csv, folder or file, by kind, in the order found."""

    def __init__(self, source: Path, error: type[Exception] = ManifestError):
        self.source = source
        self.error = error
        self.items: dict[str, list[str]] = {}

    def add(self, kind: str, items: Iterable[str]) -> None:
        """Note faults of one kind."""
        if new := list(items):
            self.items.setdefault(kind, []).extend(new)

    def add_cells(self, kind: str, cells: pd.Series, wrong: ArrayLike) -> None:
        """Note the wrong cells of a column, with their lines."""
        found = cells[np.asarray(wrong, dtype=bool)]
        self.add(kind, (f"line {line}: {cell!r}" for line, cell in found.items()))

    def add_controlling(self, names: Iterable[str]) -> None:
        """Note the names of files that have what no name should."""
        wrong = (repr(name) for name in names if has_controls(name))
        self.add(f"names with {CONTROLLING}; rename them", wrong)

    def raise_if_any(self) -> None:
        """Raise one error that lists all that was noted."""
        if not self.items:
            return
        blocks = [
            "\n    ".join([f"  {kind}:", *items]) for kind, items in self.items.items()
        ]
        raise self.error("\n".join([f"{self.source} cannot be used.", *blocks]))


def bytes_of(path: Path, limit: int, error: type[Exception], expected: str) -> bytes:
    """Read a whole file, if it is one, and not too large.

    Parameters
    ----------
    path : Path
    limit : int
        In bytes.
    error : type
        What is raised where it cannot be read.
    expected : str
        What it should be, with its article; for the message.

    Examples
    --------
    >>> from pathlib import Path
    >>> from glomclf.data.user_files import bytes_of
    >>> bytes_of(Path("/"), 100, ValueError, "a csv")
    Traceback (most recent call last):
    ...
    ValueError: / is a folder; a csv was expected.
    """
    try:
        if path.exists() and not path.is_file():
            # To read a pipe would wait for ever, to read a device would never end.
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise error(f"{path} is {kind}; {expected} was expected.")
        if (n_bytes := path.stat().st_size) > limit:
            raise error(
                f"{path} holds {n_bytes:,} bytes; {expected} of at most {limit:,} was "
                "expected."
            )
        return path.read_bytes()
    except OSError as why:
        reason = why.strerror or why
        raise error(f"{path} cannot be read as {expected}: {reason}.") from why


def needed(
    module: str, extra: str = "slides", error: type[Exception] = SlideError
) -> Any:
    """Import a module of an extra, on its first use.

    Raises
    ------
    error
        If it is not installed, or its library cannot be loaded.

    Examples
    --------
    >>> from glomclf.data.user_files import needed
    >>> needed("shapely").Point(1, 2).x
    1.0
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as why:
        raise error(
            f"{module.partition('.')[0]} is needed here and cannot be imported "
            f"({why}). Install it: python -m pip install 'glomclf[{extra}]'"
        ) from why


def has_controls(name: str) -> bool:
    r"""Tell whether a name ends a line, or does to a terminal what nobody reads.

    Examples
    --------
    >>> from glomclf.data.user_files import has_controls
    >>> has_controls("é.png"), has_controls("a\n.png")
    (False, True)
    """
    return _CONTROLS.search(name) is not None


def is_inside(path: Path, place: Path) -> bool:
    """Tell whether a file lies in a folder, links followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(place))
