"""Splits that keep participants whole and classes in proportion.

Patches of one participant are alike, so a participant must never stand on both sides
of a split; and sclerosis is rare and unevenly spread, so the split must be stratified
as well. Both splitters draw whole participants by `glomclf.data.balanced`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from ..errors import SplitError, SplitWarning
from .balanced import draw_folds, draw_groups

__all__ = [
    "RepeatedStratifiedGroupKFold",
    "StratifiedGroupShuffleSplit",
    "leave_one_centre_out",
    "train_test_split_by_participant",
]


class StratifiedGroupShuffleSplit(GroupShuffleSplit):
    """Random splits that keep groups whole and classes in proportion.

    Whole groups (participants) are drawn for the test side until it holds the wanted
    share of the rows of each class, as nearly as the group sizes allow. Every side
    holds every class; where the groups do not allow that, the split is refused.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits, each drawn anew.

    test_size : float or int, default=None
        Share of the rows (float, between 0 and 1) or number of rows (int) on the test
        side. None: what `train_size` leaves, or 0.2 where that is None too. In
        difference to scikit-learn's ``GroupShuffleSplit`` it counts rows, not groups.

    train_size : float or int, default=None
        The same for the training side. None: all rows not on the test side. Where both
        are given and do not add up to everything, whole groups are left out.

    random_state : int, RandomState instance or None, default=None
        Pass an int for the same splits on every call.

    See Also
    --------
    RepeatedStratifiedGroupKFold : Every row is tested once a repeat.
    sklearn.model_selection.GroupShuffleSplit : Grouped, not stratified.
    sklearn.model_selection.StratifiedShuffleSplit : Stratified, not grouped.

    Notes
    -----
    The groups are drawn by the cube method and improved by swaps between the sides
    until the classes' shares are within 0.01 of the wanted one (root mean square over
    the classes) or no swap brings them nearer; see `data.balanced` for the bound and
    the sources. With few groups only few splits are good, and the same one may be
    drawn again.

    The order of the rows does not matter: the same rows in another order are split
    into the same groups.

    `groups` is requested by default where metadata routing is enabled, as by all of
    scikit-learn's grouped splitters.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.splitting import StratifiedGroupShuffleSplit
    >>> y = np.array([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1])
    >>> participants = np.repeat(["a", "b", "c"], 4)
    >>> cv = StratifiedGroupShuffleSplit(n_splits=2, test_size=1 / 3, random_state=0)
    >>> for train, test in cv.split(np.zeros((12, 1)), y, participants):
    ...     print(np.unique(participants[test]), y[test])
    ['c'] [0 0 0 1]
    ['a'] [0 0 0 1]
    """

    def split(
        self, X: Any, y: ArrayLike, groups: ArrayLike
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Generate indices to split the rows into training and test side.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            The rows; only their number is used.

        y : array-like of shape (n_samples,)
            The class of each row, two classes or more.

        groups : array-like of shape (n_samples,)
            The group (participant) of each row, none missing.

        Yields
        ------
        train, test : ndarray of shape (n_train,) and (n_test,), dtype int
            Row numbers, ascending.

        Raises
        ------
        SplitError
            If `y` or `groups` cannot be used, or the groups do not allow a split with
            every class on both sides.
        """
        return super().split(X, y, groups)

    def _iter_indices(
        self, X: Any, y: ArrayLike, groups: ArrayLike
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        table = _tabulate(y, groups)
        _require_two_groups_a_class(table)
        n_train, n_test = _side_sizes(
            len(table.codes),
            self.test_size,
            self.train_size,
            default=self._default_test_size,
        )
        rng = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            test, train = _draw_sides(table, n_test, n_train, rng)
            yield (
                np.flatnonzero(train[table.codes]),
                np.flatnonzero(test[table.codes]),
            )


class RepeatedStratifiedGroupKFold(BaseCrossValidator):
    """K folds that keep groups whole and classes in proportion, drawn repeatedly.

    Within a repeat every row is tested exactly once. The folds of every repeat are
    drawn anew, so that the spread of the scores between repeats shows how much they owe
    to the way the participants fell.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds a repeat, at least 2 and at most the number of groups.

    n_repeats : int, default=10
        How often the folds are drawn.

    random_state : int, RandomState instance or None, default=None
        Pass an int for the same folds on every call.

    See Also
    --------
    StratifiedGroupShuffleSplit : Draws a test side of any size.
    sklearn.model_selection.RepeatedStratifiedKFold : Stratified, not grouped.

    Notes
    -----
    This is not ``StratifiedGroupKFold(shuffle=True)`` repeated: that one deals the
    groups out in the order of their size and shuffles equal ones only, so that pairs
    of large groups share a fold in every repeat or in none. Here each fold is drawn
    from the groups not yet tested, by the method of `StratifiedGroupShuffleSplit`.

    A training side that lacks a class is refused with a ``SplitError``. A test side
    that lacks one, which happens only where a class is found in fewer groups than
    there are folds, is yielded after a ``SplitWarning``: predictions pooled over the
    folds can still be scored, but recall or ROC AUC of that fold alone is undefined.

    `groups` is requested by default where metadata routing is enabled, as by all of
    scikit-learn's grouped splitters.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.splitting import RepeatedStratifiedGroupKFold
    >>> y = np.tile([0, 0, 1], 6)
    >>> participants = np.repeat(list("abcdef"), 3)
    >>> cv = RepeatedStratifiedGroupKFold(n_splits=2, n_repeats=2, random_state=0)
    >>> for train, test in cv.split(np.zeros((18, 1)), y, participants):
    ...     print(np.unique(participants[test]))
    ['d' 'e' 'f']
    ['a' 'b' 'c']
    ['a' 'c' 'f']
    ['b' 'd' 'e']
    """

    __metadata_request__split: ClassVar = {"groups": True}

    def __init__(
        self,
        n_splits: int = 5,
        n_repeats: int = 10,
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.random_state = random_state

    def split(
        self, X: Any, y: ArrayLike, groups: ArrayLike
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Generate indices to split the rows into training and test side.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            The rows; only their number is used.

        y : array-like of shape (n_samples,)
            The class of each row, two classes or more.

        groups : array-like of shape (n_samples,)
            The group (participant) of each row, none missing.

        Yields
        ------
        train, test : ndarray of shape (n_train,) and (n_test,), dtype int
            Row numbers, ascending.

        Raises
        ------
        SplitError
            If a parameter, `y` or `groups` cannot be used, there are fewer groups than
            folds, or a training side would lack a class.

        Warns
        -----
        SplitWarning
            If a test side lacks a class.
        """
        return super().split(X, y, groups)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits: folds times repeats.

        Parameters
        ----------
        X, y, groups : object
            Ignored, exist for compatibility.

        Returns
        -------
        n_splits : int
            Number of (train, test) pairs that `split` yields.
        """
        return self.n_splits * self.n_repeats

    def _iter_test_masks(
        self, X: Any, y: ArrayLike, groups: ArrayLike
    ) -> Iterator[NDArray[np.bool_]]:
        table = _tabulate(y, groups)
        _require_two_groups_a_class(table)
        self._check_folds(len(table.counts))
        rng = check_random_state(self.random_state)
        repeats = [
            draw_folds(table.counts, self.n_splits, rng) for _ in range(self.n_repeats)
        ]
        _check_classes(
            {
                f"fold {fold} of repeat {repeat}": table.counts[fold_of == fold].sum(0)
                for repeat, fold_of in enumerate(repeats)
                for fold in range(self.n_splits)
            },
            table,
        )
        for fold_of in repeats:
            for fold in range(self.n_splits):
                yield fold_of[table.codes] == fold

    def _check_folds(self, n_groups: int) -> None:
        faults = []
        for name, least in (("n_splits", 2), ("n_repeats", 1)):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < least:
                faults.append(
                    f"{name} must be an integer of at least {least}, got {value!r}"
                )
        if not faults and self.n_splits > n_groups:
            faults.append(
                f"n_splits={self.n_splits} folds need as many participants, and there "
                f"are {n_groups}; lower n_splits to {n_groups} or less"
            )
        if faults:
            raise SplitError("\n".join(faults))


def fold_splitter(
    n_splits: int,
    groups: ArrayLike | None,
    random_state: int | np.random.RandomState | None,
) -> BaseCrossValidator:
    """Return what draws stratified folds once: by participant, where these are known.

    Parameters
    ----------
    n_splits : int
    groups : array-like of shape (n_samples,) or None
        Participants.
    random_state : int, RandomState instance or None

    Returns
    -------
    splitter
        Of scikit-learn's kind; its ``split`` is to be given the same groups.
    """
    if groups is None:
        return StratifiedKFold(n_splits, shuffle=True, random_state=random_state)
    return RepeatedStratifiedGroupKFold(n_splits, 1, random_state=random_state)


def train_test_split_by_participant(
    X: Any,
    y: Any,
    *,
    groups: ArrayLike | None = None,
    test_size: float | int | None = None,
    train_size: float | int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> list[Any]:
    """Split rows into one training and one test part, participants kept whole.

    Parameters
    ----------
    X : DataFrame, array-like of shape (n_samples, ...) or list
        The rows: a manifest, paths or images.

    y : array-like of shape (n_samples,)
        The class of each row.

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: the column ``participant`` of `X`.

    test_size, train_size : float or int, default=None
        Share or number of rows, as in `StratifiedGroupShuffleSplit`.

    random_state : int, RandomState instance or None, default=None
        Pass an int for the same split on every call.

    Returns
    -------
    splitting : list
        ``[X_train, X_test, y_train, y_test]``, each of its input's type, as from
        scikit-learn's ``train_test_split``; with ``groups_train, groups_test`` at the
        end where `groups` was passed.

    Raises
    ------
    SplitError
        If participants are not known, or do not allow a split with every class on both
        sides.

    Examples
    --------
    >>> import pandas as pd
    >>> from glomclf.data.splitting import train_test_split_by_participant
    >>> manifest = pd.DataFrame(
    ...     {
    ...         "path": [f"{i}.png" for i in range(8)],
    ...         "label": [0, 1, 0, 1, 0, 1, 0, 1],
    ...         "participant": ["a", "a", "b", "b", "c", "c", "d", "d"],
    ...     }
    ... )
    >>> X_train, X_test, y_train, y_test = train_test_split_by_participant(
    ...     manifest, manifest["label"], test_size=0.25, random_state=0
    ... )
    >>> sorted(set(X_train["participant"])), sorted(set(X_test["participant"]))
    (['a', 'b', 'd'], ['c'])
    """
    passed = [X, y] if groups is None else [X, y, groups]
    if groups is None:
        groups = _participants_of(X)
    arrays = indexable(*passed)
    cv = StratifiedGroupShuffleSplit(
        n_splits=1,
        test_size=test_size,
        train_size=train_size,
        random_state=random_state,
    )
    train, test = next(cv.split(X, y, groups))
    return [_safe_indexing(array, rows) for array in arrays for rows in (train, test)]


def leave_one_centre_out(
    manifest: pd.DataFrame,
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Leave each centre out once: what a model is worth at a site it never saw.

    Parameters
    ----------
    manifest : DataFrame of n_samples rows
        With columns ``centre``, ``participant`` and ``label``, as `read_manifest`
        returns it.

    Returns
    -------
    splits : list of (train, test)
        Row numbers, one pair a centre in sorted order of the centres' names. It serves
        as `cv` in all of scikit-learn; the name of a split's centre is
        ``manifest["centre"].iloc[test[0]]``.

    Raises
    ------
    SplitError
        If a column or a centre's name is missing, there is one centre only, a
        participant occurs in several centres (which would leak), or the other centres
        lack a class.

    Warns
    -----
    SplitWarning
        If a centre lacks a class.

    Examples
    --------
    >>> import pandas as pd
    >>> from glomclf.data.splitting import leave_one_centre_out
    >>> manifest = pd.DataFrame(
    ...     {
    ...         "label": [0, 1, 0, 1, 1],
    ...         "participant": ["a", "a", "b", "b", "c"],
    ...         "centre": ["Lyon", "Lyon", "Graz", "Graz", "Graz"],
    ...     }
    ... )
    >>> for train, test in leave_one_centre_out(manifest):
    ...     print(manifest["centre"].iloc[test[0]], train, test)
    Graz [0 1] [2 3 4]
    Lyon [2 3 4] [0 1]
    """
    _check_centres(manifest)
    table = _tabulate(manifest["label"], manifest["centre"])
    _check_classes(
        {
            f"centre {name!r}": counts
            for name, counts in zip(table.groups, table.counts, strict=True)
        },
        table,
    )
    return list(LeaveOneGroupOut().split(table.codes, groups=table.codes))


def _check_centres(manifest: pd.DataFrame) -> None:
    """Refuse a manifest whose centres cannot be left out one at a time."""
    needed = ("centre", "participant", "label")
    absent = [name for name in needed if name not in manifest]
    if absent:
        raise SplitError(
            f"the manifest has no column {', '.join(absent)}; "
            f"leaving a centre out needs {', '.join(needed)}"
        )
    centre = manifest["centre"]
    faults = []
    is_unknown = centre.isna() | (centre.astype(str).str.strip() == "")
    if n_unknown := int(is_unknown.sum()):
        faults.append(f"the centre is missing in {n_unknown} of {len(centre)} rows")
    if centre.nunique() == 1:
        faults.append(f"there is one centre only, {centre.dropna().iloc[0]}")
    n_centres = manifest.groupby("participant")["centre"].nunique()
    if straddling := sorted(map(str, n_centres.index[n_centres > 1])):
        faults.append(
            f"{len(straddling)} participants occur in several centres, so that leaving "
            f"one centre out would leak: {', '.join(straddling)}; give the centres one "
            "name, or the participants two if they are different people"
        )
    if faults:
        raise SplitError("\n".join(faults))


def _participants_of(X: Any) -> pd.Series:
    if isinstance(X, pd.DataFrame) and "participant" in X:
        return X["participant"]
    raise SplitError(
        "the participants are not known: pass groups=, one entry a row, or an X that "
        "is a DataFrame with a column 'participant'"
    )


@dataclass(frozen=True)
class _GroupTable:
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


def _tabulate(y: ArrayLike, groups: ArrayLike | None) -> _GroupTable:
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
                f"groups lacks the participant of {n_unknown} of {len(codes)} rows; "
                "name them, or leave these rows out"
            )
    if faults:
        raise SplitError("\n".join(faults))
    classes, labels = np.unique(column_or_1d(y), return_inverse=True)
    counts = np.zeros((len(names), len(classes)), dtype=np.intp)
    np.add.at(counts, (codes, labels), 1)
    return _GroupTable(codes, np.asarray(names), classes, counts)


def _require_two_groups_a_class(table: _GroupTable) -> None:
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


def _check_classes(tests: dict[str, NDArray[np.intp]], table: _GroupTable) -> None:
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


def _side_sizes(
    n_samples: int,
    test_size: float | int | None,
    train_size: float | int | None,
    default: float,
) -> tuple[int, int]:
    """Turn sizes into numbers of rows, by scikit-learn's own rules and errors."""
    if test_size is None and train_size is None:
        test_size = default
    cv = ShuffleSplit(1, test_size=test_size, train_size=train_size, random_state=0)
    train, test = next(cv.split(np.empty(n_samples)))
    return len(train), len(test)


def _draw_sides(
    table: _GroupTable, n_test: int, n_train: int, rng: np.random.RandomState
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw the groups of the test side, then those of the training side."""
    counts = table.counts
    n_samples = counts.sum()
    test = draw_groups(counts, n_test / n_samples, rng)
    train = ~test
    if n_test + n_train < n_samples:
        share = min(n_train / counts[train].sum(), 1.0)
        train[train] = draw_groups(counts[train], share, rng, least_outside=0)
    if not (counts[test].any(axis=0) & counts[train].any(axis=0)).all():
        raise SplitError(
            "no split was found that has every class on both sides "
            f"({table.describe()}); add participants, or merge classes"
        )
    return test, train
