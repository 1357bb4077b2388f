"""Does a split leak: shared participants, shared images, serial sections.

`audit_splits` looks at the rows of every fold before anything is fitted.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import check_cv
from sklearn.utils.validation import _num_samples, check_consistent_length, column_or_1d

from .._runtime import counted, short_names
from ..data.participants import kind_of_groups, participants_of
from ..errors import LeakageError, SplitError
from ..evaluation.plain import plain
from .duplicates import NEAR_DUPLICATE_DISTANCE, find_duplicates, fingerprint_images
from .embedding_pairs import find_duplicate_embeddings
from .split_findings import contradictions, described, findings_of, findings_table

_UNKNOWN = {
    True: "Participants are not known, so that they were not checked.",
    False: "Participants are not all known: what stands for them was checked.",
}
_Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Parameters
    ----------
    findings : DataFrame
        As `to_frame` returns them.
    folds : DataFrame
        What was looked at, fold by fold.
    """

    findings: pd.DataFrame
    folds: pd.DataFrame

    @property
    def is_leaky(self) -> bool:
        """Whether anything that is judged was trained on as well."""
        return bool(self.findings["leaks"].any())

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table.

        Returns
        -------
        findings : DataFrame
            Columns as the class of the audit lists them.
        """
        return self.findings.copy()

    def raise_if_leaky(self) -> None:
        """Raise an error that names all that leaks.

        Raises
        ------
        LeakageError
        """
        if self.is_leaky:
            raise LeakageError(self._complaint(self.findings[self.findings["leaks"]]))

    def _complaint(self, leaks: pd.DataFrame) -> str:
        """Name the leaks, and what to do; for the children to write."""
        raise NotImplementedError


@dataclass(frozen=True)
class SplitAudit(Audit):
    """What `audit_splits` found.

    Parameters
    ----------
    findings : DataFrame of shape (n_findings, 10)
        ``fold`` (missing: of the data as a whole), ``kind``, ``leaks`` (False for what
        is odd in the data, but crosses no split), ``train_row``, ``test_row``,
        ``train_name``, ``test_name``, ``train_participant``, ``test_participant`` and
        ``distance`` in [0, 1] (missing where no images were compared). In findings of
        the data as a whole, train and test stand for the first and the second image.
    folds : DataFrame
        Two rows a fold, ``side`` being ``train`` and ``test``: ``fold``, ``side``,
        ``n_samples``, ``n_participants`` (missing where they are not known), one
        column ``n_class_...`` a class, and ``missing_classes``, separated by commas.
    n_samples : int
        Rows of the data.
    participants_known : bool
        Whether participants could be checked, and not just what stands for them.
    """

    n_samples: int
    participants_known: bool

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types that JSON can hold; missing is None.

        Returns
        -------
        content : dict
        """
        counts = self.findings["kind"].value_counts().to_dict()
        return plain({"is_leaky": self.is_leaky, "counts": counts, **vars(self)})

    def __str__(self) -> str:
        n_folds = self.folds["fold"].nunique()
        lines = [
            f"{'The split leaks' if self.is_leaky else 'No leak found'}: "
            f"{self.n_samples} rows, {counted(n_folds, 'fold')}."
        ]
        if not self.participants_known:
            lines.append(_UNKNOWN[bool(self.folds["n_participants"].isna().all())])
        if len(self.findings):
            lines.append(described(self.findings, n_folds))
        for one in self.folds[self.folds["missing_classes"] != ""].itertuples():
            where = f"Fold {one.fold}: the" if n_folds > 1 else "The"
            lines.append(f"{where} {one.side} side has no class {one.missing_classes}.")
        return "\n".join(lines)

    def _complaint(self, leaks: pd.DataFrame) -> str:
        told = described(leaks, self.folds["fold"].nunique())
        return (
            f"The split leaks.\n{told}\nKeep all images of a participant, and all "
            f"views of a glomerulus, on one side.{self._doubt(leaks)}"
        )

    def _doubt(self, leaks: pd.DataFrame) -> str:
        """Say what else may be so where images are merely alike."""
        if not self.participants_known or set(leaks["kind"]) != {"near-duplicate"}:
            return ""
        return (
            " No participant is on both sides here. Look at the pairs, which `glomclf "
            "audit` draws into pairs.png. If they show different glomeruli, only what "
            "surrounds these is alike: cut the patches out with less of it."
        )


def audit_splits(
    X: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    *,
    compare_images: bool = True,
    embeddings: ArrayLike | None = None,
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
    embeddings : array-like of shape (n_samples, n_features), default=None
        What is compared in place of images: see
        :func:`glomclf.leakage.find_duplicate_embeddings`.
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
    pairs = pd.DataFrame(columns=["first", "second", "kind", "distance"])
    if compare_images:
        pairs = _pairs(X, embeddings, max_distance, n_jobs, verbose)
    found: list[Any] = [
        (fold, *one)
        for fold, sides in enumerate(folds)
        for one in findings_of(*sides, participants, pairs)
    ]
    known = {"labels": labels}
    if participants is not None and kind == "participant":
        known["participants"] = participants
    found += [(None, *one) for one in contradictions(pairs, **known)]
    return SplitAudit(
        findings=findings_table(found, _names(X), participants),
        folds=_fold_table(folds, labels, participants),
        n_samples=len(labels),
        participants_known="participants" in known,
    )


def _pairs(
    X: Any, embeddings: Any, max_distance: float, n_jobs: int | None, verbose: int
) -> pd.DataFrame:
    """Find images that show the same, by their embeddings where these are given."""
    if embeddings is not None:
        check_consistent_length(X, embeddings)
        return find_duplicate_embeddings(embeddings, max_distance=max_distance)
    fingerprints = fingerprint_images(X, n_jobs=n_jobs, verbose=verbose)
    return find_duplicates(
        fingerprints, max_distance=max_distance, n_jobs=n_jobs, verbose=verbose
    )


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
    faults, n_samples = [], len(labels)
    folds = [
        (_row_numbers(train), _row_numbers(test))
        for train, test in split_rows(X, labels, participants, cv)
    ]
    for fold, sides in enumerate(folds):
        for side, rows in zip(("training", "test"), sides, strict=True):
            if len(outside := rows[(rows < 0) | (rows >= n_samples)]):
                faults.append(f"the {side} side of fold {fold} has rows {outside}")
            if not len(rows):
                faults.append(f"the {side} side of fold {fold} is empty")
    if not folds:
        faults.append("it yields no folds")
    if faults:
        raise SplitError(
            f"cv cannot be audited with {n_samples} rows: {'; '.join(faults)}. Give "
            "pairs of row numbers from 0, or a splitter."
        )
    return folds


def split_rows(X: Any, y: NDArray, participants: Any, cv: Any) -> list[tuple[Any, Any]]:
    """Take the folds as scikit-learn would, whether or not they need participants."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        return list(check_cv(cv, y, classifier=True).split(X, y, participants))


def _row_numbers(side: Iterable[Any]) -> NDArray[np.intp]:
    rows = np.asarray(side)
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)


def _fold_table(
    folds: _Folds, labels: NDArray, participants: NDArray | None
) -> pd.DataFrame:
    """Count rows, participants and classes on both sides of every fold."""
    classes, table = np.unique(labels), []
    for fold, sides in enumerate(folds):
        for side, rows in zip(("train", "test"), sides, strict=True):
            counts = {label: int((labels[rows] == label).sum()) for label in classes}
            missing = [str(label) for label, n in counts.items() if not n]
            about = {
                "fold": fold,
                "side": side,
                "n_samples": len(rows),
                "n_participants": None if participants is None
                else len(set(participants[rows])),
                **{f"n_class_{label}": n for label, n in counts.items()},
                "missing_classes": ", ".join(missing),
            }  # fmt: skip
            table.append(about)
    return pd.DataFrame(table).astype({"n_participants": "Int64"})
