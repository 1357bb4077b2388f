"""Show what the way of splitting does to a score, on features of real glomeruli.

The same gradient boosting, with class weights, is cross-validated on splits at random,
by slide and by participant. Only the last has no patient on both sides. Predictions are
pooled over folds and repeats; intervals are by bootstrap over participants, and the
falls are paired differences on the same patches.

    python examples/benchmarks/texture_splits.py --data features.csv --output table.md

The csv has columns label, slide, participant, and numeric features; a column name is
left aside.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pages import cell, command, grid
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import RepeatedStratifiedKFold

from glomclf.data.splitting import RepeatedStratifiedGroupKFold
from glomclf.evaluation import Comparison, Evaluation, compare_scores, evaluate

SHOWN = ("f1", "recall", "precision", "roc_auc", "average_precision", "neg_brier_score")
SPLITS = {"at random": None, "by slide": "slide", "by participant": "participant"}


def pooled_probabilities(
    data: pd.DataFrame, group: str | None, n_repeats: int, seed: int
) -> np.ndarray:
    """Cross-validate: probabilities of shape (n_repeats, n_samples)."""
    told = ["label", "name", "slide", "participant"]  # numbers at times, no features
    features = data.drop(columns=told, errors="ignore").select_dtypes("number")
    features = features.to_numpy()
    labels, n_splits = data["label"].to_numpy(), 5
    options = {"n_splits": n_splits, "n_repeats": n_repeats, "random_state": seed}
    if group is None:
        splits = RepeatedStratifiedKFold(**options).split(features, labels)
    else:
        cv = RepeatedStratifiedGroupKFold(**options)
        splits = cv.split(features, labels, data[group])
    probabilities = np.empty((n_repeats, len(data)))
    for number, (train, test) in enumerate(splits):
        model = HistGradientBoostingClassifier(
            class_weight="balanced", random_state=seed + number
        ).fit(features[train], labels[train])
        probabilities[number // n_splits, test] = model.predict_proba(features[test])[
            :, 1
        ]
    return probabilities


def score_all(
    data: pd.DataFrame, n_repeats: int, seed: int
) -> tuple[dict[str, Evaluation], dict[str, Comparison]]:
    """Score each way of splitting, and its difference from splits at random."""
    y_true = np.tile(data["label"].to_numpy(), n_repeats)
    groups = np.tile(data["participant"].to_numpy(), n_repeats)
    pooled = {
        name: pooled_probabilities(data, group, n_repeats, seed).ravel()
        for name, group in SPLITS.items()
    }
    first = next(iter(pooled.values()))
    evaluations = {
        name: evaluate(y_true, y_score, groups=groups)
        for name, y_score in pooled.items()
    }
    falls = {
        name: compare_scores(y_true, first, y_score, groups=groups)
        for name, y_score in pooled.items()
        if y_score is not first
    }
    return evaluations, falls


def as_markdown(
    data: pd.DataFrame,
    evaluations: dict[str, Evaluation],
    falls: dict[str, Comparison],
    n_repeats: int,
) -> str:
    """Write the report."""
    counts = data["label"].value_counts()
    lines = [
        "# Splits at random, by slide and by participant",
        "",
        f"{len(data)} patches ({counts[0]} of class 0, {counts[1]} of class 1), "
        f"{data['slide'].nunique()} slides, "
        f"{data['participant'].nunique()} participants; "
        f"5 folds, {n_repeats} repeats, pooled; threshold 0.5; 95 % intervals by "
        "bootstrap over participants. Made by",
        "",
        f"    {command()}",
        "",
        *_table(evaluations, "{:.3f}"),
        "",
        "Difference from splits at random, on the same patches:",
        "",
        *_table(falls, "{:+.3f}"),
    ]
    return "\n".join(lines) + "\n"


def _table(estimates: Mapping[str, Evaluation | Comparison], form: str) -> list[str]:
    rows = [
        [name, *(cell(one, score, form) for score in SHOWN)]
        for name, one in estimates.items()
    ]
    return grid(["", *SHOWN], rows)


def main() -> None:
    """Read, cross-validate, score and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="csv of features")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    arguments = parser.parse_args()
    data = pd.read_csv(arguments.data)
    evaluations, falls = score_all(data, arguments.repeats, arguments.seed)
    report = as_markdown(data, evaluations, falls, arguments.repeats)
    arguments.output.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
