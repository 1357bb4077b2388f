"""The report of the training of an ensemble, by what is out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from ..errors import ScoreError
from .blocks import Block, Paragraph, Section, Table, number
from .evaluated_model import EvaluatedModel
from .page import Report, known_sections
from .sections.biopsies import biopsies_section
from .sections.curves import curves_section
from .sections.mistakes import mistakes_section
from .sections.repetition import repetition_section
from .sections.scores import scores_section, summary_section
from .sections.training import training_section

__all__ = ["ensemble_report"]

_ESTIMATE = (
    "These are scores of single members: each patch is judged by the one that was "
    "trained without its fold. They estimate what one such member is worth on "
    "new participants. The model that was saved is the mean of all members. Its Brier "
    "score is no worse than theirs, up to chance; other scores are mostly a little "
    "better, which nothing guarantees. ROC AUC and average precision of all folds "
    "together also rank probabilities of different members among each other, which "
    "lowers them; those of single folds are below. Only participants whom no member "
    "has seen tell the worth of the mean (`glomclf split`, then `glomclf evaluate "
    "--test`)."
)
_CROSS_FITTED = (
    "Each fold is judged at the threshold that is best on the other folds, because a "
    "score is too good on the rows that its threshold was chosen on. New images are "
    "cut at {threshold:g}, chosen on all rows."
)


def ensemble_report(
    ensemble: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    command: Sequence[str] | None = None,
    title: str = "Training of an ensemble",
    n_mistakes: int = 6,
    sections: Sequence[Section] = (),
) -> Report:
    """Report the out-of-fold scores of an ensemble, and the training of each member.

    Parameters
    ----------
    ensemble : FoldEnsembleClassifier
        Fitted.

    X : DataFrame, array-like of paths, ndarray or None
        The rows that it was fitted on, in order; only images of the worst mistakes are
        loaded. None shows none.

    y : array-like of shape (n_samples,)
        Their labels.

    groups : array-like of shape (n_samples,), default=None
        Their participants. None: nothing is said of biopsies.

    command : sequence of str, default=None
        The words of the command that repeats the run.

    title : str, default="Training of an ensemble"

    n_mistakes : int, default=6
        How many mistakes of either kind are shown.

    sections : sequence of Section, default=()
        Further ones, at the end.

    Returns
    -------
    report : Report

    Raises
    ------
    ScoreError
        If `y` is not of the rows that the ensemble was fitted on.
    ImageError
        If the image of a mistake cannot be read.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from glomclf import FoldEnsembleClassifier
    >>> from glomclf.report import ensemble_report
    >>> X, y = make_classification(random_state=0)
    >>> ensemble = FoldEnsembleClassifier(LogisticRegression(), cv=3, random_state=0)
    >>> report = ensemble_report(ensemble.fit(X, y), None, y)
    >>> [section.title for section in report.sections][:3]
    ['Summary', 'What is estimated', 'Folds']
    """
    codes = (np.asarray(y) == ensemble.pos_label_).astype(int)
    _refuse_other_rows(ensemble, codes)
    model = EvaluatedModel(
        X=X,
        y=codes,
        y_score=ensemble.oof_probability_,
        groups=groups,
        threshold=_threshold(ensemble),
        evaluation=ensemble.oof_evaluation_,
        classifier=ensemble,
        command=command,
        n_mistakes=n_mistakes,
    )
    lead = (
        f"{len(ensemble.estimators_)} classifiers, each trained on all folds but one "
        f"of {model.patches}; their mean is the model. Every patch is judged by the "
        "one classifier that did not see its fold."
    )
    return Report(title, lead, [*known_sections(model, _SECTIONS), *sections])


def _threshold(ensemble: Any) -> float | NDArray[np.float64]:
    """Return the threshold of all rows or, where folds have their own, of each."""
    if np.isnan(ensemble.oof_evaluation_.threshold):
        return ensemble.oof_threshold_
    return ensemble.threshold_


def _refuse_other_rows(ensemble: Any, codes: NDArray[np.intp]) -> None:
    """Know the rows of the fit by their number, and by how each was judged."""
    n_rows = len(ensemble.oof_probability_)
    if len(codes) == n_rows:
        called = (ensemble.oof_probability_ >= ensemble.oof_threshold_).astype(int)
        judged = np.bincount(2 * codes + called, minlength=4).reshape(2, 2)
        if (judged == ensemble.oof_evaluation_.confusion_matrix).all():
            return
    raise ScoreError(
        f"y has {len(codes)} labels that are not those of the {n_rows} rows that the "
        "ensemble was fitted on. Pass the same rows, in their order."
    )


def _estimate(model: EvaluatedModel) -> Section:
    blocks: list[Block] = [Paragraph(_ESTIMATE)]
    if np.ndim(model.threshold):
        text = _CROSS_FITTED.format(threshold=model.classifier.threshold_)
        blocks.append(Paragraph(text))
    return Section("What is estimated", blocks)


def _folds(model: EvaluatedModel) -> Section:
    """List what each fold left out, and how its member did there."""
    ensemble = model.classifier
    rows = []
    for fold in range(len(ensemble.estimators_)):
        inside = ensemble.oof_fold_ == fold
        y, score = model.y[inside], model.y_score[inside]
        owners = "–" if model.groups is None else str(len(set(model.groups[inside])))
        auc = number(roc_auc_score(y, score)) if 0 < y.mean() < 1 else "–"
        threshold = f"{ensemble.oof_threshold_[inside][0]:.3f}"
        counts = [str(inside.sum()), str(int(y.sum())), owners]
        rows.append([str(fold + 1), *counts, threshold, auc])
    columns = ["fold", "patches", "class 1", f"{model.unit}s", "threshold", "ROC AUC"]
    return Section("Folds", [Table(columns, rows)])


_SECTIONS = (
    summary_section,
    _estimate,
    _folds,
    scores_section,
    curves_section,
    biopsies_section,
    mistakes_section,
    training_section,
    repetition_section,
)
