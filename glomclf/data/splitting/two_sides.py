"""Two sides, training and test: participants kept whole, classes in proportion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupShuffleSplit
from sklearn.model_selection._split import _validate_shuffle_split
from sklearn.utils import _safe_indexing, check_random_state, indexable

from ...errors import SplitError
from ..participants import participants_of
from .balanced import draw_groups
from .group_table import GroupTable, require_two_groups_a_class, tabulate


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
        side; the others are on the training side. None: 0.2. In difference to
        scikit-learn's ``GroupShuffleSplit`` it counts rows, not groups.

    random_state : int, RandomState instance or None, default=None
        Pass an int for the same splits on every call.

    Raises
    ------
    SplitError
        On splitting, if `y` or `groups` cannot be used, or the groups do not allow a
        split with every class on both sides.

    See Also
    --------
    RepeatedStratifiedGroupKFold : Every row is tested once a repeat.
    sklearn.model_selection.GroupShuffleSplit : Grouped, not stratified.
    sklearn.model_selection.StratifiedShuffleSplit : Stratified, not grouped.

    Notes
    -----
    The groups are drawn by the cube method and improved by swaps between the sides
    until the classes' shares are within 0.01 of the wanted one (root mean square over
    the classes) or no swap brings them nearer; the file `balanced.py` gives the bound
    and the sources. With few groups only few splits are good, and the same one may be
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

    def __init__(
        self,
        n_splits: int = 5,
        *,
        test_size: float | int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(n_splits, test_size=test_size, random_state=random_state)

    def _iter_indices(
        self, X: Any, y: ArrayLike, groups: ArrayLike
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        table = tabulate(y, groups)
        require_two_groups_a_class(table)
        n_samples = len(table.codes)
        _, n_test = _validate_shuffle_split(
            n_samples, self.test_size, None, self._default_test_size
        )
        rng = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            in_test = _draw_test_side(table, n_test / n_samples, rng)[table.codes]
            yield np.flatnonzero(~in_test), np.flatnonzero(in_test)


def train_test_split_by_participant(
    X: Any,
    y: Any,
    *,
    groups: ArrayLike | None = None,
    test_size: float | int | None = None,
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

    test_size : float or int, default=None
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
        groups = participants_of(X)
    if groups is None:
        raise SplitError(
            "the participants are not known: pass groups=, one entry a row, or an X "
            "that is a DataFrame with a column 'participant'"
        )
    arrays = indexable(*passed)
    cv = StratifiedGroupShuffleSplit(1, test_size=test_size, random_state=random_state)
    train, test = next(cv.split(X, y, groups))
    return [_safe_indexing(array, rows) for array in arrays for rows in (train, test)]


def _draw_test_side(
    table: GroupTable, fraction: float, rng: np.random.RandomState
) -> NDArray[np.bool_]:
    test = draw_groups(table.counts, fraction, rng)
    sides = table.counts[test], table.counts[~test]
    if not all(side.any(axis=0).all() for side in sides):
        raise SplitError(
            "no split was found that has every class on both sides "
            f"({table.describe()}); add participants, or merge classes"
        )
    return test
