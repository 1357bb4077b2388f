"""``glomclf compare``: what each approach reports, and what it gets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .console import note, print_table, say, typed_command
from .inputs import PatchTable
from .outputs import check_outputs, list_files, write_csv, write_report

if TYPE_CHECKING:
    import pandas as pd

    from ..model.approach_comparison import ApproachComparison

COMPARISON_FILES = (
    *("comparison.csv", "test_sets.csv", "predictions.csv"),
    *("comparison.png", "report.html"),
)


@click.command()
@options.patches("images")
@options.output(
    "folder",
    "Folder for tables, predictions, a picture and the report, one HTML file; "
    "such files are replaced.",
    default="glomclf-comparison",
)
@options.folds("Folds of participants. Each is untouched once.", default=4)
@options.classifier(recipe="features", without=["sampler"])  # each approach has its own
@options.seed
@options.quiet
def command(
    patches: PatchTable,
    folder: Path,
    n_folds: int,
    seed: int,
    quiet: bool,
    **given: Any,
) -> None:
    """Measure what a leak does to the scores on CSV.

    Three ways to balance and split run on the same patches, and two of them once more
    with a split by participant. Each reports scores on the test set that it makes, and
    is then judged on participants that it never touched. One of them resamples before
    it splits, which is a leak. Tables are written whenever a way is done.

    Example: glomclf compare patches.csv --output comparison
    """
    from ..model.approach_comparison import compare_approaches
    from ..report import comparison_report
    from .settings import checked_classifier

    check_outputs((folder / name for name in COMPARISON_FILES), patches.files)
    manifest = patches.labelled()
    estimator = checked_classifier(**given)
    comparison = compare_approaches(
        manifest,
        manifest["label"],
        manifest["participant"],
        estimator=estimator,
        n_folds=n_folds,
        random_state=seed,
        verbose=int(not quiet),
        after_each=lambda done: _write_tables(done, folder),
    )
    report = comparison_report(comparison, command=typed_command())
    write_report(report, folder, COMPARISON_FILES)
    _print(comparison)
    list_files()


def _write_tables(comparison: ApproachComparison, folder: Path) -> None:
    write_csv(_titled(comparison.to_frame()), folder / "comparison.csv", index=True)
    write_csv(_titled(comparison.counts()), folder / "test_sets.csv", index=True)
    write_csv(comparison.predictions, folder / "predictions.csv")


def _titled(table: pd.DataFrame) -> pd.DataFrame:
    """Say in each row what its approach is, not only its number."""
    from ..model.approaches import APPROACHES

    titles = {one.name: one.title for one in APPROACHES}
    names = table.index.get_level_values("approach")
    return table.assign(title=[titles[name] for name in names])


def _print(comparison: ApproachComparison) -> None:
    """Print reported and actual scores side by side."""
    from ..model.approaches import APPROACHES
    from ..report.comparison import comparison_tables

    say("Approaches:")
    for approach in APPROACHES:
        say(f"  {approach.title}")
    say("")
    for table in comparison_tables(comparison):
        print_table(table.caption, table.columns, table.rows)
    if comparison.caution:
        note(f"Caution: {comparison.caution}.")
