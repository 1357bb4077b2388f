"""Cross-validate samplers by participant on patches of your own.

Every row runs in a process of its own, so that its peak memory is its own::

    python examples/benchmarks/samplers_by_slide.py PUBLIC.csv --output table.md
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from pathlib import Path

import pandas as pd

SCORES = ("recall", "precision", "f1", "roc_auc")
ROWS = (
    ("None", "pixels"),
    ("smote+augment", "pixels"),
    ("undersample+augment", "pixels"),
    ("augment", "pixels"),
    ("smote", "features"),
    ("BorderlineSMOTE", "features"),
)


def make_sampler(name: str):
    """Return what GlomeruliClassifier takes for a row of the table."""
    import imblearn.over_sampling as over_sampling

    if hasattr(over_sampling, name):
        return getattr(over_sampling, name)()
    return None if name == "None" else name


def cross_validated(row: tuple[str, str, argparse.Namespace]) -> dict:
    """Score one sampler over five folds, no participant on both sides."""
    from sklearn.model_selection import StratifiedGroupKFold, cross_validate

    from glomclf import GlomeruliClassifier, read_manifest

    warnings.simplefilter("ignore")
    name, space, options = row
    patches = read_manifest(options.csv)
    classifier = GlomeruliClassifier(
        make_sampler(name),
        sampling_space=space,
        weights=None if options.weights == "none" else options.weights,
        image_size=options.image_size,
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        patience=options.patience,
        cache_dir=options.cache_dir,
        random_state=options.seed,
    )
    start = time.perf_counter()
    scores = cross_validate(
        classifier,
        patches[["path", "participant"]],
        patches["label"],
        groups=patches["participant"],
        cv=StratifiedGroupKFold(5, shuffle=True, random_state=options.seed),
        scoring=SCORES,
        error_score="raise",
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    means = {score: scores[f"test_{score}"].mean() for score in SCORES}
    spread = scores["test_roc_auc"].std()
    return {
        "sampler": name,
        "space": space,
        **means,
        "roc_auc_sd": spread,
        "seconds": seconds,
        "peak_gib": peak,
    }


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--weights", default="none", help="imagenet, none or a file")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--patience", type=int, default=5)
    parser.add_argument("--cache-dir", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="write the table here as CSV")
    return parser.parse_args()


def main() -> None:
    """Print the table, a row as soon as it is done."""
    options = parse_options()
    table = []
    for name, space in ROWS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            table.append(pool.map(cross_validated, [(name, space, options)])[0])
        print(pd.DataFrame(table).round(3).to_string(index=False), flush=True)
    if options.output:
        pd.DataFrame(table).round(4).to_csv(options.output, index=False)


if __name__ == "__main__":
    main()
