"""What is found on both sides of a split: a table in the making, and its words."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.spellings import spelled_alike

__all__ = ["Findings", "described"]

_COLUMNS = {
    "fold": "Int64",
    "kind": "str",
    "leaks": "bool",
    "train_row": "Int64",
    "test_row": "Int64",
    "train_name": "str",
    "test_name": "str",
    "train_participant": "str",
    "test_participant": "str",
    "distance": "float64",
}
_MEANINGS = {
    "row on both sides": "a row is trained on and judged",
    "row repeated": "a row is found twice on one side",
    "participant on both sides": "a participant is trained on and judged",
    "participants written alike": "names on both sides may be those of one participant",
    "identical": "the same pixels are trained on and judged",
    "re-encoded": "one image, saved twice, is trained on and judged",
    "near-duplicate": "two views of one glomerulus are trained on and judged",
    "identical features": "the same embedding is trained on and judged",
    "near-duplicate features": "embeddings of one image are trained on and judged",
    "labels disagree": "images that show the same have different labels",
    "participants disagree": "images that show the same have different participants",
}
_ALIKE = "participants written alike"
_MOST_NAMED = 10  # of each kind, in a message


class Findings:
    """Rows of the table of findings, in the making."""

    def __init__(self, names: list[str], participants: NDArray | None):
        self.names = names
        self.participants = participants
        self.rows: list[dict[str, Any]] = []

    def add_rows(self, fold: int, train: NDArray, test: NDArray) -> None:
        """Find rows on both sides, and rows that are twice on one."""
        for row in np.intersect1d(train, test):
            self._add("row on both sides", row, row, fold=fold)
        for side in (train, test):
            rows, counts = np.unique(side, return_counts=True)
            for row in rows[counts > 1]:
                self._add("row repeated", row, row, fold=fold, leaks=False)

    def add_participants(self, fold: int, train: NDArray, test: NDArray) -> None:
        """Find participants on both sides, each named with its first row there."""
        if self.participants is None:
            return
        left, first_left = np.unique(self.participants[train], return_index=True)
        right, first_right = np.unique(self.participants[test], return_index=True)
        _, at_left, at_right = np.intersect1d(left, right, return_indices=True)
        for i, j in zip(
            train[first_left[at_left]], test[first_right[at_right]], strict=True
        ):
            self._add("participant on both sides", i, j, fold=fold)

    def add_spellings(self, fold: int, train: NDArray, test: NDArray) -> None:
        """Find participants on two sides who differ only in how they are written."""
        if self.participants is None:
            return
        first_row = [
            dict(zip(self.participants[rows][::-1], rows[::-1], strict=True))
            for rows in (train, test)
        ]
        for alike in spelled_alike({*first_row[0], *first_row[1]}):
            for one, other in permutations(alike, 2):
                if one in first_row[0] and other in first_row[1]:
                    rows = first_row[0][one], first_row[1][other]
                    self._add(_ALIKE, *rows, fold=fold, leaks=False)

    def add_pairs(
        self, fold: int, train: NDArray, test: NDArray, pairs: pd.DataFrame
    ) -> None:
        """Find pairs of images of which one is trained on and one judged."""
        trained, judged = np.zeros((2, len(self.names)), dtype=bool)
        trained[train], judged[test] = True, True
        for first, second, kind, distance in pairs.itertuples(index=False):
            for i, j in ((first, second), (second, first)):
                if trained[i] and judged[j]:
                    self._add(kind, i, j, fold=fold, distance=distance)

    def add_contradictions(
        self, pairs: pd.DataFrame, labels: NDArray, are_known: bool
    ) -> None:
        """Find pairs whose labels or participants differ, whatever the split."""
        for first, second, _, distance in pairs.itertuples(index=False):
            values = {"labels disagree": labels}
            if self.participants is not None and are_known:
                values["participants disagree"] = self.participants
            for kind, of in values.items():
                if of[first] != of[second]:
                    self._add(kind, first, second, distance=distance, leaks=False)

    def _add(
        self,
        kind: str,
        train: int,
        test: int,
        *,
        fold: int | None = None,
        distance: float = np.nan,
        leaks: bool = True,
    ) -> None:
        who = ["", ""]
        if self.participants is not None:
            who = [self.participants[row] for row in (train, test)]
        values = (
            *(fold, kind, leaks, int(train), int(test)),
            *(self.names[train], self.names[test], *who, distance),
        )
        self.rows.append(dict(zip(_COLUMNS, values, strict=True)))

    def to_frame(self) -> pd.DataFrame:
        """Return the table, by kind in order of gravity and then by fold."""
        table = pd.DataFrame(self.rows, columns=list(_COLUMNS)).astype(_COLUMNS)
        rank = table["kind"].map({kind: i for i, kind in enumerate(_MEANINGS)})
        order = table.assign(rank=rank.astype(float)).sort_values(
            ["rank", "fold", "train_row", "test_row"]
        )
        return table.loc[order.index].reset_index(drop=True)


def described(findings: pd.DataFrame, n_folds: int) -> str:
    """Name each kind and all that is of it, and of several folds where it happens."""
    lines = []
    for kind, table in findings.groupby("kind", sort=False):
        folds_of: dict[str, list[str]] = {}
        for finding in table.itertuples():
            is_in_one = n_folds > 1 and finding.fold is not pd.NA
            where = [str(finding.fold)] if is_in_one else []
            folds_of.setdefault(_item(finding), []).extend(where)
        lines.append(f"{kind} ({_MEANINGS[str(kind)]}): {len(folds_of)}")
        for item, folds in list(folds_of.items())[:_MOST_NAMED]:
            place = f" (fold {', '.join(dict.fromkeys(folds))})" if folds else ""
            lines.append(f"  {item}{place}")
        if len(folds_of) > _MOST_NAMED:
            lines.append(f"  and {len(folds_of) - _MOST_NAMED} more in the table")
    return "\n".join(lines)


def _item(finding: Any) -> str:
    """Name what one finding is about."""
    if finding.kind == "participant on both sides":
        return finding.train_participant
    if finding.kind == _ALIKE:
        return f"{finding.train_participant} and {finding.test_participant}"
    if finding.train_row == finding.test_row:
        return finding.train_name
    ends = sorted(
        [
            f"{name} of {who}" if who else name
            for name, who in (
                (finding.train_name, finding.train_participant),
                (finding.test_name, finding.test_participant),
            )
        ]
    )
    return f"{ends[0]} and {ends[1]}, distance {finding.distance:.2f}"
