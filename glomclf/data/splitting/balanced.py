"""Draw whole groups at random so that each class is drawn in proportion.

This is the cube method of balanced sampling [1]_ [2]_: every group has the same chance
of being drawn, and the drawn share of a class misses the wanted share by at most half
the number of classes times the largest share of a class that one group holds. Swaps of
groups then bring the shares nearer, and see to it that no class is missing where that
can be avoided.

References
----------
.. [1] Deville J-C, Tillé Y. Efficient balanced sampling: the cube method.
   Biometrika 2004;91:893-912.
.. [2] Chauvet G, Tillé Y. A fast algorithm for balanced sampling.
   Computational Statistics 2006;21:53-62.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

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
    aim = _Aim(fraction, shares.shape[1], carriers.sum(axis=0), least_outside)
    inside = _balanced_draw(shares, fraction, rng)
    return _descend(inside, np.hstack([shares, carriers]), aim, rng)


def _balanced_draw(
    shares: NDArray[np.float64], fraction: float, rng: np.random.RandomState
) -> NDArray[np.bool_]:
    """Draw groups by the cube method, each with the chance `fraction`.

    All chances start at `fraction`, where the expected shares are exact. A few groups
    at a time, they walk in a direction that leaves the expected shares unchanged,
    until one of them is certain (0 or 1) and makes place for the next. At most as many
    as there are classes stay uncertain, and are rounded.
    """
    chance = np.full(len(shares), fraction)
    queue = iter(rng.permutation(len(shares)))
    size = shares.shape[1] + 1
    pool = list(islice(queue, size))
    while len(pool) == size:
        direction = _unmoving_direction(shares[pool])
        chance[pool] = _walk(chance[pool], direction, rng)
        pool = [group for group in pool if 0 < chance[group] < 1]
        pool += islice(queue, size - len(pool))
    return chance > 0.5


def _unmoving_direction(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find weights, not all 0, that the weighted sum of the rows is 0 for.

    There is one more row than columns. Elimination does by hand what a singular value
    decomposition does better: of that the sign, and with it the draw, is not the same
    on every machine.
    """
    left = shares.T.copy()
    pivots: list[int] = []
    for row in range(len(left)):
        rest = np.abs(left[row:])
        if rest.max() < _TOLERANCE:
            break
        lowest, pivot = divmod(int(rest.argmax()), rest.shape[1])
        left[[row, row + lowest]] = left[[row + lowest, row]]
        left[row] /= left[row, pivot]
        others = np.arange(len(left)) != row
        left[others] -= left[others, pivot, None] * left[row]
        pivots.append(pivot)
    free = next(column for column in range(len(shares)) if column not in pivots)
    direction = np.zeros(len(shares))
    direction[free] = 1.0
    direction[pivots] = -left[: len(pivots), free]
    return direction


def _walk(
    chance: NDArray[np.float64],
    direction: NDArray[np.float64],
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """Walk forth or back until a chance is 0 or 1, keeping all chances in the mean."""
    moving = np.abs(direction) > _TOLERANCE
    with np.errstate(divide="ignore", invalid="ignore"):
        to_one, to_zero = (1 - chance) / direction, -chance / direction
    forth = np.where(moving, np.maximum(to_one, to_zero), np.inf).min()
    back = -np.where(moving, np.minimum(to_one, to_zero), -np.inf).max()
    step = forth if rng.uniform() * (forth + back) < back else -back
    chance = chance + step * direction
    chance[chance < _TOLERANCE] = 0
    chance[chance > 1 - _TOLERANCE] = 1
    return chance


@dataclass(frozen=True)
class _Aim:
    """What a draw should hold, and how far totals of groups are from it."""

    fraction: float
    n_shares: int
    n_carriers: NDArray[np.float64]  # (n_classes + 1,): groups a class; all groups
    least_outside: int

    def cost(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh totals: a missing group, a missing class, then unequal shares.

        The deviation of the shares, a root mean square, is below one.
        """
        shares, inside = totals[..., : self.n_shares], totals[..., self.n_shares :]
        outside = self.n_carriers - inside
        missing = np.maximum(1 - inside, 0) + np.maximum(
            self.least_outside - outside, 0
        )
        weights = np.ones(len(self.n_carriers))
        weights[-1] = len(weights) * (self.n_carriers[-1] + 1)
        deviation = np.sqrt(np.mean((shares - self.fraction) ** 2, axis=-1))
        return missing @ weights + deviation


def _descend(
    inside: NDArray[np.bool_],
    features: NDArray[np.float64],
    aim: _Aim,
    rng: np.random.RandomState,
) -> NDArray[np.bool_]:
    """Move or swap groups until the shares are close or nothing brings them nearer.

    It stops at close and does not go on to the best: few draws are best, and always
    ending in one of these would draw the same groups again and again.
    """
    nobody = len(features)
    features = np.vstack([features, np.zeros(features.shape[1])])
    inside = np.append(inside, False)
    while (cost := aim.cost(features[inside].sum(axis=0))) > _CLOSE:
        leave, enter = _pool(inside[:nobody], rng), _pool(~inside[:nobody], rng)
        totals = features[inside].sum(axis=0) - features[leave, None] + features[enter]
        costs = aim.cost(totals)
        if costs.min() > cost - _TOLERANCE:
            break
        wanted = np.flatnonzero(costs <= max(costs.min() + _TOLERANCE, _CLOSE))
        i, j = np.unravel_index(rng.choice(wanted), costs.shape)
        inside[leave[i]], inside[enter[j]] = False, True
        inside[nobody] = False
    return inside[:nobody]


def _pool(mask: NDArray[np.bool_], rng: np.random.RandomState) -> NDArray[np.intp]:
    """Pick some of the groups, and nobody, which makes of a swap a single move."""
    groups = np.flatnonzero(mask)
    return np.append(rng.permutation(groups)[:_SWAP_POOL], len(mask))
