"""Which rows samplers, scalers, networks and early stopping are given within a fit.

For a while the methods of every loaded scikit-learn estimator note the content of the
rows they are passed. Rows are known again by content: a row of the data, what a
transformer made of it, and what a sampler made. So nothing depends on what an estimator
says of itself, and fits inside a fit are seen as well.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, is_classifier

from ..data.dihedral import DihedralImages
from ..data.image_source import ImageSource
from ..data.lazy_images import LazyImages

SYNTHETIC = -1
"""Stands for the row of the data that a sampler's new row is."""

_FITS = ("fit", "partial_fit", "fit_transform", "fit_predict", "fit_resample")
_TRANSFORMS = ("transform", "fit_transform")
_PREDICTIONS = ("predict", "predict_proba", "decision_function")
_VALIDATION = ("X_val", "validation_data", "eval_set")
_MANY_ROWS = 10_000  # from which scikit-learn's "auto" stops early


@dataclass
class Call:
    """One call within a fit; rows are named by the hash of their content."""

    step: str
    method: str
    role: str
    keys: list[bytes]
    trained_on: list[bytes] = field(default_factory=list)
    splits_itself: bool = False


class Ledger:
    """Where rows come from, known again by their content."""

    def __init__(self, keys: list[bytes]):
        self.sources: dict[bytes, set[int]] = defaultdict(set)
        for row, key in enumerate(keys):
            self.sources[key].add(row)
        self.parents: dict[bytes, set[bytes]] = defaultdict(set)
        self.resampled: set[bytes] = set()
        self.calls: list[Call] = []
        self.in_fit = True
        self.under_way: set[tuple[int, str]] = set()
        self._trained: dict[int, list[bytes]] = {}
        self._alive: list[Any] = []  # so that no id is given twice

    def note_call(self, estimator: Any, method: str, arguments: dict[str, Any]) -> None:
        """Note what a method is given."""
        self._note_turned(arguments.get("X"))
        keys = row_keys(arguments.get("X"))
        if not self.in_fit or keys is None or self._is_empty(arguments["X"], keys):
            return
        self._alive.append(estimator)
        about = (type(estimator).__name__, method)
        if method in _PREDICTIONS:
            trained = self._trained.get(id(estimator), [])
            role, known = "prediction", trained if is_classifier(estimator) else []
            self.calls.append(Call(*about, role, keys, known))
            return
        self._trained[id(estimator)] = keys
        itself = _splits_itself(estimator, len(keys))
        self.calls.append(Call(*about, "training", keys, splits_itself=itself))
        for name in _VALIDATION:
            for watched in _validation_rows(arguments.get(name)):
                self.calls.append(Call(*about, "validation", watched, keys))

    def _is_empty(self, X: Any, keys: list[bytes]) -> bool:
        """Whether X holds nothing of the data: labels to encode, or row numbers.

        Samplers that mix rows are run on an identity matrix that stands for the rows,
        and look for neighbours among some rows of it.
        """
        column = np.ndim(X) == 2 and np.shape(X)[1] == 1
        stand_ins = issparse(X) and X.nnz == X.shape[0] == X.sum()
        return (column or stand_ins) and not any(self.origins(key) for key in keys)

    def note_result(self, method: str, given: Any, result: Any) -> None:
        """Note what a transformer or a sampler made of which rows."""
        before = row_keys(given)
        if method == "fit_resample" and before and not self._is_empty(given, before):
            self.resampled.update(row_keys(result[0]) or [])
        elif method != "fit_resample" and before is not None:
            self._note_turned(given)
            self._note_parents(before, row_keys(result) or [])

    def _note_turned(self, X: Any) -> None:
        """Note of which images the views are that a source turns as it reads."""
        if isinstance(X, DihedralImages):
            self._note_parents(row_keys(X.source) or [], row_keys(X) or [])

    def _note_parents(self, before: list[bytes], after: list[bytes]) -> None:
        """Note what rows became, where there is one for one."""
        if len(after) == len(before):
            for old, new in zip(before, after, strict=True):
                if new != old:
                    self.parents[new].add(old)

    def origins(self, key: bytes, seen: frozenset[bytes] = frozenset()) -> set[int]:
        """Rows of the data that this may be; -1: a sampler's work; empty: unknown."""
        found = set(self.sources.get(key, ()))
        for parent in self.parents.get(key, set()) - seen:
            found |= self.origins(parent, seen | {key})
        if key in self.resampled and not found:
            return {SYNTHETIC}
        return found


def _splits_itself(estimator: Any, n_rows: int) -> bool:
    """Whether early stopping of its own cuts validation rows out of X."""
    if getattr(estimator, "validation_split", None):  # Keras takes the last rows
        return True
    own = type(estimator).__module__.startswith("sklearn.")
    if not own or not getattr(estimator, "validation_fraction", None):
        return False
    if not hasattr(estimator, "early_stopping"):
        return getattr(estimator, "n_iter_no_change", None) is not None
    stops = estimator.early_stopping
    return n_rows > _MANY_ROWS if stops == "auto" else bool(stops)


def _validation_rows(value: Any) -> Iterator[list[bytes]]:
    """Find rows in ``X_val``, ``(X_val, y_val)`` or a list of such pairs."""
    are_pairs = isinstance(value, list) and value and isinstance(value[0], tuple)
    for one in value if are_pairs else [value]:
        keys = row_keys(one[0] if isinstance(one, tuple) and one else one)
        if keys is not None:
            yield keys


def row_keys(X: Any) -> list[bytes] | None:
    """Hash each row; None where X holds no rows that can be hashed."""
    if isinstance(X, pd.DataFrame):
        X = X["path"] if "path" in X else X.to_numpy()
    if issparse(X):
        X = X.toarray()
    if isinstance(X, LazyImages):
        X = np.asarray(X)  # which it keeps, so that files are decoded once
    elif isinstance(X, ImageSource):
        X = X.read(np.arange(X.shape[0]))
    if not isinstance(X, np.ndarray | list | tuple | pd.Series) or not len(X):
        return None
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "biuf":
        return None  # labels or weights
    return [_key(row) for row in X]


def _key(row: Any) -> bytes:
    is_path = isinstance(row, str | os.PathLike)
    values = np.asarray(os.fspath(row) if is_path else row)
    if values.dtype.kind in "biuf":
        with np.errstate(over="ignore"):  # steps may change precision and shape
            content = np.ascontiguousarray(values, dtype=np.float32).tobytes()
    else:
        content = (os.fspath(row) if is_path else repr(row)).encode()
    return hashlib.blake2b(content, digest_size=16).digest()


@contextmanager
def calls_noted(ledger: Ledger, model: Any) -> Iterator[None]:
    """Have the methods of all loaded estimators noted, and put them back."""
    names = {*_FITS, *_TRANSFORMS, *_PREDICTIONS}
    with ExitStack() as put_back:
        for owner in _estimator_classes(model):
            for name, method in list(vars(owner).items()):
                if name in names and inspect.isfunction(method):
                    put_back.callback(setattr, owner, name, method)
                    setattr(owner, name, _noting(method, name, ledger))
        yield


def _estimator_classes(model: Any) -> set[type]:
    """All classes that loaded estimators, the model and its parts take methods from."""
    parts = [model, *model.get_params(deep=True).values()]
    visited = {type(part) for part in parts if hasattr(part, "fit")}
    waiting: list[Any] = [BaseEstimator]
    while waiting:
        new = set(waiting.pop().__subclasses__()) - visited
        visited |= new
        waiting += new
    return {owner for one in visited for owner in one.__mro__} - {object}


def _noting(method: Callable, name: str, ledger: Ledger) -> Callable:
    signature = inspect.signature(method)

    @functools.wraps(method)
    def noting(self, *args, **kwargs):
        call = (id(self), name)
        if call in ledger.under_way:  # a class calls its parent's method
            return method(self, *args, **kwargs)
        try:
            given = signature.bind(self, *args, **kwargs).arguments
        except TypeError:  # the method itself says best what it lacks
            return method(self, *args, **kwargs)
        given = {**given, **given.get("params", {}), **given.get("kwargs", {})}
        if name in (*_FITS, *_PREDICTIONS):
            ledger.note_call(self, name, given)
        ledger.under_way.add(call)
        try:
            result = method(self, *args, **kwargs)
        finally:
            ledger.under_way.discard(call)
        if name in (*_TRANSFORMS, "fit_resample"):
            ledger.note_result(name, given.get("X"), result)
        return result

    return noting
