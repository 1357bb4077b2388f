"""``glomclf demo``: the whole way on synthetic patches, without any download."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from .console import InputError, check_output, note, remember_command
from .options import folder_option, quiet_option, seed_option

__all__ = ["command"]

_N_SAMPLES, _N_PARTICIPANTS, _IMAGE_SIZE = 400, 40, 96


@click.command()
@folder_option("glomclf-demo", "Folder to write. It must not exist, or be empty.")
@seed_option
@quiet_option
@click.pass_context
def command(ctx: click.Context, folder: Path, seed: int, quiet: bool) -> None:
    """Show the whole way on synthetic biopsies.

    Biopsies are drawn. Then the commands that you would type are shown and run: split,
    train and evaluate. ResNet-50 keeps random weights here, so that nothing is
    downloaded.
    """
    from ..data.synthetic import make_glomeruli

    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty. Remove it, or give another --output.")
    check_output(folder / "data")
    note(f"Drawing {_N_SAMPLES} patches of {_N_PARTICIPANTS} participants.")
    make_glomeruli(
        _N_SAMPLES,
        n_participants=_N_PARTICIPANTS,
        sclerotic_fraction=0.25,
        image_size=_IMAGE_SIZE,
        directory=folder / "data",
        random_state=seed,
    )
    for words in _commands(folder, seed, quiet):
        _run(ctx, words)


def _commands(folder: Path, seed: int, quiet: bool) -> list[list[str]]:
    """Return the words of each command."""
    images, model = ["--images", f"{folder / 'data'}"], f"{folder / 'model.glomclf'}"
    train, test = f"{folder / 'train.csv'}", f"{folder / 'test.csv'}"
    seeded, shown = ["--seed", f"{seed}"], ["--quiet"] if quiet else []
    size = ["--weights", "none", "--set", f"image_size={_IMAGE_SIZE}"]
    judged = ["--model", model, "--train", train, "--output", f"{folder}"]
    return [
        ["split", f"{folder / 'data' / 'public.csv'}", "-o", f"{folder}", *seeded],
        ["train", train, *images, *size, "--output", model, *seeded, *shown],
        ["evaluate", test, *images, *judged, *shown],
    ]


def _run(ctx: click.Context, words: list[str]) -> None:
    """Show a command and run it, as if it had been typed."""
    from . import evaluate, split, train

    note(f"\n$ {shlex.join(['glomclf', *words])}")
    remember_command(ctx, words)
    name, *rest = words
    called = {"split": split, "train": train, "evaluate": evaluate}[name].command
    with called.make_context(name, rest, parent=ctx) as context:
        called.invoke(context)
