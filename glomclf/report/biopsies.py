"""The report of new biopsies: a page of all, and one of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._runtime import counted
from ..evaluation.abstention import Abstention
from ..evaluation.biopsy_estimates import BiopsyEstimates
from .page import Report
from .sections.new_biopsies import NewBiopsies, all_section, biopsy_section
from .sections.new_biopsies_model import meaning_section, model_section

__all__ = ["biopsies_report"]


def biopsies_report(
    estimates: BiopsyEstimates,
    probability: ArrayLike,
    groups: ArrayLike,
    *,
    X: Any = None,
    names: Sequence[str] | None = None,
    distances: pd.DataFrame | None = None,
    abstention: Abstention | None = None,
    classifier: Any = None,
    command: Sequence[str] | None = None,
    title: str = "New biopsies",
    explain: bool = False,
) -> Report:
    """Report the percentage of sclerotic glomeruli of biopsies without labels.

    Parameters
    ----------
    estimates : BiopsyEstimates
        As from `glomclf.evaluation.summarize_biopsies` of the same rows.
    probability : array-like of shape (n_samples,)
        Of class 1, in [0, 1].
    groups : array-like of shape (n_samples,)
        The biopsy of each row.
    X : DataFrame, array-like of paths, ndarray or None
        The images, as `glomclf.ImageLoader` takes them. None shows none.
    names : sequence of str, default=None
        What each row is called; by default its number.
    distances : DataFrame, default=None
        As from `glomclf.model.TrainingReference.distances`.
    abstention : Abstention, default=None
        As from `glomclf.evaluation.choose_abstention`: which patches are left to a
        person. They are framed and counted, in place of the borderline ones.
    classifier : GlomeruliClassifier or FoldEnsembleClassifier, default=None
        Fitted; tells what the model is and how it was evaluated.
    command : sequence of str, default=None
        The words of the command that repeats the run.
    title : str, default="New biopsies"
    explain : bool, default=False
        Whether to draw what the classifier looked at, as `glomclf.explain` tells it, in
        at most six patches of each biopsy: the three most probable ones, and the three
        nearest to the threshold. It needs `X` and the classifier.

    Returns
    -------
    report : Report

    Raises
    ------
    ParameterError
        If the classifier cannot be explained.

    Examples
    --------
    >>> from glomclf.evaluation import summarize_biopsies
    >>> from glomclf.report import biopsies_report
    >>> p, groups = [0.1, 0.9, 0.2], ["A", "A", "B"]
    >>> report = biopsies_report(summarize_biopsies(p, groups), p, groups)
    >>> [section.title for section in report.sections]
    ['All biopsies', 'Biopsy A', 'Biopsy B', 'How to read this', 'The model']
    """
    scores = np.asarray(probability, dtype=np.float64)
    told = NewBiopsies(
        estimates=estimates,
        probability=scores,
        groups=np.asarray(groups, dtype=object),
        X=X,
        names=list(map(str, range(len(scores)) if names is None else names)),
        distances=distances,
        abstention=abstention,
        classifier=classifier,
        command=command,
        explain=explain,
    )
    n_patches, n_biopsies = len(scores), len(estimates.table)
    lead = (
        f"{counted(n_patches, 'patch')} of {counted(n_biopsies, 'biopsy')} without "
        "labels: "
        "the percentage of globally sclerotic glomeruli, and how sure it is."
    )
    each = [biopsy_section(told, name) for name in estimates.table.index]
    sections = [all_section(told), *each, meaning_section(told), model_section(told)]
    return Report(title, lead, sections)
