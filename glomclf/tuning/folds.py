"""Folds of a study: drawn once for all trials, and audited before the first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..leakage.splits import audit_splits
from ..model.folds import splits_of

__all__ = ["Fold", "audit_folds", "draw_folds"]

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def draw_folds(
    cv: Any, y: NDArray[Any], groups: NDArray[Any] | None, seed: int
) -> list[Fold]:
    """Draw the folds once; those of an int respect participants."""
    drawn = splits_of(cv, y, groups, seed)
    return [(np.asarray(train), np.asarray(test)) for train, test in drawn]


def audit_folds(
    X: Any,
    y: NDArray[Any],
    folds: Sequence[Any],
    groups: NDArray[Any] | None,
    *,
    level: str = "images",
) -> str:
    """Refuse folds that leak: a study on them is worth nothing.

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
    return isinstance(first, str | os.PathLike) or getattr(first, "ndim", 0) == 3
