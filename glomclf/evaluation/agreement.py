"""How far several readers agree, and a model with them, with intervals by participant.

Blanks are allowed: a reader need not have seen every patch. `.readings` says how the
scores are computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .estimates import Estimates
from .intervals import Scale, Statistic, draw_replicates, settings_faults
from .participant_numbers import caution_of
from .predictions import FloatArray, group_codes
from .readings import Readings, checked_readers, icc, readers_table

MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class ReaderAgreement(Estimates):
    """How far readers agree, as `reader_agreement` returns it.

    `scores`, `interval`, `to_frame`, `to_dict`, `notes` and `caution` are those of
    `glomclf.evaluation.estimates.Estimates`.

    Parameters
    ----------
    counts : dict of str to (int, int)
        For each reader, and the model: how many patches were read, and how many of
        them called 1.

    n_samples : int
        Patches that at least two readers have read.

    n_participants : int or None
        None where participants are not known.
    """

    counts: dict[str, tuple[int, int]]
    n_samples: int
    n_participants: int | None

    @property
    def has_model(self) -> bool:
        """Whether a model stands beside the readers."""
        return MODEL in self.counts

    def _heading(self) -> str:
        units = "unknown" if self.n_participants is None else self.n_participants
        told = ", ".join(f"{name} {n}" for name, (n, _) in self.counts.items())
        return (
            f"{self.n_samples} patches with two readings or more, participants: "
            f"{units}\nread by {told}"
        )


def reader_agreement(
    readers: pd.DataFrame | Mapping[str, ArrayLike] | ArrayLike,
    *,
    groups: ArrayLike | None = None,
    model: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = 0,
) -> ReaderAgreement:
    """Tell how far readers agree, and a model with them.

    Parameters
    ----------
    readers : DataFrame, mapping or array-like of shape (n_samples, n_readers)
        One column a reader, at least two: 0, 1, or NaN where a patch was not read.

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None: rows count as independent, and nothing is
        said of percentages.

    model : array-like of shape (n_samples,), default=None
        What a model calls each patch, 0 or 1, to be compared with each reader.

    n_bootstrap : int, default=1000
        Number of bootstrap replicates, at least 100.

    confidence : float, default=0.95
        Of the intervals, in (0, 1).

    random_state : int, RandomState instance or None, default=0
        An int gives the same intervals on every call.

    Returns
    -------
    agreement : ReaderAgreement
        Its `scores`: ``percent_agreement``, in [0, 1], ``fleiss_kappa`` and
        ``gwet_ac1`` of all readers; ``mean_kappa``, the mean of Cohen's kappa over
        pairs of readers; ``icc`` of the percentage of sclerotic glomeruli, ICC(A,1);
        ``kappa A / B`` for each two. With a model further ``model_mean_kappa``, the
        mean over readers of its kappa with them, and ``model_difference``, that less
        ``mean_kappa``: 0 or more, and it agrees with readers as they do among
        themselves.

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Notes
    -----
    A kappa is undefined, NaN, where both call every patch the same. `.intervals` says
    how intervals are made. Readers are taken as given: intervals are about other
    participants, not about other readers.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation import reader_agreement
    >>> rng = np.random.RandomState(0)
    >>> truth, participants = rng.binomial(1, 0.3, 300), np.repeat(np.arange(30), 10)
    >>> one, other = (np.abs(truth - rng.binomial(1, 0.1, 300)) for _ in range(2))
    >>> agreement = reader_agreement({"A": one, "B": other}, groups=participants)
    >>> round(agreement.scores["mean_kappa"], 3)
    0.564
    >>> np.round(agreement.interval("mean_kappa"), 2)
    array([0.45, 0.66])
    """
    table = readers_table(readers)
    faults = settings_faults(n_bootstrap, confidence)
    codes = np.arange(len(table))
    if groups is not None:
        codes = group_codes(groups, len(table), faults)
    if model is not None:
        faults += _model_faults(table, np.asarray(model))
    table = checked_readers(table, faults)
    readings = Readings(table.to_numpy(), codes)
    replicates = draw_replicates(readings.strata, n_bootstrap, confidence, random_state)
    if model is not None:
        table[MODEL] = np.asarray(model, dtype=np.float64)
    known = groups is not None
    statistics = _statistics(readings, table, replicates.weights, known=known)
    estimates = vars(replicates.estimates(statistics))
    compared = {"what two have read": readings.n_compared}
    return ReaderAgreement(
        **estimates | {"caution": caution_of(compared, known=known)},
        counts={
            str(name): (int(column.count()), int(column.sum()))
            for name, column in table.items()
        },
        n_samples=int(readings.n_compared.sum()),
        n_participants=len(readings.n_compared) if known else None,
    )


def _statistics(
    readings: Readings, table: pd.DataFrame, weights: NDArray[Any], *, known: bool
) -> dict[str, Statistic]:
    """Compute all scores under each row of weights; `table` has the model, too."""
    weights = weights.astype(np.float64)
    every = replace(readings, labels=table.to_numpy())
    names, n_readers = list(map(str, table)), readings.labels.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = {
            (a, b): _kappa(every.cohen(weights, a, b))
            for a, b in combinations(range(len(names)), 2)
        }
        found = {name: _kappa(v) for name, v in readings.together(weights).items()}
        alike = icc(readings.percentages(), weights) if known else None
    found["percent_agreement"] = replace(
        found["percent_agreement"], scale=Scale(0, 1), sizes=readings.n_compared
    )
    among = [one.values for (_, b), one in pairs.items() if b < n_readers]
    found["mean_kappa"] = _kappa(np.mean(among, axis=0))
    if alike is not None:
        why = "percentages of fewer than two biopsies differ"
        found["icc"] = replace(_kappa(alike), undefined=why)
    if len(names) > n_readers:
        beside = [one.values for (_, b), one in pairs.items() if b == n_readers]
        found["model_mean_kappa"] = _kappa(np.mean(beside, axis=0))
        found["model_difference"] = found["model_mean_kappa"] - found["mean_kappa"]
    of_two = {f"kappa {names[a]} / {names[b]}": one for (a, b), one in pairs.items()}
    return found | of_two


def _kappa(values: FloatArray) -> Statistic:
    why = "no patch was read by both, or all are called alike"
    return Statistic(values, Scale(-1, 1), undefined=why)


def _model_faults(table: pd.DataFrame, calls: NDArray[Any]) -> list[str]:
    faults = []
    if MODEL in table:
        faults.append(f"a reader is called {MODEL!r}, as the model is; rename it")
    if calls.shape != (len(table),) or not np.isin(calls, (0, 1)).all():
        faults.append(f"model must hold 0 or 1 for each of the {len(table)} rows")
    return faults
