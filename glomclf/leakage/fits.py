"""Does a fit leak: each training side is fitted, and what every step is given is noted.

`.noted_calls` notes the calls; here they are judged.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_consistent_length, column_or_1d

from .._runtime import counted
from ..data.participants import participants_of
from ..data.splitting import StratifiedGroupShuffleSplit
from ..errors import ParameterError
from .noted_calls import SYNTHETIC, Call, Ledger, calls_noted, row_keys
from .splits import Audit, split_rows

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
_COLUMNS = ("fold", "kind", "leaks", "step", "n_rows", "participants")
_NO_LEAKS = ("own participants predicted", "rows not recognised")


@dataclass(frozen=True)
class FitAudit(Audit):
    """What `audit_fit` saw.

    Parameters
    ----------
    findings : DataFrame of shape (n_findings, 6)
        ``fold``, ``kind``, ``leaks``, ``step``, ``n_rows`` and ``participants``
        (separated by commas).
    folds : DataFrame
        One row for each call that a fit made: ``fold``, ``step`` (class), ``method``,
        ``role`` (``training``, ``validation`` or ``prediction``), ``n_rows``, of which
        ``n_synthetic`` and ``n_unrecognised``, and ``n_participants``.
    """

    def __str__(self) -> str:
        n_folds = self.folds["fold"].nunique()
        n_steps = self.folds["step"].nunique()
        verdict = "The fit leaks" if self.is_leaky else "No leak found"
        head = f"{verdict}: {n_folds} fits, {n_steps} kinds of steps watched."
        return "\n".join(filter(None, [head, _described(self.findings)]))

    def _complaint(self, leaks: pd.DataFrame) -> str:
        return f"The fit leaks.\n{_described(leaks)}"


def _described(findings: pd.DataFrame) -> str:
    return "\n".join(
        f"fold {one['fold']}, {one['step']}: {one['kind']} ({_MEANINGS[one['kind']]}): "
        f"{counted(one['n_rows'], 'row')}{' of ' if one['participants'] else ''}"
        f"{one['participants']}"
        for one in findings.to_dict("records")
    )


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
    >>> from glomclf.leakage import audit_fit
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
    known = participants_of(X, groups)
    owners = np.arange(len(labels)) if known is None else known
    owners = owners.astype(str).astype(object)
    if cv is None:
        cv = StratifiedGroupShuffleSplit(1, test_size=0.25, random_state=0)
    findings: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for fold, (train, test) in enumerate(split_rows(X, labels, owners, cv)):
        ledger = _watched(clone(estimator), X, labels, owners, train, test)
        verdict = _Verdict(ledger, owners, train, test)
        findings += [{"fold": fold, **one} for one in verdict.findings()]
        calls += [{"fold": fold, **one} for one in verdict.calls()]
    table = pd.DataFrame(findings, columns=_COLUMNS).astype({"leaks": bool})
    return FitAudit(table.drop_duplicates(ignore_index=True), pd.DataFrame(calls))


def _watched(
    model: Any, X: Any, y: NDArray, owners: NDArray, train: NDArray, test: NDArray
) -> Ledger:
    """Fit a model on the training side, and note what its steps are given."""
    ledger = Ledger(row_keys(X) or [])
    takes_groups = "groups" in inspect.signature(model.fit).parameters
    options = {"groups": owners[train]} if takes_groups else {}
    rows = _safe_indexing(X, train)
    with calls_noted(ledger, model):
        model.fit(rows, y[train], **options)
        ledger.in_fit = False
        # how judged rows look after each step, to know them where they were seen
        model.predict(_safe_indexing(X, test))
    if not any(call.role == "training" for call in ledger.calls):
        raise ParameterError(
            f"The fit of {type(model).__name__} cannot be watched: none of its rows "
            "was seen in a method of an estimator. Wrap it in one whose fit is "
            "written in Python and takes X."
        )
    return ledger


class _Verdict:
    """Judge what was noted of one fit."""

    def __init__(self, ledger: Ledger, owner: NDArray, train: NDArray, test: NDArray):
        self.noted = ledger.calls
        self.owner = owner
        self.train = set(np.asarray(train).tolist())
        self.judged = set(owner[test])
        keys = {key for call in ledger.calls for key in (*call.keys, *call.trained_on)}
        self.origins = {key: ledger.origins(key) for key in keys}
        self.rows = {key: rows - {SYNTHETIC} for key, rows in self.origins.items()}

    def calls(self) -> list[dict[str, Any]]:
        """Count the rows of every call."""
        return [
            {
                "step": call.step,
                "method": call.method,
                "role": call.role,
                "n_rows": len(call.keys),
                "n_synthetic": sum(self.origins[k] == {SYNTHETIC} for k in call.keys),
                "n_unrecognised": sum(not self.origins[key] for key in call.keys),
                "n_participants": len(self._surely(call.keys)),
            }
            for call in self.noted
        ]

    def findings(self) -> list[dict[str, Any]]:
        """List all that is wrong."""
        found = []
        for call in self.noted:
            for kind, keys in self._faults(call):
                who = ", ".join(sorted(set().union(*map(self._owners, keys))))
                about = (kind, kind not in _NO_LEAKS, call.step, len(keys), who)
                found.append(dict(zip(_COLUMNS[1:], about, strict=True)))
        return [one for one in found if one["n_rows"]]

    def _faults(self, call: Call) -> Iterator[tuple[str, list[bytes]]]:
        """Give for each kind of finding the rows of a call that it is true of."""
        yield "judged participant seen", list(filter(self._is_judged, call.keys))
        if not any(map(self.origins.get, call.keys)):
            yield "rows not recognised", call.keys
        if call.splits_itself:
            yield "own validation split", call.keys
        trained = self._surely(call.trained_on)
        who = {key: self._owners(key) for key in call.keys}
        shared = [key for key in call.keys if who[key] and who[key] <= trained]
        if call.role == "validation":
            unreal = [key for key in call.keys if not self.rows[key]]
            yield "validation row is not real", unreal
            yield "validation participant trained on", shared
        elif call.role == "prediction":
            yield "own participants predicted", shared

    def _is_judged(self, key: bytes) -> bool:
        """Whether a row can only be one of a judged participant."""
        rows = self.rows[key]
        of_judged = self._owners(key) <= self.judged
        return bool(rows) and (not rows & self.train or of_judged)

    def _surely(self, keys: Iterable[bytes]) -> set[str]:
        """Participants of whom rows are there, leaving doubtful rows aside."""
        owners = [self._owners(key) for key in keys]
        return set().union(*(who for who in owners if len(who) == 1))

    def _owners(self, key: bytes) -> set[str]:
        return {self.owner[row] for row in self.rows[key]}
