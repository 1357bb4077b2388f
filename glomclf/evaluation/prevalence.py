"""Probabilities and thresholds at a site where sclerosis is more or less frequent.

`estimate_prevalence` reads the prevalence of a new site from predictions alone;
`adjust_to_prevalence` moves the probabilities there [1]_. Both assume that sclerotic
and other glomeruli look the same at both sites and only their shares differ, and that
the probabilities are calibrated for `train_prevalence`. Neither holds where stain or
scanner change as well.

References
----------
.. [1] Saerens M, Latinne P, Decaestecker C. Adjusting the outputs of a classifier to
   new a priori probabilities: a simple procedure. Neural Computation 2002;14:21-41.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from ..errors import ScoreWarning
from .predictions import check_scores, range_faults

# Where the likelihood of a prevalence is still finite.
_NEAR_0, _NEAR_1 = 1e-9, 1 - 1e-9


def adjust_to_prevalence(
    y_score: ArrayLike, *, train_prevalence: float, prevalence: float
) -> NDArray[np.float64]:
    """Turn probabilities into what they are at another prevalence.

    Parameters
    ----------
    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1], calibrated for `train_prevalence`.

    train_prevalence : float
        Share of class 1, in (0, 1), that the probabilities assume: that of the rows
        trained on, after resampling if they were resampled.

    prevalence : float
        Share of class 1 at the new site, in [0, 1], such as `estimate_prevalence`
        finds. At 0 and 1 all adjusted probabilities are 0 or 1.

    Returns
    -------
    adjusted : ndarray of shape (n_samples,), dtype float64
        Probabilities in [0, 1]: their odds times the ratio of the prevalences' odds,
        after Saerens et al. (2002), equation 2.4.

    Raises
    ------
    ScoreError
        If a probability or a prevalence is out of range.

    Examples
    --------
    >>> from glomclf.evaluation.prevalence import adjust_to_prevalence
    >>> adjust_to_prevalence([0.5, 0.9], train_prevalence=0.5, prevalence=0.1).round(2)
    array([0.1, 0.5])
    """
    faults = range_faults("(0, 1)", train_prevalence=train_prevalence)
    faults += range_faults("[0, 1]", prevalence=prevalence)
    _, scores, _ = check_scores(None, y_score, faults=faults)
    if prevalence in (0, 1):
        return np.full(scores.shape, float(prevalence))
    gain = prevalence / (1 - prevalence) * (1 - train_prevalence) / train_prevalence
    adjusted = gain * scores / (gain * scores + 1 - scores)
    # Rounding may carry a probability of 1 just past it.
    return np.clip(adjusted, 0.0, 1.0, dtype=np.float64)


def estimate_prevalence(y_score: ArrayLike, *, train_prevalence: float) -> float:
    """Estimate the prevalence of a site without labels from the probabilities there.

    Parameters
    ----------
    y_score : array-like of shape (n_samples,)
        Probabilities of class 1 at the new site, in [0, 1], calibrated for
        `train_prevalence`.

    train_prevalence : float
        Share of class 1, in (0, 1), that the probabilities assume.

    Returns
    -------
    prevalence : float
        In [0, 1]. The one that makes the probabilities most likely: where the
        expectation-maximisation of Saerens et al. (2002) comes to rest, found at once
        as the root of the likelihood's slope, which falls steadily.

    Raises
    ------
    ScoreError
        If a probability or the prevalence is out of range.

    Warns
    -----
    ScoreWarning
        If the estimate is 0 or 1, or nothing can be learned because all probabilities
        equal `train_prevalence`.

    Examples
    --------
    >>> from glomclf.evaluation.prevalence import estimate_prevalence
    >>> y_score = [0.9, 0.1, 0.1, 0.1, 0.2, 0.1, 0.3, 0.1]
    >>> round(estimate_prevalence(y_score, train_prevalence=0.5), 2)
    0.04
    """
    faults = range_faults("(0, 1)", train_prevalence=train_prevalence)
    _, scores, _ = check_scores(None, y_score, faults=faults)
    likely_1 = scores / train_prevalence
    likely_0 = (1 - scores) / (1 - train_prevalence)

    def slope(share: float) -> float:
        mixture = share * likely_1 + (1 - share) * likely_0
        return float(np.sum((likely_1 - likely_0) / mixture))

    if np.ptp(scores) == 0 and scores[0] == train_prevalence:
        share, why = train_prevalence, "all probabilities equal the old prevalence"
    elif slope(_NEAR_0) <= 0:
        share, why = 0.0, "the probabilities are lower than any mixture explains"
    elif slope(_NEAR_1) >= 0:
        share, why = 1.0, "the probabilities are higher than any mixture explains"
    else:
        return float(brentq(slope, _NEAR_0, _NEAR_1))
    warnings.warn(
        f"the prevalence is estimated as {share:g} because {why}; check that they are "
        "calibrated for train_prevalence",
        ScoreWarning,
        stacklevel=2,
    )
    return share
