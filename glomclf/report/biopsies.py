"""The report of new biopsies: a page of all, and one of each."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from .._runtime import counted
from ..evaluation.biopsy_estimates import BiopsyEstimates
from .page import Report
from .sections.new_biopsies import NewBiopsies, all_section, biopsy_section
from .sections.new_biopsies_model import meaning_section, model_section


def biopsies_report(
    estimates: BiopsyEstimates,
    probability: ArrayLike,
    groups: ArrayLike,
    **known: Any,
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
    **known
        What else is known:

        - ``X``, the images, as `glomclf.ImageLoader` takes them; without it none are
          shown;
        - ``names``, a sequence of str: what each row is called, by default its number;
        - ``distances``, as from `glomclf.model.TrainingReference.distances`;
        - ``abstention``, as from `glomclf.evaluation.choose_abstention`: which patches
          are left to a person. They are framed and counted, in place of the borderline
          ones;
        - ``classifier``, a fitted `GlomeruliClassifier` or `FoldEnsembleClassifier`:
          tells what the model is and how it was evaluated;
        - ``command``, a sequence of str: the words of the command that repeats the run;
        - ``explain=True``: draw what the classifier looked at, as `glomclf.explain`
          tells it, in at most six patches of each biopsy, the three most probable ones
          and the three nearest to the threshold. It needs ``X`` and the classifier.

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
    told = NewBiopsies(estimates, probability, groups, **known)
    n_patches, n_biopsies = len(told.probability), len(estimates.table)
    lead = (
        f"{counted(n_patches, 'patch')} of {counted(n_biopsies, 'biopsy')} without "
        "labels: the percentage of globally sclerotic glomeruli, and how sure it is."
    )
    each = [biopsy_section(told, name) for name in estimates.table.index]
    sections = [all_section(told), *each, meaning_section(told), model_section(told)]
    return Report("New biopsies", lead, sections)
