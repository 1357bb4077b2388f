"""How many rows of each class a sampler has where another follows it."""

from __future__ import annotations

from collections import Counter

import numpy as np

__all__ = ["half_the_majority", "near_the_minority"]

_KEPT_MAJORITY = 1200


def half_the_majority(y: np.ndarray) -> dict:
    """Raise each smaller class to half of the largest, where it is not there yet.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The classes.

    Returns
    -------
    dict
        The number of rows to have of each class: a ``sampling_strategy`` for
        over-samplers.

    Examples
    --------
    >>> import numpy as np
    >>> half_the_majority(np.repeat([0, 1], [4704, 1054]))
    {0: 4704, 1: 2352}
    """
    counts = _count(y)
    half = max(counts.values()) // 2
    return {label: max(n, half) for label, n in counts.items()}


def near_the_minority(y: np.ndarray) -> dict:
    """Cut each larger class to 1200 rows, or to 4/3 of the smallest class.

    The latter where the largest class has fewer than 1200 rows, or the smallest has
    more.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The classes.

    Returns
    -------
    dict
        The number of rows to keep of each class: a ``sampling_strategy`` for
        under-samplers.

    Examples
    --------
    >>> import numpy as np
    >>> near_the_minority(np.repeat([0, 1], [3999, 896]))
    {0: 1200, 1: 896}
    >>> near_the_minority(np.repeat([0, 1], [566, 151]))
    {0: 201, 1: 151}
    """
    counts = _count(y)
    smallest, largest = min(counts.values()), max(counts.values())
    fits = smallest <= _KEPT_MAJORITY <= largest
    kept = _KEPT_MAJORITY if fits else smallest * 4 // 3
    return {label: min(n, kept) for label, n in counts.items()}


def _count(y: np.ndarray) -> dict:
    return dict(sorted(Counter(np.asarray(y).tolist()).items()))
