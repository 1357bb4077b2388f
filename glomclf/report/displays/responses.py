"""What displays ask of a fitted classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

__all__ = ["binary_response"]


def binary_response(
    estimator: Any, X: Any, y: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return labels as 0 and 1, and the probabilities of the positive class.

    Parameters
    ----------
    estimator : classifier
        Fitted, with ``predict_proba``; its second class is the positive one.
    X : array-like or DataFrame
        What it predicts.
    y : array-like of shape (n_samples,)
        Labels among its two classes.

    Returns
    -------
    y_true : ndarray of shape (n_samples,), dtype int
    y_score : ndarray of shape (n_samples,), dtype float64

    Raises
    ------
    ValueError
        If the classifier has no two classes or no probabilities, or labels are not
        among its classes.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from glomclf.report.displays.responses import binary_response
    >>> X, y = [[0.0], [1.0]], ["other", "sclerotic"]
    >>> binary_response(LogisticRegression().fit(X, y), X, y)[0]
    array([0, 1])
    """
    check_is_fitted(estimator)
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"{type(estimator).__name__} has no predict_proba; pass a classifier that "
            "gives probabilities, or use from_predictions."
        )
    classes, labels = np.asarray(estimator.classes_), np.asarray(y)
    if len(classes) != 2:
        raise ValueError(f"Two classes are drawn; the classifier has {len(classes)}.")
    strange = labels[~np.isin(labels, classes)]
    if strange.size:
        raise ValueError(
            f"y has {sorted(set(strange.tolist()))}, which are not classes of the "
            f"classifier: {classes.tolist()}."
        )
    y_score = np.asarray(estimator.predict_proba(X), dtype=np.float64)[:, 1]
    return (labels == classes[1]).astype(np.intp), y_score
