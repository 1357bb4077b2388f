"""Show what the way of splitting and the sampler do to scores, on patches of your own.

Every sampler is cross-validated on splits at random, by participant and, where the csv
has a column centre, leaving one centre out. Thresholds are chosen inside the training
rows of each fold; intervals are by bootstrap over participants. Each row of the table
runs in a process of its own and leaves its predictions in a folder, so that a second
run takes up where the first ended.

    python examples/benchmarks/splits_and_samplers.py PUBLIC.csv --output table.md
"""

from __future__ import annotations

import argparse
import multiprocessing
import warnings
from functools import partial
from pathlib import Path

import pandas as pd
from pages import about, cell, check_settings, command, grid, kept

SHOWN = (
    "f1",
    "recall",
    "precision",
    "roc_auc",
    "average_precision",
    "neg_brier_score",
    "calibration_intercept",
    "calibration_slope",
)
# Name in the table: parameters in which GlomeruliClassifier differs.
SAMPLERS = {
    "none": {"sampler": None},
    "class weights": {"sampler": None, "network__class_weight": "balanced"},
    "oversample, features": {"sampler": "oversample", "sampling_space": "features"},
    "smote, features": {"sampler": "smote", "sampling_space": "features"},
    "undersample, features": {"sampler": "undersample", "sampling_space": "features"},
    "augment, pixels": {"sampler": "augment"},
    "undersample+augment, pixels": {"sampler": "undersample+augment"},
    "smote+augment, pixels": {"sampler": "smote+augment"},
}
WAYS = ("by participant", "leaving one centre out", "at random")


def splitter(way: str, patches: pd.DataFrame, seed: int) -> tuple:
    """Return the folds and the groups that the classifier's own splits respect."""
    from sklearn.model_selection import StratifiedKFold

    from glomclf.data.splitting import (
        RepeatedStratifiedGroupKFold,
        leave_one_centre_out,
    )

    if way == "at random":
        return StratifiedKFold(5, shuffle=True, random_state=seed), None
    participants = patches["participant"].to_numpy()
    if way == "by participant":
        return RepeatedStratifiedGroupKFold(5, 1, random_state=seed), participants
    return leave_one_centre_out(patches), participants


def predictions(way: str, sampler: str, options: argparse.Namespace) -> pd.DataFrame:
    """Cross-validate one row of the table."""
    from glomclf import GlomeruliClassifier, PatchClassifier, read_manifest
    from glomclf.model.folds import predict_folds

    warnings.simplefilter("ignore")
    patches = read_manifest(options.csv)
    network = PatchClassifier(
        weights=None if options.weights == "none" else options.weights,
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        # With few participants, stopping on two or three of them would decide more
        # than the sampler does: all train, for all epochs.
        epochs=options.epochs,
    )
    classifier = GlomeruliClassifier(
        network=network,
        image_size=options.image_size,
        threshold="f1",
        cache_dir=options.cache_dir,
        random_state=options.seed,
    ).set_params(**SAMPLERS[sampler])
    cv, groups = splitter(way, patches, options.seed)
    table = predict_folds(
        classifier, patches[["path"]], patches["label"], groups=groups, cv=cv
    )
    rows = patches.iloc[table["row"]].reset_index(drop=True)
    return table.assign(label=rows["label"], participant=rows["participant"])


def in_a_process(way: str, sampler: str, options: argparse.Namespace) -> pd.DataFrame:
    """Cross-validate one row in a process of its own, which gives all memory back."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(predictions, (way, sampler, options))


def rows_of(way: str, options: argparse.Namespace) -> dict[str, pd.DataFrame]:
    """Return the predictions of all samplers, in the order of the patches."""
    tables = {}
    for sampler in SAMPLERS:
        name = f"{way} {sampler}".replace(" ", "_").replace(",", "")
        table = kept(
            options.predictions / f"{name}.csv",
            partial(in_a_process, way, sampler, options),
        )
        tables[sampler] = table.sort_values("row", ignore_index=True)
    return tables


def as_markdown(options: argparse.Namespace) -> str:
    """Write the report: scores with intervals, and differences from no sampler."""
    blocks = []
    for way in ways(options):
        tables = rows_of(way, options)
        blocks += [f"## Split {way}", *section(tables)]
    return "\n\n".join([*_heading(tables["none"], options.epochs), *blocks]) + "\n"


def section(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Write the two tables of one way of splitting."""
    from glomclf.evaluation import compare_scores, evaluate

    plain = tables["none"]
    labels, groups = plain["label"], plain["participant"]
    scores, differences = [], []
    for sampler, table in tables.items():
        probability, threshold = table["probability"], table["threshold"]
        one = evaluate(labels, probability, groups=groups, threshold=threshold)
        half = evaluate(labels, probability, groups=groups)
        cells = [cell(one, score) for score in SHOWN]
        scores.append([sampler, *cells, cell(half, "f1")])
        if sampler != "none":
            found = compare_scores(
                labels,
                plain["probability"],
                probability,
                groups=groups,
                threshold=plain["threshold"],
                threshold_b=threshold,
            )
            cells = [cell(found, score, "{:+.3f}") for score in SHOWN]
            differences.append([sampler, *cells])
    return [
        "\n".join(grid(["", *SHOWN, "f1 at 0.5"], scores)),
        "Differences from no sampler, on the same patches:",
        "\n".join(grid(["", *SHOWN], differences)),
        *([f"Caution: {one.caution}."] if one.caution else []),
    ]


def ways(options: argparse.Namespace) -> tuple[str, ...]:
    """Leave centres aside where the csv does not name them."""
    if "centre" in pd.read_csv(options.csv, nrows=1):
        return WAYS
    return tuple(way for way in WAYS if "centre" not in way)


def _heading(table: pd.DataFrame, epochs: int) -> list[str]:
    return [
        "# Ways of splitting, and samplers",
        f"{about(table['label'], table['participant'])}; thresholds for the highest F1 "
        "chosen by inner folds of the training rows of each fold, all of which train "
        f"for {epochs} epochs without early stopping; predictions pooled over folds; "
        "95 % intervals by bootstrap over participants. Made by",
        f"    {command()}",
    ]


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--weights", default="none", help="imagenet, none or a file")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--optimizer", default="adam")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--cache-dir", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--predictions", type=Path, default=Path("predictions"), help="folder to keep"
    )
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    return parser.parse_args()


def main() -> None:
    """Cross-validate, score and write."""
    options = parse_options()
    check_settings(options)
    report = as_markdown(options)
    options.output.write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
