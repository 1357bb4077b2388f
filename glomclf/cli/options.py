"""Options that mean the same in every command, each defined once."""

from __future__ import annotations

import ast
import functools
import math
import re
from collections import ChainMap
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = [
    "PATH",
    "classifier_options",
    "csv_argument",
    "embeddings_option",
    "embeddings_pair_option",
    "explain_option",
    "folder_option",
    "images_option",
    "metric",
    "model_option",
    "overwrite_option",
    "quiet_option",
    "reading_options",
    "seed_option",
    "setting",
    "threshold_option",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _UserPath(click.Path):
    """A path, with ``~`` for the home folder also where the shell leaves it."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        from .._runtime import user_path

        path: Any = super().convert(value, param, ctx)
        return user_path(path)


PATH = _UserPath(path_type=Path)


def probability(text: str) -> float:
    """Take a number in [0, 1], which ``nan`` is not.

    Examples
    --------
    >>> from glomclf.cli.options import probability
    >>> probability("0.5")
    0.5
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise click.BadParameter(f"{text!r} is not a number from 0 to 1.")
    return number


def threshold(text: str) -> Any:
    """Take a probability, ``f1``, or a bound on the recall.

    Examples
    --------
    >>> from glomclf.cli.options import threshold
    >>> threshold("0.3"), threshold("f1"), threshold("recall>=0.95")
    (0.3, 'f1', RecallAtLeast(recall=0.95))
    """
    if text == "f1":
        return text
    name, is_bound, bound = text.replace(" ", "").partition(">=")
    if name != "recall":
        try:
            return probability(text)
        except click.BadParameter:
            message = f"{text!r} is not a number from 0 to 1, f1 or 'recall>=NUMBER'."
            raise click.BadParameter(message) from None
    if not is_bound:  # the shell takes an open > for itself
        raise click.BadParameter("put it in quotes: 'recall>=0.95'.")
    from ..evaluation.thresholds import RecallAtLeast

    return RecallAtLeast(probability(bound))


def metric(text: str) -> tuple[str, float | None]:
    """Take a score, and what it must reach where that is said.

    Examples
    --------
    >>> from glomclf.cli.options import metric
    >>> metric("roc_auc"), metric("recall>=0.95")
    (('roc_auc', None), ('recall', 0.95))
    """
    name, is_bound, bound = text.replace(" ", "").partition(">=")
    try:
        return name, float(bound) if is_bound else None
    except ValueError:
        message = f"{text!r} is not of the form SCORE or 'recall>=0.95'."
        raise click.BadParameter(message) from None


_WORDS = {"none": None, "null": None, "true": True, "false": False}


def setting(text: str) -> Any:
    """Take one setting and its value: a word, a Python literal, or else text.

    Examples
    --------
    >>> from glomclf.cli.options import setting
    >>> setting("network.learning_rate=1e-3"), setting("network.patience=none")
    (('network.learning_rate', 0.001), ('network.patience', None))
    """
    if text == "help":
        return text
    key, is_given, value = (part.strip() for part in text.partition("="))
    if not key or not is_given:
        raise click.BadParameter(
            f"{text!r} is not of the form KEY=VALUE, as network.epochs=5. `--set help` "
            "lists the keys."
        )
    meant = _meant(value)
    if key.endswith(".weights") and isinstance(meant, str):
        _weights(meant)
    return key, meant


def _meant(value: str) -> Any:
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value


def _list_if_asked(ctx: click.Context, param: click.Parameter, values: Any) -> Any:
    """Answer ``--set help``."""
    if "help" not in values:
        return values
    from .settings import print_settings

    (recipe,) = (one for one in ctx.command.params if one.name == "recipe")
    print_settings(str(ctx.params.get("recipe", recipe.get_default(ctx))))
    ctx.exit()


def titles(text: str) -> dict[str, str]:
    """Take titles of columns, which may hold commas.

    Examples
    --------
    >>> from glomclf.cli.options import titles
    >>> titles("label=Diagnosis, final,participant=patient")
    {'label': 'Diagnosis, final', 'participant': 'patient'}
    """
    from ..data.table_files import COLUMNS

    found = {}
    for pair in re.split(rf",(?=\s*(?:{'|'.join(COLUMNS)})\s*=)", text):
        name, _, title = (part.strip() for part in pair.partition("="))
        if name not in COLUMNS or not title:
            raise click.BadParameter(
                f"{pair!r} is not of the form participant=patient, with a title for "
                f"one of {', '.join(COLUMNS)}."
            )
        found[name] = title
    return found


def meanings(text: str) -> dict[str, int]:
    """Take texts and the labels that they mean.

    Examples
    --------
    >>> from glomclf.cli.options import meanings
    >>> meanings("GS=1,NGS=0")
    {'GS': 1, 'NGS': 0}
    """
    found = {}
    for pair in text.split(","):
        word, _, label = (part.strip() for part in pair.rpartition("="))
        if not word or label not in ("0", "1"):
            raise click.BadParameter(
                f"{pair!r} is not of the form GS=1 or NGS=0: 1 is globally sclerotic, "
                "0 is the rest."
            )
        found[word] = int(label)
    return found


csv_argument = click.argument("csv", type=PATH)
images_option = click.option(
    "--images",
    type=PATH,
    metavar="DIR",
    help="Folder of the images, if they do not lie beside the csv.",
)
_columns_option = click.option(
    "--columns",
    type=titles,
    multiple=True,
    metavar="COLUMN=TITLE,...",
    show_default=False,
    help="Titles of the columns name, label, slide, participant and centre where they "
    "are others, as label=diagnosis,participant=patient.",
)
_labels_option = click.option(
    "--labels",
    type=meanings,
    multiple=True,
    metavar="TEXT=1,TEXT=0",
    show_default=False,
    help="What the labels are called, as GS=1,NGS=0: in the column of labels, or as "
    "names of class folders.",
)


def reading_options(function: _Function) -> _Function:
    """Give a command ``--columns`` and ``--labels``.

    It gets them as one argument `reading`, and passes it on to what reads the csv:
    ``labelled_manifest(csv, images, **reading)``.
    """

    @_columns_option
    @_labels_option
    @functools.wraps(function)
    def command(*args: Any, columns: Any, labels: Any, **more: Any) -> Any:
        given = {"columns": columns, "labels": labels}
        merged = {name: dict(ChainMap(*of)) or None for name, of in given.items()}
        return function(*args, reading=merged, **more)

    return command  # type: ignore[return-value]


_EMBEDDINGS = (
    "Features of the images, which are then not needed: an HDF5, npz, csv, Parquet, "
    "safetensors or pt file, or a folder with one HDF5 file a slide."
)
embeddings_option = click.option(
    "--embeddings", type=PATH, metavar="FILE", help=_EMBEDDINGS
)
embeddings_pair_option = click.option(
    "--embeddings",
    type=PATH,
    multiple=True,
    metavar="FILE",
    show_default=False,
    help=f"{_EMBEDDINGS} Given twice: that of CSV, then that of the other csv.",
)
model_option = click.option(
    "--model",
    type=PATH,
    required=True,
    metavar="FILE",
    help="Model that `glomclf train` wrote.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    metavar="N",
    help="Seeds splits, samplers and the network.",
)
overwrite_option = click.option(
    "--overwrite",
    is_flag=True,
    show_default=False,
    help="Replace the files of an earlier run.",
)
quiet_option = click.option(
    "--quiet", "-q", is_flag=True, show_default=False, help="Show no progress."
)
explain_option = click.option(
    "--explain",
    is_flag=True,
    show_default=False,
    help="Draw what the model looked at into the report. A patch takes one more pass "
    "through the network, or 50 where its feature maps are coarse or not to be had.",
)
threshold_option = click.option(
    "--threshold",
    type=probability,
    default=None,
    show_default="the model's own",
    help="Probability from which a glomerulus is predicted globally sclerotic.",
)


def _weights(text: str) -> str:
    """Take a file that is there, or a name, before anything is loaded."""
    if text in ("imagenet", "none") or Path(text).expanduser().is_file():
        return text
    raise click.BadParameter(f"No such file: {text}. Give a file, imagenet or none.")


def folder_option(default: str, text: str, **more: Any) -> Callable[..., Any]:
    """Make the option ``--output``, where it is a folder."""
    return click.option(
        *("--output", "-o", "folder"),
        type=PATH,
        default=default,
        metavar="DIR",
        help=text,
        **more,
    )


_CLASSIFIER_OPTIONS = {
    "weights": click.option(
        "--weights",
        type=_weights,
        metavar="imagenet|none|FILE",
        default=None,
        show_default="the recipe's",
        help="Weights that the backbone starts from. none is one fixed random network, "
        "and downloads nothing.",
    ),
    "sampler": click.option(
        "--sampler",
        metavar="NAME[+NAME]|none",
        default=None,
        show_default="the recipe's",
        help="Balances the training rows: smote, augment, undersample, oversample, or "
        "several in order.",
    ),
    "threshold": click.option(
        "--threshold",
        type=threshold,
        metavar="NUMBER|f1|'recall>=NUMBER'",
        default=None,
        show_default="0.5",
        help="Probability from which a glomerulus is predicted globally sclerotic. f1 "
        "and 'recall>=0.95' choose it on training participants: for the highest F1, "
        "or the highest precision at that recall.",
    ),
    "settings": click.option(
        "--set",
        "settings",
        type=setting,
        metavar="KEY=VALUE",
        multiple=True,
        is_eager=True,
        callback=_list_if_asked,
        show_default=False,
        help="Any other setting, as network.epochs=5 or image_size=64. May be given "
        "more than once. `--set help` lists all keys and their values.",
    ),
}


def _recipe_option(default: str) -> Callable[[_Function], _Function]:
    return click.option(
        "--recipe",
        type=click.Choice(["linear", "features", "fine-tune", "scratch"]),
        default=default,
        is_eager=True,  # `--set help` lists the settings of this one
        help="How the model is trained. linear: a logistic regression on stored "
        "features. features: a small network on them. fine-tune: the last layers of "
        "the backbone, too. scratch: all layers.",
    )


def classifier_options(
    *, recipe: str = "features", without: Collection[str] = ()
) -> Callable[[_Function], _Function]:
    """Give a command the options of the classifier; the others are ``--set``.

    Parameters
    ----------
    recipe : str, default="features"
        Where none is given.
    without : collection of str, default=()
        Names of options that this command does not have.
    """

    def decorate(function: _Function) -> _Function:
        for name, option in reversed(_CLASSIFIER_OPTIONS.items()):
            if name not in without:
                function = option(function)
        return _recipe_option(recipe)(function)

    return decorate
