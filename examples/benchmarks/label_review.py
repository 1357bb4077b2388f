"""Measure how many wrong labels a list of suspects holds, and how many it misses.

Labels of real patches are reversed: 5 % of them at random, or all labels of one
participant, as if two names had been swapped. A logistic regression on pretrained
features then gives out-of-fold probabilities. `glomclf audit --check-labels` draws its
folds by participant; cleanlab alone draws them by patch and has its own rule for the
list.

    pip install cleanlab
    python examples/benchmarks/label_review.py patches.csv --output label_review.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from pages import command, grid
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

from glomclf import make_classifier, read_manifest
from glomclf.data.splitting import RepeatedStratifiedGroupKFold
from glomclf.evaluation import suspect_labels
from glomclf.model import LinearProbe, predict_folds
from glomclf.model.pipeline import make_pipeline

PATCHES, PARTICIPANT = "5 % of the labels, at random", "all labels of one participant"
MIN_PATCHES = 10  # of a participant whose labels are reversed


def features_of(manifest: pd.DataFrame) -> np.ndarray:
    """Encode all patches as the recipe "linear" does."""
    steps = make_pipeline(make_classifier("linear", random_state=0), 0, 0).named_steps
    loaded = steps["load"].fit(manifest).transform(manifest)
    return steps["encode"].fit(loaded).transform(loaded)


def reversed_rows(
    scenario: str, groups: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Choose whose labels are made wrong."""
    if scenario == PATCHES:
        chosen = rng.permutation(len(groups))[: round(0.05 * len(groups))]
        return np.isin(np.arange(len(groups)), chosen)
    names, sizes = np.unique(groups, return_counts=True)
    return groups == rng.choice(names[sizes >= MIN_PATCHES])


def judged(X, y, groups, scenario: str, seed: int) -> list[dict]:
    """Make some labels wrong, and judge each list: a row for each."""
    wrong = reversed_rows(scenario, groups, np.random.RandomState(seed))
    labels = np.where(wrong, 1 - y, y)
    by_participant = RepeatedStratifiedGroupKFold(5, 1, random_state=seed)
    by_patch = StratifiedKFold(5, shuffle=True, random_state=seed)
    rows = []
    for folds, splits in (
        ("participant", list(by_participant.split(X, labels, groups))),
        ("patch", list(by_patch.split(X, labels))),
    ):
        probe = LinearProbe(C=0.01, random_state=0)
        table = predict_folds(probe, X, labels, groups=np.arange(len(y)), cv=splits)
        score = table.sort_values("row")["probability"].to_numpy()
        support = np.where(labels == 1, score, 1 - score)
        listed = np.isin(np.arange(len(y)), suspect_labels(labels, score).index)
        found = {"glomclf": listed}
        found["cleanlab"] = find_label_issues(
            labels, np.column_stack([1 - score, score])
        )
        for rule, suspects in found.items():
            rows.append(
                {
                    "list": f"{rule}, folds by {folds}",
                    "precision": wrong[suspects].mean() if suspects.any() else 0.0,
                    "recall": suspects[wrong].mean(),
                    "length": suspects.sum(),
                    "average precision": average_precision_score(wrong, -support),
                    "chance": wrong.mean(),
                }
            )
    return rows


def as_markdown(results: dict[str, pd.DataFrame], arguments: argparse.Namespace) -> str:
    """Write the report."""
    lines = [
        "# Labels to look at again",
        "",
        __doc__.split("\n\n")[1].replace("\n", " "),
        "",
        f"Means of {arguments.n_repeats} repeats. Precision: of the labels on the "
        "list, the share that was reversed. Recall: of those that were reversed, the "
        "share on the list. Average precision is of the order of all labels, the least "
        "supported first. Made by",
        "",
        f"    {command()}",
    ]
    for scenario, table in results.items():
        means = table.groupby("list", sort=False).mean()
        rows = [
            [
                name,
                *(f"{one[key]:.2f}" for key in ("precision", "recall")),
                f"{one['length']:.0f}",
                f"{one['average precision']:.2f}",
            ]
            for name, one in means.iterrows()
        ]
        chance = means["chance"].iloc[0]
        rows.append(["chance", f"{chance:.2f}", "", "", f"{chance:.2f}"])
        header = ["", "precision", "recall", "labels listed", "average precision"]
        lines += ["", f"## Reversed: {scenario}", "", *grid(header, rows)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Reverse labels, list suspects, count and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("csv", type=Path, help="labelled patches")
    parser.add_argument("--n-repeats", type=int, default=10)
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    arguments = parser.parse_args()
    manifest = read_manifest(arguments.csv)
    X, y = features_of(manifest), manifest["label"].to_numpy()
    groups = manifest["participant"].to_numpy().astype(str)
    results = {
        scenario: pd.DataFrame(
            [
                row
                for seed in range(arguments.n_repeats)
                for row in judged(X, y, groups, scenario, seed)
            ]
        )
        for scenario in (PATCHES, PARTICIPANT)
    }
    text = as_markdown(results, arguments)
    arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
