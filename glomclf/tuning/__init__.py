"""Hyperparameters, chosen by Optuna on training participants alone.

`GlomeruliSearchCV` is a classifier to scikit-learn; `make_objective` and `search_space`
are its parts, for studies of your own; `nested_cross_validate` says what a procedure
with tuning in it is worth. Names are loaded on first use: importing this room loads
neither Optuna nor TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

_FILE_OF = {
    "FoldResult": "nested",
    "GlomeruliSearchCV": "search",
    "NestedResult": "nested",
    "Objective": "objective",
    "feature_search_space": "space",
    "finished_trials": "trials",
    "linear_search_space": "space",
    "make_objective": "objective",
    "nested_cross_validate": "nested",
    "open_storage": "storage",
    "search_space": "space",
}

__all__ = [
    "FoldResult",
    "GlomeruliSearchCV",
    "NestedResult",
    "Objective",
    "feature_search_space",
    "finished_trials",
    "linear_search_space",
    "make_objective",
    "nested_cross_validate",
    "open_storage",
    "search_space",
]


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_FILE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FILE_OF])
