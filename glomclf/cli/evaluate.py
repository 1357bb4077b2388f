"""``glomclf evaluate``: a model's predictions and scores on a test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import (
    InputError,
    check_inputs,
    check_output,
    drop_unwritten,
    list_files,
    note,
    output,
    typed_command,
)
from .inputs import (
    check_model,
    embeddings_of_two,
    labelled_manifest,
    labelled_pair,
    load_model,
    rows_of,
)
from .options import (
    PATH,
    csv_argument,
    embeddings_pair_option,
    explain_option,
    folder_option,
    images_option,
    model_option,
    quiet_option,
    reading_options,
    threshold_option,
)
from .readers import READERS_FILE, compare_readers, reader_columns, reader_option

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..evaluation.biopsy import BiopsyAgreement
    from ..evaluation.evaluation import Evaluation

__all__ = ["command"]

_FILES = (
    "predictions.csv",
    "scores.csv",
    "scores.json",
    "subgroups.csv",
    READERS_FILE,
    "biopsies.csv",
    "confusion_matrix.png",
    "roc_curve.png",
    "precision_recall_curve.png",
    "reliability.png",
    "thresholds.png",
    "decision_curve.png",
    "biopsies.png",
    "bland_altman.png",
    "report.html",
    "model_card.md",
)
_AGREEMENT = {
    "mean_absolute_error": "mean absolute error, points",
    "bias": "bias (predicted minus true), points",
    "lower_limit": "lower limit of agreement, points",
    "upper_limit": "upper limit of agreement, points",
    "icc": "intraclass correlation",
}


@click.command()
@csv_argument
@model_option
@images_option
@reading_options
@embeddings_pair_option
@folder_option(
    "glomclf-evaluation",
    "Folder for predictions, scores, pictures and the report, one HTML file; such "
    "files are replaced.",
)
@click.option(
    "--train",
    "train_csv",
    type=PATH,
    default=None,
    show_default="no audit",
    metavar="CSV",
    help="Patches that the model was trained on. They are searched for participants "
    "and images of CSV.",
)
@threshold_option
@click.option(
    "--by",
    metavar="COLUMN",
    show_default="all patches together only",
    help="Column of CSV, such as centre, stain or scanner: scores of each of its "
    "values, too, and how far they are apart.",
)
@reader_option("how far they agree, and the model with them.")
@explain_option
@quiet_option
def command(
    csv: Path,
    model: Path,
    images: Path | None,
    reading: dict[str, Any],
    embeddings: tuple[Path, ...],
    folder: Path,
    train_csv: Path | None,
    threshold: float | None,
    by: str | None,
    readers: tuple[str, ...],
    explain: bool,
    quiet: bool,
) -> None:
    """Predict the patches of CSV and score the predictions.

    CSV has the columns `name` and `ground truth` and, if known, `participant`.
    Intervals of scores respect that patches of one participant are alike. --by centre
    shows whether the scores hold at each centre. --explain draws what the model looked
    at in the worst mistakes. With --train, the exit code is 2 if participants or images
    of CSV were trained on. All files are written even so.

    Example: glomclf evaluate test.csv --model model.glomclf --train train.csv
    """
    from ..model.explanation import refuse_unexplained
    from .audit import audit_pair

    _check_files(folder, csv, model, embeddings, train_csv)
    test, rows, train, features = _read(csv, train_csv, images, embeddings, reading)
    divided = None if by is None else _column(test, by, csv)
    read = reader_columns(test, readers, csv)
    classifier = load_model(model, threshold, quiet)
    audit = None
    if explain:
        refuse_unexplained(classifier)
    if train is not None:
        audit, _ = audit_pair(train, test, quiet, features)
    probability = classifier.predict_proba(rows)[:, 1]
    found = _score(test, probability, classifier.threshold_, divided, folder)
    calls = probability >= classifier.threshold_
    sections = compare_readers(test, read, calls, folder)
    known: dict[str, Any] = {"classifier": classifier, "train": train, "audit": audit}
    known |= {"sections": sections, "explain": explain}
    _write_report(test, probability, folder, **known, **found)
    drop_unwritten(folder / name for name in _FILES)
    _print(**found)  # last, for whoever reads it may close the pipe
    list_files()
    if audit is not None:
        audit.raise_if_leaky()


def _check_files(
    folder: Path,
    csv: Path,
    model: Path,
    embeddings: tuple[Path, ...],
    train_csv: Path | None,
) -> None:
    """Refuse files that cannot be read or written, before a model is loaded."""
    inputs = [csv, model, *embeddings, *([] if train_csv is None else [train_csv])]
    for name in _FILES:
        check_output(folder / name, inputs)
    check_inputs(inputs)
    check_model(model, embeddings[0] if embeddings else None)


def _read(
    csv: Path,
    train_csv: Path | None,
    images: Path | None,
    embeddings: tuple[Path, ...],
    reading: dict[str, Any],
) -> tuple[pd.DataFrame, Any, pd.DataFrame | None, Any]:
    """Read the test set and what a classifier takes of it; the training set, if given.

    The last are the embeddings of both, None where there are images.
    """
    own, others = embeddings_of_two(embeddings, train_csv)
    if train_csv is None:
        test = labelled_manifest(csv, images, to_train=False, embeddings=own, **reading)
        note("No leak audit: pass --train with the csv that the model was trained on.")
        return test, rows_of(test, own), None, None
    train, test = labelled_pair(train_csv, csv, images, embeddings=own, **reading)
    rows = rows_of(test, own)
    features = None if own is None else (rows_of(train, others), rows)
    return test, rows, train, features


def _column(test: pd.DataFrame, by: str, csv: Path) -> pd.Series:
    """Return what divides the rows, refused before the model predicts anything."""
    from ..evaluation.subgroups import subgroup_values

    if by not in test:
        titles = ", ".join(map(str, test))
        raise InputError(f"--by: {csv} has no column {by!r}; there are {titles}.")
    if faults := subgroup_values(test[by], len(test))[1]:
        raise InputError(f"--by: in {csv}, {faults[0].replace('by ', f'{by} ', 1)}.")
    return test[by]


def _score(
    manifest: pd.DataFrame,
    probability: np.ndarray,
    threshold: float,
    by: pd.Series | None,
    folder: Path,
) -> dict[str, Any]:
    """Score patches and, where they are known, biopsies; write both."""
    from ..data.participants import participant_kind
    from ..evaluation.biopsy import biopsy_agreement
    from ..evaluation.evaluation import evaluate
    from .tables import predictions_table, write_csv, write_scores

    table = predictions_table(manifest, probability, threshold)
    write_csv(table, folder / "predictions.csv")
    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    evaluation = evaluate(y, probability, groups=groups, threshold=threshold, by=by)
    write_scores(evaluation, folder)
    if evaluation.subgroups is not None:
        table = evaluation.subgroups.to_frame()
        write_csv(table.reset_index(), folder / "subgroups.csv")
    if participant_kind(manifest) != "participant":
        note("There is no percentage per biopsy: not all participants are known.")
        return {"evaluation": evaluation, "biopsies": None}
    biopsies = biopsy_agreement(y, probability, groups, threshold=threshold)
    write_csv(biopsies.table, folder / "biopsies.csv", index=True)
    return {"evaluation": evaluation, "biopsies": biopsies}


def _write_report(
    manifest: pd.DataFrame, probability: np.ndarray, folder: Path, **known: Any
) -> None:
    """Write the report and its pictures."""
    from ..report import evaluation_report
    from .pictures import write_report

    report = evaluation_report(
        manifest,
        manifest["label"].to_numpy(),
        probability,
        groups=manifest["participant"].to_numpy(),
        command=typed_command(),
        **known,
    )
    write_report(report, folder, _FILES)
    with output(folder / "model_card.md") as temporary:
        temporary.write_text(report.card, "utf-8", "backslashreplace")


def _print(evaluation: Evaluation, biopsies: BiopsyAgreement | None) -> None:
    from .._runtime import counted
    from .tables import print_estimates, print_scores, print_subgroups

    n_patches = int(evaluation.confusion_matrix.sum())
    print_scores(f"Scores of {counted(n_patches, 'patch')}", evaluation)
    if evaluation.subgroups is not None:
        print_subgroups(evaluation.subgroups)
    if biopsies is not None:
        n_biopsies = len(biopsies.table)
        told = counted(n_biopsies, "biopsy")
        title = f"Percentage of globally sclerotic glomeruli, {told}"
        print_estimates(title, biopsies, _AGREEMENT, digits=2)
