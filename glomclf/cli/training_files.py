"""What a training leaves beside its model: history, pictures, out-of-fold scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .console import note, typed_command
from .outputs import new_figure, write_csv, write_report, write_scores
from .tables import predictions_table, print_scores

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from ..model.classifier import GlomeruliClassifier
    from ..model.ensemble import FoldEnsembleClassifier

TRAINING_FILES = (
    *("cv_predictions.csv", "cv_scores.csv", "cv_scores.json", "report.html"),
    *("history.csv", "history.png", "class_proportions.png", "synthetic_images.png"),
)


def keep_cut(model: Any, manifest: pd.DataFrame) -> None:
    """Keep in a model how its patches were cut out of slides, where the csv says so.

    Parameters
    ----------
    model : GlomeruliClassifier or FoldEnsembleClassifier
        Fitted.
    manifest : DataFrame
        The rows that it was fitted on.
    """
    from ..data.patch_cuts import cut_of

    cut = model.training_record_["patches"] = cut_of(manifest)
    if cut is None and "patch_scale" in manifest:
        note(
            "Caution: the columns patch_scale, patch_margin and patch_outside are not "
            "the same in all rows. Patches of one scale are easier to learn from, and "
            "the model keeps no scale for `glomclf predict`."
        )


def out_of_fold(
    classifier: GlomeruliClassifier,
    X: Any,
    manifest: pd.DataFrame,
    folds: list[Any],
    weight: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the participants of each fold by a classifier trained on the others.

    Parameters
    ----------
    classifier : GlomeruliClassifier
        It is cloned for each fold.
    X : DataFrame or ndarray
        The rows of `manifest`, as the classifier takes them.
    manifest : DataFrame
        Columns ``label`` and ``participant``.
    folds : list of (ndarray, ndarray)
    weight : ndarray of shape (n_samples,), default=None
        Of the rows, to train with.

    Returns
    -------
    probability : ndarray of shape (n_samples,)
        Of class 1.
    threshold : ndarray of shape (n_samples,)
        That of each row's fold.
    """
    from ..model.folds import predict_folds

    y, participants = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    predicted = predict_folds(
        classifier, X, y, groups=participants, cv=folds, sample_weight=weight
    ).sort_values("row")
    return predicted["probability"].to_numpy(), predicted["threshold"].to_numpy()


def write_out_of_fold(
    classifier: GlomeruliClassifier,
    X: Any,
    manifest: pd.DataFrame,
    folds: list[Any],
    folder: Path,
    weight: np.ndarray | None = None,
) -> tuple[Evaluation, np.ndarray]:
    """Predict as `out_of_fold` does, and write predictions and unweighted scores.

    Returns
    -------
    evaluation : Evaluation
        Of all folds together.
    probability : ndarray of shape (n_samples,)
        Out of fold, of class 1.
    """
    from ..evaluation.evaluation import evaluate

    probability, thresholds = out_of_fold(classifier, X, manifest, folds, weight)
    threshold = thresholds[0] if len(set(thresholds)) == 1 else thresholds
    y, participants = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    evaluation = evaluate(y, probability, groups=participants, threshold=threshold)
    _write_cross_validation(manifest, probability, threshold, evaluation, folder)
    return evaluation, probability


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


def write_training(
    model: GlomeruliClassifier | FoldEnsembleClassifier,
    X: np.ndarray,
    manifest: pd.DataFrame,
    folder: Path,
) -> None:
    """Write the history of a training, what the sampler did, and of folds the report.

    Parameters
    ----------
    model : GlomeruliClassifier or FoldEnsembleClassifier
        Fitted. Of an ensemble, the pictures show what the sampler of the first member
        did.
    X : ndarray
        The images, or the embeddings, that ``fit`` was given.
    manifest : DataFrame
        The same rows, with ``label`` and ``participant``.
    folder : Path
    """
    members = getattr(model, "estimators_", [model])
    tables = {fold: _epochs(member) for fold, member in enumerate(members, start=1)}
    history = tables[1] if members == [model] else pd.concat(tables, names=["fold"])
    if len(history):  # a logistic regression has no epochs
        write_csv(history, folder / "history.csv", index=True)
        if members == [model]:  # the report of an ensemble draws those of all members
            _draw_history(members[0].history_, folder)
    if "sample" in members[0].pipeline_.named_steps:
        y = manifest["label"].to_numpy()
        trained = getattr(model, "oof_fold_", np.ones(len(y))) != 0
        _draw_resampling(members[0], X[trained], y[trained], folder)
    if members != [model]:
        _write_ensemble(model, manifest, folder)


def _write_ensemble(ensemble: Any, manifest: pd.DataFrame, folder: Path) -> None:
    """Write what is out of fold, print its scores, and write the report."""
    from ..report import ensemble_report

    predicted = (ensemble.oof_probability_, ensemble.oof_threshold_)
    _write_cross_validation(manifest, *predicted, ensemble.oof_evaluation_, folder)
    y, groups = manifest["label"].to_numpy(), manifest["participant"]
    report = ensemble_report(
        ensemble, manifest, y, groups=groups, command=typed_command()
    )
    write_report(report, folder, TRAINING_FILES)
    title = f"Scores of single members, out of {len(ensemble.estimators_)} folds"
    print_scores(title, ensemble.oof_evaluation_)


def _epochs(classifier: Any) -> pd.DataFrame:
    """Return what was noted of each epoch, epochs counted from 1."""
    history = pd.DataFrame(classifier.history_)
    return history.set_axis(pd.RangeIndex(1, len(history) + 1, name="epoch"))


def _draw_history(history: dict[str, list[float]], folder: Path) -> None:
    from ..report.displays import HistoryDisplay

    display = HistoryDisplay(history)
    with new_figure(folder / "history.png", figsize=display.figsize) as figure:
        display.plot(figure)


def _draw_resampling(
    classifier: GlomeruliClassifier, X: np.ndarray, y: np.ndarray, folder: Path
) -> None:
    from ..report.displays import ClassProportionsDisplay, SyntheticImagesDisplay
    from ..samplers.trace import trace_resampling

    train = np.setdiff1d(np.arange(len(y)), classifier.validation_indices_)
    rows = X[train]
    steps = classifier.pipeline_.named_steps
    for name in list(steps)[: list(steps).index("sample")]:
        rows = rows if name == "load" else steps[name].transform(rows)
    trace = trace_resampling(classifier.pipeline_["sample"], rows, y[train])
    width = 2.2 + 1.5 * len(trace)
    with new_figure(folder / "class_proportions.png", figsize=(width, 4)) as figure:
        ClassProportionsDisplay.from_trace(trace, ax=figure.subplots())
    n_made = [len(step.synthetic) for step in trace if len(step.synthetic)]
    if n_made:
        size = (1.8 + 1.05 * max(n_made), 0.2 + 2.3 * len(n_made))
        with new_figure(folder / "synthetic_images.png", figsize=size) as figure:
            SyntheticImagesDisplay(trace).plot(ax=figure.subplots())
    elif X.ndim > 2:
        note("The sampler made no images, so there is no sheet of them.")
