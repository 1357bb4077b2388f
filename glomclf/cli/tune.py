"""``glomclf tune``: an Optuna study of the settings, and the model of the best."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .console import InputError, note
from .inputs import PatchTable, participant_folds
from .outputs import check_outputs, list_files, written_files

if TYPE_CHECKING:
    import pandas as pd

    from ..tuning import GlomeruliSearchCV
    from .tune_files import StudyFiles

_JOURNAL = "study.journal"
_METRIC = "average_precision"
# What is fixed where embeddings take the place of images, by whether it is "linear".
_OF_FEATURES = {True: ("stain_normalizer", None), False: ("sampling_space", "features")}


@click.command()
@options.patches("images", "embeddings")
@options.output(
    "folder",
    "Folder for the trials, the model with the best settings and the report, one "
    "HTML file; such files are replaced.",
    default="glomclf-tuning",
)
@click.option(
    "--trials",
    "n_trials",
    type=click.IntRange(min=1),
    default=50,
    help="Trials that the study is to have in the end, whoever runs them; those that "
    "it has already count.",
)
@options.folds(
    "Folds of participants that each trial is scored on, the same for all.", default=5
)
@click.option(
    "--metric",
    "metrics",
    type=options.metric,
    multiple=True,
    show_default="average_precision",
    metavar="SCORE|'SCORE>=NUMBER'",
    help="Score of scikit-learn's to be as high as possible. Given more than once, the "
    "best trade-offs are sought, and the model gets the one that is best in the first. "
    "'recall>=0.95' is what the best settings must reach in the mean of the folds.",
)
@click.option(
    "--nested",
    "n_outer",
    type=click.IntRange(min=2),
    show_default="none",
    metavar="FOLDS",
    help="Then run the whole study again on the training side of each of so many outer "
    "folds: the score to report, beside that of the recipe as it is.",
)
@click.option(
    "--storage",
    show_default=f"{_JOURNAL} in the output folder",
    metavar="URL|FILE",
    help="Where the study is kept: a journal file, sqlite:///FILE, or "
    "postgresql://USER@HOST/DATABASE for processes on many machines.",
)
@click.option(
    "--study",
    "study_name",
    default="glomclf",
    metavar="NAME",
    help="Name of the study in the storage.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the study of that name, or join it while others run it.",
)
@click.option(
    "--jobs",
    "n_jobs",
    type=click.IntRange(min=1),
    default=1,
    help="Processes that run trials at the same time. Each has its share of the cores.",
)
@options.classifier(recipe="linear", without=("weights", "sampler", "threshold"))
@options.seed
@options.quiet
def command(
    patches: PatchTable,
    folder: Path,
    n_folds: int,
    metrics: tuple[tuple[str, float | None], ...],
    n_outer: int | None,
    storage: str | None,
    study_name: str,
    resume: bool,
    seed: int,
    **given: Any,
) -> None:
    """Search for better settings on CSV, and train with them.

    Each trial is cross-validated by participant. Tuned are the sampler, the stain, and
    C and class_weight of the regression. With the other recipes, the sampler and its
    space, and trainable_layers, dense_units, dropout, optimizer, learning_rate,
    batch_size and class_weight of the network: plan for hours, or train the head alone
    with --set sampling_space=features. What --set gives is fixed.

    The best score of a study is too good: report that of --nested, or of participants
    that were set aside before (`glomclf split`, then `glomclf evaluate`).

    After Ctrl-C, or to add trials or processes, run the same command with --resume.

    Example: glomclf tune train.csv --output tuning
    """
    from .tune_files import TUNING_FILES, StudyFiles, words_to_resume

    check_outputs((folder / name for name in TUNING_FILES), patches.files)
    sought, bounds = _checked_scores(metrics)
    manifest = patches.labelled()
    folds = participant_folds(manifest, n_folds, seed)
    _check_outer_folds(manifest, n_outer, n_folds, seed)
    given["of_features"] = bool(patches.embeddings)
    search = _search(sought, bounds, seed, **given)
    storage = storage or str(folder / _JOURNAL)
    search.set_params(cv=folds, storage=storage, study_name=study_name, resume=resume)
    rows = patches.rows_of(manifest)
    files = StudyFiles(search, folder, words_to_resume())
    with _nothing_lost(files):
        _run(search, rows, manifest)
        files.write_best(rows, manifest, folds)
        if n_outer is not None:
            search.set_params(cv=n_folds)  # the outer folds have folds of their own
            _run_nested(files, rows, manifest, n_outer, seed)
        files.write_report()
    files.print_best()
    list_files()


def _search(
    metrics: Sequence[str],
    bounds: dict[str, float],
    seed: int,
    *,
    of_features: bool,
    n_trials: int,
    n_jobs: int,
    quiet: bool,
    recipe: str,
    settings: tuple[tuple[str, Any], ...],
) -> GlomeruliSearchCV:
    """Make the search of the settings that were not given."""
    from ..tuning import GlomeruliSearchCV
    from .settings import checked_classifier, given_values

    given, added = given_values(recipe, settings=settings), {}
    if of_features:  # as if the layers before were frozen
        name, value = _OF_FEATURES[recipe == "linear"]
        given[name] = added[name] = value
    if recipe != "linear" and given.get("sampling_space") == "features":
        # The part of the recipe's sampler that needs no images; it is tuned.
        added["sampler"] = "smote"
    keys = dict(settings)
    settings = (*settings, *(one for one in added.items() if one[0] not in keys))
    default = checked_classifier(
        recipe, settings=settings, of_features=of_features, random_state=seed
    )
    return GlomeruliSearchCV(
        default,
        _space(recipe, default, given),
        scoring=list(metrics) if len(metrics) > 1 else metrics[0],
        constraint=bounds or None,
        n_trials=n_trials,
        refit=metrics[0] if len(metrics) > 1 else True,
        n_jobs=n_jobs,
        random_state=seed,
        verbose=int(not quiet),
    )


def _space(recipe: str, default: Any, given: dict[str, Any]) -> Any:
    """Take what was given, and what makes the recipe, out of the space."""
    from functools import partial

    from ..tuning import linear_search_space, search_space
    from ..tuning.space import PARTS

    space = linear_search_space if recipe == "linear" else search_space
    parts = set(PARTS[space.__name__])
    fixed = {name: given[name] for name in (parts | {"sampling_space"}) & set(given)}
    layers = "network__trainable_layers"
    if recipe in ("fine-tune", "scratch"):
        own = default.get_params()
        fixed = {name: own[name] for name in ("sampling_space", layers)} | fixed
    elif fixed.get("sampling_space") == "features":
        fixed.setdefault(layers, 0)  # features of more layers are large
    if fixed.keys() >= parts:
        raise InputError(
            "All settings that can be tuned were given: leave out one --set of "
            f"{', '.join(sorted(name.replace('__', '.') for name in parts))}, or use "
            "`glomclf train`."
        )
    return partial(space, **fixed)


# -- checks before anything slow -------------------------------------------------------


def _checked_scores(
    metrics: Sequence[tuple[str, float | None]],
) -> tuple[list[str], dict[str, float]]:
    """Tell scores that are sought from those that are bounded.

    Scores that scikit-learn does not have are refused, all at once.
    """
    from sklearn.metrics import get_scorer_names

    from .settings import nearest

    sought = [name for name, bound in metrics if bound is None] or [_METRIC]
    bounds = {name: bound for name, bound in metrics if bound is not None}
    known = get_scorer_names()
    faults = [
        f"{name!r} is not a score of scikit-learn's{nearest(name, known)}"
        for name in dict.fromkeys(name for name, _ in metrics)
        if name not in known
    ]
    twice = sorted({name for name in sought if sought.count(name) > 1})
    faults += [f"--metric {name} is given twice." for name in twice]
    if faults:
        faults.append("Examples: average_precision, roc_auc, f1, recall, precision.")
        raise InputError("\n".join(faults))
    return sought, bounds


def _check_outer_folds(
    manifest: pd.DataFrame, n_outer: int | None, n_folds: int, seed: int
) -> None:
    """See before the study that there are folds for what comes after it."""
    from ..errors import SplitError, SplitWarning

    if n_outer is None:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SplitWarning)
            for train, _ in participant_folds(manifest, n_outer, seed):
                participant_folds(manifest.iloc[train], n_folds, seed)
    except (SplitError, SplitWarning) as error:
        raise SplitError(
            f"--nested {n_outer} with --cv {n_folds} inside: {error}"
        ) from None


# -- the run ---------------------------------------------------------------------------


def _run(search: GlomeruliSearchCV, rows: Any, manifest: pd.DataFrame) -> None:
    """Run the trials and train with the best settings."""
    from .._runtime import counted
    from ..data.participants import participant_kind
    from .audit import audit_folds

    people = counted(manifest["participant"].nunique(), participant_kind(manifest))
    note(
        f"Tuning on {counted(len(manifest), 'patch')} of {people}, "
        f"{len(search.cv)} folds. The folds are audited for leaks first."
    )
    if rows is not manifest:
        audit_folds(manifest, rows, search.cv, not search.verbose).raise_if_leaky()
    y = manifest["label"].to_numpy()
    search.fit(rows, y, groups=manifest["participant"].to_numpy())


def _run_nested(
    files: StudyFiles, rows: Any, manifest: pd.DataFrame, n_outer: int, seed: int
) -> None:
    """Run the study again in each outer fold."""
    from ..tuning import nested_cross_validate

    search = files.search
    note(
        f"Nested cross-validation: the study is run again in {n_outer} outer folds and "
        "compared with the recipe as it is."
    )
    nested = nested_cross_validate(
        search,
        rows,
        manifest["label"].to_numpy(),
        groups=manifest["participant"].to_numpy(),
        cv=n_outer,
        default=search.estimator,
        random_state=seed,
        verbose=search.verbose,
    )
    files.write_nested(nested)


@contextmanager
def _nothing_lost(files: StudyFiles) -> Iterator[None]:
    """If the block ends early, write what there is, and say how to go on."""
    from ..errors import GlomclfError

    try:
        yield
    except KeyboardInterrupt:
        _say_how_to_go_on(files)
        raise
    except GlomclfError:
        if hasattr(files.search, "study_"):
            files.write_trials()
            files.write_report()
            files.drop_earlier()
            kept = "\n  ".join(map(str, written_files()))
            note(f"What the trials were is in\n  {kept}")
        raise
    files.drop_earlier()


def _say_how_to_go_on(files: StudyFiles) -> None:
    """Say what is finished, where it is kept, and the command that goes on."""
    from ..report.sections.repetition import command_text
    from ..tuning.study import what_is_kept

    search = files.search
    if hasattr(search, "study_"):
        files.write_trials()
        note(what_is_kept(search.study_, search.storage, search.n_trials))
    if files.resume is not None:
        text = command_text(files.resume)
        hint = " (with the password in place of ***)" if "***" in text else ""
        note(f"To go on{hint}:\n  {text}")
