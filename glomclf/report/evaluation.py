"""The report of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import ScoreError
from ..evaluation.biopsy import BiopsySummary
from ..evaluation.evaluation import Evaluation, evaluate
from .blocks import Section
from .evaluated_model import EvaluatedModel
from .page import Report, known_sections
from .sections.biopsies import biopsies_section
from .sections.checklists import checklists_section
from .sections.curves import curves_section
from .sections.data import audit_section, data_section
from .sections.mistakes import mistakes_section
from .sections.repetition import repetition_section
from .sections.scores import scores_section, summary_section
from .sections.training import training_section

__all__ = ["evaluation_report"]

_SECTIONS = (
    summary_section,
    data_section,
    audit_section,
    scores_section,
    curves_section,
    biopsies_section,
    mistakes_section,
    training_section,
    repetition_section,
)


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
    biopsies: BiopsySummary | None = None,
    title: str = "Evaluation",
    n_mistakes: int = 6,
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
        As from `glomclf.evaluate` of the same rows, where it is at hand.

    biopsies : BiopsySummary, default=None
        As from `biopsy_summary` of the same rows, where at hand.

    title : str, default="Evaluation"

    n_mistakes : int, default=6
        How many mistakes of either kind are shown.

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
    )
    lead = (
        f"{model.patches}, judged globally sclerotic (1) from a probability of "
        f"{model.threshold:g} on, compared with their labels."
    )
    told = known_sections(model, _SECTIONS)
    return Report(title, lead, [*told, *sections, checklists_section(model)])


def _threshold(evaluation: Evaluation, given: float | None) -> float:
    """Return the threshold that all sections are about."""
    judged = float(evaluation.threshold)
    if np.isnan(judged) or given not in (None, judged):
        raise ScoreError(
            f"evaluation is of the threshold {judged:g}, and threshold is {given}; "
            "give an evaluation of that one threshold."
        )
    return judged
