"""Pooled predictions of a method on a split, their scores, and differences."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .methods import Method
from .results import Results, Unit

# Title of the column: name of the score in `glomclf.evaluation`, and its sign.
COLUMNS = {
    "ROC AUC": ("roc_auc", 1),
    "average precision": ("average_precision", 1),
    "F1": ("f1", 1),
    "balanced accuracy": ("balanced_accuracy", 1),
    "Brier score": ("neg_brier_score", -1),
    "calibration slope": ("calibration_slope", 1),
    "calibration intercept": ("calibration_intercept", 1),
    "calibration error": ("expected_calibration_error", 1),
}

# One more column: F1 where each fold takes the threshold that the other folds choose.
CROSS_FITTED = "F1, cross-fitted"


class Pooled(NamedTuple):
    """Each row's probability by the fold that left it out, and its threshold."""

    probability: NDArray[np.float64]
    threshold: NDArray[np.float64]
    fold: NDArray[np.object_]


def pooled(results: Results, name: str, method: Method, split: str) -> Pooled | None:
    """Put the folds of a method together; None where one is not done."""
    folds = results.folds(split)
    records = {f: results.record(Unit(name, split, f), method) for f in folds}
    if any(record is None for record in records.values()):
        return None
    n_rows = len(results.patches)
    found = Pooled(np.full(n_rows, np.nan), np.empty(n_rows), np.empty(n_rows, object))
    for fold, (_, test) in folds.items():
        found.probability[test] = records[fold]["probability"]
        found.threshold[test] = records[fold]["threshold"]
        found.fold[test] = fold
    return found


def cross_fitted(results: Results, one: Pooled) -> Pooled:
    """Give each fold the threshold with the highest F1 on the rows of the others."""
    from glomclf.thresholds import cross_fitted_thresholds

    thresholds = cross_fitted_thresholds(
        results.patches.y, one.probability, one.fold.astype(str)
    )
    return one._replace(threshold=thresholds)


def missing(results: Results, name: str, method: Method, split: str) -> list[str]:
    """Return the folds on which a method is not done, or done with other settings."""
    lacking = []
    for fold in results.folds(split):
        state = results.state(Unit(name, split, fold), method)
        if state != "done":
            lacking.append(fold if state == "to do" else f"{fold} ({state})")
    return lacking


def evaluated(results: Results, one: Pooled) -> Any:
    """Score with intervals by bootstrap over participants."""
    from glomclf.evaluation import evaluate

    return evaluate(
        results.patches.y,
        one.probability,
        groups=results.patches.groups,
        threshold=one.threshold,
    )


def compared(results: Results, reference: Pooled, one: Pooled) -> Any:
    """Take the scores of one method less those of the reference, on the same rows."""
    from glomclf.evaluation import compare_scores

    return compare_scores(
        results.patches.y,
        reference.probability,
        one.probability,
        groups=results.patches.groups,
        threshold=reference.threshold,
        threshold_b=one.threshold,
    )


def cells(estimates: Any, crossed: Any, form: str) -> list[str]:
    """Write the columns of one row, each with its interval.

    Parameters
    ----------
    estimates, crossed : Evaluation or ScoreDifferences
        At the thresholds of the method, and at cross-fitted ones.
    form : str
        Format of a number.
    """
    own = [cell(estimates, name, sign, form) for name, sign in COLUMNS.values()]
    return [*own, cell(crossed, "f1", 1, form)]


def cell(estimates: Any, name: str, sign: int, form: str) -> str:
    """Write one score with its interval."""
    ends = sorted(sign * end for end in estimates.interval(name))
    value = form.format(sign * estimates.scores[name])
    if not np.isfinite(ends).all():
        return value
    return f"{value} ({' to '.join(form.format(end) for end in ends)})"
