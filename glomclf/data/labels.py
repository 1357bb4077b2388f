"""Labels of two classes, as numbers."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight

from ..errors import ParameterError


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


def check_weights(
    sample_weight: ArrayLike | None, y: NDArray
) -> NDArray[np.float64] | None:
    """Return weights of rows as an array of their own; None where there are none.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
    y : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_samples,), or None

    Raises
    ------
    ValueError
        If there is not one finite weight a row, at least 0, or all of a class are 0.
    """
    if sample_weight is None:
        return None
    options = {"dtype": np.float64, "copy": True, "ensure_non_negative": True}
    weight = _check_sample_weight(sample_weight, y, **options)
    lost = [label for label in np.unique(y).tolist() if not weight[y == label].any()]
    if lost:
        raise ValueError(
            f"sample_weight is 0 in all rows of the class {lost[0]!r}; two classes are "
            "needed."
        )
    return weight


def class_weight_faults(network: Any, classes: NDArray | None = None) -> list[str]:
    """Say which weights of classes cannot be used.

    Parameters
    ----------
    network : classifier
        With or without a parameter ``class_weight``.
    classes : ndarray of shape (2,) or None, default=None
        The labels of ``y``, where they are known.

    Returns
    -------
    list of str
        A sentence for each kind of fault.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from glomclf.data.labels import class_weight_faults
    >>> class_weight_faults(LogisticRegression(class_weight={0: 1, 1: -1}))[0]
    'class_weight={0: 1, 1: -1} has no number greater than 0 for [1]. ...'
    """
    given = getattr(network, "class_weight", None)
    if not isinstance(given, dict):
        return []
    wrong, faults = [k for k, value in given.items() if not _is_positive(value)], []
    if wrong:
        faults.append(
            f"class_weight={given!r} has no number greater than 0 for {wrong}. Leave "
            "out the rows of a class that is to weigh nothing."
        )
    labels = [] if classes is None else classes.tolist()
    strange = [key for key in given if key not in labels]
    if labels and strange:
        faults.append(
            f"class_weight={given!r} weighs {strange}, but the labels of y are "
            f"{labels}. Name these."
        )
    return faults


def _is_positive(value: Any) -> bool:
    return isinstance(value, Real) and 0 < float(value) < np.inf


def row_weights(
    network: Any, y: NDArray, sample_weight: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Multiply the weights of rows and of classes; None where there are neither.

    Parameters
    ----------
    network : classifier
        With the parameter ``class_weight``.
    y : ndarray of shape (n_samples,)
        Labels of two classes.
    sample_weight : ndarray of shape (n_samples,) or None
        As `check_weights` returns them; they stay as they are.

    Returns
    -------
    ndarray of shape (n_samples,), or None

    Raises
    ------
    ParameterError
        If weights of classes cannot be used; it says of each what it is.
    """
    if network.class_weight is None:
        return sample_weight
    classes, codes = np.unique(y, return_inverse=True)
    faults = class_weight_faults(network, classes)
    if faults:
        raise ParameterError("\n".join(faults))
    options = {"classes": classes, "y": y, "sample_weight": sample_weight}
    weights = compute_class_weight(network.class_weight, **options)[codes]
    return weights if sample_weight is None else weights * sample_weight
