"""Does a split leak: shared participants, shared images, serial sections.

`audit_splits` looks at the rows of every fold before anything is fitted.
`glomclf.leakage.fits.audit_fit`, offered here as well, looks at what a fit was given.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples, check_consistent_length, column_or_1d

from .._runtime import short_names
from ..data.participants import kind_of_groups, participants_of
from ..errors import LeakageError, SplitError
from .duplicates import NEAR_DUPLICATE_DISTANCE, find_duplicates, fingerprint_images
from .fits import FitAudit, audit_fit, split_rows

__all__ = ["FitAudit", "SplitAudit", "audit_fit", "audit_splits"]

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
    "identical": "the same pixels are trained on and judged",
    "re-encoded": "one image, saved twice, is trained on and judged",
    "near-duplicate": "two views of one glomerulus are trained on and judged",
    "labels disagree": "images that show the same have different labels",
    "participants disagree": "images that show the same have different participants",
}
_MOST_NAMED = 10  # of each kind, in a message
_UNKNOWN = {
    True: "Participants are not known, so that they were not checked.",
    False: "Participants are not all known: what stands for them was checked.",
}
_Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


@dataclass(frozen=True)
class SplitAudit:
    """What `audit_splits` found.

    Parameters
    ----------
    findings : DataFrame
        As `to_frame` returns them.
    folds : DataFrame
        Two rows a fold, ``side`` being ``train`` and ``test``: ``fold``, ``side``,
        ``n_samples``, ``n_participants`` (missing where they are not known), one
        column ``n_class_...`` a class, and ``missing_classes``, separated by commas.
    n_samples : int
        Rows of the data.
    participants_known : bool
        Whether participants could be checked, and not just what stands for them.
    """

    findings: pd.DataFrame
    folds: pd.DataFrame
    n_samples: int
    participants_known: bool

    @property
    def is_leaky(self) -> bool:
        """Whether anything that is judged is trained on as well."""
        return bool(self.findings["leaks"].any())

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table.

        Returns
        -------
        findings : DataFrame of shape (n_findings, 10)
            ``fold`` (missing: of the data as a whole), ``kind``, ``leaks`` (False for
            what is odd in the data, but crosses no split), ``train_row``,
            ``test_row``, ``train_name``, ``test_name``, ``train_participant``,
            ``test_participant`` and ``distance`` in [0, 1] (missing where no images
            were compared). In findings of the data as a whole, train and test stand
            for the first and the second image.
        """
        return self.findings.copy()

    def raise_if_leaky(self) -> None:
        """Raise an error that names all that leaks.

        Raises
        ------
        LeakageError
        """
        if self.is_leaky:
            leaks = self.findings[self.findings["leaks"]]
            raise LeakageError(
                f"The split leaks.\n{_described(leaks)}\nKeep all images of a "
                "participant, and all views of a glomerulus, on one side."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types that JSON can hold; missing is None.

        Returns
        -------
        content : dict
        """
        return {
            "is_leaky": self.is_leaky,
            "n_samples": self.n_samples,
            "participants_known": self.participants_known,
            "counts": {
                k: int(n) for k, n in self.findings["kind"].value_counts().items()
            },
            "findings": _records(self.findings),
            "folds": _records(self.folds),
        }

    def __str__(self) -> str:
        n_folds = self.folds["fold"].nunique()
        lines = [
            f"{'The split leaks' if self.is_leaky else 'No leak found'}: "
            f"{self.n_samples} rows, {n_folds} folds."
        ]
        if not self.participants_known:
            lines.append(_UNKNOWN[bool(self.folds["n_participants"].isna().all())])
        if len(self.findings):
            lines.append(_described(self.findings))
        lacking = self.folds[self.folds["missing_classes"] != ""]
        lines += [
            f"Fold {fold}: the {side} side has no class {missing}."
            for fold, side, missing in lacking[
                ["fold", "side", "missing_classes"]
            ].itertuples(index=False)
        ]
        return "\n".join(lines)


def audit_splits(
    X: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    *,
    compare_images: bool = True,
    max_distance: float = NEAR_DUPLICATE_DISTANCE,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> SplitAudit:
    """Look for whatever is on both sides of a split.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
        A DataFrame with ``path`` (and, where known, ``participant``), paths, or uint8
        images in [0, 255] of shape (n_samples, height, width, 3).
    y : array-like of shape (n_samples,)
        The classes.
    cv : int, splitter or iterable of (train, test), default=5
        The split, as `cross_validate` takes it: an int means `StratifiedKFold`, which
        knows no participants.
    groups : array-like of shape (n_samples,), default=None
        The participant of each row; by default the column ``participant`` of `X`.
        In a table of `glomclf.read_manifest` that knows slides alone, these are
        checked in their place.
    compare_images : bool, default=True
        False looks at rows and participants alone; then `X` may be a table of features.
    max_distance : float in [0, 1], default=NEAR_DUPLICATE_DISTANCE
        See `glomclf.leakage.duplicates.find_duplicates`.
    n_jobs : int or None, default=None
        Threads that decode and compare.
    verbose : int, default=0
        1 shows bars on standard error.

    Returns
    -------
    audit : SplitAudit

    Raises
    ------
    ImageError
        If files cannot be read; it lists every one of them.
    SplitError
        If `cv` gives no folds, or rows that are not there, or participants are missing.

    Examples
    --------
    >>> from sklearn.model_selection import GroupKFold
    >>> from glomclf import make_glomeruli
    >>> from glomclf.leakage.splits import audit_splits
    >>> X, y, participants = make_glomeruli(
    ...     24, n_participants=6, sclerotic_fraction=0.5, image_size=64, random_state=0
    ... )
    >>> print(audit_splits(X, y, GroupKFold(2), participants))
    No leak found: 24 rows, 2 folds.
    >>> audit = audit_splits(X, y, [(range(12), range(12, 24))], participants)
    >>> sorted(set(audit.to_frame()["kind"]))
    ['participant on both sides']
    """
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    kind = kind_of_groups(X, groups)
    participants = _participants(X, groups)
    folds = _folds(X, labels, cv, participants)
    if kind == "image":  # two images may well be of one person
        participants = None
    findings = _Findings(_names(X), participants)
    for fold, (train, test) in enumerate(folds):
        findings.add_rows(fold, train, test)
        findings.add_participants(fold, train, test)
    if compare_images:
        fingerprints = fingerprint_images(X, n_jobs=n_jobs, verbose=verbose)
        pairs = find_duplicates(
            fingerprints, max_distance=max_distance, n_jobs=n_jobs, verbose=verbose
        )
        for fold, (train, test) in enumerate(folds):
            findings.add_pairs(fold, train, test, pairs)
        findings.add_contradictions(pairs, labels, kind == "participant")
    return SplitAudit(
        findings=findings.to_frame(),
        folds=_fold_table(folds, labels, participants),
        n_samples=len(labels),
        participants_known=participants is not None and kind == "participant",
    )


class _Findings:
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


def _described(findings: pd.DataFrame) -> str:
    """Name each kind and all that is of it, with the folds where it happens."""
    lines = []
    for kind, table in findings.groupby("kind", sort=False):
        folds_of: dict[str, list[str]] = {}
        for finding in table.itertuples():
            where = [] if finding.fold is pd.NA else [str(finding.fold)]
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


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(k): v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        for row in plain.to_dict("records")
    ]


def _names(X: Any) -> list[str]:
    """Name rows by file, or by number."""
    is_table = isinstance(X, pd.DataFrame) and "path" not in X.columns
    items = list(X["path"]) if isinstance(X, pd.DataFrame) and not is_table else X
    if is_table or not all(isinstance(item, str | os.PathLike) for item in items):
        return [f"X[{row}]" for row in range(_num_samples(X))]
    return short_names(items)


def _participants(X: Any, groups: Any) -> NDArray | None:
    participants = participants_of(X, groups)
    return None if participants is None else participants.astype(str).astype(object)


def _folds(X: Any, labels: NDArray, cv: Any, participants: NDArray | None) -> _Folds:
    """Take the folds as scikit-learn would, and refuse rows that are not there."""
    n_samples, folds, faults = len(labels), [], []
    for fold, sides in enumerate(split_rows(X, labels, participants, cv)):
        rows = [_row_numbers(side) for side in sides]
        for side, numbers in zip(("training", "test"), rows, strict=True):
            outside = numbers[(numbers < 0) | (numbers >= n_samples)]
            if len(outside):
                faults.append(f"the {side} side of fold {fold} has rows {outside}")
            if not len(numbers):
                faults.append(f"the {side} side of fold {fold} is empty")
        folds.append((rows[0], rows[1]))
    if not folds:
        faults.append("it yields no folds")
    if faults:
        raise SplitError(
            f"cv cannot be audited with {n_samples} rows: {'; '.join(faults)}. Give "
            "pairs of row numbers from 0, or a splitter."
        )
    return folds


def _row_numbers(side: Iterable[Any]) -> NDArray[np.intp]:
    rows = np.asarray(side)
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)


def _fold_table(
    folds: _Folds, labels: NDArray, participants: NDArray | None
) -> pd.DataFrame:
    """Count rows, participants and classes on both sides of every fold."""
    classes = np.unique(labels)
    table = []
    for fold, sides in enumerate(folds):
        for side, rows in zip(("train", "test"), sides, strict=True):
            counts = {label: int((labels[rows] == label).sum()) for label in classes}
            who = None if participants is None else len(set(participants[rows]))
            table.append(
                {
                    "fold": fold,
                    "side": side,
                    "n_samples": len(rows),
                    "n_participants": who,
                    **{f"n_class_{label}": n for label, n in counts.items()},
                    "missing_classes": ", ".join(
                        str(label) for label, n in counts.items() if not n
                    ),
                }
            )
    return pd.DataFrame(table).astype({"n_participants": "Int64"})
