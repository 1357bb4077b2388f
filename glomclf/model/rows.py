"""Rows that are trained on, or decided on: what is looked at, and what is known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing


class Rows(NamedTuple):
    """Rows with what is known of each.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    groups : ndarray of shape (n_samples,) or None
        Participants, where they are known.
    weight : ndarray of shape (n_samples,) or None
    """

    X: Any
    y: NDArray[Any]
    groups: NDArray[Any] | None = None
    weight: NDArray[Any] | None = None

    def take(self, places: NDArray[np.intp]) -> Rows:
        """Return some of the rows."""
        known: Any = [None if one is None else one[places] for one in self[1:]]
        return Rows(_safe_indexing(self.X, places), *known)


def class_counts(y: NDArray[Any]) -> dict[str, int]:
    """Count the rows of each class."""
    labels, counts = np.unique(y, return_counts=True)
    return dict(zip(map(str, labels), counts.tolist(), strict=True))


def record_of(
    y: NDArray[Any], groups: NDArray[Any] | None, **others: Any
) -> dict[str, Any]:
    """Say what a model was fitted on.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels trained on.
    groups : ndarray or None
        Participants of all rows.
    **others
        More of the record.

    Returns
    -------
    dict
        Plain values; ``labels`` and ``patches`` are None, for ``fit`` knows neither how
        labels were made nor how patches were cut out of slides.
    """
    return {
        "labels": None,
        "patches": None,
        "n_samples": len(y),
        "n_participants": None if groups is None else len(np.unique(groups)),
        "class_counts": class_counts(y),
        **others,
    }
