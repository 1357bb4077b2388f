"""Measure what three ways to balance and split report, and what they get.

Patches are drawn, in serial sections, unless a csv of your own is given::

    python examples/benchmarks/approaches.py --output approaches_synthetic
    python examples/benchmarks/approaches.py public.csv --image-size 224 --output mine

`glomclf compare` does the same for a csv with all options of a training; this script
writes the tables as Markdown, that of the scores as csv, and the picture, named after
--output.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from pages import command, grid

from glomclf import (
    GlomeruliClassifier,
    PatchClassifier,
    evaluate,
    make_glomeruli,
    read_manifest,
)
from glomclf.model.approach_comparison import (
    COMPARED_SCORES,
    ApproachComparison,
    compare_approaches,
)
from glomclf.report.displays import ApproachesDisplay


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path, nargs="?", help="default: drawn patches")
    parser.add_argument("--samples", type=int, default=800, help="patches to draw")
    parser.add_argument("--participants", type=int, default=60, help="to draw")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--weights", default="none", help="imagenet, none or a file")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--patience", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="without ending")
    return parser.parse_args()


def compared(options: argparse.Namespace) -> ApproachComparison:
    """Draw or read the patches, and compare."""
    if options.csv is None:
        X, y, groups = make_glomeruli(
            options.samples,
            n_participants=options.participants,
            sclerotic_fraction=0.2,
            image_size=options.image_size,
            serial_sections=True,
            random_state=options.seed,
        )
    else:
        X = read_manifest(options.csv)
        y, groups = X["label"], X["participant"]
    estimator = GlomeruliClassifier(
        network=PatchClassifier(
            weights=None if options.weights == "none" else options.weights,
            learning_rate=options.learning_rate,
            epochs=options.epochs,
            patience=options.patience,
        ),
        image_size=options.image_size,
    )
    return compare_approaches(
        X,
        y,
        groups,
        estimator=estimator,
        random_state=options.seed,
        verbose=1,
    )


def score_table(comparison: ApproachComparison) -> pd.DataFrame:
    """Put reported, untouched and inflation side by side, with intervals."""
    frame = comparison.to_frame()
    table = pd.concat(
        [frame.xs(score, level="score", drop_level=False) for score in COMPARED_SCORES]
    )
    forms = {"reported": ".2f", "untouched": ".2f", "inflation": "+.2f"}
    cells = {
        side: [
            with_interval(*row, form)
            for row in table[[side, f"{side}_low", f"{side}_high"]].to_numpy()
        ]
        for side, form in forms.items()
    }
    return pd.DataFrame(cells, index=table.index.swaplevel()).reset_index()


def with_interval(value: float, low: float, high: float, form: str) -> str:
    """Write a score, and its interval where there is one."""
    value, low, high = np.round([value, low, high], 2) + 0.0  # no "-0.00"
    if np.isnan([low, high]).any():
        return f"{value:{form}}"
    return f"{value:{form}} ({low:{form}} to {high:{form}})"


def score_real_patches(comparison: ApproachComparison) -> pd.DataFrame:
    """Score the first approach's test set without its synthetic patches."""
    table = comparison.predictions
    table = table[(table["approach"] == "1") & (table["part"] == "reported")]
    real = table[~table["synthetic"]]
    result = evaluate(
        real["label"],
        real["probability"],
        groups=real["participant"],
        threshold=real["threshold"],
    )
    cells = {
        score: with_interval(result.scores[score], *result.interval(score), ".2f")
        for score in COMPARED_SCORES
    }
    counts = real["label"].value_counts().sort_index().tolist()
    return pd.DataFrame([{"patches (0 / 1)": " / ".join(map(str, counts)), **cells}])


def as_markdown(comparison: ApproachComparison) -> str:
    """Write the report."""
    untouched = comparison.predictions.query("approach == '1' and part == 'untouched'")
    lines = [
        "# What three approaches report, and what they get",
        "",
        f"{len(untouched)} patches of {untouched['participant'].nunique()} "
        f"participants. In {untouched['fold'].nunique()} folds each participant was "
        "untouched once; predictions pooled; 95 % intervals by bootstrap over "
        "participants, paired for the inflation. Made by",
        "",
        f"    {command()}",
        "",
        *_table(score_table(comparison)),
        "",
        "Approach 1, on the real patches of its test set alone:",
        "",
        *_table(score_real_patches(comparison)),
        "",
        "Test sets, all folds:",
        "",
        *_table(comparison.counts().reset_index()),
    ]
    if comparison.caution:
        lines += ["", f"Caution: {comparison.caution}."]
    return "\n".join(lines) + "\n"


def _table(frame: pd.DataFrame) -> list[str]:
    return grid(list(frame.columns), list(frame.itertuples(index=False)))


def main() -> None:
    """Compare, and write the table and the picture."""
    options = parse_options()
    comparison = compared(options)
    text = as_markdown(comparison)
    options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    score_table(comparison).to_csv(options.output.with_suffix(".csv"), index=False)
    display = ApproachesDisplay.from_comparison(comparison)
    display.figure_.savefig(options.output.with_suffix(".png"), dpi=100)


if __name__ == "__main__":
    main()
