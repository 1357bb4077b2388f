"""Predictions of rows that the predicting classifier has not seen, fold by fold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import column_or_1d

from .progress import progress
from .splitting import RepeatedStratifiedGroupKFold

__all__ = ["predict_folds"]


def predict_folds(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: Any = 5,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Fit a classifier on each training fold, and predict the fold left out.

    Unlike scikit-learn's ``cross_val_predict`` it keeps the threshold that each fold's
    classifier chose, gives ``groups`` to the folds and to ``fit``, and takes splitters
    that test a row more than once.

    Parameters
    ----------
    estimator : GlomeruliClassifier
        Or a classifier whose ``fit`` takes ``groups``. It is cloned.
    X : DataFrame, array-like of paths, or ndarray
        As in ``estimator.fit``.
    y : array-like of shape (n_samples,)
        Labels of two classes.
    groups : array-like of shape (n_samples,), default=None
        Participant of each row.
    cv : int, splitter, or iterable of (train, test), default=5
        An int gives stratified folds by participant where ``groups`` are given, by row
        where not.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds of an int.
    verbose : int, default=0
        1 shows a bar on standard error.

    Returns
    -------
    DataFrame
        One row a prediction: ``row`` (place in ``X``), ``fold``, ``probability`` of the
        second class, and ``threshold``, the ``threshold_`` of the fold's classifier
        (0.5 if it has none).

    Examples
    --------
    >>> from glomclf import GlomeruliClassifier, evaluate, make_glomeruli
    >>> from glomclf.folds import predict_folds
    >>> X, y, groups = make_glomeruli(
    ...     60, n_participants=12, sclerotic_fraction=0.3, image_size=32, random_state=0
    ... )
    >>> classifier = GlomeruliClassifier(
    ...     backbone="cnn", weights=None, image_size=32, epochs=2, random_state=0
    ... )
    >>> table = predict_folds(
    ...     classifier, X, y, groups=groups, cv=2, random_state=0
    ... )
    >>> result = evaluate(
    ...     y[table.row], table.probability, groups=groups[table.row],
    ...     threshold=table.threshold,
    ... )
    >>> result.n_samples
    60
    """
    labels = column_or_1d(y)
    participants = None if groups is None else np.asarray(groups)
    splits = list(_splits(cv, labels, participants, random_state))
    tables = []
    with progress("cross-validation", len(splits), enabled=verbose > 0) as advance:
        for fold, (train, test) in enumerate(splits):
            owners = {} if participants is None else {"groups": participants[train]}
            model = clone(estimator)
            model.fit(_safe_indexing(X, train), labels[train], **owners)
            probability = model.predict_proba(_safe_indexing(X, test))[:, 1]
            tables.append(
                pd.DataFrame(
                    {
                        "row": np.arange(len(labels))[test],
                        "fold": fold,
                        "probability": probability,
                        "threshold": getattr(model, "threshold_", 0.5),
                    }
                )
            )
            advance()
    return pd.concat(tables, ignore_index=True)


def _splits(
    cv: Any,
    y: np.ndarray,
    groups: np.ndarray | None,
    random_state: int | np.random.RandomState | None,
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Return the folds; those of an int are shuffled and respect participants."""
    if isinstance(cv, int):
        seed = check_random_state(random_state)
        if groups is None:
            cv = StratifiedKFold(cv, shuffle=True, random_state=seed)
        else:
            cv = RepeatedStratifiedGroupKFold(cv, 1, random_state=seed)
    return check_cv(cv).split(np.arange(len(y)), y, groups)
