"""What makes two studies the same: estimator, data, folds, scores, space and seed.

Each part is kept as a short text or a digest, so that a worker who joins a study with
another of them is told which. What does not change a score (`n_jobs`, `verbose`, where
the cache is) and where files lie are left out: workers on other machines differ there.
What is in them is not.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import joblib
import numpy as np
import pandas as pd

from ..data.store import file_key
from .objective import Objective

__all__ = ["describe", "differences", "fingerprint", "short_digest"]

_WITHOUT_EFFECT = ("cache_dir", "checkpoint_dir", "engine", "n_jobs", "verbose")
_PLAIN = (str, bytes, bool, int, float, type(None))
_MEANINGS = {
    "estimator": "the estimator or its parameters",
    "search_space": "the search space",
    "scoring": "the scores or the constraint",
    "folds": "the folds",
    "data": "the images or features",
    "labels": "the labels",
    "fit_params": "the participants, or other arguments of fit",
    "random_state": "the random state",
}


def fingerprint(objective: Objective) -> dict[str, Any]:
    """Describe all that decides the scores of a study's trials.

    Parameters
    ----------
    objective : Objective

    Returns
    -------
    dict
        Short enough, and plain enough, for a study's user attributes.
    """
    scoring = objective.scoring
    return {
        "estimator": describe(objective.estimator),
        "search_space": f"{_name(objective.search_space)} "
        f"{_digest(describe(objective.search_space))}",
        "scoring": f"{', '.join(scoring.objectives)} {scoring.constraint or ''}".strip()
        + f" {_digest(_describe_scorers(scoring.scorer))}",
        "folds": f"{len(objective.folds)} folds {joblib.hash(objective.folds)[:12]}",
        "data": f"{len(objective.y)} rows {_digest_rows(objective.X)}",
        "labels": joblib.hash(objective.y.tolist())[:12],
        "fit_params": _digest(
            *(
                f"{name} {joblib.hash(_plain(value))}"
                for name, value in sorted(objective.fit_params.items())
            )
        ),
        "random_state": objective.seed,
    }


def differences(own: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Say in what two fingerprints differ.

    Parameters
    ----------
    own, found : mapping
        As `fingerprint` returns them.

    Returns
    -------
    list of str
        One line a part; empty where they agree.
    """
    return [
        f"{meaning}: {_shown(own.get(part))} here, {_shown(found.get(part))} there"
        for part, meaning in _MEANINGS.items()
        if own.get(part) != found.get(part)
    ]


def short_digest(content: Mapping[str, Any]) -> str:
    """Return a name for a fingerprint."""
    return _digest(*(f"{key}={value}" for key, value in sorted(content.items())))


def describe(value: Any) -> str:
    """Describe an estimator, a function or a plain value, the same in every process.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
        Functions with their source; no addresses, and of paths the last part alone.
    """
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _describe_call(value, value.get_params(deep=False).items())
    if isinstance(value, functools.partial):
        named = [*enumerate(value.args), *value.keywords.items()]
        return f"partial {describe(value.func)} {_describe_call(value, named)}"
    if inspect.isroutine(value) or isinstance(value, type):
        return f"{_name(value)} {_digest(_source(value), *_captured(value))}"
    if isinstance(value, os.PathLike):
        return os.path.basename(os.fspath(value))
    if isinstance(value, Mapping):
        return _describe_call(value, value.items())
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(describe, value)))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(describe(item) for item in value)}]"
    if isinstance(value, np.ndarray):
        return f"array {joblib.hash(value)[:12]}"
    return _describe_object(value)


def _describe_scorers(scorer: Any) -> str:
    """Describe each score by what computes it; the text of many holds names alone."""
    scorers = getattr(scorer, "_scorers", {"score": scorer})
    return describe(
        {
            name: [one, getattr(one, "_score_func", None)]
            for name, one in scorers.items()
        }
    )


def _describe_object(value: Any) -> str:
    """Describe an object by its text; by class and content where that has addresses."""
    text = repr(value)
    if " at 0x" not in text:
        return text
    content = _describe_call(value, vars(value).items() if _has_vars(value) else ())
    return f"{content} {_digest(_source(type(value)))}"


def _has_vars(value: Any) -> bool:
    return hasattr(value, "__dict__")


def _describe_call(value: Any, items: Iterable[tuple[Any, Any]]) -> str:
    inner = ", ".join(
        f"{key}={_describe_weights(content) if key == 'weights' else describe(content)}"
        for key, content in sorted(items, key=lambda item: str(item[0]))
        if key not in _WITHOUT_EFFECT
    )
    return f"{type(value).__name__}({inner})"


def _describe_weights(weights: Any) -> str:
    """Describe a file of weights by its content, wherever it lies."""
    if isinstance(weights, str | os.PathLike) and (key := file_key(weights)):
        return key.hex()[:12]
    return describe(weights)


def _name(function: Any) -> str:
    if isinstance(function, functools.partial):
        return _name(function.func)
    cls = type(function)
    return getattr(function, "__qualname__", f"{cls.__module__}.{cls.__qualname__}")


def _source(value: Any) -> str:
    """Return the text of a function, or its code where the text is not at hand."""
    try:
        return inspect.cleandoc(inspect.getsource(value))
    except (OSError, TypeError):
        return _code(getattr(value, "__code__", None))


def _captured(function: Any) -> list[str]:
    """Return what a function has besides its text: defaults, and names around it.

    One that changes what it holds is another one afterwards.
    The text of a lambda is that of its line, which may hold others.
    """
    cells = [
        cell.cell_contents for cell in getattr(function, "__closure__", None) or ()
    ]
    held = [*(getattr(function, "__defaults__", None) or ()), *cells]
    parts = [describe(one) for one in held if _is_plain(one)]
    parts += [_source(one) for one in held if inspect.isroutine(one)]
    if getattr(function, "__name__", "") == "<lambda>":
        code = function.__code__
        constants = [one for one in code.co_consts if _is_plain(one)]
        parts.append(f"{constants} {code.co_names}")
    return parts


def _is_plain(value: Any) -> bool:
    """Tell values, and containers of them, from objects, which have what changes."""
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return isinstance(value, (*_PLAIN, np.ndarray))


def _code(code: Any) -> str:
    if code is None:
        return ""
    constants = [_code(c) if inspect.iscode(c) else repr(c) for c in code.co_consts]
    text = f"{code.co_code.hex()} {code.co_names} {constants}"
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _digest_rows(X: Any) -> str:
    """Digest the content of files, wherever they lie, or of arrays."""
    items: Any = X["path"] if isinstance(X, pd.DataFrame) and "path" in X else X
    if _is_content(items):
        return joblib.hash(_plain(items))[:12]
    return _digest(*map(_digest_file, items))


def _digest_file(path: Any) -> str:
    key = file_key(path)
    return os.path.basename(os.fspath(path)) if key is None else key.hex()


def _is_content(items: Any) -> bool:
    if isinstance(items, pd.DataFrame):
        return True
    return not all(isinstance(item, str | os.PathLike) for item in items)


def _plain(value: Any) -> Any:
    """Return what pandas holds as plain arrays, whose hash is the same everywhere."""
    if isinstance(value, pd.DataFrame):
        return {str(name): _plain(value[name]) for name in value.columns}
    if isinstance(value, pd.Series):
        return value.to_list()
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUT":
        return value.tolist()
    return value


def _shown(part: Any) -> str:
    text = str(part)
    return text if len(text) <= 300 else f"{text[:300]}..."
