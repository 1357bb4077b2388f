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
    typed_command,
)
from .options import (
    Number,
    classifier_options,
    csv_argument,
    folder_option,
    images_option,
    quiet_option,
    seed_option,
)

if TYPE_CHECKING:
    from ..model.approach_comparison import ApproachComparison

__all__ = ["COMPARISON_FILES", "command", "write_comparison"]

COMPARISON_FILES = (
    "comparison.csv",
    "test_sets.csv",
    "predictions.csv",
    "comparison.json",
    "comparison.png",
    "report.html",
)
_SHOWN = {
    "f1": "F1",
    "recall": "Recall",
    "precision": "Precision",
    "roc_auc": "ROC AUC",
}


@click.command()
@csv_argument
@images_option
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
@click.option(
    "--repeats",
    "n_repeats",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="How often the folds are drawn anew.",
)
@click.option(
    "--test-size",
    type=Number(0, 1, min_open=True, max_open=True),
    default=0.15,
    metavar="SHARE",
    help="Share of its patches that each way splits off as its test set.",
)
@classifier_options(without=["sampler"])  # each approach has its own
@seed_option
@quiet_option
def command(
    csv: Path,
    images: Path | None,
    folder: Path,
    n_folds: int,
    n_repeats: int,
    test_size: float,
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
    from .inputs import labelled_manifest
    from .settings import checked_classifier

    for name in COMPARISON_FILES:
        check_output(folder / name, inputs=[csv])
    manifest = labelled_manifest(csv, images)
    estimator = checked_classifier(**options)
    comparison = compare_approaches(
        manifest,
        manifest["label"],
        manifest["participant"],
        estimator=estimator,
        n_folds=n_folds,
        n_repeats=n_repeats,
        test_size=test_size,
        random_state=seed,
        verbose=int(not quiet),
        after_each=lambda done: _write_tables(done, folder),
    )
    write_comparison(comparison, folder)
    print_comparison(comparison)
    list_files()


def write_comparison(comparison: ApproachComparison, folder: Path) -> None:
    """Write the tables, the picture and the report.

    Parameters
    ----------
    comparison : ApproachComparison
        As from `glomclf.model.approach_comparison.compare_approaches`.
    folder : Path
    """
    from ..report import comparison_report
    from .pictures import write_report

    _write_tables(comparison, folder)
    report = comparison_report(comparison, command=typed_command())
    write_report(report, folder, COMPARISON_FILES)


def _write_tables(comparison: ApproachComparison, folder: Path) -> None:
    from .tables import write_csv, write_json

    write_csv(comparison.to_frame(), folder / "comparison.csv", index=True)
    write_csv(comparison.counts(), folder / "test_sets.csv", index=True)
    predictions = comparison.predictions.set_index("approach")
    write_csv(predictions, folder / "predictions.csv", index=True)
    write_json(comparison.to_dict(), folder / "comparison.json")


def print_comparison(comparison: ApproachComparison) -> None:
    """Print what is reported beside what is got, score by score.

    Parameters
    ----------
    comparison : ApproachComparison
        As from `glomclf.model.approach_comparison.compare_approaches`.
    """
    frame = comparison.to_frame()
    for score, title in _SHOWN.items():
        rows = [
            (
                str(name),
                _number(row["reported"], ".2f"),
                _with_interval(row, "untouched", ".2f"),
                _with_interval(row, "inflation", "+.2f"),
            )
            for name, row in frame.xs(score, level="score").iterrows()
        ]
        print_table(title, ("approach", "reported", "untouched", "inflation"), rows)
    for approach in comparison.approaches:
        click.echo(f"  {approach.title}")
    if comparison.caution:
        note(f"Caution: {comparison.caution}.")


def _number(value: float, form: str) -> str:
    return "undefined" if value != value else f"{value:{form}}"


def _with_interval(row: Any, side: str, form: str) -> str:
    ends = row[f"{side}_low"], row[f"{side}_high"]
    value, low, high = (round(x, 2) + 0.0 for x in (row[side], *ends))  # no "-0.00"
    if low != low or high != high:  # NaN: there is no interval
        return _number(value, form)
    return f"{value:{form}} ({low:{form}} to {high:{form}})"
