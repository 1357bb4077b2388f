"""Pooled predictions of a method on a split, their scores, and differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .methods import Method, Table, wanted
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
    results: Results, name: str, method: Method, split: str, folds: Sequence[str]
) -> Pooled | None:
    """Put folds of a method together; None where one is not done, or there are none."""
    records = {f: results.record(Unit(name, split, f), method) for f in folds}
    done = {fold: record for fold, record in records.items() if record is not None}
    if not folds or len(done) < len(folds):
        return None
    tests = [results.folds(split)[fold][1] for fold in done]
    sizes = [len(test) for test in tests]
    thresholds = [record["threshold"] for record in done.values()]
    found = Pooled(
        np.concatenate(tests),
        np.concatenate([record["probability"] for record in done.values()]),
        np.repeat(thresholds, sizes),
        np.repeat(list(done), sizes),
    )
    order = np.argsort(found.rows)
    return Pooled(*(column[order] for column in found))


def scored(results: Results, one: Pooled) -> Scored:
    """Score predictions at both kinds of thresholds."""
    crossed = cross_fitted(results, one)
    return Scored(one, crossed, evaluated(results, one), evaluated(results, crossed))


def cross_fitted(results: Results, one: Pooled) -> Pooled:
    """Give each fold the threshold with the highest F1 on the rows of the others."""
    from glomclf.evaluation.thresholds import cross_fitted_thresholds

    thresholds = cross_fitted_thresholds(
        results.patches.y[one.rows], one.probability, one.fold
    )
    return one._replace(threshold=thresholds)


def missing(
    results: Results, tables: Sequence[Table], name: str, method: Method, split: str
) -> list[str]:
    """Return the folds that tables lack of a method, or have with other settings."""
    lacking = []
    for fold in wanted(tables, name, split, results.folds(split)):
        state = results.state(Unit(name, split, fold), method)
        if state != "done":
            lacking.append(fold if state == "to do" else f"{fold} ({state})")
    return lacking


def evaluated(results: Results, one: Pooled) -> Any:
    """Score with intervals by bootstrap over participants."""
    from glomclf.evaluation.evaluation import evaluate

    return evaluate(
        results.patches.y[one.rows],
        one.probability,
        groups=results.patches.groups[one.rows],
        threshold=one.threshold,
    )


def compared(results: Results, reference: Pooled, one: Pooled) -> Any:
    """Take the scores of one method less those of the reference, on the same rows."""
    from glomclf.evaluation.comparison import compare_scores

    return compare_scores(
        results.patches.y[one.rows],
        reference.probability,
        one.probability,
        groups=results.patches.groups[one.rows],
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
