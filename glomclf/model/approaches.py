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
from sklearn.utils import check_random_state

from ..samplers import make_sampler
from .classifier import GlomeruliClassifier
from .folds import splits_of
from .pipeline import make_pipeline
from .validation import share_set_aside, split_off

TEST_SIZE = 0.15
"""Share of its rows that each approach splits off as its test set."""

_COLUMNS = (
    *("approach", "fold", "part", "row", "participant", "label", "probability"),
    *("threshold", "synthetic", "source_trained_on", "participant_trained_on"),
)
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


_SMOTE, _CUT = "smote+augment", "undersample+augment"
APPROACHES = (
    Approach("1", "1: resample, then split (leaks)", _SMOTE, resamples_first=True),
    Approach("2", "2: split by patch, then SMOTE and augmentation", _SMOTE),
    Approach("3", "3: split by patch, then undersampling and augmentation", _CUT),
    Approach(
        "2 by participant",
        "2 by participant: split, then SMOTE and augmentation",
        _SMOTE,
        by_participant=True,
    ),
    Approach(
        "3 by participant",
        "3 by participant: split, then undersampling and augmentation",
        _CUT,
        by_participant=True,
    ),
)
"""The published approaches, and two of them by participant."""


class Patches(NamedTuple):
    """Patches, real or made.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3), uint8
    known : DataFrame
        ``row`` (of X, that each is, or was made from), ``participant``, ``label`` and
        whether it is ``synthetic``.
    """

    images: NDArray[np.uint8]
    known: pd.DataFrame

    def take(self, places: NDArray[np.intp]) -> Patches:
        """Return some of the patches."""
        return Patches(self.images[places], self.known.iloc[places])


class Fold(NamedTuple):
    """Rows of X that an approach may use, those it never touches, and its seed."""

    number: int
    rest: NDArray[np.intp]
    untouched: NDArray[np.intp]
    seed: int


def load_patches(
    X: Any,
    y: NDArray[np.intp],
    groups: NDArray[np.str_],
    estimator: GlomeruliClassifier,
) -> Patches:
    """Read all images, once for all approaches."""
    loader = make_pipeline(estimator, 0, 0)["load"].set_params(lazy=False, verbose=0)
    known = {"row": np.arange(len(y)), "participant": groups, "label": y}
    table = pd.DataFrame(known).assign(synthetic=False)
    return Patches(loader.fit(X).transform(X), table)


def draw_folds(
    y: NDArray[np.intp],
    groups: NDArray[np.str_],
    n_folds: int,
    random_state: int | np.random.RandomState | None,
) -> list[Fold]:
    """Deal participants into folds, each of them untouched once."""
    rng = check_random_state(random_state)
    sides = splits_of(n_folds, y, groups, rng)
    seeds = rng.randint(2**31 - 1, size=n_folds).tolist()
    return [Fold(k, *sides[k], seed) for k, seed in enumerate(seeds)]


def try_splits(
    y: NDArray[np.intp],
    groups: NDArray[np.str_],
    folds: Sequence[Fold],
    estimator: GlomeruliClassifier,
) -> None:
    """See before hours of training that each fold can be split by participant."""
    for _, rows, _, seed in folds:
        for size in filter(None, [TEST_SIZE, share_set_aside(estimator)]):
            train, _ = split_off(y[rows], groups[rows], size, seed)
            rows = rows[train]


def run_approach(
    approach: Approach, estimator: GlomeruliClassifier, everything: Patches, fold: Fold
) -> pd.DataFrame:
    """Run an approach on all but the untouched, then judge its test set and them.

    Parameters
    ----------
    approach : Approach
    estimator : GlomeruliClassifier
        Not fitted itself.
    everything : Patches
    fold : Fold

    Returns
    -------
    table : DataFrame
        One row for each patch judged, as in `ApproachComparison.predictions`.
    """
    rest = everything.take(fold.rest)
    sampler = approach.sampler
    if approach.resamples_first:
        rest = _resample_before_the_split(rest, sampler, fold.seed)
    model = clone(estimator).set_params(
        sampler=None if approach.resamples_first else sampler,
        random_state=fold.seed,
        verbose=0,
    )
    # Without groups, the classifier sets validation rows aside by patch as well.
    label, who = (rest.known[name].to_numpy() for name in ("label", "participant"))
    groups = who if approach.by_participant else None
    places, of_test = split_off(label, groups, TEST_SIZE, fold.seed)
    train, test = rest.take(places), rest.take(of_test)
    owners = None if groups is None else groups[places]
    model.fit(train.images, label[places], groups=owners)
    judged = {"reported": test, "untouched": everything.take(fold.untouched)}
    tables = [
        patches.known.assign(
            approach=approach.name,
            fold=fold.number,
            part=part,
            probability=model.predict_proba(patches.images)[:, 1],
            threshold=model.threshold_,
            **{
                f"{name}_trained_on": patches.known[column].isin(train.known[column])
                for name, column in (("source", "row"), ("participant", "participant"))
            },
        )
        for part, patches in judged.items()
    ]
    return pd.concat(tables)[list(_COLUMNS)]


def _resample_before_the_split(patches: Patches, sampler: str, seed: int) -> Patches:
    """Resample all rows, those to be tested included: the leak of approach 1.

    Only for `run_approach`, which measures what comes of it.
    """
    images, known = patches
    for place, step in enumerate(make_sampler(sampler).samplers):
        one = make_sampler(step, random_state=(seed + place) % 2**32)
        labels = known["label"].to_numpy()
        made, made_labels = one.fit_resample(images, labels)
        known = known.iloc[_parents(one, images, labels, made, made_labels)]
        is_synthetic = known["synthetic"].to_numpy() | (one.source_indices_ < 0)
        images, known = made, known.assign(synthetic=is_synthetic)
    return Patches(images, known)


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
        rows[:, ::step, ::step].reshape(len(rows), -1).astype(np.float32)
        for rows in (images, new_images)
    )
    for label in np.unique(new_labels[parents < 0]):
        made = np.flatnonzero((parents < 0) & (new_labels == label))
        candidates = np.flatnonzero(labels == label)
        nearest = pairwise_distances_argmin(new[made], old[candidates])
        parents[made] = candidates[nearest]
    return parents
