"""What is found on both sides of a split: a table, and its words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.spellings import spelled_alike

_Finding = tuple[str, int, int, float]  # kind, two rows, distance
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
_ALIKE = "participants written alike"
_MEANINGS = {
    "row on both sides": "a row is trained on and judged",
    "row repeated": "a row is found twice on one side",
    "participant on both sides": "a participant is trained on and judged",
    _ALIKE: "names on both sides may be those of one participant",
    "identical": "the same pixels are trained on and judged",
    "re-encoded": "one image, saved twice, is trained on and judged",
    "near-duplicate": "two views of one glomerulus are trained on and judged",
    "identical features": "the same embedding is trained on and judged",
    "near-duplicate features": "embeddings of one image are trained on and judged",
    "labels disagree": "images that show the same have different labels",
    "participants disagree": "images that show the same have different participants",
}
_NO_LEAKS = ("row repeated", _ALIKE, "labels disagree", "participants disagree")
_MOST_NAMED = 10  # of each kind, in a message


def findings_of(
    train: NDArray, test: NDArray, participants: NDArray | None, pairs: pd.DataFrame
) -> Iterator[_Finding]:
    """Find what is on both sides of one fold, and rows that are twice on one.

    Parameters
    ----------
    train, test : ndarray of int
        Places of rows.
    participants : ndarray of str or None
        Of all rows.
    pairs : DataFrame
        Images that show the same: two rows, kind, distance.

    Yields
    ------
    kind, row, other row, distance
    """
    for row in np.intersect1d(train, test):
        yield "row on both sides", row, row, np.nan
    for side in (train, test):
        rows, counts = np.unique(side, return_counts=True)
        for row in rows[counts > 1]:
            yield "row repeated", row, row, np.nan
    if participants is not None:
        yield from _people(train, test, participants)
    trained, judged = set(train.tolist()), set(test.tolist())
    for first, second, kind, distance in pairs.itertuples(index=False):
        for one, other in ((first, second), (second, first)):
            if one in trained and other in judged:
                yield kind, one, other, distance


def _people(train: NDArray, test: NDArray, participants: NDArray) -> Iterator[_Finding]:
    """Find participants on both sides, or written alike, each by the first row."""
    left, right = (
        dict(zip(participants[rows][::-1], rows[::-1], strict=True))
        for rows in (train, test)
    )
    for who in left.keys() & right.keys():
        yield "participant on both sides", left[who], right[who], np.nan
    for alike in spelled_alike({*left, *right}):
        for one, other in permutations(alike, 2):
            if one in left and other in right:
                yield _ALIKE, left[one], right[other], np.nan


def contradictions(pairs: pd.DataFrame, **known: NDArray) -> Iterator[_Finding]:
    """Find pairs whose labels or participants differ, whatever the split."""
    for first, second, _, distance in pairs.itertuples(index=False):
        for name, values in known.items():
            if values[first] != values[second]:
                yield f"{name} disagree", first, second, distance


def findings_table(
    found: Iterable[tuple[int | None, *_Finding]],
    names: Sequence[str],
    participants: NDArray | None,
) -> pd.DataFrame:
    """Make the table, by kind in order of gravity and then by fold."""
    columns = ["fold", "kind", "train_row", "test_row", "distance"]
    table = pd.DataFrame(found, columns=columns)
    who = np.full(len(names), "") if participants is None else participants
    for side in ("train", "test"):
        rows = table[f"{side}_row"].to_numpy(int)
        table[f"{side}_name"] = np.array(names, dtype=object)[rows]
        table[f"{side}_participant"] = who[rows]
    table["leaks"] = ~table["kind"].isin(_NO_LEAKS)
    rank = table["kind"].map({kind: place for place, kind in enumerate(_MEANINGS)})
    order = ["rank", "fold", "train_row", "test_row"]
    table = table.assign(rank=rank).sort_values(order, ignore_index=True)
    return table[list(_COLUMNS)].astype(_COLUMNS)


def described(findings: pd.DataFrame, n_folds: int) -> str:
    """Name each kind and all that is of it, and of several folds where it happens."""
    lines = []
    for kind, table in findings.groupby("kind", sort=False):
        items = np.array([_item(one) for one in table.itertuples()], dtype=object)
        folds_of = list(table["fold"].groupby(items, sort=False))
        lines.append(f"{kind} ({_MEANINGS[str(kind)]}): {len(folds_of)}")
        for item, folds in folds_of[:_MOST_NAMED]:
            told = ", ".join(map(str, folds.dropna().unique()))
            lines.append(f"  {item}{f' (fold {told})' if told and n_folds > 1 else ''}")
        if len(folds_of) > _MOST_NAMED:
            lines.append(f"  and {len(folds_of) - _MOST_NAMED} more in the table")
    return "\n".join(lines)


def _item(finding: Any) -> str:
    """Name what one finding is about."""
    who = (finding.train_participant, finding.test_participant)
    if finding.kind == "participant on both sides":
        return who[0]
    if finding.kind == _ALIKE:
        return " and ".join(who)
    names = (finding.train_name, finding.test_name)
    if finding.train_row == finding.test_row:
        return names[0]
    ends = [
        f"{name} of {owner}" if owner else name
        for name, owner in zip(names, who, strict=True)
    ]
    return f"{' and '.join(sorted(ends))}, distance {finding.distance:.2f}"
