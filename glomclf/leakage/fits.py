"""Does a fit leak: each training side is fitted, and what every step is given is noted.

`.noted_calls` notes the calls, `.fit_findings` judges them.
"""

from __future__ import annotations

import inspect
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
from .audit import Audit
from .fit_findings import COLUMNS, MEANINGS, Verdict
from .noted_calls import Ledger, calls_noted, row_keys
from .splits import split_rows

__all__ = ["FitAudit", "audit_fit"]


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
    lines = []
    for row in findings.to_dict("records"):
        of = f" of {row['participants']}" if row["participants"] else ""
        lines.append(
            f"fold {row['fold']}, {row['step']}: {row['kind']} "
            f"({MEANINGS[row['kind']]}): {counted(row['n_rows'], 'row')}{of}"
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
        verdict = Verdict(ledger, owners, train, test)
        findings += [{"fold": fold, **one} for one in verdict.findings()]
        calls += [{"fold": fold, **one} for one in verdict.calls()]
    table = pd.DataFrame(findings, columns=COLUMNS).astype({"leaks": bool})
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
