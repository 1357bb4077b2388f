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

Methods are data, in `recipe_parts/methods.py`. Several machines can each fill a file of
their own; `--merge` joins them. Needs the extra `benchmarks` (scikit-image).
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

from recipe_parts.methods import METHODS, SHARED, TABLES, named, wanted
from recipe_parts.page import Page
from recipe_parts.patches import SPLITS, Patches
from recipe_parts.results import Results, ResultsError, Unit
from recipe_parts.running import Budget, run

REPOSITORY = Path(__file__).resolve().parents[2]


def asked_units(options: argparse.Namespace, results: Results) -> list[Unit]:
    """Return those units of the tables that the options name, method after method."""
    splits = options.splits or results.patches.splits()
    known = {fold for split in splits for fold in results.folds(split)}
    if lost := sorted(set(options.folds or known) - known):
        raise ValueError(
            f"no fold is named {', '.join(lost)}; there are: {', '.join(sorted(known))}"
        )
    return [
        Unit(method, split, fold)
        for method in named(options.methods, METHODS)
        for split in splits
        for fold in wanted(TABLES, method, split, results.folds(split))
        if fold in (options.folds or known)
    ]


def listed(units: list[Unit], results: Results) -> str:
    """Say what is done and what is not."""
    lines = []
    for unit in units:
        state = results.state(unit, METHODS[unit.method])
        taken = results.units[unit]["seconds"] if state != "to do" else None
        lines.append(f"{unit}: {state}" + (f", {taken:.0f} s" if taken else ""))
    return "\n".join(lines)


def setting(text: str) -> tuple[str, object]:
    """Read NAME=VALUE, the value as Python writes it, or else as plain text."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


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
    add("--minutes", type=float, help="start no unit not expected to end by then")
    add(
        "--expect",
        type=float,
        default=30.0,
        help="minutes that a unit may take of which no like was timed here (30)",
    )
    add("--cache-dir", help="of images and features; default: the platform's folder")
    add("--seed", type=int, help="of folds and fits; default: the file's, or 0")
    add(
        "--set",
        nargs="+",
        type=setting,
        metavar="NAME=VALUE",
        help="parameters of all networks; default: the file's, or "
        + " ".join(f"{name}={value}" for name, value in SHARED.items()),
    )
    add("--merge", nargs="+", type=Path, help="take units over from other files")
    add("--report", type=Path, help="write this Markdown file, and run nothing")
    add("--pictures", type=outside, help="folder for pictures of the worst mistakes")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run, list, merge or report; return the exit code."""
    options = parser().parse_args(arguments)
    try:
        patches = Patches(options.csv, options.images)
        shared = None if options.set is None else {**SHARED, **dict(options.set)}
        results = Results(options.results, patches, options.seed, shared)
        units = asked_units(options, results)
        if options.merge:
            print(f"{results.merge(options.merge)} units taken over")
    except (ResultsError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.report:
        page = str(Page(results, METHODS, TABLES, options.pictures))
        options.report.write_text(page, encoding="utf-8")
    elif options.list:
        print(listed(units, results))
    elif not options.merge:
        return run_all(units, results, options)
    return 0


def run_all(units: list[Unit], results: Results, options: argparse.Namespace) -> int:
    """Run what is asked and not done; 1 where a unit failed."""
    budget = Budget(options.minutes, options.expect)
    failed = run(units, METHODS, results, budget, cache_dir=options.cache_dir)
    print(f"{len(failed)} units failed" if failed else "no unit failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
