"""Results as plain types that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def plain(value: Any) -> Any:
    """Turn a result into plain types; what is no finite number becomes None.

    Parameters
    ----------
    value : object
        A number or text, an array, a result with `to_dict`, or mappings and sequences
        of them. A table becomes a list of its rows, a named index being a column.

    Returns
    -------
    plain : object
        Dicts, lists, numbers, texts and None.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.plain import plain
    >>> plain({"recall": np.nan, "interval": (np.float64(0.5), 1.0)})
    {'recall': None, 'interval': [0.5, 1.0]}
    """
    if isinstance(value, pd.DataFrame):
        table = value if value.index.name is None else value.reset_index()
        value = table.to_dict("records")
    elif hasattr(value, "to_dict"):  # a result, which may hold others
        value = value.to_dict()
    elif isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value
