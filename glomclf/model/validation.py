"""Validation rows: which training participants are set aside, and whether they do.

Nothing here meets a row that the fitted classifier will be judged on.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedShuffleSplit

from ..data.splitting import StratifiedGroupShuffleSplit
from ..errors import ParticipantWarning, SplitError
from ..evaluation.participant_numbers import MIN_PARTICIPANTS, equal_number
from .checks import chooses_threshold, looks_at_validation
from .rows import Rows

_FRACTION = 0.15  # of the training participants, where something is decided on them


def split_off(
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
    rest, aside : ndarray of int

    Raises
    ------
    ValueError
        If both sides cannot have both classes.
    """
    kind = StratifiedShuffleSplit if groups is None else StratifiedGroupShuffleSplit
    splitter: Any = kind(1, test_size=fraction, random_state=random_state)
    return next(splitter.split(y, y, groups))


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
    classifier: Any, rows: Rows, seed: int, *, has_X_val: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Set the rows aside that something is decided on.

    Parameters
    ----------
    classifier : GlomeruliClassifier
    rows : Rows
    seed : int
    has_X_val : bool
        Whether validation rows are given, so that nobody need be set aside.

    Returns
    -------
    train, validation : ndarray of int
        The latter is empty where nobody is set aside.

    Raises
    ------
    SplitError
        If both sides cannot have both classes.

    Warns
    -----
    ParticipantWarning
        If something is decided on rows whose participants are not known.
    """
    nobody = np.arange(len(rows.y)), np.arange(0)
    stops, chooses = looks_at_validation(classifier), chooses_threshold(classifier)
    if rows.groups is None and (chooses or (stops and not has_X_val)):
        _warn_of_unknown_participants()
    fraction = share_set_aside(classifier)
    if has_X_val or fraction is None:
        return nobody
    if not stops and classifier.validation_fraction is None:
        # For a threshold alone nobody is set aside where those would be too few.
        with suppress(ValueError):
            train, validation = split_off(rows.y, rows.groups, fraction, seed)
            owners = None if rows.groups is None else rows.groups[validation]
            if are_enough(rows.y[validation], owners):
                return train, validation
        return nobody
    try:
        return split_off(rows.y, rows.groups, fraction, seed)
    except ValueError as error:
        raise SplitError(
            f"{fraction:g} of the data cannot be set aside for validation with "
            f"both classes on both sides: {error}. Or pass X_val and y_val, or "
            "validation_fraction=None, with nothing decided on validation rows."
        ) from error


def _warn_of_unknown_participants() -> None:
    warnings.warn(
        "The participants are not known. Early stopping or the threshold is decided "
        "on rows that are set aside at random, and patches of one person may be both "
        "among them and among those trained on. Pass groups, or a DataFrame with a "
        "column 'participant'.",
        ParticipantWarning,
        stacklevel=6,
    )
