"""Validation rows: which training participants are set aside, and whether they do.

Nothing here meets a row that the fitted classifier will be judged on.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedShuffleSplit

from ..data.splitting import StratifiedGroupShuffleSplit
from ..errors import ParticipantWarning, SplitError
from ..evaluation.estimates import MIN_PARTICIPANTS
from ..evaluation.intervals import equal_number

__all__ = [
    "VALIDATION_FRACTION",
    "ValidationRows",
    "are_enough",
    "split_validation",
    "warn_of_unknown_participants",
]

VALIDATION_FRACTION = 0.15
"""Of the training participants, where something is decided on them."""


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


def warn_of_unknown_participants(what: str) -> None:
    """Warn that something is decided on rows whose participants are not known.

    Parameters
    ----------
    what : str
        What is decided.
    """
    warnings.warn(
        f"The participants are not known, so {what} is decided on rows set aside at "
        "random: patches of one person may be among them and among those trained on. "
        "Pass groups, or a DataFrame with a column 'participant'.",
        ParticipantWarning,
        stacklevel=4,
    )
