"""The report of the training of an ensemble, by what is out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from ..data.participants import kind_of_groups
from ..errors import ScoreError
from ..evaluation.biopsy import biopsy_summary
from .blocks import Block, Paragraph, Section, Table, number
from .charts import biopsies_section, curves_section, mistakes_section
from .evaluation import repeat_section, score_table, summary_section
from .members import members_section
from .page import Report
from .run import Run

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
    run = _run(ensemble, X, y, groups, command, n_mistakes)
    made = [
        summary_section(run),
        _what_is_estimated(ensemble),
        _folds(run),
        _scores(run),
        curves_section(run),
        biopsies_section(run),
        mistakes_section(run),
        members_section(ensemble),
        repeat_section(run),
        *sections,
    ]
    return Report(title, _lead(run), [one for one in made if one is not None])


def _run(
    ensemble: Any,
    X: Any,
    y: ArrayLike,
    groups: ArrayLike | None,
    command: Sequence[str] | None,
    n_mistakes: int,
) -> Run:
    probability, threshold = ensemble.oof_probability_, ensemble.threshold_
    codes = (np.asarray(y) == ensemble.classes_[1]).astype(int)
    _refuse_other_rows(ensemble, codes)
    if np.isnan(ensemble.oof_evaluation_.threshold):
        threshold = ensemble.oof_threshold_
    biopsies = None
    unit = "participant" if groups is None else kind_of_groups(X, groups)
    if groups is not None and unit == "participant":
        biopsies = biopsy_summary(codes, probability, groups, threshold=threshold)
    return Run(
        X=X,
        y=codes,
        y_score=probability,
        groups=None if groups is None else np.asarray(groups, dtype=object),
        threshold=threshold,
        evaluation=ensemble.oof_evaluation_,
        biopsies=biopsies,
        classifier=ensemble,
        train=None,
        audit=None,
        command=command,
        n_mistakes=n_mistakes,
        unit=unit,
    )


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


def _lead(run: Run) -> str:
    units = ""
    if run.groups is not None and run.unit != "image":
        units = f" of {len(set(run.groups))} {run.unit}s"
    n_members = len(run.classifier.estimators_)
    return (
        f"{n_members} classifiers, each trained on all folds but one of {len(run.y)} "
        f"patches{units}; their mean is the model. Every patch is judged by the one "
        "classifier that did not see its fold."
    )


def _what_is_estimated(ensemble: Any) -> Section:
    blocks: list[Block] = [Paragraph(_ESTIMATE)]
    if np.isnan(ensemble.oof_evaluation_.threshold):
        text = _CROSS_FITTED.format(threshold=ensemble.threshold_)
        blocks.append(Paragraph(text))
    return Section("What is estimated", blocks)


def _folds(run: Run) -> Section:
    """List what each fold left out, and how its member did there."""
    ensemble = run.classifier
    rows = []
    for fold in range(len(ensemble.estimators_)):
        inside = ensemble.oof_fold_ == fold
        y, score = run.y[inside], run.y_score[inside]
        owners = "–" if run.groups is None else str(len(set(run.groups[inside])))
        auc = number(roc_auc_score(y, score)) if 0 < y.mean() < 1 else "–"
        threshold = f"{ensemble.oof_threshold_[inside][0]:.3f}"
        counts = [str(inside.sum()), str(int(y.sum())), owners]
        rows.append([str(fold + 1), *counts, threshold, auc])
    columns = ["fold", "patches", "class 1", f"{run.unit}s", "threshold", "ROC AUC"]
    return Section("Folds", [Table(columns, rows)])


def _scores(run: Run) -> Section:
    evaluation = run.evaluation
    how = (
        f"Of all folds together, at {run.cut}. Intervals come from "
        f"{evaluation.n_bootstrap} bootstrap replicates over {run.units}, with a t "
        "quantile for the effective number of them."
    )
    return Section("Scores", [Paragraph(how), *score_table(evaluation)])
