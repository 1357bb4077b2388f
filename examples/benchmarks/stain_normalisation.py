"""Show whether normalising stains helps, on patches of your own.

Three quick models are cross-validated by participant and, where the csv has a column
centre, leaving one centre out, without normalisation and with each method of
StainNormalizer. The normaliser is fitted anew in every fold, on its training rows.
Scores are of pooled predictions; differences are paired, on the same patches, with
intervals by bootstrap over participants. Predictions are left in a folder, so that a
second run takes up where the first ended.

    python examples/benchmarks/stain_normalisation.py PUBLIC.csv --output table.md
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pages import about, cell, check_settings, command, grid, kept
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from glomclf import ImageLoader, PatchClassifier, PatchEncoder, read_manifest
from glomclf.data.splitting import RepeatedStratifiedGroupKFold, leave_one_centre_out
from glomclf.data.stain import NORMALIZER_METHODS, make_normalizer
from glomclf.errors import GlomclfWarning
from glomclf.evaluation import compare_scores, evaluate
from glomclf.model.folds import predict_folds

METHODS = ("none", *NORMALIZER_METHODS, "fixed-reinhard")
# What describes an image, and what classifies it.
MODELS = {
    "frozen features, dense head": ("features", "head"),
    "frozen features, logistic regression": ("features", "logistic"),
    "colour statistics, logistic regression": ("colours", "logistic"),
}
WAYS = ("by participant", "leaving one centre out")
SHOWN = ("roc_auc", "average_precision")
CAPTIONS = {"roc_auc": "ROC AUC", "average_precision": "average precision"}


def colour_statistics(images: np.ndarray) -> np.ndarray:
    """Describe each image by its colours alone: (n, 15), in [0, 255]."""
    pixels = images.reshape(len(images), -1, 3)
    parts = [pixels.mean(axis=1), pixels.std(axis=1)]
    parts += list(np.percentile(pixels, [10, 50, 90], axis=1))
    return np.hstack(parts)


def pipeline(method: str, model: str, options: argparse.Namespace) -> Pipeline:
    """Normalise or not, describe, classify."""
    description, classifier = MODELS[model]
    weights = None if options.weights == "none" else options.weights
    steps: list = []
    if method != "none":
        steps.append(("stain", make_normalizer(method, n_jobs=-1)))
    if description == "features":
        trunk = PatchEncoder(weights=weights, cache_dir=options.cache_dir)
        steps.append(("describe", trunk))
    else:
        steps.append(("describe", FunctionTransformer(colour_statistics)))
    if classifier == "head":
        net = PatchClassifier(
            weights=weights,
            optimizer="adam",
            learning_rate=1e-4,
            epochs=20,
            class_weight="balanced",
            random_state=options.seed,
        )
        return Pipeline([*steps, ("classify", net)])
    logistic = LogisticRegression(class_weight="balanced", max_iter=5000)
    return Pipeline([*steps, ("scale", StandardScaler()), ("classify", logistic)])


def splits(way: str, patches: pd.DataFrame, seed: int) -> list:
    """Return the folds; in both ways no participant is on two sides."""
    if way == "leaving one centre out":
        return leave_one_centre_out(patches)
    cv = RepeatedStratifiedGroupKFold(5, 1, random_state=seed)
    return list(cv.split(patches, patches["label"], patches["participant"]))


def predictions(
    way: str,
    model: str,
    method: str,
    data: tuple[pd.DataFrame, np.ndarray],
    options: argparse.Namespace,
) -> pd.DataFrame:
    """Return the pooled predictions in the order of the patches, made now or before."""
    path = options.predictions / f"{way} {model} {method}.csv".replace(",", "").replace(
        " ", "_"
    )
    patches, images = data
    make = partial(
        predict_folds,
        pipeline(method, model, options),
        images,
        patches["label"],
        cv=splits(way, patches, options.seed),
    )
    return kept(path, make).sort_values("row", ignore_index=True)


def centre_told(
    method: str, data: tuple[pd.DataFrame, np.ndarray], options: argparse.Namespace
) -> float:
    """Balanced accuracy of telling the centre from colours, by participant."""
    patches, images = data
    told = cross_val_predict(
        pipeline(method, "colour statistics, logistic regression", options),
        images,
        patches["centre"],
        cv=splits("by participant", patches, options.seed),
    )
    return balanced_accuracy_score(patches["centre"], told)


def as_markdown(options: argparse.Namespace) -> str:
    """Write the report: scores, and paired differences from no normalisation."""
    data = load(options)
    patches = data[0]
    has_centres = "centre" in patches
    blocks = _heading(patches, options)
    for way in WAYS if has_centres else WAYS[:1]:
        title = "Folds by participant" if way == WAYS[0] else "Leaving one centre out"
        blocks += [f"## {title}"]
        for model in MODELS:
            tables = {
                method: predictions(way, model, method, data, options)
                for method in METHODS
            }
            blocks += [f"### {model.capitalize()}", _scores_table(patches, tables)]
            if way == WAYS[1]:
                blocks += ["ROC AUC in each centre:", _centres_table(patches, tables)]
    if has_centres:
        blocks += _told_block(data, options)
    plain = tables["none"]["probability"]
    shared = {"groups": patches["participant"], "n_bootstrap": 100}
    caution = evaluate(patches["label"], plain, **shared).caution
    if caution:
        blocks += [f"Caution: {caution}."]
    return "\n\n".join(blocks) + "\n"


def load(options: argparse.Namespace) -> tuple[pd.DataFrame, np.ndarray]:
    """Read the patches and their images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GlomclfWarning)
        patches = read_manifest(options.csv)
    loader = ImageLoader(options.image_size, cache_dir=False, n_jobs=-1)
    return patches, loader.fit(patches).transform(patches)


def _heading(patches: pd.DataFrame, options: argparse.Namespace) -> list[str]:
    return [
        "# Stain normalisation",
        f"{about(patches['label'], patches['participant'])}, {options.image_size} "
        "pixels a side. A dense head trained for 20 epochs, or logistic regression, "
        "both with class weights, on the frozen features of ResNet-50 (weights: "
        f"{options.weights}), or on 15 statistics of the colours; "
        "the normaliser is fitted in each fold, on its training rows alone; that of a "
        "fixed stain learns nothing. "
        "Predictions are pooled over folds. Differences are from no normalisation, on "
        "the same patches; 95 % intervals by bootstrap over participants. Made by",
        f"    {command()}",
    ]


def _scores_table(patches: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> str:
    columns = [
        f"{CAPTIONS[score]}{kind}" for score in SHOWN for kind in ("", ", difference")
    ]
    rows = []
    labels, groups = patches["label"], patches["participant"]
    plain = tables["none"]["probability"]
    for method, table in tables.items():
        one = evaluate(labels, table["probability"], groups=groups)
        other = compare_scores(labels, plain, table["probability"], groups=groups)
        cells = []
        for score in SHOWN:
            cells.append(cell(one, score))
            cells.append("" if method == "none" else cell(other, score, "{:+.3f}"))
        rows.append([method, *cells])
    return _table(["", *columns], rows)


def _centres_table(patches: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> str:
    centres = sorted(patches["centre"].unique())
    rows = []
    for method, table in tables.items():
        cells = []
        for centre in centres:
            here = (patches["centre"] == centre).to_numpy()
            one = evaluate(
                patches["label"][here],
                table["probability"][here],
                groups=patches["participant"][here],
            )
            cells.append(cell(one, "roc_auc"))
        rows.append([method, *cells])
    return _table(["", *centres], rows)


def _told_block(
    data: tuple[pd.DataFrame, np.ndarray], options: argparse.Namespace
) -> list[str]:
    n_centres = data[0]["centre"].nunique()
    rows = [[method, f"{centre_told(method, data, options):.3f}"] for method in METHODS]
    return [
        "## What is left of the centre",
        "Balanced accuracy with which the same logistic regression tells the centre of "
        "a patch from the statistics of its colours, by participant; "
        f"{1 / n_centres:.3f} is chance.",
        _table(["", "centre told"], rows),
    ]


def _table(titles: list[str], rows: list[list[str]]) -> str:
    return "\n".join(grid(titles, rows))


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--weights", default="none", help="imagenet, none or a file")
    parser.add_argument("--image-size", type=int, default=128)
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
