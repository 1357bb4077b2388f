"""Hyperparameters, chosen by Optuna on training participants alone.

`GlomeruliSearchCV` is a classifier to scikit-learn; `search_space` says what it tries;
`nested_cross_validate` says what a procedure with tuning in it is worth. Names are
loaded on first use: importing this package loads neither Optuna nor TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

_FILE_OF = {
    "GlomeruliSearchCV": "search",
    "NestedResult": "nested",
    "feature_search_space": "space",
    "linear_search_space": "space",
    "nested_cross_validate": "nested",
    "open_storage": "storage",
    "search_space": "space",
}

__all__ = list(_FILE_OF)


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_FILE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FILE_OF])
