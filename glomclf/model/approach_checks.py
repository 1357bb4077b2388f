"""What stands against a comparison of approaches, told before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from ..data.participants import participants_of
from ..errors import SplitError
from ..evaluation.intervals import settings_faults
from .approaches import Approach, Fold, split_rows
from .classifier import GlomeruliClassifier
from .validation import share_set_aside

__all__ = ["check_splits", "checked_rows", "setting_faults"]

# Untouched, test, validation and training participants all need each class.
_LEAST_CARRIERS = 4


def checked_rows(
    X: Any, y: ArrayLike, groups: ArrayLike | None, faults: list[str]
) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    """Return labels and participants, or list all that stands against them."""
    labels = np.asarray(y)
    groups = participants_of(X) if groups is None else groups
    faults = [*faults, *_label_faults(_num_samples(X), labels)]
    if groups is None:
        faults.append(
            "the participants are not known: pass groups, one entry a row, or an X "
            "that is a DataFrame with a column 'participant'"
        )
    else:
        faults += _participant_faults(labels, np.asarray(groups, dtype=object))
    if faults:
        raise SplitError("Approaches cannot be compared:\n  " + "\n  ".join(faults))
    return labels.astype(np.intp), np.asarray(groups).astype(str)


def _label_faults(n_samples: int, labels: NDArray[Any]) -> list[str]:
    if labels.shape != (n_samples,):
        return [f"y has shape {labels.shape}, and X has {n_samples} rows"]
    found = pd.unique(pd.Series(labels))
    if np.isin(labels, (0, 1)).all() and len(found) == 2:
        return []
    shown = ", ".join(sorted(map(str, found)))
    return [f"y must hold labels 0 and 1, both; got {shown}"]


def _participant_faults(
    labels: NDArray[Any], participants: NDArray[np.object_]
) -> list[str]:
    if participants.shape != labels.shape:
        return [f"groups has shape {participants.shape}, and y {labels.shape}"]
    if n_unknown := int(pd.isna(participants).sum()):
        return [f"groups lacks the participant of {n_unknown} rows"]
    carriers = pd.Series(participants).groupby(labels).nunique()
    return [
        f"class {label} is found in {n} participants; it takes {_LEAST_CARRIERS} of "
        "each class at least, for untouched, test, validation and training rows"
        for label, n in carriers.items()
        if n < _LEAST_CARRIERS
    ]


def setting_faults(
    estimator: Any,
    approaches: Sequence[Approach],
    n_folds: Any,
    n_repeats: Any,
    test_size: Any,
    n_bootstrap: Any,
) -> list[str]:
    """Say what is wrong with the settings of a comparison."""
    faults = settings_faults(n_bootstrap, 0.95)
    for name, value, least in (("n_folds", n_folds, 2), ("n_repeats", n_repeats, 1)):
        if not isinstance(value, Integral) or value < least:
            faults.append(
                f"{name} must be an integer of at least {least}, got {value!r}"
            )
    if not isinstance(test_size, float) or not 0 < test_size < 1:
        faults.append(f"test_size must be a float in (0, 1), got {test_size!r}")
    names = [one.name for one in approaches]
    if not names or len(set(names)) < len(names):
        faults.append(f"approaches must be some, with names of their own; got {names}")
    if not isinstance(estimator, GlomeruliClassifier):
        faults.append(f"estimator must be a GlomeruliClassifier, got {estimator!r}")
    elif estimator.sampling_space == "features":
        faults.append(
            'estimator has sampling_space="features", but the approaches resample '
            'images; pass sampling_space="pixels"'
        )
    return faults


def check_splits(
    labels: NDArray[np.intp],
    participants: NDArray[np.str_],
    folds: list[Fold],
    test_size: float,
    estimator: GlomeruliClassifier,
) -> None:
    """See before any training that each fold allows to split by participant."""
    sizes = [test_size]
    fraction = share_set_aside(estimator)
    if fraction is not None:
        sizes.append(fraction)
    faults = []
    for number, fold in enumerate(folds):
        rows = fold.rest
        try:
            for size in sizes:
                train, _ = split_rows(labels[rows], participants[rows], size, fold.seed)
                rows = rows[train]
        except SplitError as error:
            faults.append(f"fold {number}: {error}")
    if faults:
        raise SplitError(
            "There are too few participants to split by participant:\n  "
            + "\n  ".join(faults)
        )
