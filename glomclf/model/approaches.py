"""Three ways to balance and split, as a published pipeline was built in them.

They differ in when they balance the classes and how; all split by patch. Two of them
are here once more, split by participant. `.approach_comparison` measures what each
one's scores are worth.

Approach 1 resamples before it splits. That is a leak, and it is built in this file
only, to be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import pairwise_distances_argmin
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state

from ..data.loader import ImageLoader
from ..data.splitting import RepeatedStratifiedGroupKFold, StratifiedGroupShuffleSplit
from ..samplers import make_sampler
from .classifier import GlomeruliClassifier
from .validation import share_set_aside

__all__ = [
    "APPROACHES",
    "TEST_SIZE",
    "Approach",
    "Fold",
    "Rows",
    "draw_folds",
    "load_rows",
    "run_approach",
    "split_rows",
    "try_splits",
]

TEST_SIZE = 0.15
"""Share of its rows that each approach splits off as its test set."""

_THUMBNAIL = 28  # pixels a side that are enough to tell whose mixture an image is


@dataclass(frozen=True)
class Approach:
    """One way to balance and to split.

    Parameters
    ----------
    name : str
        Short, such as ``"2 by participant"``.
    title : str
        What is done, in order.
    sampler : str
        As for :func:`glomclf.samplers.make_sampler`.
    resamples_first : bool, default=False
        Whether the sampler runs on all rows, before the test set is split off: a leak.
    by_participant : bool, default=False
        Whether test and validation sets are made of whole participants.
    """

    name: str
    title: str
    sampler: str
    resamples_first: bool = False
    by_participant: bool = False


APPROACHES = (
    Approach(
        "1", "1: resample, then split (leaks)", "smote+augment", resamples_first=True
    ),
    Approach("2", "2: split by patch, then SMOTE and augmentation", "smote+augment"),
    Approach(
        "3",
        "3: split by patch, then undersampling and augmentation",
        "undersample+augment",
    ),
    Approach(
        "2 by participant",
        "2 by participant: split, then SMOTE and augmentation",
        "smote+augment",
        by_participant=True,
    ),
    Approach(
        "3 by participant",
        "3 by participant: split, then undersampling and augmentation",
        "undersample+augment",
        by_participant=True,
    ),
)
"""The published approaches, and two of them by participant."""


class Rows(NamedTuple):
    """Patches, real or made.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3), uint8
    labels, participants : ndarray of shape (n_samples,)
    origins : ndarray of shape (n_samples,), int
        The row of X that each is, or was made from.
    synthetic : ndarray of shape (n_samples,), bool
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.intp]
    participants: NDArray[np.str_]
    origins: NDArray[np.intp]
    synthetic: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """Return some of the rows."""
        taken: Any = [column[rows] for column in self]
        return Rows(*taken)


class Fold(NamedTuple):
    """Rows of X that an approach may use, those it never touches, and its seed."""

    number: int
    rest: NDArray[np.intp]
    untouched: NDArray[np.intp]
    seed: int


def load_rows(
    X: Any,
    labels: NDArray[np.intp],
    participants: NDArray[np.str_],
    estimator: GlomeruliClassifier,
) -> Rows:
    """Read all images, once for all approaches."""
    loader = ImageLoader(
        estimator.image_size,
        resize=estimator.resize,
        n_jobs=estimator.n_jobs,
        cache_dir=estimator.cache_dir,
    )
    images = loader.fit(X).transform(X)
    synthetic = np.zeros(len(labels), dtype=bool)
    return Rows(images, labels, participants, np.arange(len(labels)), synthetic)


def draw_folds(
    labels: NDArray[np.intp],
    participants: NDArray[np.str_],
    n_folds: int,
    random_state: int | np.random.RandomState | None,
) -> list[Fold]:
    """Deal participants into folds, each of them untouched once."""
    rng = check_random_state(random_state)
    splitter = RepeatedStratifiedGroupKFold(n_folds, 1, random_state=rng)
    sides = list(splitter.split(labels, labels, participants))
    seeds = rng.randint(2**31 - 1, size=n_folds).tolist()
    return [
        Fold(number, rest, untouched, seeds[number])
        for number, (rest, untouched) in enumerate(sides)
    ]


def try_splits(
    labels: NDArray[np.intp],
    participants: NDArray[np.str_],
    folds: Sequence[Fold],
    estimator: GlomeruliClassifier,
) -> None:
    """See before hours of training that each fold can be split by participant."""
    sizes = [TEST_SIZE, share_set_aside(estimator)]
    for fold in folds:
        rows = fold.rest
        for size in filter(None, sizes):
            train, _ = split_rows(labels[rows], participants[rows], size, fold.seed)
            rows = rows[train]


def run_approach(
    approach: Approach, estimator: GlomeruliClassifier, everything: Rows, fold: Fold
) -> pd.DataFrame:
    """Run an approach on all but the untouched, then judge its test set and them.

    Parameters
    ----------
    approach : Approach
    estimator : GlomeruliClassifier
        Not fitted itself.
    everything : Rows
    fold : Fold

    Returns
    -------
    table : DataFrame
        One row for each patch judged, as in `ApproachComparison.predictions`.
    """
    rest = everything.take(fold.rest)
    model = clone(estimator).set_params(
        sampler=approach.sampler, random_state=fold.seed, verbose=0
    )
    if approach.resamples_first:
        rest = _resample_before_the_split(rest, approach.sampler, fold.seed)
        model.set_params(sampler=None)
    known = rest.participants if approach.by_participant else None
    sides = split_rows(rest.labels, known, TEST_SIZE, fold.seed)
    train, test = (rest.take(rows) for rows in sides)
    # Without groups, the classifier sets validation rows aside by patch as well.
    groups = train.participants if approach.by_participant else None
    model.fit(train.images, train.labels, groups=groups)
    judged = {"reported": test, "untouched": everything.take(fold.untouched)}
    tables = [_predicted(model, part, rows, train) for part, rows in judged.items()]
    table = pd.concat(tables)
    table.insert(0, "approach", approach.name)
    table.insert(1, "fold", fold.number)
    return table


def _predicted(
    model: GlomeruliClassifier, part: str, rows: Rows, train: Rows
) -> pd.DataFrame:
    """Put predictions beside what the model knew of each row."""
    return pd.DataFrame(
        {
            "part": part,
            "row": rows.origins,
            "participant": rows.participants,
            "label": rows.labels,
            "probability": model.predict_proba(rows.images)[:, 1],
            "threshold": model.threshold_,
            "synthetic": rows.synthetic,
            "source_trained_on": np.isin(rows.origins, train.origins),
            "participant_trained_on": np.isin(rows.participants, train.participants),
        }
    )


def _resample_before_the_split(rows: Rows, sampler: str, seed: int) -> Rows:
    """Resample all rows, those to be tested included: the leak of approach 1.

    Only for `run_approach`, which measures what comes of it.
    """
    images, labels = rows.images, rows.labels
    parents, synthetic = np.arange(len(labels)), np.zeros(len(labels), dtype=bool)
    chain = make_sampler(sampler)
    for place, step in enumerate(getattr(chain, "samplers", [chain])):
        one = make_sampler(step, random_state=(seed + place) % 2**32)
        new_images, new_labels = one.fit_resample(images, labels)
        of_step = _parents(one, images, labels, new_images, new_labels)
        parents = parents[of_step]
        synthetic = synthetic[of_step] | (one.source_indices_ < 0)
        images, labels = new_images, new_labels
    return Rows(
        images, labels, rows.participants[parents], rows.origins[parents], synthetic
    )


def _parents(
    sampler: Any,
    images: NDArray[np.uint8],
    labels: NDArray[np.intp],
    new_images: NDArray[np.uint8],
    new_labels: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Name for each new row the row it is, was transformed from, or mostly mixed of."""
    if hasattr(sampler, "parent_indices_"):
        return sampler.parent_indices_
    parents = sampler.source_indices_.copy()
    # Leaving pixels out is linear, so that a mixture of images stays one.
    step = max(1, images.shape[1] // _THUMBNAIL)
    old, new = (
        rows[:, ::step, ::step].reshape(len(rows), -1) for rows in (images, new_images)
    )
    for label in np.unique(new_labels[parents < 0]):
        made = np.flatnonzero((parents < 0) & (new_labels == label))
        candidates = np.flatnonzero(labels == label)
        nearest = pairwise_distances_argmin(
            new[made].astype(np.float32), old[candidates].astype(np.float32)
        )
        parents[made] = candidates[nearest]
    return parents


def split_rows(
    labels: NDArray[np.intp],
    participants: NDArray[np.str_] | None,
    size: float,
    seed: int,
) -> list[NDArray[np.intp]]:
    """Split a stratified set off: of whole participants, or of rows."""
    options: dict[str, Any] = {"test_size": size, "random_state": seed}
    if participants is None:
        splits = StratifiedShuffleSplit(1, **options).split(labels, labels)
    else:
        grouped = StratifiedGroupShuffleSplit(1, **options)
        splits = grouped.split(labels, labels, participants)
    return list(next(splits))
