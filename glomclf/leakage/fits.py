"""Watch a fit: which rows samplers, scalers, networks and early stopping are given.

While the watch is on, the methods of every loaded scikit-learn estimator note the
content of the rows they are passed. Rows are known again by content: a row of the data,
what a transformer made of it, and what a sampler made. So nothing depends on what an
estimator says of itself, and fits inside a fit are seen as well.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_consistent_length, column_or_1d

from ..data.dihedral import DihedralImages
from ..data.image_source import ImageSource
from ..data.lazy_images import LazyImages
from ..data.participants import participants_of
from ..errors import LeakageError, ParameterError

__all__ = ["FitAudit", "audit_fit"]

_FITS = ("fit", "partial_fit", "fit_transform", "fit_predict", "fit_resample")
_TRANSFORMS = ("transform", "fit_transform")
_PREDICTIONS = ("predict", "predict_proba", "decision_function")
_VALIDATION = ("X_val", "validation_data", "eval_set")
_SYNTHETIC = -1
_MANY_ROWS = 10_000  # from which scikit-learn's "auto" stops early

_MEANINGS = {
    "judged participant seen": "rows of a judged participant were used in the fit",
    "validation row is not real": "it is no row of the data; a sampler made it",
    "validation participant trained on": "early stopping watches known participants",
    "own validation split": "validation rows are cut from resampled rows, or within "
    "participants",
    "own participants predicted": "within the fit, a model predicts participants it "
    "was trained on; a threshold chosen on that would be too good",
    "rows not recognised": "they could not be traced to rows of the data",
}


@dataclass(frozen=True)
class FitAudit:
    """What `audit_fit` saw.

    Parameters
    ----------
    findings : DataFrame
        As `to_frame` returns them.
    folds : DataFrame
        One row for each call that a fit made: ``fold``, ``step`` (class), ``method``,
        ``role`` (``training``, ``validation`` or ``prediction``), ``n_rows``, of which
        ``n_synthetic`` and ``n_unrecognised``, and ``n_participants``.
    """

    findings: pd.DataFrame
    folds: pd.DataFrame

    @property
    def is_leaky(self) -> bool:
        """Whether a fit saw what it must not see."""
        return bool(self.findings["leaks"].any())

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table.

        Returns
        -------
        findings : DataFrame of shape (n_findings, 6)
            ``fold``, ``kind``, ``leaks``, ``step``, ``n_rows`` and ``participants``
            (separated by commas).
        """
        return self.findings.copy()

    def raise_if_leaky(self) -> None:
        """Raise an error that names all that leaks.

        Raises
        ------
        LeakageError
        """
        if self.is_leaky:
            raise LeakageError(f"The fit leaks.\n{self._described(only_leaks=True)}")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types that JSON can hold.

        Returns
        -------
        content : dict
        """
        return {
            "is_leaky": self.is_leaky,
            "findings": self.findings.to_dict("records"),
            "folds": self.folds.to_dict("records"),
        }

    def __str__(self) -> str:
        n_folds = self.folds["fold"].nunique()
        n_steps = self.folds["step"].nunique()
        verdict = "The fit leaks" if self.is_leaky else "No leak found"
        head = f"{verdict}: {n_folds} fits, {n_steps} kinds of steps watched."
        return "\n".join(filter(None, [head, self._described(only_leaks=False)]))

    def _described(self, *, only_leaks: bool) -> str:
        shown = self.findings[self.findings["leaks"]] if only_leaks else self.findings
        lines = []
        for row in shown.to_dict("records"):
            of = f" of {row['participants']}" if row["participants"] else ""
            lines.append(
                f"fold {row['fold']}, {row['step']}: {row['kind']} "
                f"({_MEANINGS[row['kind']]}): {row['n_rows']} rows{of}"
            )
        return "\n".join(lines)


def audit_fit(
    estimator: Any,
    X: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    cv: Any = None,
) -> FitAudit:
    """Fit on each training side, and watch what every step of it is given.

    Parameters
    ----------
    estimator : estimator
        It is cloned, never fitted itself. Its `fit` gets the groups of the training
        rows where it has a parameter of that name.
    X : DataFrame, array-like of paths, ndarray of images or of features
        The rows, as `estimator` takes them.
    y : array-like of shape (n_samples,)
        The classes.
    groups : array-like of shape (n_samples,), default=None
        The participant of each row; by default the column ``participant`` of `X`, or
        else each row counts as one.
    cv : int, splitter or iterable of (train, test), default=None
        What is judged. None: one split of `StratifiedGroupShuffleSplit`, a quarter of
        the rows being judged.

    Returns
    -------
    audit : FitAudit

    Notes
    -----
    For the time of the call the methods of all loaded estimator classes are replaced,
    so do nothing else with estimators in other threads. Steps that joblib runs in other
    processes are not seen: fit with ``n_jobs=1``. Rows that a judged row has the exact
    content of cannot be told from it; `audit_splits` finds those.

    Examples
    --------
    >>> import numpy as np
    >>> from imblearn.over_sampling import SMOTE
    >>> from imblearn.pipeline import make_pipeline
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import StandardScaler
    >>> from glomclf.leakage.splits import audit_fit
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(60, 3)), np.tile([0, 0, 1], 20)
    >>> model = make_pipeline(
    ...     StandardScaler(), SMOTE(random_state=0), LogisticRegression()
    ... )
    >>> print(audit_fit(model, X, y, groups=np.repeat(np.arange(12), 5)))
    No leak found: 1 fits, 5 kinds of steps watched.
    """
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    participants = _participants(X, groups, len(labels))
    findings: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for fold, (train, test) in enumerate(_splits(X, labels, participants, cv)):
        ledger = _Ledger(_row_keys(X) or [])
        model = clone(estimator)
        rows, options = _safe_indexing(X, train), {}
        if "groups" in inspect.signature(model.fit).parameters:
            options["groups"] = participants[train]
        with _watching(ledger, model):
            model.fit(rows, labels[train], **options)
            ledger.in_fit = False
            # how judged rows look after each step, to know them where they were seen
            model.predict(_safe_indexing(X, test))
        _require_a_training(ledger, model)
        verdict = _Verdict(fold, ledger, participants, train, test)
        findings += verdict.findings()
        calls += verdict.calls()
    columns = ["fold", "kind", "leaks", "step", "n_rows", "participants"]
    table = pd.DataFrame(findings, columns=columns).astype({"leaks": bool})
    return FitAudit(table.drop_duplicates(ignore_index=True), pd.DataFrame(calls))


def _require_a_training(ledger: _Ledger, model: Any) -> None:
    if not any(call.role == "training" for call in ledger.calls):
        raise ParameterError(
            f"The fit of {type(model).__name__} cannot be watched: none of its rows "
            "was seen in a method of an estimator. Wrap it in one whose fit is "
            "written in Python and takes X."
        )


def _participants(X: Any, groups: Any, n_samples: int) -> NDArray:
    known = participants_of(X, groups)
    owners = np.arange(n_samples) if known is None else known
    return owners.astype(str).astype(object)


def _splits(X: Any, y: NDArray, participants: NDArray, cv: Any) -> Iterable[Any]:
    from ..data.splitting import StratifiedGroupShuffleSplit

    if cv is None:
        cv = StratifiedGroupShuffleSplit(1, test_size=0.25, random_state=0)
    return split_rows(X, y, participants, cv)


def split_rows(X: Any, y: NDArray, participants: Any, cv: Any) -> list[tuple[Any, Any]]:
    """Take the folds as scikit-learn would, whether or not they need participants."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        return list(check_cv(cv, y, classifier=True).split(X, y, participants))


# What is noted.


@dataclass
class _Call:
    """One call within a fit; rows are named by the hash of their content."""

    step: str
    method: str
    role: str
    keys: list[bytes]
    estimator: int
    trained_on: list[bytes] = field(default_factory=list)
    splits_itself: bool = False


class _Ledger:
    """Where rows come from, known again by their content."""

    def __init__(self, keys: list[bytes]):
        self.sources: dict[bytes, set[int]] = defaultdict(set)
        for row, key in enumerate(keys):
            self.sources[key].add(row)
        self.parents: dict[bytes, set[bytes]] = defaultdict(set)
        self.resampled: set[bytes] = set()
        self.calls: list[_Call] = []
        self.in_fit = True
        self.under_way: set[tuple[int, str]] = set()
        self._trained: dict[int, list[bytes]] = {}
        self._alive: list[Any] = []  # so that no id is given twice

    def note_call(self, estimator: Any, method: str, arguments: dict[str, Any]) -> None:
        """Note what a method is given."""
        self._note_turned(arguments.get("X"))
        keys = _row_keys(arguments.get("X"))
        if not self.in_fit or keys is None or self._is_empty(arguments["X"], keys):
            return
        self._alive.append(estimator)
        about = (type(estimator).__name__, method)
        if method in _PREDICTIONS:
            trained = self._trained.get(id(estimator), [])
            role, known = "prediction", trained if is_classifier(estimator) else []
            self.calls.append(_Call(*about, role, keys, id(estimator), known))
            return
        self._trained[id(estimator)] = keys
        itself = _splits_itself(estimator, len(keys))
        self.calls.append(
            _Call(*about, "training", keys, id(estimator), splits_itself=itself)
        )
        for name in _VALIDATION:
            for watched in _validation_rows(arguments.get(name)):
                self.calls.append(
                    _Call(*about, "validation", watched, id(estimator), keys)
                )

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
        before = _row_keys(given)
        if method == "fit_resample" and before and not self._is_empty(given, before):
            self.resampled.update(_row_keys(result[0]) or [])
        elif method != "fit_resample" and before is not None:
            self._note_turned(given)
            self._note_parents(before, _row_keys(result) or [])

    def _note_turned(self, X: Any) -> None:
        """Note of which images the views are that a source turns as it reads."""
        if isinstance(X, DihedralImages):
            self._note_parents(_row_keys(X.source) or [], _row_keys(X) or [])

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
            return {_SYNTHETIC}
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
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        for pair in value:
            yield from _validation_rows(pair)
    elif (keys := _row_keys(value)) is not None:
        yield keys


def _row_keys(X: Any) -> list[bytes] | None:
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
    if isinstance(row, str | os.PathLike):
        return hashlib.blake2b(os.fspath(row).encode(), digest_size=16).digest()
    values = np.asarray(row)
    if values.dtype == object:
        return hashlib.blake2b(repr(row).encode(), digest_size=16).digest()
    if values.dtype.kind in "biuf":
        with np.errstate(over="ignore"):  # steps may change precision and shape
            values = values.astype(np.float32)
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()


@contextmanager
def _watching(ledger: _Ledger, model: Any) -> Iterator[None]:
    """Have the methods of all loaded estimators noted, and put them back."""
    replaced: list[tuple[type, str, Any]] = []
    names = dict.fromkeys((*_FITS, *_TRANSFORMS, *_PREDICTIONS))
    try:
        for owner in _estimator_classes(model):
            methods: dict[str, Any] = dict(vars(owner))
            for name in names:
                method = methods.get(name)
                if inspect.isfunction(method):
                    replaced.append((owner, name, method))
                    setattr(owner, name, _noted(method, name, ledger))
        yield
    finally:
        for owner, name, method in replaced:
            setattr(owner, name, method)


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


def _noted(method: Callable, name: str, ledger: _Ledger) -> Callable:
    signature = inspect.signature(method)

    @functools.wraps(method)
    def noting(self, *args, **kwargs):
        if (id(self), name) in ledger.under_way:  # a class calls its parent's method
            return method(self, *args, **kwargs)
        try:
            arguments = signature.bind(self, *args, **kwargs).arguments
        except TypeError:  # the method itself says best what it lacks
            return method(self, *args, **kwargs)
        given = {
            **arguments,
            **arguments.get("params", {}),
            **arguments.get("kwargs", {}),
        }
        if name in (*_FITS, *_PREDICTIONS):
            ledger.note_call(self, name, given)
        ledger.under_way.add((id(self), name))
        try:
            result = method(self, *args, **kwargs)
        finally:
            ledger.under_way.discard((id(self), name))
        if name in (*_TRANSFORMS, "fit_resample"):
            ledger.note_result(name, given.get("X"), result)
        return result

    return noting


# What follows from it.


class _Verdict:
    """Judge what was noted of one fit."""

    def __init__(
        self, fold: int, ledger: _Ledger, owner: NDArray, train: NDArray, test: NDArray
    ):
        self.fold = fold
        self.noted = ledger.calls
        self.owner = owner
        self.train = set(np.asarray(train).tolist())
        self.judged = set(owner[test])
        keys = {key for call in ledger.calls for key in (*call.keys, *call.trained_on)}
        self.known = {key: ledger.origins(key) for key in keys}

    def calls(self) -> list[dict[str, Any]]:
        """Count the rows of every call."""
        made = {key for key, rows in self.known.items() if rows == {_SYNTHETIC}}
        return [
            {
                "fold": self.fold,
                "step": call.step,
                "method": call.method,
                "role": call.role,
                "n_rows": len(call.keys),
                "n_synthetic": sum(key in made for key in call.keys),
                "n_unrecognised": sum(not self.known[key] for key in call.keys),
                "n_participants": len(self._surely(call.keys)),
            }
            for call in self.noted
        ]

    def findings(self) -> list[dict[str, Any]]:
        """List all that is wrong."""
        found: list[dict[str, Any]] = []
        for call in self.noted:
            found += self._of_any(call)
            if call.role == "validation":
                found += self._of_validation(call)
            elif call.role == "prediction":
                shared = self._shared(call)
                found += self._one(
                    "own participants predicted", call, shared, leaks=False
                )
        return found

    def _of_any(self, call: _Call) -> list[dict[str, Any]]:
        judged = [key for key in call.keys if self._is_judged(key)]
        found = self._one("judged participant seen", call, judged)
        if not any(self.known[key] for key in call.keys):
            found += self._one("rows not recognised", call, call.keys, leaks=False)
        if call.splits_itself:
            found += self._one("own validation split", call, call.keys)
        return found

    def _of_validation(self, call: _Call) -> list[dict[str, Any]]:
        unreal = [key for key in call.keys if not self.known[key] - {_SYNTHETIC}]
        found = self._one("validation row is not real", call, unreal)
        return found + self._one(
            "validation participant trained on", call, self._shared(call)
        )

    def _is_judged(self, key: bytes) -> bool:
        """Whether a row can only be one of a judged participant."""
        rows = self.known[key] - {_SYNTHETIC}
        of_judged = {self.owner[row] for row in rows} <= self.judged
        return bool(rows) and (not rows & self.train or of_judged)

    def _surely(self, keys: list[bytes]) -> set[str]:
        """Participants of whom rows are there, leaving doubtful rows aside."""
        owners = [self._owners(key) for key in keys]
        return {next(iter(who)) for who in owners if len(who) == 1}

    def _owners(self, key: bytes) -> set[str]:
        return {self.owner[row] for row in self.known[key] - {_SYNTHETIC}}

    def _shared(self, call: _Call) -> list[bytes]:
        trained = self._surely(call.trained_on)
        return [
            key
            for key in call.keys
            if (owners := self._owners(key)) and owners <= trained
        ]

    def _one(
        self, kind: str, call: _Call, keys: list[bytes], *, leaks: bool = True
    ) -> list[dict[str, Any]]:
        if not keys:
            return []
        who = sorted({name for key in keys for name in self._owners(key)})
        values = (self.fold, kind, leaks, call.step, len(keys), ", ".join(who))
        names = ("fold", "kind", "leaks", "step", "n_rows", "participants")
        return [dict(zip(names, values, strict=True))]
