"""Embeddings so alike that their images are copies of each other.

The distance of two rows is 1 less the cosine of the angle between them, each feature
brought to mean 0 and variance 1 before. Among few features two rows agree by chance, so
that the cosine is first brought to what it would be worth among a fixed number of
independent features, as the correlation of two images is (`.duplicates`). Correlated
features count by the participation ratio of their variances [1]_.

References
----------
.. [1] Gao P, Trautmann E, Yu B, et al. A theory of multineuronal dimensionality,
   dynamics and measurement. bioRxiv 2017:214262.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, gen_batches
from sklearn.utils._param_validation import Interval, validate_params

from .duplicates import (
    NEAR_DUPLICATE_DISTANCE,
    equal_pairs,
    pairs_table,
    rows_by_content,
)

# With it the default distance has no two patches of different participants, 99.5 % of
# copies saved as JPEG of quality 95 and 72 % of those of quality 75. With 85 it has two
# pairs of different participants: "Embeddings" in docs/benchmarks/near_duplicates.md.
_INDEPENDENT = 135
_FEWEST = 10  # among fewer, different rows are near by chance
_BLOCK = 1024


@validate_params(
    {
        "embeddings": ["array-like"],
        "max_distance": [Interval(Real, 0, 1, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def find_duplicate_embeddings(
    embeddings: ArrayLike, *, max_distance: float = NEAR_DUPLICATE_DISTANCE
) -> pd.DataFrame:
    """Find pairs of embeddings of one image: copies, and most that were saved again.

    Copies that were turned, made smaller or strongly compressed are mostly not as near,
    and serial sections of one glomerulus neither: those take the images themselves
    (`find_duplicates`). ``docs/benchmarks/near_duplicates.md`` has the shares.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_features)
        As from :func:`glomclf.read_embeddings`.
    max_distance : float in [0, 1], default=NEAR_DUPLICATE_DISTANCE
        Largest distance of a pair; 0 finds equal rows only.

    Returns
    -------
    pairs : DataFrame of shape (n_pairs, 4)
        ``first``, ``second`` (rows, first < second), ``kind`` (``"identical features"``
        or ``"near-duplicate features"``) and ``distance`` in [0, 1], nearest first.

    Notes
    -----
    Where the features are worth fewer than 10 independent ones, equal rows alone are
    found. Time grows with the square of the rows, memory does not.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.leakage import find_duplicate_embeddings
    >>> embeddings = np.random.default_rng(0).normal(size=(40, 64))
    >>> embeddings[7] = embeddings[3]
    >>> embeddings[9] = embeddings[5] + 0.01
    >>> find_duplicate_embeddings(embeddings)[["first", "second", "kind"]]
       first  second                     kind
    0      3       7       identical features
    1      5       9  near-duplicate features
    """
    rows = check_array(embeddings, dtype=np.float32)
    content = (row.tobytes() for row in rows)
    found = equal_pairs(rows_by_content(content), "identical features")
    equal = {(i, j) for i, j, *_ in found}
    if max_distance > 0:
        found += [
            (i, j, "near-duplicate features", distance)
            for i, j, distance in _near_pairs(rows, max_distance)
            if (i, j) not in equal
        ]
    return pairs_table(found)


def _near_pairs(
    rows: NDArray[np.float32], max_distance: float
) -> Iterator[tuple[int, int, float]]:
    """Yield pairs within the distance, block by block."""
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    varies = deviation > 1e-5 * np.abs(mean)  # rounding makes a constant vary
    scaled = (rows - mean)[:, varies] / deviation[varies]
    n_independent = _n_independent(scaled)
    if n_independent < _FEWEST:
        return
    weight = np.sqrt(n_independent / _INDEPENDENT)
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    least = np.tanh(np.arctanh(min(1 - max_distance, 1 - 1e-12)) / weight)
    for left in gen_batches(len(rows), _BLOCK):
        for right in gen_batches(left.stop, _BLOCK):
            near = scaled[right] @ scaled[left].T >= least - 1e-5
            for i, j in np.add(np.argwhere(near), (right.start, left.start)):
                # In float32 a product near 1 has few digits left, a difference has.
                apart = np.square(scaled[i] - scaled[j]).sum(dtype=np.float64) / 2
                fisher = np.arctanh(np.clip(1 - apart, -1, 1 - 1e-12))
                distance = float(1 - np.tanh(fisher * weight))
                if i < j and distance <= max_distance:
                    yield int(i), int(j), distance


def _n_independent(scaled: NDArray[np.float32]) -> float:
    """Return as how many independent features these count.

    The sum of the squared eigenvalues of a covariance is that of its squared entries.
    """
    rows = scaled if scaled.shape[0] < scaled.shape[1] else scaled.T
    products = (rows @ rows.T).astype(np.float64)
    return float(np.trace(products) ** 2 / max((products**2).sum(), 1e-12))
