"""Pooled predictions of a method on a split, their scores, and differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .patches import Patches
from .results import Results, Unit

# Title of the column: name of the score in `glomclf.evaluation`, and its sign.
COLUMNS = {
    "ROC AUC": ("roc_auc", 1),
    "average precision": ("average_precision", 1),
    "F1": ("f1", 1),
    "recall": ("recall", 1),
    "precision": ("precision", 1),
    "balanced accuracy": ("balanced_accuracy", 1),
    "Brier score": ("neg_brier_score", -1),
    "calibration slope": ("calibration_slope", 1),
    "calibration intercept": ("calibration_intercept", 1),
    "calibration error": ("expected_calibration_error", 1),
}

# One more column: F1 where each fold takes the threshold that the other folds choose.
CROSS_FITTED = "F1, cross-fitted"


class Pooled(NamedTuple):
    """Rows by the folds that left them out, their probabilities and thresholds.

    Methods of the same folds have the same rows in the same order.
    """

    rows: NDArray[np.intp]
    probability: NDArray[np.float64]
    threshold: NDArray[np.float64]
    fold: NDArray[np.str_]


class Scored(NamedTuple):
    """A method on some folds, at thresholds of its own and at cross-fitted ones."""

    own: Pooled
    crossed: Pooled
    scores: Any
    crossed_scores: Any


def pooled(
    results: Results, name: str, split: str, folds: Sequence[str]
) -> Pooled | None:
    """Put folds of a method together; None where one is not done, or there are none."""
    records = [results.record(Unit(name, split, fold)) for fold in folds]
    if not records or None in records:
        return None
    tests = [results.patches.folds[split][fold][1] for fold in folds]
    sizes = [len(test) for test in tests]
    found = Pooled(
        np.concatenate(tests),
        np.concatenate([record["probability"] for record in records]),
        np.repeat([record["threshold"] for record in records], sizes),
        np.repeat(list(folds), sizes),
    )
    order = np.argsort(found.rows)
    return Pooled(*(column[order] for column in found))


def scored(patches: Patches, one: Pooled) -> Scored:
    """Score predictions at both kinds of thresholds."""
    crossed = cross_fitted(patches, one)
    return Scored(one, crossed, evaluated(patches, one), evaluated(patches, crossed))


def cross_fitted(patches: Patches, one: Pooled) -> Pooled:
    """Give each fold the threshold with the highest F1 on the rows of the others."""
    from glomclf.evaluation.thresholds import cross_fitted_thresholds

    thresholds = cross_fitted_thresholds(patches.y[one.rows], one.probability, one.fold)
    return one._replace(threshold=thresholds)


def evaluated(patches: Patches, one: Pooled) -> Any:
    """Score with intervals by bootstrap over participants."""
    from glomclf import evaluation

    return evaluation.evaluate(
        patches.y[one.rows],
        one.probability,
        groups=patches.groups[one.rows],
        threshold=one.threshold,
    )


def compared(patches: Patches, reference: Pooled, one: Pooled) -> Any:
    """Take the scores of one method less those of the reference, on the same rows."""
    from glomclf import evaluation

    return evaluation.compare_scores(
        patches.y[one.rows],
        reference.probability,
        one.probability,
        groups=patches.groups[one.rows],
        threshold=reference.threshold,
        threshold_b=one.threshold,
    )


def cells(estimates: Any, crossed: Any, form: str) -> list[str]:
    """Write the columns of one row, each with its interval.

    `estimates` is at the thresholds of the method, `crossed` at cross-fitted ones;
    `form` is the format of a number.
    """
    own = [cell(estimates, name, sign, form) for name, sign in COLUMNS.values()]
    return [*own, cell(crossed, "f1", 1, form)]


def cell(estimates: Any, name: str, sign: int = 1, form: str = "{:.3f}") -> str:
    """Write one score with its interval."""
    ends = sorted(sign * end for end in estimates.interval(name))
    value = form.format(sign * estimates.scores[name])
    if not np.isfinite(ends).all():
        return value
    return f"{value} ({' to '.join(form.format(end) for end in ends)})"
