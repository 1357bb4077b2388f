"""What is in a model file, held against what may be there: names, types, ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)

from ..errors import ModelFileError

_MOST_SHOWN = 200  # characters of what a stranger wrote


def check_fields(
    of: str, given: Any, constraints: Mapping[str, list[Any]]
) -> dict[str, Any]:
    """Refuse a part of a description that has other names, types or ranges.

    Parameters
    ----------
    of : str
        What is described; for the message.
    given : object
    constraints : mapping of str to list
        As scikit-learn's ``_parameter_constraints``. All names must be there, and no
        others.

    Returns
    -------
    dict
        What was given.

    Raises
    ------
    ModelFileError

    Examples
    --------
    >>> from glomclf.data.archive_fields import check_fields
    >>> check_fields("the record", {"n_samples": 3}, {"n_samples": [int]})
    {'n_samples': 3}
    """
    if not isinstance(given, dict) or set(given) != set(constraints):
        raise ModelFileError(
            f"{of} is described by {_named(given)}. Expected "
            f"{', '.join(sorted(constraints))}."
        )
    try:
        validate_parameter_constraints(dict(constraints), given, of)
    except InvalidParameterError as error:
        raise ModelFileError(str(error)) from error
    return given


def _named(given: Any) -> str:
    if isinstance(given, dict):
        return ", ".join(sorted(map(str, given)))[:_MOST_SHOWN] or "nothing"
    return repr(given)[:_MOST_SHOWN]


def check_numbers(
    name: str,
    array: np.ndarray,
    shape: tuple[int | None, ...] | None = None,
    *,
    kinds: str = "f",
    low: float = -math.inf,
    high: float = math.inf,
) -> np.ndarray:
    """Refuse an array of a model file that is not what the description says.

    Parameters
    ----------
    name : str
    array : ndarray
    shape : tuple of int or None, default=None
        None stands for any length, or for any shape.
    kinds : str, default="f"
        Codes of NumPy's kinds of numbers that it may hold.
    low, high : float
        What all values must lie in.

    Returns
    -------
    ndarray
        What was given.

    Raises
    ------
    ModelFileError
        If there is another shape or type, or a value outside, or one not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.archive_fields import check_numbers
    >>> check_numbers("probability", np.array([0.5]), (1,), low=0, high=1)
    array([0.5])
    """
    expected = array.shape if shape is None else shape
    fits = len(expected) == array.ndim and all(
        n in (None, m) for n, m in zip(expected, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in kinds:
        raise ModelFileError(
            f"{name} has the shape {array.shape} and the type {array.dtype}, which is "
            f"not what the model needs{'' if shape is None else f': {shape}'}."
        )
    is_within = not array.size or (array.min() >= low and array.max() <= high)
    if not is_within or not np.isfinite(array).all():
        raise ModelFileError(
            f"{name} holds numbers that are not finite, or outside of what they may be."
        )
    return array


def history_to_json(history: Mapping[str, Any]) -> dict[str, list[float | str]]:
    """Write losses by epoch; JSON has no number that is not finite, so it is a word.

    Examples
    --------
    >>> from glomclf.data.archive_fields import history_to_json
    >>> history_to_json({"loss": [0.5, float("nan")]})
    {'loss': [0.5, 'nan']}
    """
    return {
        name: [float(v) if math.isfinite(v) else str(float(v)) for v in values]
        for name, values in history.items()
    }


def history_from_json(described: Any) -> dict[str, list[float]]:
    """Read what ``history_to_json`` wrote.

    Raises
    ------
    ModelFileError
        If it is something else.
    """
    try:
        history = {name: [float(v) for v in of] for name, of in described.items()}
        if len({len(values) for values in history.values()}) > 1:
            raise ValueError("they differ in length")
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"The history of the training is {_named(described)}. Expected lists of "
            "numbers, one for each epoch."
        ) from error
    return history
