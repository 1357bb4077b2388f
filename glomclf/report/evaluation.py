"""The reports of an evaluation: on a test set, and of an ensemble out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix

from ..errors import ScoreError
from ..evaluation.evaluation import Evaluation, evaluate
from .blocks import Section
from .evaluated_model import EvaluatedModel
from .page import Report
from .sections.biopsies import biopsies_section
from .sections.checklists import checklists_section
from .sections.curves import curves_section
from .sections.data import audit_section, data_section
from .sections.methods import methods_section, model_card
from .sections.mistakes import mistakes_section
from .sections.planning import planning_section
from .sections.repetition import repetition_section
from .sections.scores import scores_section, subgroups_section, summary_section
from .sections.thresholds import thresholds_section
from .sections.training import estimate_section, folds_section, training_section

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
    evaluation: Evaluation | None = None,
    sections: Sequence[Section] = (),
    **known: Any,
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

    evaluation : Evaluation, default=None
        As from `glomclf.evaluate` of the same rows, where it is at hand. One with
        ``by=`` adds a section of its subgroups.

    sections : sequence of Section, default=()
        Further ones, set before the checklists.

    **known
        What else is known:

        - ``classifier``, a fitted `GlomeruliClassifier` or `FoldEnsembleClassifier`:
          tells settings, losses and numbers of its training;
        - ``train``, a DataFrame of the rows it was fitted on, with ``label`` and
          ``participant``: to count them, and to find participants that are in the test
          set, too;
        - ``audit`` of the split, as from `glomclf.leakage.splits.audit_splits`;
        - ``biopsies``, as from `biopsy_agreement` of the same rows, where at hand;
        - ``command``, a sequence of str: the words of the command that repeats the run;
        - ``n_mistakes``, how many mistakes of either kind are shown, by default 6;
        - ``explain=True``: draw what the classifier looked at in them, as
          `glomclf.explain` tells it.

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
        own = getattr(known.get("classifier"), "threshold_", 0.5)
        cut = own if threshold is None else threshold
        evaluation = evaluate(y, y_score, groups=groups, threshold=cut)
    judged = float(evaluation.threshold)
    if np.isnan(judged) or threshold not in (None, judged):
        raise ScoreError(
            f"evaluation is of the threshold {judged:g}, and threshold is {threshold}; "
            "give an evaluation of that one threshold."
        )
    told: dict[str, Any] = {"groups": groups, "evaluation": evaluation, **known}
    model = EvaluatedModel(X=X, y=y, y_score=y_score, **told)
    lead = (
        f"{model.patches}, judged globally sclerotic (1) from a probability of "
        f"{judged:g} on, compared with their labels."
    )
    shown = [make(model) for make in _ON_TEST_SET]
    shown += [*sections, checklists_section(model)]
    return Report("Evaluation", lead, shown, card=model_card(model))


def ensemble_report(
    ensemble: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    **known: Any,
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

    **known
        ``command`` and ``n_mistakes``, as of `evaluation_report`.

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
        evaluation=ensemble.oof_evaluation_,
        classifier=ensemble,
        **known,
    )
    lead = (
        f"{len(ensemble.estimators_)} classifiers, each trained on all folds but one "
        f"of {model.patches}; their mean is the model. Every patch is judged by the "
        "one classifier that did not see its fold."
    )
    return Report(
        "Training of an ensemble", lead, [make(model) for make in _OUT_OF_FOLD]
    )


def _refuse_other_rows(ensemble: Any, codes: NDArray[np.intp]) -> None:
    """Know the rows of the fit by their number, and by how each was judged."""
    called = ensemble.oof_probability_ >= ensemble.oof_threshold_
    wanted = ensemble.oof_evaluation_.confusion_matrix
    if len(codes) != len(called) or (confusion_matrix(codes, called) != wanted).any():
        raise ScoreError(
            f"y has {len(codes)} labels that are not those of the {len(called)} rows "
            "that the ensemble was fitted on. Pass the same rows, in their order."
        )
