"""Folds within training rows, on which something is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.splitting import fold_splitter
from ..errors import SplitError

__all__ = ["inner_folds"]

_N_FOLDS = 5


def inner_folds(
    y: NDArray[Any], groups: NDArray[Any] | None, random_state: Any, *, chosen: str
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Cut as many folds as the rarer class has participants, at most five.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    groups : ndarray of shape (n_samples,) or None
        Participants; without them folds are by row.
    random_state : int, RandomState instance or None
        Seeds the folds.
    chosen : str
        What is chosen on them, for the error: "threshold".

    Yields
    ------
    train, held_out : ndarray of int

    Raises
    ------
    SplitError
        If there are too few participants for two folds with both classes.
    """
    owners = np.arange(len(y)) if groups is None else groups
    n_folds = min(
        _N_FOLDS, *(len(np.unique(owners[y == label])) for label in np.unique(y))
    )
    if n_folds < 2:
        raise SplitError(
            f"a {chosen} is chosen on at least two participants (rows, where they are "
            f"not known) of each class, got {n_folds}. Give a number as {chosen}, or "
            "more participants."
        )
    splitter = fold_splitter(n_folds, groups, random_state)
    yield from splitter.split(np.arange(len(y)), y, groups)
