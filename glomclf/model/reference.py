"""How far a new biopsy lies from the participants whom a model was trained on.

A biopsy's distance is the median, over its patches, of the distance to the nearest
patch that was trained on (Sun et al. 2022 [1]_), once in features and once in stain.
Each training participant has such a distance, too: to the others. A biopsy that lies
farther than every one of them is unlike anything that the model was trained on.

References
----------
.. [1] Sun Y, Ming Y, Zhu X, Li Y. Out-of-distribution detection with deep nearest
   neighbors. International Conference on Machine Learning, 2022.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.random_projection import GaussianRandomProjection
from sklearn.utils import _safe_indexing, gen_batches

from ..data.stain import StainNormalizer

Floats = NDArray[np.floating[Any]]

_PER_PARTICIPANT = 20  # patches that are looked at, evenly over what there is
_MOST_PATCHES = 2000
_MOST_DIMENSIONS = 64
_BATCH = 256
_OF_STAIN = StainNormalizer("reinhard")


@dataclass(frozen=True, eq=False)
class Space:
    """Patches that were trained on, as points.

    Parameters
    ----------
    centre, scale : ndarray of shape (n_values,)
        Mean and standard deviation of each value before anything else.
    points : ndarray of shape (n_patches, n_dimensions), float32
        Values brought to mean 0 and deviation 1 and, where they are many, projected at
        random, which keeps distances [Johnson and Lindenstrauss 1984].
    participant : ndarray of shape (n_patches,), int
    """

    centre: Floats
    scale: Floats
    points: Floats
    participant: NDArray[np.intp]

    @classmethod
    def of(cls, values: Floats, participant: NDArray[np.intp]) -> Space:
        """Make the space of some patches; those with a missing value are left out."""
        whole = np.isfinite(values).all(axis=1)
        values, participant = values[whole], participant[whole]
        centre = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
        scale = values.std(axis=0) if len(values) else np.ones(values.shape[1])
        points = _projected(values, centre, scale)
        return cls(centre, scale, points, participant)

    @property
    def n_dimensions(self) -> int:
        """Number of dimensions of a point."""
        return min(len(self.centre), _MOST_DIMENSIONS)

    @cached_property
    def own_distances(self) -> Floats:
        """The distance of each training participant from the others."""
        apart = cdist(self.points, self.points)
        apart[self.participant[:, None] == self.participant] = np.inf
        nearest = pd.Series(apart.min(axis=1, initial=np.inf))
        of_each = nearest.groupby(self.participant).median().to_numpy()
        return of_each[np.isfinite(of_each)]

    def distance(self, values: Floats) -> float:
        """Return the distance of one biopsy; NaN where nothing can be compared."""
        whole = values[np.isfinite(values).all(axis=1)]
        if not len(whole) or not len(self.points):
            return float("nan")
        points = _projected(whole, self.centre, self.scale)
        return float(np.median(cdist(points, self.points).min(axis=1)))


@dataclass(frozen=True, eq=False)
class TrainingReference:
    """What a model file keeps of the training patches, to tell what is unlike them.

    Parameters
    ----------
    spaces : dict of str to Space
        ``"features"`` and, of images, ``"stain"``.
    """

    spaces: dict[str, Space]

    def distances(self, model: Any, X: Any, groups: NDArray[Any]) -> pd.DataFrame:
        """Tell how far biopsies lie from the training participants.

        Parameters
        ----------
        model : GlomeruliClassifier or FoldEnsembleClassifier
            The one that keeps this.
        X : DataFrame, array-like of paths, or ndarray
            As the model takes it.
        groups : ndarray of shape (n_samples,)
            The biopsy of each row.

        Returns
        -------
        DataFrame
            Index ``participant``. For each space ``features_distance``, where 1 is the
            training participant that lies farthest from the others, and
            ``features_nearer``, the number of training participants that lie nearer
            than the biopsy; the same of ``stain``; and ``unlike_training``: whether a
            distance is above 1.
        """
        names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        rows = _some_of_each(codes, most=len(codes))
        values, rows_codes = _values(model, X, rows), codes[rows]
        table = pd.DataFrame(index=pd.Index(names, name="participant"))
        for name, space in self.spaces.items():
            of_each = [values[name][rows_codes == code] for code in range(len(names))]
            found = np.array([space.distance(one) for one in of_each])
            own = space.own_distances
            table[f"{name}_distance"] = found / (own.max() if len(own) else np.nan)
            table[f"{name}_nearer"] = (own < found[:, None]).sum(axis=1)
        far = table[[f"{name}_distance" for name in self.spaces]] > 1
        return table.assign(unlike_training=far.any(axis=1))

    @property
    def n_participants(self) -> int:
        """Number of training participants that are kept."""
        return len(np.unique(self.spaces["features"].participant))


def training_reference(model: Any, X: Any, groups: NDArray[Any]) -> TrainingReference:
    """Keep what tells how far a new biopsy lies from the training participants.

    Parameters
    ----------
    model : GlomeruliClassifier or FoldEnsembleClassifier
        Fitted.
    X : DataFrame, array-like of paths, or ndarray
        The rows that it was fitted on.
    groups : ndarray of shape (n_samples,)
        Their participants; numbers in their place are kept.

    Returns
    -------
    TrainingReference
        Of at most 20 patches a participant and 2,000 in all.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from glomclf import GlomeruliClassifier
    >>> from glomclf.model import training_reference
    >>> rng = np.random.RandomState(0)
    >>> X, y, groups = rng.random_sample((40, 5)), rng.randint(2, size=40), list("abcd")
    >>> model = GlomeruliClassifier(None, network=LogisticRegression()).fit(X, y)
    >>> reference = training_reference(model, X, np.repeat(groups, 10))
    >>> told = reference.distances(model, X[:4] + 3, np.repeat("new", 4))
    >>> told["unlike_training"].to_dict()
    {'new': True}
    """
    codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    rows = _some_of_each(codes, most=_MOST_PATCHES)
    values = _values(model, X, rows).items()
    return TrainingReference({name: Space.of(v, codes[rows]) for name, v in values})


def _some_of_each(codes: NDArray[np.intp], *, most: int) -> NDArray[np.intp]:
    """Take rows evenly of each participant, as many of each as the total allows."""
    n_groups = int(codes.max()) + 1
    each = max(1, min(_PER_PARTICIPANT, most // n_groups))
    taken = []
    for code in range(n_groups):
        rows = np.flatnonzero(codes == code)
        places = np.linspace(0, len(rows) - 1, min(each, len(rows)))
        taken.append(rows[np.unique(places.round().astype(int))])
    return np.concatenate(taken)


def _values(model: Any, X: Any, rows: NDArray[np.intp]) -> dict[str, Floats]:
    """Compute features and stain of some rows, a few at a time.

    An ensemble is told by its first member.
    """
    pipeline = getattr(model, "estimators_", [model])[0].pipeline_
    steps = [step for step in pipeline.steps[:-1] if hasattr(step[1], "transform")]
    found: dict[str, list[Floats]] = defaultdict(list)
    for batch in gen_batches(len(rows), _BATCH):
        part = _safe_indexing(X, rows[batch])
        for name, step in steps:
            part = step.transform(part)
            if name == "load":
                found["stain"].append(_stains(np.asarray(part)))
        found["features"].append(_pooled(np.asarray(part)))
    return {name: np.concatenate(parts) for name, parts in sorted(found.items())}


def _stains(images: NDArray[np.uint8]) -> Floats:
    """Measure the stain of each image; NaN where there is too little tissue."""
    measured = [_OF_STAIN._measure(image) for image in images]
    none = np.full(6, np.nan)
    return np.array([none if one is None else one.ravel() for one in measured])


def _pooled(features: NDArray[Any]) -> Floats:
    """Average over places in the image: of maps of features, or of colours."""
    places = tuple(range(1, features.ndim - 1))
    return features.mean(axis=places, dtype=np.float64)


def _projected(values: Floats, centre: Floats, scale: Floats) -> Floats:
    standard = (values - centre) / np.where(scale > 0, scale, 1)
    if standard.shape[1] > _MOST_DIMENSIONS:
        standard = GaussianRandomProjection(
            _MOST_DIMENSIONS, random_state=0
        ).fit_transform(standard)
    return standard.astype(np.float32)
