"""Folds are audited before any trial: a study on folds that leak is worth nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ParameterError
from ..leakage.splits import audit_splits

__all__ = ["audit_folds"]

_LEVELS = ("images", "rows")


def audit_folds(
    X: Any,
    y: NDArray[Any],
    folds: Sequence[Any],
    groups: NDArray[Any] | None,
    *,
    level: str = "images",
) -> str:
    """Refuse folds that leak.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
    y : ndarray of shape (n_samples,)
    folds : sequence of (train, test)
    groups : ndarray of shape (n_samples,) or None
        Participants.
    level : {"images", "rows"}, default="images"
        Whether images are compared as well, where there are any.

    Returns
    -------
    str
        The verdict, with what it rests on.

    Raises
    ------
    LeakageError
        If a row, a participant or an image is on both sides of a fold.
    """
    if level not in _LEVELS:
        raise ParameterError(f"audit={level!r} is not one of {', '.join(_LEVELS)}.")
    compared = level == "images" and _are_images(X)
    audit = audit_splits(X, y, folds, groups, compare_images=compared)
    audit.raise_if_leaky()
    basis = "images and rows compared" if compared else "rows compared, not images"
    verdict = f"{str(audit).splitlines()[0]} ({basis})"
    if groups is not None and not audit.participants_known:
        verdict += " Not all participants are known."
    return verdict


def _are_images(X: Any) -> bool:
    """Tell whether rows are images or their files, rather than features."""
    if isinstance(X, pd.DataFrame):
        return "path" in X.columns
    first = next(iter(X))
    return isinstance(first, str | os.PathLike) or (
        isinstance(first, np.ndarray) and first.ndim == 3
    )
