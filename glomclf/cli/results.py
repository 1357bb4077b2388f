"""The files and tables that commands have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._runtime import short_names
from .console import note, output, print_table, typed_command

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..evaluation.biopsy import BiopsySummary
    from ..evaluation.evaluation import Evaluation
    from ..model.classifier import GlomeruliClassifier
    from ..model.ensemble import FoldEnsembleClassifier
    from ..report import Report

__all__ = [
    "EVALUATION_FILES",
    "TRAINING_FILES",
    "new_figure",
    "predictions_table",
    "print_biopsies",
    "print_scores",
    "write_csv",
    "write_ensemble_training",
    "write_evaluation_pictures",
    "write_out_of_fold",
    "write_report",
    "write_scores",
    "write_training",
]

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
    "report.html",
)
TRAINING_FILES = (
    "cv_predictions.csv",
    "cv_scores.csv",
    "cv_scores.json",
    "report.html",
    "history.csv",
    "history.png",
    "class_proportions.png",
    "synthetic_images.png",
)
_SHOWN = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "specificity": "specificity",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "matthews_corrcoef": "MCC",
}
# Names and digits.
_AGREEMENT = {
    "mean_absolute_error": ("mean absolute error, points", 1),
    "bias": ("bias (predicted less true), points", 1),
    "lower_limit": ("lower limit of agreement, points", 1),
    "upper_limit": ("upper limit of agreement, points", 1),
    "icc": ("intraclass correlation", 3),
}


@contextmanager
def new_figure(path: Path, **options: Any) -> Iterator[Figure]:
    """Give a figure that is saved at the end, whatever backend the user has."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", **options)
    yield figure
    with output(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight")


def write_csv(table: pd.DataFrame, path: Path, **options: Any) -> None:
    """Write a table, whole or not at all."""
    with output(path) as temporary:
        table.to_csv(temporary, **{"index": False, **options})


def predictions_table(
    manifest: pd.DataFrame, probability: np.ndarray, threshold: float | np.ndarray
) -> pd.DataFrame:
    """Put names and predictions side by side, with label and participant if known.

    Parameters
    ----------
    manifest : DataFrame of shape (n_samples, n_columns)
        As from `read_manifest`.
    probability : ndarray of shape (n_samples,)
        Of class 1.
    threshold : float or ndarray of shape (n_samples,)
        Probability from which class 1 is predicted.

    Returns
    -------
    DataFrame of shape (n_samples, n_columns)
        ``name, probability, prediction``, and ``label``, ``participant`` where known.
    """
    table = pd.DataFrame(
        {
            "name": short_names(manifest["path"]),
            "probability": probability,
            "prediction": (probability >= threshold).astype(int),
        }
    )
    if "label" in manifest:
        table["label"] = manifest["label"].to_numpy()
    participants = _known_participants(manifest)
    if (participants != "").any():
        table["participant"] = participants.to_numpy()
    return table


def _known_participants(manifest: pd.DataFrame) -> pd.Series:
    """Return the participants, empty where slide or image stands for them."""
    from ..data.participants import infer_participants, participant_kind

    participants = manifest["participant"]
    if participant_kind(manifest) == "participant":
        return participants
    is_inferred = pd.notna(infer_participants(manifest["path"]))
    is_own = (participants != manifest["slide"]).to_numpy()
    return participants.where(is_inferred | is_own, "")


def print_scores(title: str, evaluation: Evaluation) -> None:
    """Print scores with their intervals, and the confusion matrix."""
    rows = []
    for name, shown in _SHOWN.items():
        low, high = evaluation.interval(name)
        rows.append((shown, _number(evaluation.scores[name]), _range(low, high)))
    print_table(title, ("score", "value", "95 % interval"), rows)
    (tn, fp), (fn, tp) = evaluation.confusion_matrix.tolist()
    at = f"threshold {evaluation.threshold:g}"
    if np.isnan(evaluation.threshold):
        at = "the threshold of each fold"
    print_table(
        f"Confusion matrix at {at}",
        ("", "predicted 0", "predicted 1"),
        [("label 0", str(tn), str(fp)), ("label 1", str(fn), str(tp))],
    )
    if evaluation.caution:
        note(f"Caution: {evaluation.caution}.")


def _number(value: float, digits: int = 3) -> str:
    return "undefined" if np.isnan(value) else f"{value:.{digits}f}"


def _range(low: float, high: float, digits: int = 3) -> str:
    if np.isnan([low, high]).any():
        return ""
    return f"{low:.{digits}f} to {high:.{digits}f}"


def write_scores(evaluation: Evaluation, folder: Path, stem: str = "scores") -> None:
    """Write scores and intervals as a table, and everything as JSON."""
    write_csv(evaluation.to_frame(), folder / f"{stem}.csv", index=True)
    with output(folder / f"{stem}.json") as temporary:
        temporary.write_text(
            json.dumps(evaluation.to_dict(), indent=2, allow_nan=False) + "\n",
            encoding="utf-8",
        )


def write_out_of_fold(
    classifier: GlomeruliClassifier,
    X: Any,
    manifest: pd.DataFrame,
    folds: list[Any],
    folder: Path,
) -> Evaluation:
    """Predict participants that were not trained on; write predictions and scores.

    Parameters
    ----------
    classifier : GlomeruliClassifier
        It is cloned for each fold.
    X : DataFrame or ndarray
        The rows of `manifest`, as the classifier takes them.
    manifest : DataFrame
        Columns ``label`` and ``participant``.
    folds : list of (ndarray, ndarray)
    folder : Path

    Returns
    -------
    Evaluation
        Of all folds together.
    """
    from ..evaluation.evaluation import evaluate
    from ..model.folds import predict_folds

    y, participants = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    predicted = predict_folds(
        classifier, X, y, groups=participants, cv=folds
    ).sort_values("row")
    # Each fold's own, where they were chosen inside.
    threshold = predicted["threshold"].to_numpy()
    if len(set(threshold)) == 1:
        threshold = threshold[0]
    probability = predicted["probability"].to_numpy()
    evaluation = evaluate(y, probability, groups=participants, threshold=threshold)
    _write_cross_validation(manifest, probability, threshold, evaluation, folder)
    return evaluation


def _write_cross_validation(
    manifest: pd.DataFrame,
    probability: np.ndarray,
    threshold: float | np.ndarray,
    evaluation: Evaluation,
    folder: Path,
) -> None:
    table = predictions_table(manifest, probability, threshold)
    write_csv(table, folder / "cv_predictions.csv")
    write_scores(evaluation, folder, "cv_scores")


def print_biopsies(summary: BiopsySummary) -> None:
    """Print how predicted and true percentages a biopsy agree."""
    rows = []
    for name, (shown, digits) in _AGREEMENT.items():
        ends = _range(*summary.interval(name), digits)
        rows.append((shown, _number(summary.scores[name], digits), ends))
    title = f"Percentage of globally sclerotic glomeruli, {len(summary.table)} biopsies"
    print_table(title, ("agreement", "value", "95 % interval"), rows)
    if summary.caution:
        note(f"Caution: {summary.caution}.")


def write_evaluation_pictures(
    y_true: np.ndarray,
    y_score: np.ndarray,
    groups: np.ndarray,
    threshold: float,
    folder: Path,
    *,
    with_biopsies: bool = True,
) -> None:
    """Draw the confusion matrix, reliability, biopsies and, with two classes, curves.

    Parameters
    ----------
    y_true, y_score, groups : ndarray of shape (n_samples,)
        Labels, probabilities of class 1, participants.
    threshold : float
        Probability from which class 1 is predicted.
    folder : Path
    with_biopsies : bool, default=True
        Whether groups are participants, and each is a biopsy.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    from ..report.displays import (
        BiopsyPercentageDisplay,
        BlandAltmanDisplay,
        PrecisionRecallBandDisplay,
        ReliabilityDisplay,
        RocBandDisplay,
    )

    with new_figure(folder / "confusion_matrix.png", figsize=(4.2, 3.6)) as figure:
        ConfusionMatrixDisplay.from_predictions(
            y_true,
            (y_score >= threshold).astype(int),
            labels=[0, 1],
            display_labels=["0\nother", "1\nglobally\nsclerotic"],
            cmap="Blues",
            colorbar=False,
            ax=figure.subplots(),
        )
    displays: dict[str, Any] = {"reliability": ReliabilityDisplay}
    if len(np.unique(y_true)) == 2:
        displays["roc_curve"] = RocBandDisplay
        displays["precision_recall_curve"] = PrecisionRecallBandDisplay
    for name, display in displays.items():
        with new_figure(folder / f"{name}.png", figsize=(4.6, 4.4)) as figure:
            display.from_predictions(
                y_true, y_score, groups=groups, ax=figure.subplots()
            )
    if not with_biopsies:
        return
    with new_figure(folder / "biopsies.png", figsize=(9, 4.4)) as figure:
        panels = figure.subplots(1, 2)
        share = BiopsyPercentageDisplay.from_predictions(
            y_true, y_score, groups=groups, threshold=threshold, ax=panels[0]
        )
        BlandAltmanDisplay(share.summary).plot(panels[1])


def write_report(report: Report, folder: Path) -> None:
    """Write the report of a run as ``report.html``."""
    with output(folder / "report.html") as temporary:
        temporary.write_text(report.render(), encoding="utf-8")


def write_training(
    classifier: GlomeruliClassifier, images: np.ndarray, y: np.ndarray, folder: Path
) -> None:
    """Write the history of a training and pictures of what its sampler did.

    Parameters
    ----------
    classifier : GlomeruliClassifier
        Fitted.
    images : ndarray of shape (n_samples, height, width, 3), uint8
        The rows that ``fit`` was given.
    y : ndarray of shape (n_samples,)
        Their labels.
    folder : Path
    """
    from ..report.displays import HistoryDisplay

    history = pd.DataFrame(classifier.history_)
    history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
    write_csv(history, folder / "history.csv", index=True)
    display = HistoryDisplay(classifier.history_)
    n_panels = len(display.panels)
    with new_figure(folder / "history.png", figsize=(4.5 * n_panels, 3.6)) as figure:
        display.plot(figure.subplots(1, n_panels))
    if "sample" in classifier.pipeline_.named_steps:
        _draw_resampling(classifier, images, y, folder)


def write_ensemble_training(
    ensemble: FoldEnsembleClassifier,
    manifest: pd.DataFrame,
    images: np.ndarray,
    folder: Path,
) -> None:
    """Write what is out of fold, the members' histories, pictures and the report.

    Parameters
    ----------
    ensemble : FoldEnsembleClassifier
        Fitted.
    manifest : DataFrame
        The rows that ``fit`` was given, with ``label`` and ``participant``.
    images : ndarray of shape (n_samples, height, width, 3), uint8
        Their images.
    folder : Path
    """
    from ..report import ensemble_report
    from ..report.displays import EnsembleHistoryDisplay

    out_of_fold = (ensemble.oof_probability_, ensemble.oof_threshold_)
    _write_cross_validation(manifest, *out_of_fold, ensemble.oof_evaluation_, folder)
    histories = [pd.DataFrame(one.history_) for one in ensemble.estimators_]
    for history in histories:
        history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
    numbers = range(1, len(histories) + 1)
    history = pd.concat(histories, keys=numbers, names=["fold"])
    write_csv(history, folder / "history.csv", index=True)
    display = EnsembleHistoryDisplay([one.history_ for one in ensemble.estimators_])
    size = (4.5 * display.n_panels, 0.6 + 2.2 * len(histories))
    with new_figure(folder / "history.png", figsize=size) as figure:
        display.plot(display.panels(figure))
    first, y = ensemble.estimators_[0], manifest["label"].to_numpy()
    if "sample" in first.pipeline_.named_steps:
        trained = ensemble.oof_fold_ != 0
        _draw_resampling(first, images[trained], y[trained], folder)
    report = ensemble_report(
        ensemble, manifest, y, groups=manifest["participant"], command=typed_command()
    )
    write_report(report, folder)


def _draw_resampling(
    classifier: GlomeruliClassifier, images: np.ndarray, y: np.ndarray, folder: Path
) -> None:
    from ..report.displays import ClassProportionsDisplay, SyntheticImagesDisplay
    from ..samplers.trace import trace_resampling

    train = np.setdiff1d(np.arange(len(y)), classifier.validation_indices_)
    rows = images[train]
    steps = classifier.pipeline_.named_steps
    before = list(steps)[1 : list(steps).index("sample")]
    for name in before:
        if name != "views":
            rows = steps[name].transform(rows)
    trace = trace_resampling(classifier.pipeline_["sample"], rows, y[train])
    width = 2.2 + 1.5 * len(trace)
    with new_figure(folder / "class_proportions.png", figsize=(width, 4)) as figure:
        ClassProportionsDisplay.from_trace(trace, ax=figure.subplots())
    n_made = [len(step.synthetic) for step in trace if len(step.synthetic)]
    if not n_made:
        note("The sampler made no images, so there is no sheet of them.")
        return
    size = (1.8 + 1.05 * max(n_made), 0.2 + 2.3 * len(n_made))
    with new_figure(folder / "synthetic_images.png", figsize=size) as figure:
        SyntheticImagesDisplay(trace).plot(ax=figure.subplots())
