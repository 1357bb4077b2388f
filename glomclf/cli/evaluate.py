"""``glomclf evaluate``: a model's predictions and scores on a test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._runtime import counted
from . import options, outputs
from .console import InputError, note, typed_command
from .inputs import PatchTable, check_model, labelled_pair, load_model

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..evaluation.biopsy import BiopsyAgreement
    from ..evaluation.evaluation import Evaluation

_FILES = (
    *("predictions.csv", "scores.csv", "scores.json", "subgroups.csv", "readers.csv"),
    *("biopsies.csv", "confusion_matrix.png", "roc_curve.png", "reliability.png"),
    *("precision_recall_curve.png", "thresholds.png", "decision_curve.png"),
    *("biopsies.png", "bland_altman.png", "report.html", "model_card.md"),
)
_AGREEMENT = {
    "mean_absolute_error": "mean absolute error, points",
    "bias": "bias (predicted minus true), points",
    "lower_limit": "lower limit of agreement, points",
    "upper_limit": "upper limit of agreement, points",
    "icc": "intraclass correlation",
}


@click.command()
@options.patches("images", "embeddings")
@options.model
@options.output(
    "folder",
    "Folder for predictions, scores, pictures and the report, one HTML file; such "
    "files are replaced.",
    default="glomclf-evaluation",
)
@click.option(
    "--train",
    "train_csv",
    type=options.PATH,
    show_default="no audit",
    metavar="CSV",
    help="Patches that the model was trained on. They are searched for participants "
    "and images of CSV. --embeddings of CSV comes first, then that of these.",
)
@options.model_threshold
@click.option(
    "--by",
    metavar="COLUMN",
    show_default="all patches together only",
    help="Column of CSV, such as centre, stain or scanner: scores of each of its "
    "values, too, and how far they are apart.",
)
@options.readers("how far they agree, and the model with them.")
@options.explain
@options.quiet
def command(
    patches: PatchTable,
    model: Path,
    folder: Path,
    train_csv: Path | None,
    threshold: float | None,
    by: str | None,
    readers: tuple[str, ...],
    explain: bool,
    quiet: bool,
) -> None:
    """Predict the patches of CSV and score the predictions.

    CSV has the columns `name` and `ground truth` and, if known, `participant`.
    Intervals of scores respect that patches of one participant are alike. --by centre
    shows whether the scores hold at each centre. --explain draws what the model looked
    at in the worst mistakes. With --train, the exit code is 2 if participants or images
    of CSV were trained on. All files are written even so.

    Example: glomclf evaluate test.csv --model model.glomclf --train train.csv
    """
    from ..model.explanation import refuse_unexplained
    from .readers import reader_columns

    inputs = [*patches.files, model, *([train_csv] if train_csv else [])]
    outputs.check_outputs((folder / name for name in _FILES), inputs)
    outputs.check_inputs(inputs)
    check_model(model, patches)
    sides, rows = _read(patches, train_csv)
    test = sides[0]
    divided = None if by is None else _column(test, by, patches.csv)
    read = reader_columns(test, readers, patches.csv)
    classifier = load_model(model, threshold, quiet)
    if explain:
        refuse_unexplained(classifier)
    known = _audited(sides, rows, quiet)
    probability = classifier.predict_proba(rows[0])[:, 1]
    found = _score(test, probability, classifier.threshold_, divided, folder)
    calls = probability >= classifier.threshold_
    known["sections"] = _compare_readers(test, read, calls, folder)
    known |= {"classifier": classifier, "explain": explain, **found}
    _write_report(test, probability, folder, known)
    _print(**found)  # last, for whoever reads it may close the pipe
    outputs.list_files()
    if "audit" in known:
        known["audit"].raise_if_leaky()


def _read(
    patches: PatchTable, train_csv: Path | None
) -> tuple[list[pd.DataFrame], list[Any]]:
    """Read the test set, the training set if there is one, and their rows."""
    if train_csv is not None:
        return labelled_pair(patches, train_csv)
    test = patches.labelled(to_train=False)
    note("No leak audit: pass --train with the csv that the model was trained on.")
    return [test], [patches.rows_of(test)]


def _audited(sides: list[pd.DataFrame], rows: list[Any], quiet: bool) -> dict[str, Any]:
    """Audit the test set against the training set, if there is one, for the report."""
    from .audit import audit_pair

    if len(sides) == 1:
        return {}
    audit, _ = audit_pair(sides[::-1], rows[::-1], quiet)
    return {"train": sides[1], "audit": audit}


def _column(test: pd.DataFrame, by: str, csv: Path) -> pd.Series:
    """Return what divides the rows, refused before the model predicts anything."""
    from ..evaluation.subgroups import subgroup_values

    if by not in test:
        titles = ", ".join(map(str, test))
        raise InputError(f"--by: {csv} has no column {by!r}; there are {titles}.")
    if faults := subgroup_values(test[by], len(test))[1]:
        raise InputError(f"--by: in {csv}, {faults[0].replace('by ', f'{by} ', 1)}.")
    return test[by]


def _score(
    manifest: pd.DataFrame,
    probability: np.ndarray,
    threshold: float,
    by: pd.Series | None,
    folder: Path,
) -> dict[str, Any]:
    """Score patches and, where they are known, biopsies; write both."""
    from ..data.participants import participant_kind
    from ..evaluation.biopsy import biopsy_agreement
    from ..evaluation.evaluation import evaluate
    from .tables import predictions_table

    table = predictions_table(manifest, probability, threshold)
    outputs.write_csv(table, folder / "predictions.csv")
    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    evaluation = evaluate(y, probability, groups=groups, threshold=threshold, by=by)
    outputs.write_scores(evaluation, folder)
    if evaluation.subgroups is not None:
        table = evaluation.subgroups.to_frame()
        outputs.write_csv(table.reset_index(), folder / "subgroups.csv")
    biopsies = None
    if participant_kind(manifest) == "participant":
        biopsies = biopsy_agreement(y, probability, groups, threshold=threshold)
        outputs.write_csv(biopsies.table, folder / "biopsies.csv", index=True)
    else:
        note("There is no percentage per biopsy: not all participants are known.")
    return {"evaluation": evaluation, "biopsies": biopsies}


def _compare_readers(
    test: pd.DataFrame, readers: pd.DataFrame, calls: np.ndarray, folder: Path
) -> list[Any]:
    """Compare readers and the model, write the table, and make the report's section."""
    if readers.empty:
        return []
    from ..evaluation.agreement import reader_agreement
    from ..report.sections.readers import readers_section

    agreement = reader_agreement(readers, groups=test["participant"], model=calls)
    outputs.write_csv(agreement.to_frame(), folder / "readers.csv", index=True)
    return [readers_section(agreement)]


def _write_report(
    manifest: pd.DataFrame,
    probability: np.ndarray,
    folder: Path,
    known: dict[str, Any],
) -> None:
    """Write the report, its pictures and the model card."""
    from ..report import evaluation_report

    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    report = evaluation_report(
        manifest, y, probability, groups=groups, command=typed_command(), **known
    )
    outputs.write_report(report, folder, _FILES)
    outputs.write_text(report.card, folder / "model_card.md")
    outputs.drop_unwritten(folder / name for name in _FILES)


def _print(evaluation: Evaluation, biopsies: BiopsyAgreement | None) -> None:
    from .tables import print_estimates, print_scores, print_subgroups

    n_patches = int(evaluation.confusion_matrix.sum())
    print_scores(f"Scores of {counted(n_patches, 'patch')}", evaluation)
    if evaluation.subgroups is not None:
        print_subgroups(evaluation.subgroups)
    if biopsies is not None:
        told = counted(len(biopsies.table), "biopsy")
        title = f"Percentage of globally sclerotic glomeruli, {told}"
        print_estimates(title, biopsies, _AGREEMENT, digits=2)
