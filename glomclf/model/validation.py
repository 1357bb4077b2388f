"""What is decided inside ``fit``, on training participants alone.

Which of them validate, and where to cut the probability. Nothing here meets a row that
the fitted classifier will be judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import _safe_indexing

from .._runtime import progress
from ..data.splitting import StratifiedGroupShuffleSplit, fold_splitter
from ..errors import SplitError
from ..evaluation.estimates import MIN_PARTICIPANTS
from ..evaluation.intervals import equal_number

__all__ = [
    "ChosenThreshold",
    "ValidationRows",
    "are_enough",
    "out_of_fold",
    "split_validation",
]

_N_FOLDS = 5


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, and how it was found.

    Parameters
    ----------
    value : float
        In [0, 1].
    chosen_on : {"given", "validation participants", "inner folds"}
        Rows that it was chosen on.
    n_samples : int
        How many; 0 where it was given.
    """

    value: float
    chosen_on: str = "given"
    n_samples: int = 0


class ValidationRows(NamedTuple):
    """Rows for early stopping and the threshold; None where there are none.

    Parameters
    ----------
    X : DataFrame, array-like of paths, ndarray or None
    y : ndarray of shape (n_samples,) or None
    groups : ndarray of shape (n_samples,) or None
        Participants, where they are known.
    """

    X: Any
    y: NDArray[Any] | None
    groups: NDArray[Any] | None


def split_validation(
    y: NDArray[Any], groups: NDArray[Any] | None, fraction: float, random_state: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Set participants aside, or rows where participants are not known.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    groups : ndarray of shape (n_samples,) or None
        Participants.
    fraction : float in (0, 1)
        Share to set aside.
    random_state : int

    Returns
    -------
    train, validation : ndarray of int

    Raises
    ------
    SplitError
        If both sides cannot have both classes.
    """
    options: Any = {"test_size": fraction, "random_state": random_state}
    splitter: Any = StratifiedGroupShuffleSplit(1, **options)
    if groups is None:
        splitter = StratifiedShuffleSplit(1, **options)
    try:
        return next(splitter.split(np.arange(len(y)), y, groups))
    except ValueError as error:
        raise SplitError(
            f"{fraction:g} of the data cannot be set aside for validation with "
            f"both classes on both sides: {error}. Or pass X_val and y_val, or "
            "validation_fraction=None, with nothing decided on validation rows."
        ) from error


def are_enough(y: ArrayLike, groups: ArrayLike | None) -> bool:
    """Tell whether rows are worth a threshold: enough participants of either class.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of two classes.
    groups : array-like of shape (n_samples,) or None
        Participants; None: rows count as independent.

    Returns
    -------
    bool
        Whether the rows of either class are worth those of at least 5 equally large
        participants (see :func:`glomclf.evaluation.intervals.equal_number`).
    """
    labels = np.asarray(y)
    owners = np.arange(len(labels)) if groups is None else np.asarray(groups)
    worth = [
        equal_number(np.unique(owners[labels == label], return_counts=True)[1])
        for label in np.unique(labels)
    ]
    return len(worth) > 1 and min(worth) >= MIN_PARTICIPANTS


def out_of_fold(
    fit: Callable[..., Any],
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    *,
    random_state: int,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Predict each row by a classifier that saw no row of its participant.

    Parameters
    ----------
    fit : callable
        ``fit(X, y, groups)`` returns a fitted classifier.
    X : DataFrame, array-like of paths, or ndarray
        Rows.
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    groups : ndarray of shape (n_samples,) or None
        Participants; without them folds are by row.
    random_state : int
        Seeds the folds.
    verbose : int, default=0
        1 shows a bar on standard error.

    Returns
    -------
    ndarray of shape (n_samples,), float64 in [0, 1]
        Probability of the second class.

    Raises
    ------
    SplitError
        If there are too few participants for two folds with both classes.
    """
    folds = list(_folds(y, groups, random_state))
    probability = np.empty(len(y))
    with progress("threshold: inner folds", len(folds), enabled=verbose > 0) as advance:
        for train, held_out in folds:
            inner_groups = None if groups is None else groups[train]
            model = fit(_safe_indexing(X, train), y[train], inner_groups)
            rows = _safe_indexing(X, held_out)
            probability[held_out] = model.predict_proba(rows)[:, 1]
            advance()
    return probability


def _folds(
    y: NDArray[Any], groups: NDArray[Any] | None, random_state: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Cut as many folds as the rarer class has participants, at most five."""
    owners = np.arange(len(y)) if groups is None else groups
    n_folds = min(
        _N_FOLDS, *(len(np.unique(owners[y == label])) for label in np.unique(y))
    )
    if n_folds < 2:
        raise SplitError(
            'threshold="validation" needs at least two participants (rows, where '
            f"participants are not known) of each class, got {n_folds}. Give a number "
            "as threshold, or more participants."
        )
    splitter = fold_splitter(n_folds, groups, random_state)
    return splitter.split(np.arange(len(y)), y, groups)
