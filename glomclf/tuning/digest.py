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
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from optuna import create_study
from optuna.samplers import RandomSampler

from ..data.store import file_key
from ..model.parts import WITHOUT_EFFECT
from .objective import Objective

__all__ = ["describe", "study_digest"]

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
    scorers = objective.scoring.scorer._scorers  # type: ignore[attr-defined]
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
    return {
        name: hashlib.sha256(describe(part).encode()).hexdigest()[:12]
        for name, part in parts.items()
    }


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
    if inspect.isroutine(value) or isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, os.PathLike):
        key = file_key(value)
        return os.path.basename(value) if key is None else key.hex()
    if isinstance(value, np.ndarray | pd.Series):
        array = np.asarray(value)
        # The hash of texts and objects depends on how they came to be.
        return describe(array.tolist()) if array.dtype.kind in "OUT" else _hash(array)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(describe, value))}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(describe, value)))}}}"
    if hasattr(value, "get_params"):
        return _describe_call(value, value.get_params(deep=False))
    if isinstance(value, pd.DataFrame | Mapping):
        return _describe_call(value, value)
    if " at 0x" in repr(value):
        return _describe_call(value, getattr(value, "__dict__", {}))
    return repr(value)


def _describe_call(value: Any, items: Any) -> str:
    told = {str(key): items[key] for key in items if key not in WITHOUT_EFFECT}
    if isinstance(told.get("weights"), str):  # of a network: a name or a file
        told["weights"] = Path(told["weights"])
    inner = ", ".join(f"{key}={describe(told[key])}" for key in sorted(told))
    return f"{type(value).__qualname__}({inner})"


def _hash(array: np.ndarray) -> str:
    return str(joblib.hash(array))


def _rows(X: Any) -> Any:
    """Return what rows hold: files, wherever they lie, or arrays."""
    items = X["path"] if isinstance(X, pd.DataFrame) and "path" in X else X
    if isinstance(items, pd.DataFrame):
        return items
    are_files = all(isinstance(item, str | os.PathLike) for item in items)
    return [Path(item) for item in items] if are_files else np.asarray(items)
