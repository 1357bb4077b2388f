"""``glomclf compare``: what three approaches report, and what they get."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    check_output,
    list_files,
    note,
    print_table,
    say,
    typed_command,
)
from .options import (
    classifier_options,
    csv_argument,
    folder_option,
    images_option,
    quiet_option,
    reading_options,
    seed_option,
)

if TYPE_CHECKING:
    import pandas as pd

    from ..model.approach_comparison import ApproachComparison

__all__ = ["COMPARISON_FILES", "command"]

COMPARISON_FILES = (
    "comparison.csv",
    "test_sets.csv",
    "predictions.csv",
    "comparison.png",
    "report.html",
)


@click.command()
@csv_argument
@images_option
@reading_options
@folder_option(
    "glomclf-comparison",
    "Folder for tables, predictions, a picture and the report, one HTML file; "
    "such files are replaced.",
)
@click.option(
    "--cv",
    "n_folds",
    type=click.IntRange(min=2),
    default=4,
    metavar="FOLDS",
    help="Folds of participants. Each is untouched once.",
)
@classifier_options(without=["sampler"])  # each approach has its own
@seed_option
@quiet_option
def command(
    csv: Path,
    images: Path | None,
    reading: dict[str, Any],
    folder: Path,
    n_folds: int,
    seed: int,
    quiet: bool,
    **options: Any,
) -> None:
    """Measure what a leak does to the scores on CSV.

    Three ways to balance and split run on the same patches. Each reports scores on the
    test set that it makes, and is then judged on participants that it never touched.
    One of them resamples before it splits, which is a leak. Tables are written
    whenever a way is done.

    Example: glomclf compare patches.csv --output comparison
    """
    from ..model.approach_comparison import compare_approaches
    from ..report import comparison_report
    from .inputs import labelled_manifest
    from .pictures import write_report
    from .settings import checked_classifier

    for name in COMPARISON_FILES:
        check_output(folder / name, inputs=[csv])
    manifest = labelled_manifest(csv, images, **reading)
    estimator = checked_classifier(**options)
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
    from .tables import write_csv

    for table, name in (
        (comparison.to_frame(), "comparison.csv"),
        (comparison.counts(), "test_sets.csv"),
    ):
        write_csv(_titled(table), folder / name, index=True)
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
