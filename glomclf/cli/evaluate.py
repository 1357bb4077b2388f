"""``glomclf evaluate``: a model's predictions and scores on a test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import check_output, list_files, note, typed_command
from .options import images_option, model_option, quiet_option, threshold_option

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..classifier import GlomeruliClassifier

__all__ = ["command", "write_evaluation"]


@click.command()
@click.option(
    "--test",
    "csv",
    type=click.Path(path_type=Path),
    required=True,
    metavar="CSV",
    help="Test set: a csv with `name` and, if known, `ground truth`, `participant`.",
)
@model_option
@images_option
@click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path),
    default="glomclf-evaluation",
    metavar="DIR",
    help="Folder for predictions, scores, pictures and the report, one HTML file; such "
    "files are replaced.",
)
@threshold_option
@quiet_option
def command(
    csv: Path,
    model: Path,
    images: Path | None,
    folder: Path,
    threshold: float | None,
    quiet: bool,
) -> None:
    """Predict a test set and, where labels are known, score the predictions.

    Intervals respect that patches of one participant are alike.

    Example: glomclf evaluate --test test.csv --model model.glomclf
    """
    from ..manifest import read_manifest
    from .preparation import load_model
    from .results import EVALUATION_FILES

    for name in EVALUATION_FILES:
        check_output(folder / name, inputs=[csv, model])
    manifest = read_manifest(csv, images)
    classifier = load_model(model, threshold, quiet)
    if threshold is not None:  # however the model's own was chosen
        classifier.training_record_["threshold_chosen_on"] = "given"
    probability = classifier.predict_proba(manifest)[:, 1]
    write_evaluation(manifest, probability, classifier, folder)
    list_files()


def write_evaluation(
    manifest: pd.DataFrame,
    probability: np.ndarray,
    classifier: GlomeruliClassifier,
    folder: Path,
    *,
    title: str = "Evaluation",
    train: pd.DataFrame | None = None,
) -> None:
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
    """
    from ..report import evaluation_report
    from . import results

    threshold = classifier.threshold_
    table = results.predictions_table(manifest, probability, threshold)
    results.write_csv(table, folder / "predictions.csv")
    if "label" not in manifest:
        note(
            "There are no labels: predictions are written; scores and a report cannot "
            "be made."
        )
        return
    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    if len(set(y)) < 2:
        note(
            f"All {len(y)} labels are {y[0]}: scores that need both classes are "
            "undefined."
        )
    found = _score(y, probability, groups, threshold, folder)
    results.write_evaluation_pictures(y, probability, groups, threshold, folder)
    report = evaluation_report(
        manifest,
        y,
        probability,
        groups=groups,
        threshold=threshold,
        classifier=classifier,
        train=train,
        command=typed_command(),
        title=title,
        **found,
    )
    results.write_report(report, folder)


def _score(
    y: np.ndarray,
    probability: np.ndarray,
    groups: np.ndarray,
    threshold: float,
    folder: Path,
) -> dict[str, Any]:
    """Score patches and biopsies; write and print both."""
    from ..evaluation import biopsy_summary, evaluate
    from . import results

    evaluation = evaluate(y, probability, groups=groups, threshold=threshold)
    results.write_scores(evaluation, folder)
    results.print_scores(f"Scores of {len(y)} patches", evaluation)
    biopsies = biopsy_summary(y, probability, groups, threshold=threshold)
    results.write_csv(biopsies.table, folder / "biopsies.csv", index=True)
    results.print_biopsies(biopsies)
    return {"evaluation": evaluation, "biopsies": biopsies}
