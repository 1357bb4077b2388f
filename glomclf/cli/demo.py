"""``glomclf demo``: the whole way on synthetic patches, without any download."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import InputError, check_output, list_files, note, output, print_table
from .options import folder_option, quiet_option, seed_option

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]

_MARK = ".glomclf-demo"
_N_SAMPLES, _N_PARTICIPANTS, _IMAGE_SIZE = 400, 40, 96
_SAMPLERS = (None, "smote+augment", "undersample+augment")
_SCORES = ("recall", "precision", "f1", "roc_auc")


@click.command()
@folder_option(
    "glomclf-demo",
    "Folder to write; that of an earlier demo is replaced.",
)
@seed_option
@quiet_option
def command(folder: Path, seed: int, quiet: bool) -> None:
    """Show the whole way on synthetic biopsies.

    Biopsies are drawn, samplers are compared, and a model is trained and evaluated.
    ResNet-50 keeps random weights here, so that nothing is downloaded.
    """
    from ..data.splitting import train_test_split_by_participant
    from .tables import write_csv

    _prepare(folder)
    note(f"Drawing {_N_SAMPLES} patches of {_N_PARTICIPANTS} participants.")
    manifest = _draw(folder / "data", seed)
    train, test, *_ = train_test_split_by_participant(
        manifest, manifest["label"], test_size=0.3, random_state=seed
    )
    scores = _compare(train, seed)
    write_csv(scores, folder / "cross_validation.csv")
    _print_comparison(scores)
    best = str(scores.groupby("sampler")["roc_auc"].mean().idxmax())
    note(f"Training with the sampler of the highest ROC AUC: {best}.")
    _train_and_evaluate(best, train, test, folder, seed, quiet)
    click.echo(f"\nData: {folder / 'data' / 'public.csv'}")
    list_files()


def _prepare(folder: Path) -> None:
    """Make the folder; an earlier demo's data in it are removed."""
    mark = folder / _MARK
    if folder.is_dir() and any(folder.iterdir()) and not mark.is_file():
        raise InputError(
            f"{folder} holds files that are not of a demo. Give another --output."
        )
    check_output(mark)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != mark:
            path.unlink()


def _draw(directory: Path, seed: int) -> pd.DataFrame:
    from ..data.synthetic import make_glomeruli

    return make_glomeruli(
        _N_SAMPLES,
        n_participants=_N_PARTICIPANTS,
        sclerotic_fraction=0.25,
        image_size=_IMAGE_SIZE,
        directory=directory,
        random_state=seed,
    )


def _classifier(sampler: str | None, seed: int, **more: Any) -> Any:
    from ..model.recipes import make_classifier

    settings = {"network__weights": None, "image_size": _IMAGE_SIZE, **more}
    return make_classifier("features", sampler=sampler, random_state=seed, **settings)


def _compare(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Cross-validate each sampler on the same folds of participants."""
    import pandas as pd
    from sklearn.model_selection import StratifiedGroupKFold, cross_validate

    tables = []
    for sampler in _SAMPLERS:
        note(f"Cross-validating by participant: sampler {sampler or 'none'}.")
        result = cross_validate(
            _classifier(sampler, seed),
            train,
            train["label"],
            groups=train["participant"],
            cv=StratifiedGroupKFold(3, shuffle=True, random_state=seed),
            scoring=list(_SCORES),
            error_score="raise",
        )
        table = pd.DataFrame({name: result[f"test_{name}"] for name in _SCORES})
        table.insert(0, "sampler", sampler or "none")
        table.insert(1, "fold", range(1, len(table) + 1))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _print_comparison(scores: pd.DataFrame) -> None:
    by_sampler = scores.groupby("sampler", sort=False)[list(_SCORES)]
    mean, spread = by_sampler.mean(), by_sampler.std()
    texts = mean.map("{:.2f}".format) + " ± " + spread.map("{:.2f}".format)
    rows = [(str(sampler), *texts.loc[sampler]) for sampler in texts.index]
    title = "Cross-validated by participant, 3 folds: mean and standard deviation"
    print_table(title, ("sampler", "recall", "precision", "F1", "ROC AUC"), rows)


def _train_and_evaluate(
    sampler: str,
    train: pd.DataFrame,
    test: pd.DataFrame,
    folder: Path,
    seed: int,
    quiet: bool,
) -> None:
    from .evaluate import write_evaluation
    from .training_files import write_training

    chosen = None if sampler == "none" else sampler
    classifier = _classifier(chosen, seed, verbose=int(not quiet))
    classifier.fit(train, train["label"])
    with output(folder / "model.glomclf") as temporary:
        classifier.save(temporary)
    images = classifier.pipeline_["load"].transform(train)
    write_training(classifier, images, train["label"].to_numpy(), folder)
    classifier.set_params(verbose=0)
    probability = classifier.predict_proba(test)[:, 1]
    write_evaluation(
        test,
        probability,
        classifier,
        folder,
        title="Demo on synthetic biopsies",
        train=train,
    )
