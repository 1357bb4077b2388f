"""K folds that keep participants whole and classes in proportion."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator, StratifiedKFold
from sklearn.utils import check_random_state

from ...errors import SplitError
from .balanced import draw_folds
from .group_table import check_test_sides, require_two_groups_a_class, tabulate


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

    Raises
    ------
    SplitError
        On splitting, if a parameter, `y` or `groups` cannot be used, there are fewer
        groups than folds, or a training side would lack a class.

    Warns
    -----
    SplitWarning
        If a test side lacks a class.

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
        table = tabulate(y, groups)
        require_two_groups_a_class(table)
        self._check_folds(len(table.counts))
        rng = check_random_state(self.random_state)
        repeats = [
            draw_folds(table.counts, self.n_splits, rng) for _ in range(self.n_repeats)
        ]
        check_test_sides(
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
