"""Rows counted by participant and class, and what keeps them from being split."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from ...errors import SplitError, SplitWarning


@dataclass(frozen=True)
class GroupTable:
    """Rows counted by group and class."""

    codes: NDArray[np.intp]  # (n_samples,): the group of each row, as a number
    groups: NDArray[Any]  # (n_groups,): their names, sorted
    classes: NDArray[Any]  # (n_classes,)
    counts: NDArray[np.intp]  # (n_groups, n_classes)

    def describe(self) -> str:
        """Say in how many participants each class is found."""
        n_carriers = (self.counts > 0).sum(axis=0)
        found = ", ".join(
            f"class {label} in {n}"
            for label, n in zip(self.classes, n_carriers, strict=True)
        )
        return f"participants: {len(self.counts)}; {found}"


def tabulate(
    y: ArrayLike, groups: ArrayLike | None, of: str = "participant"
) -> GroupTable:
    """Count rows by group and class, or list all that stands against it."""
    faults = []
    kind = type_of_target(y, input_name="y")
    if kind not in ("binary", "multiclass"):
        faults.append(f"y must hold classes, got a target of type {kind!r}")
    if groups is None:
        faults.append("groups is None; pass the participant of each row")
    else:
        codes, names = pd.factorize(column_or_1d(groups, dtype=object), sort=True)
        if n_unknown := int((codes < 0).sum()):
            faults.append(
                f"groups lacks the {of} of {n_unknown} of {len(codes)} rows; "
                "name them, or leave these rows out"
            )
    if faults:
        raise SplitError("\n".join(faults))
    classes, labels = np.unique(column_or_1d(y), return_inverse=True)
    counts = np.zeros((len(names), len(classes)), dtype=np.intp)
    np.add.at(counts, (codes, labels), 1)
    return GroupTable(codes, np.asarray(names), classes, counts)


def require_two_groups_a_class(table: GroupTable) -> None:
    """Refuse what no grouped split can put on both sides."""
    n_carriers = (table.counts > 0).sum(axis=0)
    if not len(table.classes):
        why = "y is empty"
    elif len(table.classes) < 2:
        why = f"y holds one class only, {table.classes[0]}"
    elif len(table.counts) < 2:
        why = "all rows belong to one participant"
    elif n_carriers.min() < 2:
        lone = ", ".join(str(c) for c in table.classes[n_carriers < 2])
        why = f"class {lone} is found in one participant only"
    else:
        return
    raise SplitError(
        f"{why}, so training and test side cannot both hold every class "
        f"({table.describe()}); add participants of each class"
    )


def check_test_sides(tests: dict[str, NDArray[np.intp]], table: GroupTable) -> None:
    """Refuse test sides that hold all of a class, warn of those that hold none."""
    everything = table.counts.sum(axis=0)
    hoarded, absent = [], []
    for name, counts in tests.items():
        hoarded += [
            f"leaving out {name} leaves no class {label} to train on"
            for label in table.classes[counts == everything]
        ]
        absent += [
            f"{name} has no class {label}" for label in table.classes[counts == 0]
        ]
    if hoarded:
        raise SplitError(f"({table.describe()}) {', '.join(hoarded)}; add participants")
    if absent:
        warnings.warn(
            f"({table.describe()}) {', '.join(absent)}; score pooled predictions, for "
            "recall or ROC AUC of these test sides alone are undefined",
            SplitWarning,
            stacklevel=3,
        )
