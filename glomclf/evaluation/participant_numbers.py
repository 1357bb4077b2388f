"""How many equal participants unequal ones are worth, and what those can prove."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_PARTICIPANTS = 5  # effective ones; with fewer an interval is not to be trusted


def effective_number(parts: NDArray[np.float64]) -> float:
    """Count the equally important parts that tell as much about their variance.

    Parameters
    ----------
    parts : ndarray of shape (n_parts,)
        What a score owes to each participant, up to a constant: the score without it.

    Returns
    -------
    number : float
        2 n / (kurtosis - 1), at most n: for n normal parts, n; less where few of them
        make most of the variance.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.evaluation.participant_numbers import effective_number
    >>> effective_number(np.array([1.0, -1.0, 1.0, -1.0]))
    4.0
    >>> round(effective_number(np.array([9.0, 0.1, -0.1, 0.2, -0.2, 0.0])), 1)
    3.8
    """
    deviation = parts - parts.mean()
    largest = np.abs(deviation).max()
    if largest == 0:
        return float(len(parts))
    deviation = deviation / largest
    excess = np.mean(deviation**4) / np.mean(deviation**2) ** 2 - 1
    return float(min(len(parts), 2 * len(parts) / max(excess, 1e-12)))


def equal_number(sizes: ArrayLike) -> float:
    """Count the equally large participants that unequal ones are worth.

    Parameters
    ----------
    sizes : array-like of shape (n_participants,)
        Rows of each participant.

    Returns
    -------
    number : float
        Kish's effective sample size, (sum of sizes)^2 / sum of squared sizes; 0 if
        there are no rows (Kish L. Survey Sampling. Wiley, 1965).

    Examples
    --------
    >>> from glomclf.evaluation.participant_numbers import equal_number
    >>> equal_number([10, 10, 10]), round(equal_number([90, 10]), 2)
    (3.0, 1.22)
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    squares = float(np.sum(sizes**2))
    return float(np.sum(sizes) ** 2 / squares) if squares else 0.0


def exact_interval(
    score: float, sizes: ArrayLike, confidence: float
) -> tuple[float, float]:
    """Bound a proportion of 0 or 1, of which resampling cannot tell how unsure it is.

    Parameters
    ----------
    score : {0.0, 1.0}
        The proportion.

    sizes : array-like of shape (n_participants,)
        Rows of each participant that the proportion is about.

    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float
        One end is `score`. At the other, what was seen in as many participants (their
        `equal_number`) has the chance ``(1 - confidence) / 2``: the exact form of the
        rule of three (Hanley JA, Lippman-Hand A. JAMA 1983;249:1743-1745).

    Examples
    --------
    >>> from glomclf.evaluation.participant_numbers import exact_interval
    >>> low, high = exact_interval(1.0, [10] * 20, 0.95)
    >>> round(low, 3), high
    (0.832, 1.0)
    """
    low = float(((1 - confidence) / 2) ** (1 / equal_number(sizes)))
    return (low, 1.0) if score == 1 else (0.0, 1 - low)


def caution_of(sizes: Mapping[str, ArrayLike], *, known: bool) -> str:
    """Say why intervals are not to be trusted; empty if they are.

    Parameters
    ----------
    sizes : mapping of str to array-like of shape (n_participants,)
        Rows of each participant, by what these rows are.

    known : bool
        Whether the participants are known, and not just rows.

    Returns
    -------
    caution : str

    Examples
    --------
    >>> from glomclf.evaluation.participant_numbers import caution_of
    >>> told = caution_of({"class 0": [10] * 9, "class 1": [90, 10]}, known=True)
    >>> told.partition(": ")[2]
    'counted as participants with equally many rows, class 1 has 1.2, and 5 are needed'
    """
    remarks = []
    if not known:
        remarks.append(
            "no participants were given, so that rows count as independent; intervals "
            "are too narrow where several rows come from one participant"
        )
    worth = {what: equal_number(one) for what, one in sizes.items()}
    few = [
        f"{what} has {number:.1f}"
        for what, number in worth.items()
        if 0 < number < MIN_PARTICIPANTS
    ]
    if few:
        remarks.append(
            "too few participants for the intervals to be trusted: counted as "
            f"participants with equally many rows, {' and '.join(few)}, and "
            f"{MIN_PARTICIPANTS} are needed"
        )
    return "; ".join(remarks)
