"""The results file: every unit of work that is done, written whole each time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from .methods import METHODS
from .patches import Patches


class Unit(NamedTuple):
    """What is done or not done as a whole: one method on one fold of one split."""

    method: str
    split: str
    fold: str

    def __str__(self) -> str:
        return f"{self.method} | {self.split} | {self.fold}"


class Results:
    """Units of one csv.

    Parameters
    ----------
    path : Path
        The JSON file; it is made when the first unit is added.
    patches : Patches
    """

    def __init__(self, path: Path, patches: Patches):
        self.path, self.patches = path, patches
        self.head = {
            "patches": patches.fingerprint(),
            "folds": {
                split: {name: test.tolist() for name, (_, test) in folds.items()}
                for split, folds in patches.folds.items()
            },
        }
        self.units = units_of(path, self.head) if path.exists() else {}
        self.settings = {
            name: json.loads(json.dumps(method.settings()))
            for name, method in METHODS.items()
        }

    def state(self, unit: Unit) -> str:
        """Say whether a unit is done, to do, or was done with other settings."""
        if unit not in self.units:
            return "to do"
        same = self.units[unit]["settings"] == self.settings[unit.method]
        return "done" if same else "other settings"

    def record(self, unit: Unit) -> dict[str, Any] | None:
        """Return what a unit gave with these settings; None where it is not done."""
        return self.units[unit] if self.state(unit) == "done" else None

    def add(self, unit: Unit, record: dict[str, Any]) -> None:
        """Keep a unit; the file is replaced as a whole, or stays as it was."""
        self.units[unit] = record
        head = [f"{json.dumps(name)}: {json.dumps(v)}" for name, v in self.head.items()]
        units = [  # a line each, so that differences of two files can be read
            json.dumps({**unit._asdict(), **record})
            for unit, record in sorted(self.units.items())
        ]
        listed = ",\n".join(units)
        text = "{\n" + ",\n".join([*head, f'"units": [\n{listed}\n]']) + "\n}\n"
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.path)


def units_of(path: Path, head: dict[str, Any]) -> dict[Unit, dict[str, Any]]:
    """Read the units of a file; refuse to mix what cannot stand in one table."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        listed = content["units"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a file of this benchmark ({error}). Give the --results "
            "file of an earlier run, or a name that is not there yet."
        ) from error
    if any(content.get(name) != value for name, value in head.items()):
        raise ValueError(
            f"{path} was made with other patches: names, labels, participants, centres "
            "or folds differ. Give the csv it was made with, or another --results file."
        )
    units = {}
    for record in listed:
        unit = Unit(*(record.pop(name) for name in Unit._fields))
        units[unit] = record
    return units
