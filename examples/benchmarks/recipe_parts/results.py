"""The results file: every unit of work that is done, written whole each time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from glomclf._runtime import written_whole

from .methods import Method
from .patches import Fold, Patches

FORMAT = 1
DIGITS = 5  # of probabilities; enough for scores to the third digit, and small


class Unit(NamedTuple):
    """What is done or not done as a whole: one method on one fold of one split."""

    method: str
    split: str
    fold: str

    def __str__(self) -> str:
        return f"{self.method} | {self.split} | {self.fold}"


class ResultsError(ValueError):
    """A results file that is not one, or belongs to other patches or settings."""


class Results:
    """Units of one csv, one seed and one set of shared parameters.

    Parameters
    ----------
    path : Path
        The JSON file; it is made when the first unit is added.
    patches : Patches
    seed : int or None
        None: that of the file, or 0.
    shared : mapping or None
        Parameters of all networks; None: those of the file.
    """

    def __init__(
        self,
        path: Path,
        patches: Patches,
        seed: int | None = None,
        shared: Mapping[str, Any] | None = None,
    ):
        self.path = path
        self.patches = patches
        kept = read(path) if path.exists() else None
        self.head = _head(patches, seed, shared, kept)
        self._folds = {s: patches.folds(s, self.seed) for s in patches.splits()}
        self.head["folds"] = {
            split: {name: test.tolist() for name, (_, test) in folds.items()}
            for split, folds in self._folds.items()
        }
        if kept is not None:
            _check_same(self.head, kept, path)
        self.units = {} if kept is None else units_of(kept)

    @property
    def seed(self) -> int:
        """The seed of folds and fits."""
        return self.head["seed"]

    @property
    def shared(self) -> dict[str, Any]:
        """The parameters that all networks share."""
        return self.head["shared"]

    def folds(self, split: str) -> dict[str, Fold]:
        """Return the folds of a split."""
        return self._folds[split]

    def state(self, unit: Unit, method: Method) -> str:
        """Say whether a unit is done, to do, or was done with other settings."""
        if unit not in self.units:
            return "to do"
        settings = _as_json(method.settings(self.shared))
        same = self.units[unit]["settings"] == settings
        return "done" if same else "other settings"

    def record(self, unit: Unit, method: Method) -> dict[str, Any] | None:
        """Return what a unit gave with these settings; None where it is not done."""
        return self.units[unit] if self.state(unit, method) == "done" else None

    def add(self, unit: Unit, record: dict[str, Any]) -> None:
        """Keep a unit; the file is replaced as a whole, or stays as it was.

        The file is read again first, so that units which another run has added since
        are not lost.
        """
        if self.path.exists():
            kept = read(self.path)
            _check_same(self.head, kept, self.path)
            self.units = units_of(kept)
        self.units[unit] = record
        self._write()

    def merge(self, others: Iterable[Path]) -> int:
        """Take over the units of other files that this one lacks; return how many."""
        before = len(self.units)
        for path in others:
            kept = read(path)
            _check_same(self.head, kept, path)
            self.units = {**units_of(kept), **self.units}
        self._write()
        return len(self.units) - before

    def _write(self) -> None:
        """Write a line a unit, so that differences of two files can be read."""
        lines = [
            json.dumps(name) + ": " + json.dumps(v) for name, v in self.head.items()
        ]
        units = [
            json.dumps({**unit._asdict(), **record})
            for unit, record in sorted(self.units.items())
        ]
        listed = ",\n".join(units)
        text = "{\n" + ",\n".join([*lines, f'"units": [\n{listed}\n]']) + "\n}\n"
        with written_whole(self.path) as file:
            file.write_text(text, encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Read a results file.

    Raises
    ------
    ResultsError
        If it is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] == FORMAT and isinstance(content["units"], list):
            return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{path} is not a file of this benchmark ({error}). Give the --results "
            "file of an earlier run, or a name that is not there yet."
        ) from error
    raise ResultsError(
        f"{path} has format {content['format']!r}, but this benchmark reads {FORMAT}"
    )


def units_of(content: dict[str, Any]) -> dict[Unit, dict[str, Any]]:
    """Return the units of a file by name."""
    units = {}
    for one in content["units"]:
        record = dict(one)
        unit = Unit(*(record.pop(name) for name in Unit._fields))
        units[unit] = record
    return units


def _head(
    patches: Patches,
    seed: int | None,
    shared: Mapping[str, Any] | None,
    kept: dict[str, Any] | None,
) -> dict[str, Any]:
    """Say what all units of a file have in common."""
    from .methods import SHARED

    old = {"seed": 0, "shared": SHARED} if kept is None else kept
    return {
        "format": FORMAT,
        "patches": patches.fingerprint(),
        "seed": old["seed"] if seed is None else seed,
        "shared": _as_json(old["shared"] if shared is None else shared),
    }


def _check_same(head: dict[str, Any], kept: dict[str, Any], path: Path) -> None:
    """Refuse to mix what cannot stand in one table."""
    said = {
        "patches": "names, labels, participants or centres of the csv",
        "seed": "the seed",
        "shared": "the parameters shared by all networks (--set)",
        "folds": "the rows of the folds",
    }
    faults = [text for name, text in said.items() if head[name] != kept.get(name)]
    if faults:
        raise ResultsError(
            f"{path} was made with other settings; not the same: {'; '.join(faults)}. "
            "Give the csv and options it was made with, or another --results file."
        )


def _as_json(value: Any) -> Any:
    """Return a value as it comes back from JSON."""
    return json.loads(json.dumps(value))
