"""Score recipes, and what was done before networks, on patches of your own.

Methods are cross-validated by slide and leaving one centre out, as their table says.
Each method on each fold is one unit of work, kept in a JSON file as soon as it is done:
a run that was killed, or whose time was up, goes on where it stopped. `--report` makes
tables of what is done.

    python examples/benchmarks/recipes.py PUBLIC.csv --results recipes.json --list
    python examples/benchmarks/recipes.py PUBLIC.csv --results recipes.json \
        --methods "scratch*" --splits slide --minutes 120
    python examples/benchmarks/recipes.py PUBLIC.csv --results recipes.json \
        --report recipes.md --pictures FOLDER

Methods are data, in `recipe_parts/methods.py`. Needs the extra `benchmarks`
(scikit-image).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recipe_parts.methods import named, wanted
from recipe_parts.page import Page
from recipe_parts.patches import SPLITS, Patches
from recipe_parts.results import Results, Unit
from recipe_parts.running import run

REPOSITORY = Path(__file__).resolve().parents[2]


def asked_units(options: argparse.Namespace, patches: Patches) -> list[Unit]:
    """Return those units of the tables that the options name, method after method."""
    splits = options.splits or patches.splits
    return [
        Unit(method, split, fold)
        for method in named(options.methods)
        for split in splits
        for fold in wanted(method, split, patches.folds[split])
        if not options.folds or fold in options.folds
    ]


def outside(text: str) -> Path:
    """Read a folder for pictures; patches must never get into the repository."""
    folder = Path(text).resolve()
    if folder.is_relative_to(REPOSITORY):
        raise argparse.ArgumentTypeError(
            f"{text} is in the repository; pictures show patches, which do not belong "
            "there. Name a folder elsewhere."
        )
    return folder


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("csv", type=Path)
    add("--images", type=Path, help="folder of the images, if not beside the csv")
    add("--results", type=Path, required=True, help="JSON file, made or gone on with")
    add("--methods", nargs="+", default=["*"], help="names or patterns; default: all")
    add("--splits", nargs="+", choices=SPLITS, help="default: all the csv allows")
    add("--folds", nargs="+", help="numbers by slide, names of centres; default: all")
    add("--list", action="store_true", help="say what is done, and run nothing")
    add("--minutes", type=float, help="start no unit after that")
    add("--cache-dir", help="of images and features; default: the platform's folder")
    add("--report", type=Path, help="write this Markdown file, and run nothing")
    add("--pictures", type=outside, help="folder for pictures of the worst mistakes")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run, list or report; return the exit code."""
    options = parser().parse_args(arguments)
    try:
        patches = Patches(options.csv, options.images)
        results = Results(options.results, patches)
        units = asked_units(options, patches)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.report:
        page = str(Page(results, options.pictures))
        options.report.write_text(page, encoding="utf-8")
        return 0
    if options.list:
        print("\n".join(f"{unit}: {results.state(unit)}" for unit in units))
        return 0
    failed = run(units, results, options.minutes, options.cache_dir)
    print(f"{len(failed)} units failed" if failed else "no unit failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
