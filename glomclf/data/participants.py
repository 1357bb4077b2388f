"""Whose patch a row is, and that nobody is on both sides of a split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_consistent_length

from ..errors import LeakageError, SplitError

__all__ = ["participants_of", "refuse_shared_participants"]


def participants_of(X: Any, groups: ArrayLike | None = None) -> NDArray[Any] | None:
    """Return the participant of each row: as given, or the column ``participant``.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
    groups : array-like of shape (n_samples,), default=None
        Participants, where they are given.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        None where they are not known.

    Raises
    ------
    SplitError
        If the participants of some rows are missing, or are text in some rows and
        numbers in others.
    ValueError
        If `groups` has not one entry a row.
    """
    if groups is None:
        if not isinstance(X, pd.DataFrame) or "participant" not in X:
            return None
        groups = X["participant"]
    check_consistent_length(X, groups)
    entries = pd.Series(np.asarray(groups, dtype=object))
    if entries.isna().any():
        rows = ", ".join(map(str, np.flatnonzero(entries.isna())))
        raise SplitError(
            f"the participant is missing in rows {rows}; name it, or leave them out"
        )
    kinds = {isinstance(entry, str) for entry in entries}
    if len(kinds) > 1:
        raise SplitError(
            "some participants are text and some are numbers, so that one may have two "
            "names; write all of them as text"
        )
    return np.asarray(groups)


def refuse_shared_participants(groups: NDArray[Any] | None, X_val: Any) -> None:
    """Refuse validation rows of participants who are trained on.

    Raises
    ------
    LeakageError
        It names them.
    """
    judged = participants_of(X_val)
    if groups is None or judged is None:
        return
    shared = sorted(set(map(str, groups)) & set(map(str, judged)))  # 7 may be "7" there
    if shared:
        raise LeakageError(
            f"{len(shared)} participants are in both X and X_val: "
            f"{', '.join(shared)}. Keep each participant on one side."
        )
