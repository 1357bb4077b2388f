"""The reports of an evaluation: on a test set, and of an ensemble out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ScoreError
from ..evaluation.biopsy import BiopsyAgreement
from ..evaluation.evaluation import Evaluation, evaluate
from .blocks import Section
from .evaluated_model import EvaluatedModel
from .model_card import model_card
from .page import Report
from .sections.biopsies import biopsies_section
from .sections.checklists import checklists_section
from .sections.curves import curves_section
from .sections.data import audit_section, data_section
from .sections.methods import methods_section
from .sections.mistakes import mistakes_section
from .sections.out_of_fold import estimate_section, folds_section
from .sections.planning import planning_section
from .sections.repetition import repetition_section
from .sections.scores import scores_section, summary_section
from .sections.subgroups import subgroups_section
from .sections.thresholds import thresholds_section
from .sections.training import training_section

__all__ = ["ensemble_report", "evaluation_report"]

_JUDGED = (
    scores_section,
    subgroups_section,
    curves_section,
    thresholds_section,
    biopsies_section,
    mistakes_section,
    training_section,
    repetition_section,
)
_ON_TEST_SET = (
    summary_section,
    data_section,
    audit_section,
    *_JUDGED,
    planning_section,
    methods_section,
)
_OUT_OF_FOLD = (summary_section, estimate_section, folds_section, *_JUDGED)


def evaluation_report(
    X: Any,
    y: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threshold: float | None = None,
    classifier: Any = None,
    train: pd.DataFrame | None = None,
    audit: Any = None,
    command: Sequence[str] | None = None,
    evaluation: Evaluation | None = None,
    biopsies: BiopsyAgreement | None = None,
    title: str = "Evaluation",
    n_mistakes: int = 6,
    explain: bool = False,
    sections: Sequence[Section] = (),
) -> Report:
    """Report how a classifier does on a test set.

    Parameters
    ----------
    X : DataFrame, array-like of paths, ndarray or None
        The test images, as `glomclf.ImageLoader` takes them; only those of the worst
        mistakes are loaded. None shows none.

    y : array-like of shape (n_samples,)
        Labels, 0 or 1.

    y_score : array-like of shape (n_samples,)
        Probabilities of class 1, in [0, 1].

    groups : array-like of shape (n_samples,), default=None
        The participant of each row. None, or images that stand for themselves in a
        manifest: rows count as independent. Where not all participants are known,
        nothing is said of biopsies.

    threshold : float, default=None
        A row is predicted 1 if its probability is at least this. None: that of
        `evaluation`, without one the ``threshold_`` of the classifier, else 0.5.

    classifier : GlomeruliClassifier or FoldEnsembleClassifier, default=None
        Fitted; tells settings, losses and numbers of its training.

    train : DataFrame, default=None
        The rows it was fitted on, with ``label`` and ``participant``, to count them
        and to find participants that are in the test set, too.

    audit : object, default=None
        Of the split, as from `glomclf.leakage.splits.audit_splits`.

    command : sequence of str, default=None
        The words of the command that repeats the run.

    evaluation : Evaluation, default=None
        As from `glomclf.evaluate` of the same rows, where it is at hand. One with
        ``by=`` adds a section of its subgroups.

    biopsies : BiopsyAgreement, default=None
        As from `biopsy_agreement` of the same rows, where at hand.

    title : str, default="Evaluation"

    n_mistakes : int, default=6
        How many mistakes of either kind are shown.

    explain : bool, default=False
        Whether to draw what the classifier looked at in them, as `glomclf.explain`
        tells it.

    sections : sequence of Section, default=()
        Further ones, set before the checklists.

    Returns
    -------
    report : Report

    Raises
    ------
    ScoreError
        If labels, probabilities, groups or threshold cannot be used, or `evaluation`
        is of another threshold.
    ImageError
        If the image of a mistake cannot be read.
    ParameterError
        If mistakes of this classifier cannot be explained.

    Examples
    --------
    >>> from glomclf.report import evaluation_report
    >>> y, y_score = [0, 0, 1, 0, 1, 1], [0.1, 0.3, 0.6, 0.7, 0.4, 0.9]
    >>> report = evaluation_report(None, y, y_score, groups=list("aabbcc"))
    >>> [section.title for section in report.sections][:3]
    ['Summary', 'Data and splits', 'Audit for leaks']
    """
    if evaluation is None:
        cut = getattr(classifier, "threshold_", 0.5) if threshold is None else threshold
        evaluation = evaluate(y, y_score, groups=groups, threshold=cut)
    model = EvaluatedModel(
        X=X,
        y=y,
        y_score=y_score,
        groups=groups,
        threshold=_threshold(evaluation, threshold),
        evaluation=evaluation,
        biopsies=biopsies,
        classifier=classifier,
        train=train,
        audit=audit,
        command=command,
        n_mistakes=n_mistakes,
        explain=explain,
    )
    shown = [made for make in _ON_TEST_SET if (made := make(model))]
    shown += [*sections, checklists_section(model)]
    return Report(title, _lead(model), shown, card=model_card(model, title))


def _lead(model: EvaluatedModel) -> str:
    return (
        f"{model.patches}, judged globally sclerotic (1) from a probability of "
        f"{model.threshold:g} on, compared with their labels."
    )


def _threshold(evaluation: Evaluation, given: float | None) -> float:
    """Return the threshold that all sections are about."""
    judged = float(evaluation.threshold)
    if np.isnan(judged) or given not in (None, judged):
        raise ScoreError(
            f"evaluation is of the threshold {judged:g}, and threshold is {given}; "
            "give an evaluation of that one threshold."
        )
    return judged


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
    has_one = np.isfinite(ensemble.oof_evaluation_.threshold)  # else one a fold
    model = EvaluatedModel(
        X=X,
        y=codes,
        y_score=ensemble.oof_probability_,
        groups=groups,
        threshold=ensemble.threshold_ if has_one else ensemble.oof_threshold_,
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
    told = [made for make in _OUT_OF_FOLD if (made := make(model))]
    return Report(title, lead, [*told, *sections])


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
