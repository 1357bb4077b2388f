"""Measure what three ways to balance and split report, and what they get.

Patches are drawn, in serial sections, unless a csv of your own is given::

    python examples/benchmarks/approaches.py --output approaches_synthetic
    python examples/benchmarks/approaches.py public.csv --image-size 224 --output mine

`glomclf compare` does the same for a csv with all options of a training; this script
keeps the table as Markdown and the picture, named after --output.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from glomclf import GlomeruliClassifier, make_glomeruli, read_manifest
from glomclf.approaches import ApproachComparison, compare_approaches
from glomclf.plots import ApproachesDisplay

SHOWN = ("f1", "recall", "precision", "roc_auc")


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
    parser.add_argument("--repeats", type=int, default=1)
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
        weights=None if options.weights == "none" else options.weights,
        image_size=options.image_size,
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        patience=options.patience,
    )
    return compare_approaches(
        X,
        y,
        groups,
        estimator=estimator,
        n_repeats=options.repeats,
        random_state=options.seed,
        verbose=1,
    )


def as_markdown(comparison: ApproachComparison) -> str:
    """Write the report."""
    settings, frame = comparison.settings, comparison.to_frame()
    lines = [
        "# What three approaches report, and what they get",
        "",
        f"{settings['n_samples']} patches of {settings['n_participants']} participants. "
        f"In {settings['n_folds']} folds ({settings['n_repeats']} times) each "
        "participant was once untouched; predictions pooled; 95 % intervals by "
        "bootstrap over participants, paired for the inflation. Made by",
        "",
        f"    python examples/benchmarks/{Path(sys.argv[0]).name} {shown_arguments()}",
    ]
    for score in SHOWN:
        table = frame.xs(score, level="score")
        lines += ["", f"## {score}", "", *_table(_with_intervals(table))]
    lines += ["", "## Test sets, all folds", "", *_table(comparison.counts())]
    if comparison.caution:
        lines += ["", f"Caution: {comparison.caution}."]
    return "\n".join(lines) + "\n"


def shown_arguments() -> str:
    """Tell the command line without the folders of this machine."""
    return " ".join(Path(a).name if "/" in a else a for a in sys.argv[1:])


def _with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    cells = {
        side: [
            f"{value:{form}} ({low:{form}} to {high:{form}})"
            for value, low, high in zip(
                table[side], table[f"{side}_low"], table[f"{side}_high"], strict=True
            )
        ]
        for side, form in (
            ("reported", ".3f"),
            ("untouched", ".3f"),
            ("inflation", "+.3f"),
        )
    }
    return pd.DataFrame(cells, index=table.index)


def _table(frame: pd.DataFrame) -> list[str]:
    head = "| approach | " + " | ".join(frame.columns) + " |"
    rows = [
        f"| {name} | " + " | ".join(map(str, row)) + " |"
        for name, *row in frame.itertuples()
    ]
    return [head, "|---" * (len(frame.columns) + 1) + "|", *rows]


def main() -> None:
    """Compare, and write the table and the picture."""
    options = parse_options()
    comparison = compared(options)
    table = options.output.with_suffix(".md")
    table.write_text(as_markdown(comparison), encoding="utf-8")
    display = ApproachesDisplay.from_comparison(comparison, scores=SHOWN)
    display.figure_.savefig(options.output.with_suffix(".png"), dpi=100)


if __name__ == "__main__":
    main()
