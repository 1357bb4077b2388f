"""Labels of two classes, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ..errors import ParameterError

__all__ = ["encode_labels", "labels_at", "positive_class"]


def encode_labels(y: NDArray) -> tuple[NDArray, NDArray[np.intp]]:
    """Tell which of two classes each row has.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)

    Returns
    -------
    classes : ndarray of shape (2,)
        Sorted.
    codes : ndarray of shape (n_samples,), dtype int
        0 or 1.

    Raises
    ------
    ValueError
        If the labels are not those of two classes.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.labels import encode_labels
    >>> encode_labels(np.array(["b", "a", "b"]))[1]
    array([1, 0, 1])
    """
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    target = type_of_target(y, input_name="y", raise_unknown=True)
    if target != "binary":
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{target}."
        )
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            "Two classes are needed, but y has one class only: "
            f"{classes[0]!r} in all {len(y)} rows."
        )
    return classes, codes


def positive_class(classes: NDArray, pos_label: Any = None) -> Any:
    """Say which of two labels is the positive class.

    Parameters
    ----------
    classes : ndarray of shape (2,)
    pos_label : int, str or bool, default=None
        The label that was named; None is 1.

    Returns
    -------
    int, str or bool
        One of `classes`.

    Raises
    ------
    ParameterError
        If that is no label, or none is named where neither is 1.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.labels import positive_class
    >>> positive_class(np.array(["GS", "NGS"]), "GS")
    'GS'
    """
    labels = classes.tolist()
    wanted = 1 if pos_label is None else pos_label
    if wanted in labels:
        return labels[labels.index(wanted)]
    if pos_label is None:
        raise ParameterError(
            f"y has the labels {labels}, and neither is 1. Say which one is globally "
            f"sclerotic: fit(X, y, pos_label={labels[0]!r}) or pos_label={labels[1]!r}."
        )
    raise ParameterError(
        f"pos_label={pos_label!r} is not a label of y, which has {labels}."
    )


def labels_at(
    probability: NDArray, threshold: float, classes: NDArray, pos_label: Any
) -> NDArray:
    """Predict the positive class where its probability reaches a threshold.

    Parameters
    ----------
    probability : ndarray of shape (n_samples, 2)
        Columns in the order of `classes`.
    threshold : float in [0, 1]
    classes : ndarray of shape (2,)
    pos_label : int, str or bool
        One of `classes`.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.labels import labels_at
    >>> probability = np.array([[0.6, 0.4], [0.2, 0.8]])
    >>> labels_at(probability, 0.5, np.array(["GS", "NGS"]), "GS").tolist()
    ['GS', 'NGS']
    """
    positive = classes.tolist().index(pos_label)
    is_positive = probability[:, positive] >= threshold
    return classes[np.where(is_positive, positive, 1 - positive)]
