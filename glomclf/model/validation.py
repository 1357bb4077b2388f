"""Validation rows: which training participants are set aside, and whether they do.

Nothing here meets a row that the fitted classifier will be judged on.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import column_or_1d

from ..data.participants import participants_of, refuse_shared_participants
from ..data.splitting import StratifiedGroupShuffleSplit
from ..errors import ParticipantWarning, SplitError
from ..evaluation.participant_numbers import MIN_PARTICIPANTS, equal_number
from .checks import chooses_threshold, looks_at_validation

__all__ = [
    "ValidationRows",
    "are_enough",
    "rows_of",
    "set_aside",
    "share_set_aside",
    "split_validation",
    "validation_rows",
]

_FRACTION = 0.15  # of the training participants, where something is decided on them


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


def rows_of(
    values: NDArray[Any] | None, indices: NDArray[np.intp]
) -> NDArray[Any] | None:
    """Take what some rows have, where rows have it at all."""
    return None if values is None else values[indices]


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
        participants (see :func:`glomclf.evaluation.participant_numbers.equal_number`).
    """
    labels = np.asarray(y)
    owners = np.arange(len(labels)) if groups is None else np.asarray(groups)
    worth = [
        equal_number(np.unique(owners[labels == label], return_counts=True)[1])
        for label in np.unique(labels)
    ]
    return len(worth) > 1 and min(worth) >= MIN_PARTICIPANTS


def share_set_aside(classifier: Any) -> float | None:
    """Return the share of the training participants that are set aside at most.

    Parameters
    ----------
    classifier : GlomeruliClassifier

    Returns
    -------
    float or None
        None where nothing is decided on them, and no share is asked for.
    """
    decides = looks_at_validation(classifier) or chooses_threshold(classifier)
    return classifier.validation_fraction or (_FRACTION if decides else None)


def set_aside(
    classifier: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    seed: int,
    *,
    has_X_val: bool,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Set the rows aside that something is decided on.

    Parameters
    ----------
    classifier : GlomeruliClassifier
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
        Participants.
    seed : int
    has_X_val : bool
        Whether validation rows are given, so that nobody need be set aside.

    Returns
    -------
    train, validation : ndarray of int
        The latter is empty where nobody is set aside.

    Warns
    -----
    ParticipantWarning
        If something is decided on rows whose participants are not known.
    """
    nobody = np.arange(len(y)), np.arange(0)
    stops, chooses = looks_at_validation(classifier), chooses_threshold(classifier)
    if groups is None and (chooses or (stops and not has_X_val)):
        _warn_of_unknown_participants()
    fraction = share_set_aside(classifier)
    if has_X_val or fraction is None:
        return nobody
    if stops or classifier.validation_fraction is not None:
        return split_validation(y, groups, fraction, seed)
    # For a threshold alone nobody is set aside where those would be too few.
    with suppress(SplitError):
        train, validation = split_validation(y, groups, fraction, seed)
        if are_enough(y[validation], rows_of(groups, validation)):
            return train, validation
    return nobody


def _warn_of_unknown_participants() -> None:
    warnings.warn(
        "The participants are not known. Early stopping or the threshold is decided "
        "on rows that are set aside at random, and patches of one person may be both "
        "among them and among those trained on. Pass groups, or a DataFrame with a "
        "column 'participant'.",
        ParticipantWarning,
        stacklevel=6,
    )


def validation_rows(
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    indices: NDArray[np.intp],
    X_val: Any,
    y_val: Any,
) -> ValidationRows:
    """Return the rows given for validation, or those set aside, or none.

    Raises
    ------
    LeakageError
        If a participant of ``X_val`` is also in ``X``.
    """
    if X_val is not None:
        refuse_shared_participants(groups, X_val)
        return ValidationRows(X_val, column_or_1d(y_val), participants_of(X_val))
    if not len(indices):
        return ValidationRows(None, None, None)
    owners = rows_of(groups, indices)
    return ValidationRows(_safe_indexing(X, indices), y[indices], owners)
