"""``glomclf tune``: an Optuna study of the settings, and the model of the best."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import check_output, list_files, note, typed_command, written_files
from .options import (
    AtLeast,
    Duration,
    OrWord,
    classifier_options,
    images_option,
    quiet_option,
    seed_option,
)
from .study_plan import TUNED

if TYPE_CHECKING:
    from ..model.classifier import GlomeruliClassifier
    from ..tuning import GlomeruliSearchCV
    from .study_results import StudyResults

__all__ = ["command"]

_JOURNAL = "study.journal"


@click.command()
@click.argument("csv", type=click.Path(path_type=Path))
@images_option
@click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path),
    default="glomclf-tuning",
    metavar="DIR",
    help="Folder for the trials, the model with the best settings, pictures and the "
    "report, one HTML file; such files are replaced.",
)
@click.option(
    "--trials",
    "n_trials",
    type=click.IntRange(min=1),
    default=50,
    help="Trials that the study has in the end, whoever runs them; those that it has "
    "already count.",
)
@click.option(
    "--cv",
    "n_folds",
    type=click.IntRange(min=2),
    default=5,
    help="Folds of participants that each trial is scored on, the same for all.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    default=("average_precision",),
    metavar="SCORE",
    help="Score of scikit-learn's to be as high as possible. Given more than once, the "
    "best trade-offs are sought, and the model gets the one that is best in the first.",
)
@click.option(
    "--at-least",
    "bounds",
    type=AtLeast(),
    multiple=True,
    show_default="none",
    help="Score that the best settings must reach in the mean of the folds, as "
    "recall=0.95. May be given more than once.",
)
@click.option(
    "--pruner",
    type=OrWord(click.Choice(["median", "wilcoxon"]), "none", None),
    default="none",
    metavar="median|wilcoxon|none",
    help="What stops a trial whose first folds are worse than those of others.",
)
@click.option(
    "--storage",
    default=None,
    show_default=f"{_JOURNAL} in the output folder",
    metavar="URL|FILE",
    help="Where the study is kept: a journal file, sqlite:///FILE, or "
    "postgresql://USER@HOST/DATABASE for workers on many machines.",
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
    show_default=False,
    help="Go on with the study, or join its workers, if it exists.",
)
@click.option(
    "--workers",
    "n_workers",
    type=click.IntRange(min=1),
    default=1,
    help="Processes that run trials at the same time. Each has its share of the cores.",
)
@click.option(
    "--timeout",
    type=Duration(),
    default=None,
    show_default="none",
    help="Time after which no trial is begun: seconds, or as 90s, 30m, 2h.",
)
@click.option(
    "--nested",
    "n_outer",
    type=OrWord(click.IntRange(min=2), "none", None),
    default="none",
    metavar="FOLDS|none",
    help="Then run the whole study again on the training side of each of so many outer "
    "folds: the score to report, beside that of the default settings.",
)
@classifier_options()
@seed_option
@quiet_option
def command(
    csv: Path,
    images: Path | None,
    folder: Path,
    n_folds: int,
    metrics: tuple[str, ...],
    bounds: tuple[tuple[str, float], ...],
    storage: str | None,
    study_name: str,
    resume: bool,
    n_outer: int | None,
    seed: int,
    quiet: bool,
    **options: Any,
) -> None:
    """Choose settings of the classifier on CSV, and train a model with the best.

    Each trial is cross-validated by participant. Settings that are tuned unless you
    give them: the sampler, its space, the layers that are trained, the head, dropout,
    optimizer, learning rate, batch size and class weight. With --sampling-space
    features the head alone is trained unless you give --trainable-layers, which takes
    seconds a trial. With another --recipe than features the sampler's space and the
    layers are the recipe's.

    The best score of a study is optimistic: report that of --nested, or of participants
    that were set aside before (`glomclf split`, then `glomclf evaluate --test`).

    After Ctrl-C, or to add trials or workers, run the same command with --resume.

    Example: glomclf tune train.csv --weights none --sampling-space features -o tuning
    """
    from .inputs import labelled_manifest, participant_folds
    from .study_plan import check_scores, check_study
    from .study_results import TUNING_FILES, StudyResults

    for name in TUNING_FILES:
        check_output(folder / name, inputs=[csv])
    check_scores(metrics, dict(bounds))
    manifest = labelled_manifest(csv, images)
    folds = participant_folds(manifest, n_folds, seed)
    storage = storage or str(folder / _JOURNAL)
    search, default = _search(len(manifest), metrics, dict(bounds), seed, **options)
    search.set_params(cv=folds, storage=storage, study_name=study_name, resume=resume)
    _check_outer_folds(manifest, n_outer, n_folds, seed)
    check_study(storage, study_name, resume=resume)
    results = StudyResults(search, folder, len(manifest), _words_to_resume())
    with _nothing_lost(results):
        _run(search, manifest, quiet)
        results.write_best(manifest, folds)
        if n_outer is not None:
            search.set_params(cv=n_folds)  # the outer folds have folds of their own
            _run_nested(results, manifest, default, n_outer, seed, quiet)
        results.write_pictures()
        results.write_report()
    results.print_best()
    results.print_dashboard()
    list_files()


for _option in command.params:
    if isinstance(_option, click.Option) and _option.name in TUNED:
        _option.show_default = "tuned"


def _search(
    n_samples: int,
    metrics: Sequence[str],
    bounds: Mapping[str, float],
    seed: int,
    *,
    n_trials: int,
    n_workers: int,
    timeout: float | None,
    pruner: str | None,
    **parameters: Any,
) -> tuple[GlomeruliSearchCV, GlomeruliClassifier]:
    """Make the search, and the classifier with default settings, all checked."""
    from ..tuning import GlomeruliSearchCV
    from .settings import checked_classifier
    from .study_plan import make_pruner, make_space

    given = _given()
    fixed = {name: parameters[name] for name in TUNED if name in given}
    if parameters["recipe"] != "features":
        # It settles what is trained from what: tuning either would undo the recipe.
        fixed = {"sampling_space": "auto", "trainable_layers": "auto", **fixed}
    if "sampler" not in fixed and parameters["sampling_space"] == "features":
        parameters["sampler"] = "smote"  # the part of the default that needs no images
    checked = checked_classifier(n_samples, **parameters, random_state=seed)
    default = checked
    search = GlomeruliSearchCV(
        default,
        make_space(fixed),
        scoring=list(metrics) if len(metrics) > 1 else metrics[0],
        constraint=bounds or None,
        n_trials=n_trials,
        timeout=timeout,
        pruner=make_pruner(pruner, metrics, bounds),
        refit=metrics[0] if len(metrics) > 1 else True,
        n_jobs=n_workers,
        random_state=seed,
    )
    return search, default


def _given() -> set[str]:
    """Name the parameters that the user typed."""
    from click.core import ParameterSource

    context = click.get_current_context()
    return {
        name
        for name in context.params
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }


def _run(search: GlomeruliSearchCV, manifest: Any, quiet: bool) -> None:
    """Run the trials and train with the best settings, in sight of the user."""
    from ..data.participants import participant_kind
    from .study_watch import watch_studies

    n_participants, kind = manifest["participant"].nunique(), participant_kind(manifest)
    note(
        f"Tuning on {len(manifest)} patches of {n_participants} {kind}s, "
        f"{len(search.cv)} folds. The folds are audited for leaks first."
    )
    with watch_studies(
        search.storage,
        [search.study_name],
        n_trials=search.n_trials,
        n_folds=len(search.cv),
        timeout=search.timeout,
        enabled=not quiet,
    ):
        y = manifest["label"].to_numpy()
        search.fit(manifest, y, groups=manifest["participant"].to_numpy())


def _check_outer_folds(
    manifest: Any, n_outer: int | None, n_folds: int, seed: int
) -> None:
    """See before the study that there are folds for what comes after it."""
    from ..errors import SplitError, SplitWarning
    from .inputs import participant_folds

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


def _run_nested(
    results: StudyResults,
    manifest: Any,
    default: GlomeruliClassifier,
    n_outer: int,
    seed: int,
    quiet: bool,
) -> None:
    """Run the study again in each outer fold; write what is there after each."""
    from ..tuning import nested_cross_validate
    from .study_watch import watch_studies

    search = results.search
    note(
        f"Nested cross-validation: the study is run again in {n_outer} outer folds and "
        f"compared with the default settings, of which sampler "
        f"{default.sampler}."
    )
    with watch_studies(
        search.storage,
        [f"{search.study_name}-fold{fold}" for fold in range(n_outer)],
        n_trials=search.n_trials,
        n_folds=search.cv,
        timeout=search.timeout,
        enabled=not quiet,
    ):
        nested_cross_validate(
            search,
            manifest,
            manifest["label"].to_numpy(),
            groups=manifest["participant"].to_numpy(),
            cv=n_outer,
            default=default,
            random_state=seed,
            after_each=results.write_nested,
        )


@contextmanager
def _nothing_lost(results: StudyResults) -> Iterator[None]:
    """If the block ends early, write what there is, and say how to go on."""
    from ..errors import GlomclfError

    try:
        yield
    except KeyboardInterrupt:
        _keep(results, with_report=False)
        note(_how_to_go_on(results))
        raise
    except GlomclfError:
        _keep(results, with_report=True)
        raise
    results.drop_earlier()


def _keep(results: StudyResults, *, with_report: bool) -> None:
    """Write the trials that there are."""
    if not hasattr(results.search, "study_"):
        return
    results.write_trials()
    if with_report:
        results.write_report()
        results.drop_earlier()
        kept = "\n  ".join(map(str, written_files()))
        note(f"What the trials were is in\n  {kept}")


def _how_to_go_on(results: StudyResults) -> str:
    """Say what is finished, where it is kept, and the command that goes on."""
    from ..report.environment import command_text
    from ..tuning.reading import trials_over
    from ..tuning.storages import shown

    search = results.search
    n_done = len(trials_over(search.study_)) if hasattr(search, "study_") else 0
    told = (
        f"Stopped. {n_done} of {search.n_trials} trials are finished, and kept in "
        f"{shown(search.storage)}, study {search.study_name!r}."
    )
    if results.resume is None:
        return told
    text = command_text(results.resume)
    hint = " (with the password in place of ***)" if "***" in text else ""
    return f"{told} To go on{hint}:\n  {text}"


def _words_to_resume() -> list[str] | None:
    words = typed_command()
    if words is None or "--resume" in words:
        return words
    return [*words, "--resume"]
