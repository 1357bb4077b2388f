"""Which glomeruli to leave to a person, so that few sclerotic ones are missed.

Glomeruli below a lower threshold are answered "not sclerotic", those from the model's
threshold upwards "sclerotic", and those between are left to a person. The lower one is
chosen on participants that the model had not seen, so that a promise holds for others.

The promise needs participants that are exchangeable, not patches: those of one person
are alike, and a hundred of them may be one mistake. So each participant is one
observation, whose loss is the share of missed ones among its answered sclerotic
glomeruli [1]_. The mean of such losses is tested as in *Learn then Test*, with the
p-value of Hoeffding and Bentkus [2]_, or its expectation is bounded as in conformal
risk control [3]_. Both rest on no model of how people differ.

References
----------
.. [1] Dunn R, Wasserman L, Ramdas A. Distribution-free prediction sets for two-layer
   hierarchical models. Journal of the American Statistical Association
   2023;118:2491-2502.
.. [2] Angelopoulos AN, Bates S, Candes EJ, Jordan MI, Lei L. Learn then test:
   calibrating predictive algorithms to achieve risk control. Annals of Applied
   Statistics 2025;19:1641-1662.
.. [3] Angelopoulos AN, Bates S, Fisch A, Lei L, Schuster T. Conformal risk control.
   International Conference on Learning Representations, 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr
from scipy.stats import binom

from ..errors import ScoreError
from .biopsy_record import OutOfFoldRecord
from .predictions import FloatArray as Floats
from .predictions import range_faults


@dataclass(frozen=True, kw_only=True)
class Abstention:
    """Two thresholds, what they promise, and what they cost.

    Parameters
    ----------
    low, high : float
        In [0, 1]. Probabilities below `low` are answered "not sclerotic", those from
        `high` upwards "sclerotic".
    max_miss : float
        The share of sclerotic glomeruli that may be missed among those answered: the
        mean over new participants who have any.
    confidence : float or None
        With which the promise holds. None: it holds on average over records.
    n_participants : int
        Participants of the record with sclerotic glomeruli.
    share_left : float
        Share of the record's glomeruli that would be left to a person.
    """

    low: float
    high: float
    max_miss: float
    confidence: float | None
    n_participants: int
    share_left: float

    def is_left(self, y_score: ArrayLike) -> NDArray[np.bool_]:
        """Tell which glomeruli are left to a person.

        Parameters
        ----------
        y_score : array-like of shape (n_samples,)
            Of class 1, in [0, 1].

        Returns
        -------
        ndarray of shape (n_samples,), bool
        """
        scores = np.asarray(y_score, dtype=np.float64)
        return (self.low <= scores) & (scores < self.high)


def choose_abstention(
    record: OutOfFoldRecord,
    *,
    threshold: float = 0.5,
    max_miss: float = 0.05,
    confidence: float | None = 0.95,
) -> Abstention:
    """Choose which glomeruli are left to a person, with a promise of what is missed.

    Parameters
    ----------
    record : OutOfFoldRecord
        What the model said of participants that it had not seen.
    threshold : float, default=0.5
        Probability from which a glomerulus is answered "sclerotic".
    max_miss : float, default=0.05
        In (0, 1). Of the sclerotic glomeruli of a new participant that are answered, at
        most this share is answered "not sclerotic": the mean over participants who have
        any.
    confidence : float or None, default=0.95
        In (0, 1). The promise holds for so many of all records that might have been
        drawn. None: it holds on average over records, which takes fewer participants.

    Returns
    -------
    Abstention
        With the highest lower threshold that can be promised.

    Raises
    ------
    ScoreError
        If an input cannot be used, or so little cannot be promised by so few
        participants even where nothing is missed.

    Notes
    -----
    New participants must be exchangeable with those of the record. Those of another
    site are not: recalibrate there, and its participants make the record. The record is
    of models of the same settings that were trained on fewer participants, which are
    slightly worse than the model itself.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation import OutOfFoldRecord, choose_abstention
    >>> rng = np.random.default_rng(0)
    >>> y_score, groups = rng.random(2000), np.repeat(np.arange(100), 20)
    >>> y_true = rng.random(2000) < y_score
    >>> record = OutOfFoldRecord.from_predictions(y_true, y_score, groups)
    >>> found = choose_abstention(record)
    >>> round(found.low, 2), found.high
    (0.07, 0.5)
    """
    given = {} if confidence is None else {"confidence": confidence}
    faults = range_faults("[0, 1]", threshold=threshold)
    if faults := faults + range_faults("(0, 1)", max_miss=max_miss, **given):
        raise ScoreError("\n".join(faults))
    n_participants = len(np.unique(record.participant[record.label == 1]))
    _refuse_too_few(n_participants, max_miss, confidence)
    is_missable = (record.label == 1) & (record.probability < threshold)
    losses = _losses(record, is_missable) / n_participants
    if confidence is None:
        may = (n_participants * losses + 1) / (n_participants + 1) <= max_miss
    else:
        may = _p_value(losses, n_participants, max_miss) <= 1 - confidence
    n_missed = max(int(may.sum()) - 1, 0)  # losses rise; at first none is missed
    below = np.sort(record.probability[is_missable])
    low = float(below[n_missed]) if n_missed < len(below) else threshold
    left = (low <= record.probability) & (record.probability < threshold)
    return Abstention(
        low=low,
        high=threshold,
        max_miss=max_miss,
        confidence=confidence,
        n_participants=n_participants,
        share_left=float(left.mean()),
    )


def _least_miss(n: int, confidence: float | None) -> float:
    """Return the least share of misses that so many participants can promise."""
    if confidence is None or not n:
        return 1 / (n + 1)
    return 1 - (1 - confidence) ** (1 / n)


def _refuse_too_few(n: int, max_miss: float, confidence: float | None) -> None:
    """Refuse a promise that so many participants cannot keep; say which they can."""
    if max_miss >= _least_miss(n, confidence):
        return
    in_both_ways = (_least_miss(n, one) for one in (confidence, None))
    least, on_average = (f"{np.ceil(1000 * one) / 1000:.3f}" for one in in_both_ways)
    raise ScoreError(
        f"a miss rate of at most {max_miss:g} cannot be promised: the record has {n} "
        f"participants with sclerotic glomeruli, which can promise {least} at least, "
        f"or {on_average} on average (in Python: confidence=None). Allow more, or take "
        "a model with more participants."
    )


def _losses(record: OutOfFoldRecord, is_missable: NDArray[np.bool_]) -> Floats:
    """Return the summed loss if none, one, two, ... of the missable ones are missed.

    They are missed in the order of their probability. Of a participant with `found`
    above the threshold, the loss of k misses is k / (k + found).
    """
    rows = np.flatnonzero(is_missable)
    rows = rows[np.argsort(record.probability[rows], kind="stable")]
    n_ones, n_missable = (
        np.bincount(record.participant, which) for which in (record.label, is_missable)
    )
    owners = pd.Series(record.participant[rows])
    found = (n_ones - n_missable)[owners]
    k = owners.groupby(owners).cumcount().to_numpy() + 1
    steps = k / (k + found) - (k - 1) / np.maximum(k - 1 + found, 1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _p_value(losses: Floats, n: int, max_miss: float) -> Floats:
    """Test that the expected loss is larger than allowed (Hoeffding and Bentkus)."""
    seen = np.minimum(losses, max_miss)
    apart = rel_entr(seen, max_miss) + rel_entr(1 - seen, 1 - max_miss)
    # Rounding must not carry 7.0000001 to 8.
    tail = binom.cdf(np.ceil(n * losses - 1e-9), n, max_miss)
    return np.asarray(np.minimum(np.exp(-n * apart), np.e * tail))
