"""The report of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..data.participants import kind_of_groups
from ..errors import ScoreError
from ..evaluation.biopsy import BiopsySummary, biopsy_summary
from ..evaluation.evaluation import Evaluation, evaluate
from ..evaluation.participant_numbers import MIN_PARTICIPANTS
from ..evaluation.predictions import check_scores
from .answers import checklist_section
from .blocks import (
    Block,
    Caution,
    Code,
    Numbers,
    Paragraph,
    Section,
    Table,
    number,
    sentence,
    span,
    told_span,
)
from .charts import (
    biopsies_section,
    curves_section,
    mistakes_section,
    training_section,
)
from .environment import command_text
from .members import members_section
from .page import Report
from .run import Part, Run

__all__ = ["evaluation_report", "repeat_section", "score_table", "summary_section"]

_MEANINGS = {
    "recall": ("Recall", "share of sclerotic glomeruli that are found"),
    "precision": ("Precision", "share of those called sclerotic that are"),
    "f1": ("F1", "harmonic mean of recall and precision"),
    "specificity": ("Specificity", "share of the others that are called so"),
    "accuracy": ("Accuracy", "share of patches called right"),
    "balanced_accuracy": ("Balanced accuracy", "mean of recall and specificity"),
    "matthews_corrcoef": ("Matthews' coefficient", "correlation; 0 is chance"),
    "roc_auc": ("ROC AUC", "over all thresholds; 0.5 is chance"),
    "average_precision": (
        "Average precision",
        "over all thresholds; the prevalence is chance",
    ),
    "neg_brier_score": ("Negative Brier score", "mean squared error; 0 is best"),
    "calibration_intercept": (
        "Calibration intercept",
        "0 is best; below, probabilities are too high",
    ),
    "calibration_slope": ("Calibration slope", "1 is best; below, they are too bold"),
    "expected_calibration_error": (
        "Expected calibration error",
        "mean gap of probability and frequency; 0 is best; noise makes it too large, "
        "which its interval is rid of",
    ),
}
_MAX_FINDINGS = 200  # of an audit; a split at random can have thousands
_MOST_NAMED = 10  # participants in a sentence
_HEADLINES = ("recall", "precision", "f1", "roc_auc")


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
    threshold = _threshold(threshold, evaluation, classifier)
    unit = "participant" if groups is None else kind_of_groups(X, groups)
    if evaluation is None:
        evaluation = evaluate(y, y_score, groups=groups, threshold=threshold)
    if biopsies is None and groups is not None and unit == "participant":
        biopsies = biopsy_summary(
            y,
            y_score,
            groups,
            threshold=threshold,
            confidence=evaluation.confidence,
        )
    labels, scores, _ = check_scores(y, y_score, groups)
    run = Run(
        X=X,
        y=labels,
        y_score=scores,
        groups=None if groups is None else np.asarray(groups, dtype=object),
        threshold=threshold,
        evaluation=evaluation,
        biopsies=biopsies,
        classifier=classifier,
        train=train,
        audit=audit,
        command=command,
        n_mistakes=n_mistakes,
        unit=unit,
    )
    made = [make(run) for make in _SECTIONS]
    told = [section for section in made if section is not None]
    return Report(title, _lead(run), [*told, *sections, checklist_section(run)])


def _threshold(given: float | None, evaluation: Any, classifier: Any) -> float:
    """Return the threshold that all sections are about."""
    if evaluation is None:
        return float(getattr(classifier, "threshold_", 0.5) if given is None else given)
    judged = float(evaluation.threshold)
    if given is None and not np.isnan(judged):
        return judged
    if given != judged:
        raise ScoreError(
            f"evaluation is of the threshold {judged:g}, and threshold is {given}; "
            "give an evaluation of that one threshold."
        )
    return judged


def score_table(evaluation: Evaluation) -> list[Block]:
    """Show all scores with intervals, and what to know of single ones.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    blocks : list of blocks
    """
    meanings = {
        **_MEANINGS,
        "sensitivity_at_specificity": (
            f"Recall at specificity {evaluation.specificity:g}",
            "at the best threshold that reaches it",
        ),
    }
    rows = []
    for name, score in evaluation.scores.items():
        shown, meaning = meanings[name]
        rows.append([shown, number(score), span(evaluation.interval(name)), meaning])
    level = f"{evaluation.level} interval"
    blocks: list[Block] = [Table(["score", "value", level, "what it says"], rows)]
    names_of: dict[str, list[str]] = {}
    for name, remark in evaluation.notes.items():
        names_of.setdefault(remark, []).append(meanings[name][0])
    few = [name for name, n in evaluation.n_effective.items() if n < MIN_PARTICIPANTS]
    if few:
        remark = (
            f"a few of the participants decide the value (fewer than "
            f"{MIN_PARTICIPANTS} effective ones), and the interval is wide for it"
        )
        names_of[remark] = [meanings[name][0] for name in few]
    for remark, names in names_of.items():
        blocks.append(Paragraph(f"{', '.join(names)}: {remark}."))
    return blocks


def _lead(run: Run) -> str:
    are_alone = run.groups is None or run.unit == "image"
    units = "" if are_alone else f" of {_count(run, run.unit)}"
    return (
        f"{len(run.y)} patches{units}, judged globally sclerotic (1) from a "
        f"probability of {run.threshold:g} on, compared with their labels."
    )


def _count(run: Run, unit: str) -> str:
    n_units = len(set(run.groups)) if run.groups is not None else 0
    return f"{n_units} {unit}{'' if n_units == 1 else 's'}"


def summary_section(run: Run) -> Section:
    """Show the few scores that matter most, and what stands against them."""
    evaluation, items = run.evaluation, []
    for name in _HEADLINES:
        value = number(evaluation.scores[name], 2)
        items.append((_MEANINGS[name][0], value, told_span(evaluation, name, 2)))
    if run.biopsies is not None:
        error = run.biopsies.scores["mean_absolute_error"]
        items.append(
            (
                "Percentage per biopsy",
                number(error, 1),
                "points off, mean error; "
                + told_span(run.biopsies, "mean_absolute_error", 1),
            )
        )
    blocks: list[Block] = [Numbers(items)]
    if run.shared_participants:
        blocks.append(Caution(_shared(run)))
    if run.unknown and run.groups is not None:  # else the evaluation says so
        blocks.append(Caution(run.unknown))
    if run.other_training:
        blocks.append(Caution(run.other_training))
    if run.audit is not None and run.audit.is_leaky:
        blocks.append(
            Caution("The audit found leaks: these scores cannot be believed.")
        )
    if evaluation.caution:
        blocks.append(Caution(sentence(evaluation.caution)))
    return Section("Summary", blocks)


def _shared(run: Run) -> str:
    participants = run.shared_participants or []
    named = ", ".join(participants[:_MOST_NAMED])
    n_more = len(participants) - _MOST_NAMED
    more = f" and {n_more} more" if n_more > 0 else ""
    return (
        f"{len(participants)} {run.owners} of the test set were trained on, so these "
        f"scores may be too high: {named}{more}."
    )


def _data(run: Run) -> Section:
    columns = ["part", "patches", "class 0", "class 1", run.owners]
    table = Table(columns, [_part_row(part) for part in run.parts])
    return Section("Data and splits", [table, *map(Paragraph, _remarks_on_data(run))])


def _part_row(part: Part) -> list[str]:
    participants = "–" if part.n_participants is None else str(part.n_participants)
    if part.n_positive is None:
        return [part.name, str(part.n_rows), "–", "–", participants]
    n_negative = str(part.n_rows - part.n_positive)
    positive = f"{part.n_positive} ({part.n_positive / part.n_rows:.0%})"
    return [part.name, str(part.n_rows), n_negative, positive, participants]


def _remarks_on_data(run: Run) -> list[str]:
    remarks = ["Class 1 is globally sclerotic, class 0 the rest."]
    together = run.record.get("n_participants")
    if together is not None and any(part.n_participants is None for part in run.parts):
        remarks.append(
            f"Training and validation rows come from {together} {run.owners}."
        )
    resampled = run.record.get("class_counts_resampled")
    if resampled and run.settings.get("sampler") != "None":
        counts = ", ".join(f"{n} of class {label}" for label, n in resampled.items())
        remarks.append(f"After the sampler the training rows are {counts}.")
    if run.shared_participants is None:
        remarks.append(
            "Whether participants of the test set were trained on cannot be told from "
            "what this run was given; `glomclf audit` tells it from the csv files."
        )
    elif not run.shared_participants:
        remarks.append("No participant of the test set was trained on.")
    if run.unknown:
        remarks.append(run.unknown)
    return remarks


def _audit(run: Run) -> Section:
    title = "Audit for leaks"
    if run.audit is None:
        text = (
            "Not run. `glomclf audit` looks for participants, identical images and "
            "near-duplicates on both sides of a split."
        )
        return Section(title, [Paragraph(text)])
    leaky = "Leaks were found: the scores of this split cannot be believed."
    blocks: list[Block] = [
        Caution(leaky) if run.audit.is_leaky else Paragraph("No leak found.")
    ]
    findings = run.audit.to_frame()
    if len(findings):
        blocks.append(Code(str(run.audit)))
        caption = f"{len(findings)} findings"
        if len(findings) > _MAX_FINDINGS:
            caption += f", of which the first {_MAX_FINDINGS}"
        shown = findings.head(_MAX_FINDINGS)
        blocks.append(Table.from_frame(shown, caption=caption, folded=True, texts=True))
    blocks.append(Table.from_frame(run.audit.folds, caption="Folds", folded=True))
    return Section(title, blocks)


def _scores(run: Run) -> Section:
    evaluation = run.evaluation
    how = (
        f"Intervals come from {evaluation.n_bootstrap} bootstrap replicates over "
        f"{run.units}, with a t quantile for the effective number of them. The "
        f"threshold is {run.threshold:g}"
    )
    chosen_on = run.record.get("threshold_chosen_on", "given")
    is_its_own = run.record.get("threshold") == run.threshold
    how += f", chosen on {chosen_on}." if is_its_own and chosen_on != "given" else "."
    return Section("Scores", [Paragraph(how), *score_table(evaluation)])


def repeat_section(run: Run) -> Section:
    """Tell command, seeds, settings and versions."""
    blocks: list[Block] = []
    if run.command is not None:
        blocks += [
            Paragraph("The command of this run:"),
            Code(command_text(run.command)),
        ]
    seed = run.settings.get("random_state", "not known")
    blocks.append(Paragraph(f"Seed of the training: {seed}. Seed of the bands: 0."))
    if run.settings:
        rows = [[name, value] for name, value in run.settings.items()]
        blocks.append(Table(["setting", "value"], rows, "Settings", folded=True))
    rows = [[name, value] for name, value in run.versions.items()]
    blocks.append(Table(["library", "version"], rows, "Versions", folded=True))
    return Section("To repeat it", blocks)


def _training(run: Run) -> Section | None:
    return members_section(run.classifier) if run.members else training_section(run)


_SECTIONS: tuple[Callable[[Run], Section | None], ...] = (
    summary_section,
    _data,
    _audit,
    _scores,
    curves_section,
    biopsies_section,
    mistakes_section,
    _training,
    repeat_section,
)
