"""Measure what the out-of-fold scores of an ensemble say of it, on patches of your own.

Participants are split into outer folds. On the training side of each an ensemble is
fitted, which has its own folds and out-of-fold scores, and one classifier on all of
that side. Both are judged on the participants of the outer fold, whom neither has seen,
and so is each member. Each outer fold leaves its predictions in a folder, so that a
second run takes up where the first ended.

    python examples/benchmarks/fold_ensemble.py PUBLIC.csv --output table.md
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pages import about, cell, check_settings, command, grid, kept

OUT_OF_FOLD, MEMBER, ENSEMBLE, SINGLE = "oof", "member", "ensemble", "single"
TITLES = {
    (OUT_OF_FOLD, "pooled"): "out of fold, all folds together (`oof_evaluation_`)",
    (OUT_OF_FOLD, "by fold"): "out of fold, mean of the folds",
    (MEMBER, "by fold"): "one member, untouched participants",
    (ENSEMBLE, "by fold"): "the ensemble, untouched participants",
    (SINGLE, "by fold"): "one classifier on all rows, untouched participants",
}


def scorers() -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """Return what is scored, by name; all are the better the higher."""
    from sklearn.metrics import (
        average_precision_score,
        brier_score_loss,
        f1_score,
        roc_auc_score,
    )

    return {
        "neg_brier_score": lambda y, score: -brier_score_loss(y, score),
        "roc_auc": roc_auc_score,
        "average_precision": average_precision_score,
        "f1": lambda y, score: f1_score(y, score >= 0.5),
    }


def outer_folds(patches: pd.DataFrame, n_folds: int, seed: int) -> Iterator[tuple]:
    """Split participants."""
    from glomclf.data.splitting import RepeatedStratifiedGroupKFold

    splitter = RepeatedStratifiedGroupKFold(n_folds, 1, random_state=seed)
    return splitter.split(patches, patches["label"], patches["participant"])


def predictions(
    patches: pd.DataFrame,
    train: np.ndarray,
    test: np.ndarray,
    options: argparse.Namespace,
    seed: int,
) -> pd.DataFrame:
    """Fit an ensemble and one classifier; predict what is out of fold and untouched."""
    from glomclf import FoldEnsembleClassifier, GlomeruliClassifier, PatchClassifier

    classifier = GlomeruliClassifier(
        "oversample",
        network=PatchClassifier(
            weights=None if options.weights == "none" else options.weights,
            optimizer="adam",
            learning_rate=options.learning_rate,
            epochs=options.epochs,
        ),
        sampling_space="features",
        image_size=options.image_size,
        cache_dir=options.cache_dir,
        random_state=seed,
    )
    ensemble = FoldEnsembleClassifier(classifier, cv=options.folds, random_state=seed)
    rows, untouched = patches.iloc[train], patches.iloc[test]
    ensemble.fit(rows, rows["label"])
    classifier.fit(rows, rows["label"])
    told = [
        _table(rows, OUT_OF_FOLD, ensemble.oof_probability_, ensemble.oof_fold_),
        _table(untouched, ENSEMBLE, ensemble.predict_proba(untouched)[:, 1], 0),
        _table(untouched, SINGLE, classifier.predict_proba(untouched)[:, 1], 0),
    ]
    for place, member in enumerate(ensemble.estimators_):
        probability = member.predict_proba(untouched)[:, 1]
        told.append(_table(untouched, MEMBER, probability, place))
    return pd.concat(told)


def _table(rows: pd.DataFrame, kind: str, probability, part) -> pd.DataFrame:
    columns = rows[["label", "participant"]].rename_axis("row").reset_index()
    return columns.assign(kind=kind, part=part, probability=probability)


def all_predictions(options: argparse.Namespace) -> pd.DataFrame:
    """Return the predictions of all seeds and outer folds, made now or earlier."""
    from glomclf import read_manifest

    patches = read_manifest(options.csv)
    tables = []
    for seed in range(options.seeds):
        for outer, (train, test) in enumerate(
            outer_folds(patches, options.outer, seed)
        ):
            path = options.predictions / f"seed_{seed}_fold_{outer}.csv"
            make = partial(predictions, patches, train, test, options, seed)
            tables.append(kept(path, make).assign(seed=seed, outer=outer))
    return pd.concat(tables, ignore_index=True)


def mean_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Score each fold by itself, and those out of fold together as well."""
    lines = {}
    for (kind, how), title in TITLES.items():
        inside = table[table["kind"] == kind]
        keys = ["seed", "outer"] if how == "pooled" else ["seed", "outer", "part"]
        parts = [part for _, part in inside.groupby(keys)]
        lines[title] = {
            name: np.mean([score(one["label"], one["probability"]) for one in parts])
            for name, score in scorers().items()
        }
    return pd.DataFrame(lines).T


def difference(table: pd.DataFrame, kind: str):
    """Compare the ensemble with others on the same untouched rows."""
    from glomclf.evaluation import compare_scores

    keys = ["seed", "outer", "row"]
    ensemble = table[table["kind"] == ENSEMBLE][[*keys, "probability"]]
    pairs = table[table["kind"] == kind].merge(ensemble, on=keys, validate="m:1")
    return compare_scores(
        pairs["label"],
        pairs["probability_x"],
        pairs["probability_y"],
        groups=pairs["participant"],
    )


def as_markdown(table: pd.DataFrame, options: argparse.Namespace) -> str:
    """Write the means, and the differences with intervals."""
    first = table[(table["kind"] == ENSEMBLE) & (table["seed"] == 0)]
    names = list(scorers())
    means = mean_scores(table)[names].map("{:.3f}".format)
    differences = {
        "one member": difference(table, MEMBER),
        "one classifier on all rows": difference(table, SINGLE),
    }
    lines = [
        "# What out-of-fold scores say of an ensemble",
        "",
        f"{about(first['label'], first['participant'])}; {options.outer} outer folds "
        f"by participant, {options.seeds} seeds, ensembles of {options.folds}. F1 at "
        "0.5. Made by",
        "",
        f"    {command()}",
        "",
        "Means over folds and seeds:",
        "",
        *grid(["", *names], [[title, *row] for title, row in means.iterrows()]),
        "",
        "The ensemble less another, on the same untouched patches, all folds and seeds "
        "together, with 95 % intervals by bootstrap over participants:",
        "",
        *grid(
            ["", *names],
            [
                [title, *(cell(found, name, "{:+.3f}") for name in names)]
                for title, found in differences.items()
            ],
        ),
    ]
    if caution := differences["one member"].caution:
        lines += ["", f"Caution: {caution}."]
    return "\n".join(lines) + "\n"


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--weights", default="none", help="imagenet, none or a file")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--outer", type=int, default=5, help="outer folds")
    parser.add_argument("--folds", type=int, default=5, help="members of an ensemble")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache-dir", default=None)
    parser.add_argument(
        "--predictions", type=Path, default=Path("predictions"), help="folder to keep"
    )
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    return parser.parse_args()


def main() -> None:
    """Fit, score and write."""
    warnings.simplefilter("ignore")
    options = parse_options()
    check_settings(options)
    report = as_markdown(all_predictions(options), options)
    options.output.write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
