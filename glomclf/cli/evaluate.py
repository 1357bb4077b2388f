"""``glomclf evaluate``: a model's predictions and scores on a test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import check_output, drop_unwritten, list_files, note, typed_command
from .options import (
    csv_argument,
    folder_option,
    images_option,
    model_option,
    quiet_option,
    threshold_option,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..evaluation.biopsy import BiopsySummary
    from ..evaluation.evaluation import Evaluation
    from ..leakage.splits import SplitAudit
    from ..model.classifier import GlomeruliClassifier

__all__ = ["EVALUATION_FILES", "command", "write_evaluation"]

EVALUATION_FILES = (
    "predictions.csv",
    "scores.csv",
    "scores.json",
    "biopsies.csv",
    "confusion_matrix.png",
    "roc_curve.png",
    "precision_recall_curve.png",
    "reliability.png",
    "biopsies.png",
    "bland_altman.png",
    "report.html",
)


@click.command()
@csv_argument
@model_option
@images_option
@folder_option(
    "glomclf-evaluation",
    "Folder for predictions, scores, pictures and the report, one HTML file; such "
    "files are replaced.",
)
@click.option(
    "--train",
    "train_csv",
    type=click.Path(path_type=Path),
    default=None,
    show_default="no audit",
    metavar="CSV",
    help="Patches that the model was trained on. They are searched for participants "
    "and images of CSV.",
)
@threshold_option
@quiet_option
def command(
    csv: Path,
    model: Path,
    images: Path | None,
    folder: Path,
    train_csv: Path | None,
    threshold: float | None,
    quiet: bool,
) -> None:
    """Predict the patches of CSV and score the predictions.

    CSV has the column `name` and, if known, `ground truth` and `participant`. Without
    labels there are predictions alone. Intervals of scores respect that patches of one
    participant are alike. With --train, the exit code is 2 if participants or images
    of CSV were trained on. All files are written even so.

    Example: glomclf evaluate test.csv --model model.glomclf --train train.csv
    """
    from ..data.manifest import read_manifest
    from .inputs import labelled_manifest, load_model, named_alike

    inputs = [csv, model] if train_csv is None else [csv, model, train_csv]
    for name in EVALUATION_FILES:
        check_output(folder / name, inputs=inputs)
    manifest = read_manifest(csv, images)
    train = None
    if train_csv is not None:
        train = labelled_manifest(train_csv, images)
        train, manifest = named_alike([train_csv, csv], [train, manifest])
    classifier = load_model(model, threshold, quiet)
    probability = classifier.predict_proba(manifest)[:, 1]
    audit = write_evaluation(manifest, probability, classifier, folder, train=train)
    drop_unwritten(folder / name for name in EVALUATION_FILES)
    list_files()
    if audit is not None:
        audit.raise_if_leaky()


def write_evaluation(
    manifest: pd.DataFrame,
    probability: np.ndarray,
    classifier: GlomeruliClassifier,
    folder: Path,
    *,
    title: str = "Evaluation",
    train: pd.DataFrame | None = None,
) -> SplitAudit | None:
    """Write predictions and, as far as there are labels, scores, pictures and report.

    Parameters
    ----------
    manifest : DataFrame of shape (n_samples, n_columns)
        As from `read_manifest`.
    probability : ndarray of shape (n_samples,)
        Of class 1.
    classifier : GlomeruliClassifier
        Fitted; it made the probabilities.
    folder : Path
    title : str, default="Evaluation"
        Of the report.
    train : DataFrame, default=None
        The rows that the classifier was fitted on, where they are known.

    Returns
    -------
    SplitAudit or None
        Of the split between the two; None where either has no labels.
    """
    from .tables import predictions_table, write_csv

    table = predictions_table(manifest, probability, classifier.threshold_)
    write_csv(table, folder / "predictions.csv")
    if "label" not in manifest:
        note(
            "There are no labels: predictions are written; scores and a report cannot "
            "be made."
        )
        return None
    if manifest["label"].nunique() < 2:
        note(
            f"All {len(manifest)} labels are {manifest['label'].iloc[0]}: scores that "
            "need both classes are undefined."
        )
    found = _score(manifest, probability, classifier.threshold_, folder)
    audit = None if train is None else _audit(train, manifest)
    if train is None:
        note("Not audited: --train CSV looks for what the model was trained on.")
    known = {"classifier": classifier, "train": train, "audit": audit}
    _write_report(manifest, probability, folder, title=title, **known, **found)
    _print(**found)  # last, for whoever reads it may close the pipe
    return audit


def _audit(train: pd.DataFrame, test: pd.DataFrame) -> SplitAudit:
    """Look for what is in the training and in the test set."""
    from ..data.manifest import stack_manifests
    from ..leakage.splits import audit_splits

    note("Looking for participants and images that were trained on.")
    columns = ["path", "label", "slide", "participant"]
    rows = stack_manifests(train[columns], test[columns])
    split = (range(len(train)), range(len(train), len(rows)))
    audit = audit_splits(rows, rows["label"], [split])
    if audit.is_leaky:
        note("Caution: the test set leaks, and the scores cannot be believed.")
    return audit


def _score(
    manifest: pd.DataFrame, probability: np.ndarray, threshold: float, folder: Path
) -> dict[str, Any]:
    """Score patches and, where they are known, biopsies; write both."""
    from ..data.participants import participant_kind
    from ..evaluation.biopsy import biopsy_summary
    from ..evaluation.evaluation import evaluate
    from .tables import write_csv, write_scores

    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    evaluation = evaluate(y, probability, groups=groups, threshold=threshold)
    write_scores(evaluation, folder)
    if participant_kind(manifest) != "participant":
        note("There is no percentage per biopsy: not all participants are known.")
        return {"evaluation": evaluation, "biopsies": None}
    biopsies = biopsy_summary(y, probability, groups, threshold=threshold)
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
    write_report(report, folder, EVALUATION_FILES)


def _print(evaluation: Evaluation, biopsies: BiopsySummary | None) -> None:
    from .tables import print_biopsies, print_scores

    n_patches = int(evaluation.confusion_matrix.sum())
    print_scores(f"Scores of {n_patches} patches", evaluation)
    if biopsies is not None:
        print_biopsies(biopsies)
