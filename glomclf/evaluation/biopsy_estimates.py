"""The percentage of globally sclerotic glomeruli of new biopsies, and how sure it is.

Two questions are kept apart. What is the percentage of the glomeruli that are *in this
biopsy*? That is unsure because the model errs. What is it in *the kidney* they come
from? That is unsure because few glomeruli were drawn as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from scipy.stats import beta

from .biopsy_calibration import ParticipantCalibration, fit_calibration
from .biopsy_record import OutOfFoldRecord
from .predictions import FloatArray as Floats
from .predictions import check_scores, range_faults

_ADEQUATE = {10: "fewer than 10", 25: "10 to 24"}  # Banff 97; Wang 1998
_BORDERLINE_ODDS = 4.0
_SEED = 0  # of the draws; a biopsy's do not depend on which others are given


@dataclass(frozen=True, kw_only=True)
class BiopsyEstimates:
    """What `summarize_biopsies` found.

    Parameters
    ----------
    table : DataFrame
        One row a biopsy; see `summarize_biopsies`.
    cut_offs : tuple of float
        In percent.
    confidence : float
        Of all intervals.
    threshold : float
        Probability from which a glomerulus is predicted globally sclerotic.
    missing : str
        Why there is no estimate and no interval of the model; empty if there is.
    n_participants : int
        Participants of the record; 0 without one.
    """

    table: pd.DataFrame
    cut_offs: tuple[float, ...]
    confidence: float
    threshold: float
    missing: str
    n_participants: int


def summarize_biopsies(
    probability: ArrayLike,
    groups: ArrayLike,
    record: OutOfFoldRecord | None = None,
    *,
    threshold: float = 0.5,
    cut_offs: Sequence[float] = (20, 50),
    confidence: float = 0.95,
) -> BiopsyEstimates:
    """Estimate the percentage of sclerotic glomeruli of each biopsy, without labels.

    Parameters
    ----------
    probability : array-like of shape (n_samples,)
        Of class 1, in [0, 1], one a glomerulus.

    groups : array-like of shape (n_samples,)
        The participant (biopsy) of each glomerulus.

    record : OutOfFoldRecord, default=None
        What the model said of training participants that it had not seen. None leaves
        the interval of sampling alone.

    threshold : float, default=0.5
        A glomerulus is predicted sclerotic if its probability is at least this.

    cut_offs : sequence of float, default=(20, 50)
        Percentages, in (0, 100).

    confidence : float, default=0.95
        Of the intervals, in (0, 1).

    Returns
    -------
    estimates : BiopsyEstimates
        Its ``table`` has one row a biopsy. All percentages are in [0, 100].

        - ``n_glomeruli``, ``n_predicted`` and ``predicted``: how many there are, how
          many are predicted sclerotic, and that as a percentage;
        - ``estimate``: the percentage expected once the probabilities are read as the
          record teaches;
        - ``biopsy_low``, ``biopsy_high``: interval of the percentage of the glomeruli
          that are in this biopsy. The model alone is unsure;
        - ``kidney_low``, ``kidney_high``: interval of the percentage in the kidney they
          come from. Sampling is unsure as well;
        - ``sampling_low``, ``sampling_high``: the same if every prediction were right;
        - for each cut-off, of either question: ``biopsy_probability_above_20``,
          ``biopsy_verdict_20``, ``kidney_probability_above_20``, ``kidney_verdict_20``.
          The verdict is "above" if the whole interval lies above the cut-off, "below"
          if none of it does, else "uncertain";
        - ``adequacy``: "fewer than 10", "10 to 24" or "25 or more" glomeruli. The Banff
          classification asks for 10 [1]_; a percentage that foretells the outcome
          took 25 [2]_.

        Where ``missing`` says why, what rests on the record is NaN, and verdicts are
        "not known".

    Raises
    ------
    ScoreError
        If an input cannot be used; the message names every fault.

    Notes
    -----
    Labels of the biopsy's glomeruli are drawn from a logistic recalibration whose
    intercept differs from participant to participant
    (:func:`glomclf.evaluation.biopsy_calibration.fit_calibration`). Their number K is
    discrete: an interval holds those k with
    ``P(K < k) + P(K = k) / 2`` between its two tails (mid-p). The kidney's share, given
    K of n, is drawn from Jeffreys' posterior ``Beta(K + 1/2, n - K + 1/2)`` [3]_. The
    interval of sampling is Jeffreys', and reaches 0 or 100 where none or all are
    predicted.

    References
    ----------
    .. [1] Racusen LC, et al. The Banff 97 working classification of renal allograft
       pathology. Kidney International 1999;55:713-723.
    .. [2] Wang HJ, Kjellstrand CM, Cockfield SM, Solez K. On the influence of sample
       size on the prognostic accuracy and reproducibility of renal transplant biopsy.
       Nephrology Dialysis Transplantation 1998;13:165-172.
    .. [3] Brown LD, Cai TT, DasGupta A. Interval estimation for a binomial proportion.
       Statistical Science 2001;16:101-133.

    Examples
    --------
    >>> from glomclf.evaluation import summarize_biopsies
    >>> found = summarize_biopsies([0.1, 0.2, 0.9, 0.1, 0.3], list("aaabb"))
    >>> found.table[["n_glomeruli", "sampling_low", "sampling_high"]].round(1).T
    participant       a     b
    n_glomeruli     3.0   2.0
    sampling_low    3.9   0.0
    sampling_high  82.3  66.7
    >>> found.missing
    'the model keeps no record of people it had not seen'
    """
    faults = range_faults("[0, 1]", threshold=threshold)
    faults += range_faults("(0, 100)", cut_offs=cut_offs)
    faults += range_faults("(0, 1)", confidence=confidence)
    _, scores, codes = check_scores(None, probability, groups, faults=faults)
    names = pd.factorize(np.asarray(groups, dtype=object), sort=True)[1]
    missing = "the model keeps no record of people it had not seen"
    if record is not None:
        missing = record.fault
    reading = None
    if record is not None and not missing:
        rng = np.random.RandomState(_SEED)
        reading = fit_calibration(record, random_state=rng)
    tail = (1 - confidence) / 2
    biopsies = (scores[codes == one] for one in range(len(names)))
    rows = [
        _counted(one, threshold, tail) | _read(one, reading, cut_offs, tail)
        for one in biopsies
    ]
    return BiopsyEstimates(
        table=pd.DataFrame(rows, index=pd.Index(names, name="participant")),
        cut_offs=tuple(cut_offs),
        confidence=confidence,
        threshold=threshold,
        missing=missing,
        n_participants=0 if missing or record is None else record.n_participants,
    )


def is_borderline(probability: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Tell the glomeruli whose probability lies so near the threshold that both fit.

    Parameters
    ----------
    probability : array-like of shape (n_samples,)
        Of class 1, in [0, 1].
    threshold : float
        In [0, 1].

    Returns
    -------
    borderline : ndarray of shape (n_samples,), bool
        Whether its odds are within a factor of 4 of the threshold's: of 0.5, from 0.2
        to 0.8.

    Examples
    --------
    >>> from glomclf.evaluation.biopsy_estimates import is_borderline
    >>> is_borderline([0.1, 0.3, 0.6, 0.9], 0.5)
    array([False,  True,  True, False])
    """
    edge = 1e-9
    odds, cut = (
        logit(np.clip(np.asarray(values, dtype=np.float64), edge, 1 - edge))
        for values in (probability, threshold)
    )
    return np.asarray(np.abs(odds - cut) <= np.log(_BORDERLINE_ODDS))


def _counted(probability: Floats, threshold: float, tail: float) -> dict[str, Any]:
    """Tell what needs no record: counts, and Jeffreys' interval of sampling."""
    n, predicted = len(probability), int((probability >= threshold).sum())
    low, high = beta.ppf([tail, 1 - tail], predicted + 0.5, n - predicted + 0.5)
    fewer = [word for most, word in _ADEQUATE.items() if n < most]
    return {
        "n_glomeruli": n,
        "n_predicted": predicted,
        "predicted": 100 * predicted / n,
        "sampling_low": 100 * low if predicted else 0.0,
        "sampling_high": 100 * high if predicted < n else 100.0,
        "adequacy": [*fewer, "25 or more"][0],
    }


def _read(
    probability: Floats,
    reading: ParticipantCalibration | None,
    cut_offs: Sequence[float],
    tail: float,
) -> dict[str, Any]:
    """Draw the numbers of sclerotic glomeruli, and the kidneys they may be from."""
    n = len(probability)
    if reading is None:
        shares = kidney = np.array([np.nan])
        ends = (np.nan, np.nan)
    else:
        rng = np.random.RandomState(_SEED)
        sclerotic = reading.labels(probability, rng).sum(axis=1)
        ends = _discrete_interval(sclerotic, n, tail)
        kidney = 100 * rng.beta(sclerotic + 0.5, n - sclerotic + 0.5)
        shares = 100 * sclerotic / n
    told: dict[str, Any] = {"estimate": shares.mean()}
    drawn = {
        "biopsy": (shares, ends),
        "kidney": (kidney, np.quantile(kidney, [tail, 1 - tail])),
    }
    for part, (draws, (low, high)) in drawn.items():
        told |= {f"{part}_low": low, f"{part}_high": high}
        for cut_off in cut_offs:
            above = np.where(np.isnan(draws), np.nan, draws > cut_off)
            told[f"{part}_probability_above_{cut_off:g}"] = above.mean()
            told[f"{part}_verdict_{cut_off:g}"] = _verdict(low, high, cut_off)
    return told


def _verdict(low: float, high: float, cut_off: float) -> str:
    if np.isnan(low):
        return "not known"
    if low > cut_off:
        return "above"
    return "uncertain" if cut_off < high else "below"


def _discrete_interval(
    drawn: NDArray[np.intp], n: int, tail: float
) -> tuple[float, float]:
    """Return the percentages of n that no tail holds (mid-p), from least to most."""
    chance = np.bincount(drawn, minlength=n + 1) / len(drawn)
    middle = np.cumsum(chance) - chance / 2
    held = np.flatnonzero((middle >= tail) & (middle <= 1 - tail))
    if not len(held):  # nearly all mass lies on one number
        held = np.array([chance.argmax()])
    return 100 * held[0] / n, 100 * held[-1] / n
