"""What makes two studies the same: data, folds, scores, search space and estimator.

Each part has a digest, kept with the study, so that who joins it with another part is
told which. What does not change a score (`n_jobs`, `verbose`, where the cache is) and
where files lie are left out: processes on other machines differ there.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

import joblib
import numpy as np
import pandas as pd
from optuna import create_study
from optuna.samplers import RandomSampler

from ..data.store import file_key
from .objective import Objective

__all__ = ["describe", "different_parts", "short_digest", "study_digest"]

_WITHOUT_EFFECT = ("cache_dir", "checkpoint_dir", "engine", "n_jobs", "verbose")
_N_DRAWS = 20  # of a search space, to see its branches


def study_digest(objective: Objective) -> dict[str, str]:
    """Return a digest of each part that decides the scores of trials.

    Parameters
    ----------
    objective : Objective

    Returns
    -------
    dict of str to str
        By the name of the part.
    """
    scorer = objective.scoring.scorer
    scorers = getattr(scorer, "_scorers", {"score": scorer})
    parts = {
        "data": [objective.y, _rows(objective.X), objective.fit_params],
        "folds": objective.folds,
        "scores": [
            objective.scoring.objectives,
            objective.scoring.constraint,
            {k: [v, getattr(v, "_score_func", None)] for k, v in scorers.items()},
        ],
        "search space": _draws(objective.search_space),
        "estimator": objective.configured({}),
    }
    return {name: _short(describe(part)) for name, part in parts.items()}


def _draws(search_space: Callable[[Any], Any]) -> list[Any]:
    """Describe a search space by what it suggests and returns, and not by its text.

    Its text would not tell what it calls; and trials fit together if these do.
    """
    draws = []
    for seed in range(_N_DRAWS):
        trial = create_study(sampler=RandomSampler(seed)).ask()
        try:
            settings = search_space(trial)
        except Exception as error:  # it may prune some trials
            settings = {"error": type(error).__name__}
        draws.append([trial.distributions, settings])
    return draws


def different_parts(own: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Name the parts in which two studies differ."""
    return [name for name, digest in own.items() if found.get(name) != digest]


def short_digest(objective: Objective) -> str:
    """Return one digest of all parts, to name a study by."""
    return _short(*study_digest(objective).values())


def describe(value: Any) -> str:
    """Describe an estimator, a function or data, the same in every process.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
        Functions by their name, files by their content, no addresses.
    """
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _describe_call(value, value.get_params(deep=False))
    if inspect.isroutine(value) or isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, os.PathLike):
        return _describe_file(value)
    if isinstance(value, pd.DataFrame | Mapping):
        return _describe_call(value, value)
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(describe, value)))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(describe, value))}]"
    if isinstance(value, np.ndarray | pd.Series):
        return _describe_array(np.asarray(value))
    text = repr(value)
    if " at 0x" not in text:
        return text
    return _describe_call(value, getattr(value, "__dict__", {}))


def _describe_call(value: Any, items: Any) -> str:
    inner = ", ".join(
        f"{key}={_describe_file(items[key]) if key == 'weights' else content}"
        for key, content in sorted((str(k), describe(items[k])) for k in items)
        if key not in _WITHOUT_EFFECT
    )
    return f"{type(value).__qualname__}({inner})"


def _describe_file(path: Any) -> str:
    """Describe a file by its content, wherever it lies."""
    if not isinstance(path, str | os.PathLike):
        return describe(path)
    key = file_key(path)
    return os.path.basename(os.fspath(path)) if key is None else key.hex()


def _describe_array(array: np.ndarray) -> str:
    # The hash of texts and objects depends on how they came to be.
    return _short(repr(array.tolist())) if array.dtype.kind in "OUT" else _hash(array)


def _hash(value: Any) -> str:
    return str(joblib.hash(value))


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _rows(X: Any) -> Any:
    """Return what rows hold: the content of files, wherever they lie, or arrays."""
    items = X["path"] if isinstance(X, pd.DataFrame) and "path" in X else X
    if isinstance(items, pd.DataFrame):
        return items
    if all(isinstance(item, str | os.PathLike) for item in items):
        return [_describe_file(item) for item in items]
    return np.asarray(items)
