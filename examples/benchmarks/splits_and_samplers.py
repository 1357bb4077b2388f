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
import sys
import warnings
from pathlib import Path

import pandas as pd
from kept_settings import check_settings

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
# Name in the table: parameters of GlomeruliClassifier.
SAMPLERS = {
    "none": {"sampler": None},
    "class weights": {"sampler": None, "class_weight": "balanced"},
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
    from glomclf import GlomeruliClassifier, read_manifest
    from glomclf.model.folds import predict_folds

    warnings.simplefilter("ignore")
    patches = read_manifest(options.csv)
    classifier = GlomeruliClassifier(
        **SAMPLERS[sampler],
        weights=None if options.weights == "none" else options.weights,
        image_size=options.image_size,
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        schedule="constant",
        label_smoothing=0.0,
        stain_normalizer=None,
        epochs=options.epochs,
        # With few participants, stopping on two or three of them would decide more
        # than the sampler does: all train, for all epochs.
        patience=None,
        validation_fraction=None,
        threshold="validation",
        cache_dir=options.cache_dir,
        random_state=options.seed,
    )
    cv, groups = splitter(way, patches, options.seed)
    table = predict_folds(
        classifier, patches[["path"]], patches["label"], groups=groups, cv=cv
    )
    rows = patches.iloc[table["row"]].reset_index(drop=True)
    return table.assign(label=rows["label"], participant=rows["participant"])


def kept(way: str, sampler: str, options: argparse.Namespace) -> pd.DataFrame:
    """Return the predictions of a row of the table, made now or earlier."""
    name = f"{way} {sampler}".replace(" ", "_").replace(",", "")
    path = options.predictions / f"{name}.csv"
    if not path.exists():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            table = pool.apply(predictions, (way, sampler, options))
        options.predictions.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        table.to_csv(partial, index=False)
        partial.replace(path)
        print(f"{way}, {sampler}: done", flush=True)
    return pd.read_csv(path)


def as_markdown(options: argparse.Namespace) -> str:
    """Write the report: scores with intervals, and differences from no sampler."""
    from glomclf.evaluation import compare_scores, evaluate

    lines, first = [], True
    for way in ways(options):
        tables = {sampler: kept(way, sampler, options) for sampler in SAMPLERS}
        plain = tables["none"].sort_values("row")
        if first:
            lines, first = _heading(plain, options.epochs), False
        lines += ["", f"## Split {way}", "", *_head("f1 at 0.5")]
        differences = ["", "Differences from no sampler, on the same patches:", ""]
        differences += _head()
        for sampler, table in tables.items():
            ordered = table.sort_values("row")
            shared = {"groups": ordered["participant"], "threshold": plain["threshold"]}
            one = evaluate(
                ordered["label"],
                ordered["probability"],
                **{**shared, "threshold": ordered["threshold"]},
            )
            half = evaluate(
                ordered["label"], ordered["probability"], groups=ordered["participant"]
            )
            lines.append(
                f"{_row(sampler, one, '{:.3f}')} {_cell(half, 'f1', '{:.3f}')} |"
            )
            if sampler != "none":
                difference = compare_scores(
                    ordered["label"],
                    plain["probability"],
                    ordered["probability"],
                    **shared,
                    threshold_b=ordered["threshold"],
                )
                differences.append(_row(sampler, difference, "{:+.3f}"))
        lines += differences
        if one.caution:
            lines += ["", f"Caution: {one.caution}."]
    return "\n".join(lines) + "\n"


def ways(options: argparse.Namespace) -> tuple[str, ...]:
    """Leave centres aside where the csv does not name them."""
    if "centre" in pd.read_csv(options.csv, nrows=1):
        return WAYS
    return tuple(way for way in WAYS if "centre" not in way)


def _heading(table: pd.DataFrame, epochs: int) -> list[str]:
    counts = table["label"].value_counts()
    arguments = " ".join(Path(a).name if "/" in a else a for a in sys.argv[1:])
    return [
        "# Ways of splitting, and samplers",
        "",
        f"{len(table)} patches ({counts[0]} of class 0, {counts[1]} of class 1) of "
        f"{table['participant'].nunique()} participants; thresholds for the highest F1 "
        "chosen by inner folds of the training rows of each fold, all of which train "
        f"for {epochs} epochs without early stopping; predictions pooled over folds; "
        "95 % intervals by bootstrap over participants. Made by",
        "",
        f"    python examples/benchmarks/{Path(sys.argv[0]).name} {arguments}",
    ]


def _head(*more: str) -> list[str]:
    names = ["", *SHOWN, *more]
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def _row(name: str, one, form: str) -> str:
    return (
        f"| {name} | " + " | ".join(_cell(one, score, form) for score in SHOWN) + " |"
    )


def _cell(one, score: str, form: str) -> str:
    ends = " to ".join(form.format(end) for end in one.interval(score))
    return f"{form.format(one.scores[score])} ({ends})"


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
