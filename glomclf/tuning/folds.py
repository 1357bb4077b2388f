"""Folds of a study: drawn once for all trials, and audited before the first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv

from ..errors import ParameterError
from ..leakage.splits import audit_splits
from ..model.folds import splits_of

__all__ = ["Fold", "audit_folds", "draw_folds"]

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
_LEVELS = ("images", "rows")


def draw_folds(
    estimator: Any,
    cv: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    *,
    X: Any,
    seed: int,
) -> list[Fold]:
    """Draw the folds once; those of an int respect participants."""
    if isinstance(cv, int):
        return splits_of(cv, y, groups, seed)
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    return [
        (np.asarray(train), np.asarray(test))
        for train, test in splitter.split(X, y, groups=groups)
    ]


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
