"""Tables of predictions and scores, for files and on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .._runtime import short_names
from ..data.participants import participant_kind
from ..evaluation.estimates import Estimates
from ..evaluation.evaluation import Evaluation
from ..evaluation.scores import SCORES
from ..evaluation.subgroups import Subgroups
from .console import note, print_table

_SHOWN = (
    *("accuracy", "precision", "recall", "f1", "specificity"),
    *("roc_auc", "average_precision", "matthews_corrcoef"),
)


def predictions_table(
    manifest: pd.DataFrame, probability: np.ndarray, threshold: float | np.ndarray
) -> pd.DataFrame:
    """Put names and predictions side by side, with label and participant if known.

    Parameters
    ----------
    manifest : DataFrame of shape (n_samples, n_columns)
        As from `read_manifest`.
    probability : ndarray of shape (n_samples,)
        Of class 1.
    threshold : float or ndarray of shape (n_samples,)
        Probability from which class 1 is predicted.

    Returns
    -------
    DataFrame of shape (n_samples, n_columns)
        ``name, probability, prediction``, and ``label``, ``participant`` where known.
    """
    called = (probability >= threshold).astype(int)
    table = pd.DataFrame(
        {
            "name": short_names(manifest["path"]),
            "probability": probability,
            "prediction": called,
        }
    )
    if "label" in manifest:
        table["label"] = manifest["label"].to_numpy()
    if participant_kind(manifest) == "participant":
        table["participant"] = manifest["participant"].to_numpy()
    return table


def print_scores(title: str, evaluation: Evaluation) -> None:
    """Print scores with their intervals, and the confusion matrix."""
    print_estimates(title, evaluation, {name: SCORES[name].title for name in _SHOWN})
    at = f"the threshold {number(evaluation.threshold, 'g', 'of each fold')}"
    print_table(
        f"Confusion matrix at {at}",
        ("", "predicted 0", "predicted 1"),
        [
            (f"label {label}", *counts)
            for label, counts in enumerate(evaluation.confusion_matrix.tolist())
        ],
    )


def print_subgroups(subgroups: Subgroups) -> None:
    """Print a few scores of each value, and which is the worst."""
    names = ("recall", "specificity", "f1")
    rows = []
    for value, one in subgroups.evaluations.items():
        told = (number(one.scores[name]) for name in names)
        rows.append((value, one.n_samples, one.n_participants, *told))
    titles = [SCORES[name].title for name in names]
    columns = (subgroups.column, "patches", "participants", *titles)
    print_table(f"By {subgroups.column}", columns, rows)
    if (worst := subgroups.worst) is not None:
        difference = subgroups.differences[worst]
        ends = interval(difference, "balanced_accuracy", 2)
        note(
            f"Worst by {subgroups.column}: {worst}; its balanced accuracy less that of "
            f"the others is {difference.scores['balanced_accuracy']:.2f} "
            f"({f'95 %: {ends}' if ends else 'no interval'})."
        )


def print_estimates(
    title: str, estimates: Estimates, shown: Mapping[str, str], *, digits: int = 3
) -> None:
    """Print values with their intervals, by the names to be shown.

    Parameters
    ----------
    title : str
    estimates : Estimates
    shown : mapping of str to str
        Scores of `estimates`, and what they are called.
    digits : int, default=3
        After the point.
    """
    rows = [
        (
            text,
            number(estimates.scores[name], f".{digits}f"),
            interval(estimates, name, digits),
        )
        for name, text in shown.items()
    ]
    print_table(title, ("score", "value", "95 % interval"), rows)
    if estimates.caution:
        note(f"Caution: {estimates.caution}.")


def number(value: Any, form: str = ".3f", unknown: str = "undefined") -> str:
    """Write a number, or a word for one that there is not."""
    return unknown if value != value else format(value, form)


def interval(estimates: Estimates, name: str, digits: int = 3) -> str:
    """Write an interval, or nothing where there is none."""
    low, high = (number(end, f".{digits}f", "") for end in estimates.interval(name))
    return f"{low} to {high}" if low and high else ""
