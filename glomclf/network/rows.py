"""The rows that PatchClassifier takes: images, feature maps or features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import (
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from ..data.image_source import conversion
from ..errors import DivergenceError

if TYPE_CHECKING:
    from .backbones import Backbone
    from .classifier import PatchClassifier


def check_rows(net: PatchClassifier, X: Any, *, reset: bool) -> np.ndarray:
    """Return images as uint8, features as floats, of the shape seen in ``fit``.

    Parameters
    ----------
    net : PatchClassifier
        It remembers the shape and the kind of the rows.
    X : array-like of shape (n_samples, ...)
    reset : bool
        Whether ``X`` says what the rows are, or must be like those of ``fit``.

    Returns
    -------
    ndarray of shape (n_samples, ...)
        uint8 images, or float32.
    """
    if np.asarray(X).ndim > 2:
        X = check_array(X, allow_nd=True, dtype=None, input_name="X")
        X = X if are_images(X) else _as_maps(X)
    else:
        X = validate_data(net, X, reset=reset, dtype=np.float32)
    if reset:
        net.input_shape_ = X.shape[1:]
        net._from_images = are_images(X)
    elif (X.shape[1:], are_images(X)) != (net.input_shape_, net._from_images):
        fitted_dtype = "uint8" if net._from_images else "float32"
        raise ValueError(
            f"X has rows of shape {X.shape[1:]} and dtype {X.dtype}, but "
            f"{type(net).__name__} was fitted on rows of shape {net.input_shape_} and "
            f"dtype {fitted_dtype}."
        )
    return X


def are_images(X: np.ndarray) -> bool:
    """Say whether rows are RGB images, rather than features or feature maps."""
    return X.dtype == np.uint8 and X.ndim == 4 and X.shape[-1] == 3


def _as_maps(X: np.ndarray) -> np.ndarray:
    """Accept feature maps, refuse images that are not uint8."""
    if X.ndim != 4 or X.dtype.kind != "f" or X.shape[-1] == 3:
        raise ValueError(
            f"X has shape {X.shape} and dtype {X.dtype}. Expected uint8 images of "
            "shape (n_samples, height, width, 3), float feature maps of shape "
            "(n_samples, height, width, channels) or features of shape "
            f"(n_samples, n_features){conversion(X.shape, X.dtype)}."
        )
    return X.astype(np.float32, copy=False)


def check_validation(
    net: PatchClassifier, X_val: Any, y_val: Any
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return validation rows and their labels as 0 and 1, None without any."""
    if X_val is None:
        return None
    X_val, y_val = check_rows(net, X_val, reset=False), column_or_1d(y_val)
    check_consistent_length(X_val, y_val)
    unknown = np.setdiff1d(y_val, net.classes_)
    if len(unknown):
        raise ValueError(
            f"y_val holds {unknown.tolist()}, but y has {net.classes_.tolist()}."
        )
    return X_val, (y_val == net.classes_[1]).astype(np.float32)


def refuse_other_shape(
    shape: tuple[int, ...], backbone: Backbone | None, trainable_layers: int | str
) -> None:
    """Refuse rows that are not what the layers above the cut take.

    Parameters
    ----------
    shape : tuple of int
        Of one row, which is no image.
    backbone : Backbone or None
        None where the head is all there is.
    trainable_layers : int or "all"

    Raises
    ------
    ValueError
        It says what was expected.
    """
    if backbone is None:
        if len(shape) != 1:
            raise ValueError(_misfit(shape, "(n_features,)"))
        return
    cut = backbone.cut(trainable_layers)
    if cut is None:
        raise ValueError(_misfit(shape, "uint8 images, since all layers are trained"))
    expected = backbone.model.get_layer(cut).output.shape[1:]
    if len(shape) != len(expected) or shape[-1] != expected[-1]:
        raise ValueError(_misfit(shape, f"{tuple(expected)}, the output of {cut}"))


def _misfit(shape: tuple[int, ...], expected: str) -> str:
    return (
        f"X has rows of shape {shape}, but the layers above the cut take {expected}. "
        "Give PatchEncoder and PatchClassifier the same backbone and "
        "trainable_layers, or pass uint8 images."
    )


def finite_probability(probability: np.ndarray) -> np.ndarray:
    """Return probabilities, all of them numbers.

    Parameters
    ----------
    probability : ndarray of shape (n_samples, 2)

    Returns
    -------
    ndarray of shape (n_samples, 2)
        The same.

    Raises
    ------
    DivergenceError
        If one is not finite.
    """
    n_lost = int((~np.isfinite(probability)).any(axis=1).sum())
    if n_lost:
        raise DivergenceError(
            f"The probabilities of {n_lost} of {len(probability)} rows are not finite: "
            "weights or features are too large. Train again, with a lower learning "
            "rate, on features of an ordinary scale."
        )
    return probability
