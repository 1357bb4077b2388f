"""The threshold of a fit, chosen on training participants alone.

Nothing here meets a row that the fitted classifier will be judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from .._runtime import progress
from ..data.splitting import fold_splitter
from ..errors import SplitError

__all__ = ["ChosenThreshold", "out_of_fold"]

_N_FOLDS = 5


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, and how it was found.

    Parameters
    ----------
    value : float
        In [0, 1].
    chosen_on : str
        The rows that it was chosen on: "given" where it was not chosen, else
        "validation participants", "validation rows" (whose participants are not
        known), "inner folds" or "out-of-fold predictions".
    n_samples : int
        How many; 0 where it was given.
    """

    value: float
    chosen_on: str = "given"
    n_samples: int = 0


def out_of_fold(
    fit: Callable[..., Any],
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    *,
    positive: int,
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
    positive : int
        Column of the positive class in ``predict_proba``.
    random_state : int
        Seeds the folds.
    verbose : int, default=0
        1 shows a bar on standard error.

    Returns
    -------
    ndarray of shape (n_samples,), float64 in [0, 1]
        Probability of the positive class.

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
            probability[held_out] = model.predict_proba(rows)[:, positive]
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
            "a threshold is chosen on at least two participants (rows, where they are "
            f"not known) of each class, got {n_folds}. Give a number as threshold, or "
            "more participants."
        )
    splitter = fold_splitter(n_folds, groups, random_state)
    return splitter.split(np.arange(len(y)), y, groups)
