"""The report of new biopsies: all, each, what numbers mean, and what the model is."""

from __future__ import annotations

import shlex
from typing import Any

from numpy.typing import ArrayLike

from .._runtime import counted
from ..evaluation.biopsy import biopsy_agreement
from ..evaluation.biopsy_estimates import BiopsyEstimates
from ..evaluation.biopsy_record import OutOfFoldRecord
from ..evaluation.evaluation import evaluate
from ..evaluation.scores import SCORES
from .blocks import Caution, Code, Section, Table, estimate_row
from .page import Report
from .sections.new_biopsies import NewBiopsies, all_section, biopsy_section

_SHOWN = ("roc_auc", "f1", "recall", "precision")


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
    sections = [all_section(told), *each, _meaning(told), _model(told)]
    return Report("New biopsies", lead, sections)


def _meaning(told: NewBiopsies) -> Section:
    """Say what each number means, and by which rules words are given."""
    reference = getattr(told.classifier, "training_reference_", None)
    distance = "How far a biopsy lies from the training data is not known."
    if told.distances is not None and reference is not None:
        n = reference.n_participants
        distance = (
            "Distance: the median over a biopsy's patches of the distance to the "
            "nearest training patch, in the model's features and in stain (mean and "
            "spread of the colours of tissue). 1 is the training participant that lies "
            "farthest from the others. A biopsy above 1 in either is called unlike "
            "anything that the model was trained on. Of biopsies like the "
            f"{n} training participants, at least one in {n + 1} is called so by each "
            "of the two distances. More are in practice: the training participants had "
            "a part in the scale by which they are measured."
        )
    borderline = (
        "Borderline: the odds of the probability lie within a factor of 4 of those of "
        f"the threshold, {told.estimates.threshold:g}."
    )
    adequacy = (
        "Adequacy: the Banff classification asks for 10 glomeruli (Racusen 1999, "
        "doi:10.1046/j.1523-1755.1999.00299.x). With fewer than 25 the percentage did "
        "not foretell the outcome (Wang 1998, doi:10.1093/ndt/13.1.165)."
    )
    marked = borderline if told.abstention is None else ""
    texts = [*_of_intervals(told), distance, marked, adequacy]
    return Section("How to read this", texts)


def _of_intervals(told: NewBiopsies) -> list[str]:
    if told.estimates.missing:
        return [
            "The interval says which percentages of the kidney could give such a "
            "sample, if every prediction were right.",
            "Whether a biopsy lies above a cut-off is left open.",
        ]
    return [
        "Of this biopsy: the percentage of the glomeruli whose patches were given. It "
        "is unsure because the model errs. How much it errs, and how much people "
        f"differ, was seen on {told.estimates.n_participants} training participants, "
        "each judged by a model that had not seen them.",
        "Of the kidney: the percentage of all its glomeruli. It is unsure also because "
        "few of them were sampled. It holds for patches that were not chosen by their "
        "look.",
        "Both hold for people and slides like those of the training.",
        f"Above, below: the whole {told.level} interval lies on that side of the "
        "cut-off. Else the answer is uncertain. Cut-offs describe; they decide "
        "nothing.",
    ]


def _model(told: NewBiopsies) -> Section:
    """Say what the model is, how it was evaluated, and how to repeat the run."""
    classifier, model = told.classifier, None
    if classifier is not None:
        model = Table(["model", ""], list(_facts(classifier).items()), texts=True)
    unknown = "The model file does not say how the model was evaluated."
    evaluated: list[Any] = [Caution(unknown)]
    if (record := getattr(classifier, "out_of_fold_record_", None)) is not None:
        evaluated = _evaluated(record, told.estimates.threshold, classifier)
    command = Code(shlex.join(told.command or ()))
    return Section("The model", [model, *evaluated, command])


def _facts(classifier: Any) -> dict[str, str]:
    members = getattr(classifier, "estimators_", [classifier])
    record, steps = classifier.training_record_, members[0].pipeline_.named_steps
    people = record.get("n_participants")
    of_people = "" if people is None else f" of {people} people"
    kind = "" if len(members) == 1 else f"mean of {len(members)} classifiers, each "
    facts = {
        "kind": kind + " > ".join(type(step).__name__ for step in steps.values()),
        "trained on": f"{record['n_samples']} patches{of_people}",
        "threshold": f"{classifier.threshold_:g}",
        "labels": record.get("labels"),
        "recalibrated on": getattr(classifier, "recalibration_", None),
    }
    for name in ("encode", "classify"):
        if backbone := getattr(steps.get(name), "backbone", None):
            facts["backbone"] = backbone
    return {name: str(fact) for name, fact in facts.items() if fact}


def _evaluated(record: OutOfFoldRecord, threshold: float, classifier: Any) -> list[Any]:
    """Score the out-of-fold predictions that the model file keeps."""
    rows = (record.label, record.probability, record.participant)
    scores = evaluate(*rows[:2], groups=rows[2], threshold=threshold)
    of_biopsies = biopsy_agreement(*rows, threshold=threshold)
    table = [estimate_row(scores, name, SCORES[name].title) for name in _SHOWN]
    title = "Mean absolute error of the predicted percentage, points"
    table.append(estimate_row(of_biopsies, "mean_absolute_error", title, 1))
    people = f"{len(record.label)} patches of {record.n_participants}"
    how = "training participants, each by a model of the same settings that was trained"
    if hasattr(classifier, "recalibration_"):
        how = "participants of the site, each by this model, recalibrated"
    text = f"Evaluated on {people} {how} without them, at the threshold {threshold:g}."
    columns = ["score", "value", f"{scores.level} interval"]
    return [text, Table(columns, table)]
