"""Tables of predictions and scores: as csv and JSON files, and on the screen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._runtime import short_names
from .console import note, output, print_table

if TYPE_CHECKING:
    from ..evaluation.estimates import Estimates
    from ..evaluation.evaluation import Evaluation
    from ..evaluation.subgroups import Subgroups

__all__ = [
    "predictions_table",
    "print_estimates",
    "print_scores",
    "print_subgroups",
    "write_csv",
    "write_json",
    "write_scores",
]

_SHOWN = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
    "roc_auc",
    "average_precision",
    "matthews_corrcoef",
)


def write_csv(table: pd.DataFrame, path: Path, **options: Any) -> None:
    """Write a table, whole or not at all, and harmless to spreadsheets.

    Bytes of a file name that are not UTF-8 are escaped as Python does it.
    `read_manifest` finds the file all the same, and undoes what `as_cell` does.
    """
    table = table.apply(_as_cells).rename(columns=_as_cell)
    table.index = _as_cells(table.index)
    with output(path) as temporary:
        table.to_csv(
            temporary, errors="backslashreplace", **{"index": False, **options}
        )


def _as_cells(values: Any) -> Any:
    return values if pd.api.types.is_numeric_dtype(values) else values.map(_as_cell)


def _as_cell(value: Any) -> Any:
    from ..data.table_files import as_cell

    return as_cell(value) if isinstance(value, str) else value


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a result that other programs can read."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    with output(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_scores(evaluation: Evaluation, folder: Path, stem: str = "scores") -> None:
    """Write scores and intervals as a table, and everything as JSON."""
    write_csv(evaluation.to_frame(), folder / f"{stem}.csv", index=True)
    write_json(evaluation.to_dict(), folder / f"{stem}.json")


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
    from ..data.participants import participant_kind

    table = pd.DataFrame(
        {
            "name": short_names(manifest["path"]),
            "probability": probability,
            "prediction": (probability >= threshold).astype(int),
        }
    )
    if "label" in manifest:
        table["label"] = manifest["label"].to_numpy()
    if participant_kind(manifest) == "participant":
        table["participant"] = manifest["participant"].to_numpy()
    return table


def print_scores(title: str, evaluation: Evaluation) -> None:
    """Print scores with their intervals, and the confusion matrix."""
    from ..evaluation.scores import SCORES

    print_estimates(title, evaluation, {name: SCORES[name].title for name in _SHOWN})
    (tn, fp), (fn, tp) = evaluation.confusion_matrix.tolist()
    at = f"threshold {evaluation.threshold:g}"
    if np.isnan(evaluation.threshold):
        at = "the threshold of each fold"
    print_table(
        f"Confusion matrix at {at}",
        ("", "predicted 0", "predicted 1"),
        [("label 0", str(tn), str(fp)), ("label 1", str(fn), str(tp))],
    )


def print_subgroups(subgroups: Subgroups) -> None:
    """Print a few scores of each value, and which is the worst."""
    from ..evaluation.scores import SCORES

    names = ("recall", "specificity", "f1")
    rows = []
    for value, one in subgroups.evaluations.items():
        told = (f"{one.scores[name]:.3f}".replace("nan", "undefined") for name in names)
        people = str(one.n_participants)
        rows.append((value, str(one.n_samples), people, *told))
    titles = [SCORES[name].title for name in names]
    columns = (subgroups.column, "patches", "participants", *titles)
    print_table(f"By {subgroups.column}", columns, rows)
    if (worst := subgroups.worst) is not None:
        low, high = subgroups.differences[worst].interval("balanced_accuracy")
        gap = subgroups.differences[worst].scores["balanced_accuracy"]
        ends = "no interval" if np.isnan(low) else f"95 %: {low:.2f} to {high:.2f}"
        note(
            f"Worst by {subgroups.column}: {worst}; its balanced accuracy less that of "
            f"the others is {gap:.2f} ({ends})."
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
    rows = []
    for name, text in shown.items():
        value, ends = estimates.scores[name], estimates.interval(name)
        low, high = (f"{end:.{digits}f}" for end in ends)
        rows.append(
            (
                text,
                "undefined" if np.isnan(value) else f"{value:.{digits}f}",
                "" if np.isnan(ends).any() else f"{low} to {high}",
            )
        )
    print_table(title, ("score", "value", "95 % interval"), rows)
    if estimates.caution:
        note(f"Caution: {estimates.caution}.")
