"""Draw whole groups at random so that each class is drawn in proportion.

A draw starts with any groups, as many as the wanted share asks for. Moves and swaps of
groups, chosen at random among those that serve, then bring the shares of the classes
near to the wanted one, and see to it that no class is missing where that can be
avoided.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_SWAP_POOL = 128  # groups a side that one step of the descent looks at
_CLOSE = 0.01  # deviation of the shares (root mean square) that needs no mending
_TOLERANCE = 1e-9


def draw_folds(
    counts: NDArray[np.intp], n_splits: int, rng: np.random.RandomState
) -> NDArray[np.intp]:
    """Deal all groups out into folds, one balanced draw after another.

    Parameters
    ----------
    counts : ndarray of shape (n_groups, n_classes), dtype int
        Rows of each class in each group.

    n_splits : int
        Number of folds, at most `n_groups`.

    rng : RandomState
        Source of chance.

    Returns
    -------
    fold_of : ndarray of shape (n_groups,), dtype int
        The fold of each group, in [0, n_splits).

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.splitting.balanced import draw_folds
    >>> counts = np.array([[9, 1], [9, 1], [4, 6], [4, 6]])
    >>> draw_folds(counts, 2, np.random.RandomState(0))
    array([1, 0, 0, 1])
    """
    fold_of = np.full(len(counts), n_splits - 1)
    left = np.arange(len(counts))
    for fold in range(n_splits - 1):
        n_left = n_splits - fold
        drawn = draw_groups(counts[left], 1 / n_left, rng, least_outside=n_left - 1)
        fold_of[left[drawn]] = fold
        left = left[~drawn]
    return fold_of


def draw_groups(
    counts: NDArray[np.intp],
    fraction: float,
    rng: np.random.RandomState,
    least_outside: int = 1,
) -> NDArray[np.bool_]:
    """Draw groups that hold a fraction of each class, as nearly as they allow.

    Parameters
    ----------
    counts : ndarray of shape (n_groups, n_classes), dtype int
        Rows of each class in each group.

    fraction : float
        Wanted share of the rows of every class, in [0, 1].

    rng : RandomState
        Source of chance.

    least_outside : int, default=1
        How many of the groups not drawn should hold each class.

    Returns
    -------
    drawn : ndarray of shape (n_groups,), dtype bool
        True for the groups drawn. They lack a class, or leave it to fewer groups than
        `least_outside`, only where no single swap mends that.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.splitting.balanced import draw_groups
    >>> counts = np.array([[9, 1], [9, 1], [4, 6], [4, 6]])
    >>> drawn = draw_groups(counts, 0.5, np.random.RandomState(0))
    >>> counts[drawn].sum(axis=0)
    array([13,  7])
    """
    totals = counts.sum(axis=0)
    shares = counts[:, totals > 0] / totals[totals > 0]
    carriers = np.column_stack([counts > 0, np.ones(len(counts))])
    n_carriers = carriers.sum(axis=0)

    def cost(held: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh totals: a missing group, a missing class, then unequal shares."""
        sides, inside = held[..., : shares.shape[1]], held[..., shares.shape[1] :]
        missing = np.maximum(1 - inside, 0)
        missing += np.maximum(least_outside - (n_carriers - inside), 0)
        missing[..., -1] *= len(n_carriers) * (len(counts) + 1)
        # The deviation of the shares, a root mean square, is below one.
        deviation = np.sqrt(np.mean((sides - fraction) ** 2, axis=-1))
        return missing.sum(axis=-1) + deviation

    drawn = np.zeros(len(counts), bool)
    drawn[rng.permutation(len(counts))[: round(fraction * len(counts))]] = True
    return _descend(drawn, np.hstack([shares, carriers]), cost, rng)


def _descend(
    inside: NDArray[np.bool_],
    features: NDArray[np.float64],
    cost: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    rng: np.random.RandomState,
) -> NDArray[np.bool_]:
    """Move or swap groups until the shares are close or nothing brings them nearer.

    It stops at close and does not go on to the best: few draws are best, and always
    ending in one of these would draw the same groups again and again.
    """
    nobody = len(features)  # who makes of a swap a single move
    features = np.vstack([features, np.zeros(features.shape[1])])
    inside = np.append(inside, False)
    while (now := cost(features[inside].sum(axis=0))) > _CLOSE:
        leave, enter = (
            np.append(rng.permutation(np.flatnonzero(side))[:_SWAP_POOL], nobody)
            for side in (inside[:nobody], ~inside[:nobody])
        )
        totals = features[inside].sum(axis=0) - features[leave, None] + features[enter]
        costs = cost(totals)
        if costs.min() > now - _TOLERANCE:
            break
        wanted = np.flatnonzero(costs <= max(costs.min() + _TOLERANCE, _CLOSE))
        i, j = np.unravel_index(rng.choice(wanted), costs.shape)
        inside[leave[i]], inside[enter[j]] = False, True
        inside[nobody] = False
    return inside[:nobody]
