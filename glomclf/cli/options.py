"""Options that mean the same in every command, each defined once."""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import click

from .._runtime import user_path
from .inputs import PatchTable

_Function = Callable[..., Any]
_Decorator = Callable[[_Function], _Function]


class _UserPath(click.Path):
    """A path, with ``~`` for the home folder also where the shell leaves it."""

    def convert(self, value: Any, *about: Any) -> Any:
        path: Any = super().convert(value, *about)
        return user_path(path)


PATH = _UserPath(path_type=Path)


def probability(text: str, kind: str = "a number from 0 to 1") -> float:
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
        raise click.BadParameter(f"{text!r} is not {kind}.")
    return number


def threshold(text: str) -> Any:
    """Take a probability, ``f1``, or a bound on the recall.

    Examples
    --------
    >>> from glomclf.cli.options import threshold
    >>> threshold("0.3"), threshold("f1"), threshold("recall>=0.95")
    (0.3, 'f1', RecallAtLeast(recall=0.95))
    """
    name, is_bound, bound = text.replace(" ", "").partition(">=")
    if name != "recall":
        kind = "a number from 0 to 1, f1 or 'recall>=NUMBER'"
        return text if text == "f1" else probability(text, kind)
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
            f"{text!r} is not of the form KEY=VALUE, as image_size=64. `--set help` "
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
    if "help" in values:
        from .settings import print_settings

        print_settings(ctx.params["recipe"])
        ctx.exit()
    return values


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


def _weights(text: str) -> str:
    """Take a file that is there, or a name, before anything is loaded."""
    if text in ("imagenet", "none") or Path(text).expanduser().is_file():
        return text
    raise click.BadParameter(f"No such file: {text}. Give a file, imagenet or none.")


# -- what is read ---------------------------------------------------------------------


def _merged(ctx: click.Context, param: click.Parameter, given: Any) -> Any:
    """Make one mapping of those of an option that was given more than once."""
    return {key: value for one in given for key, value in one.items()} or None


images = click.option(
    "--images",
    type=PATH,
    metavar="DIR",
    help="Folder of the images, if they do not lie beside the csv.",
)
_READING: dict[str, _Decorator] = {
    "images": images,
    "columns": click.option(
        "--columns",
        type=titles,
        multiple=True,
        callback=_merged,
        metavar="COLUMN=TITLE,...",
        help="Titles of the columns name, label, slide, participant and centre where "
        "they are others, as label=diagnosis,participant=patient.",
    ),
    "labels": click.option(
        "--labels",
        type=meanings,
        multiple=True,
        callback=_merged,
        metavar="TEXT=1,TEXT=0",
        help="What the labels are called, as GS=1,NGS=0: in the column of labels, or "
        "as names of class folders.",
    ),
    "embeddings": click.option(
        "--embeddings",
        type=PATH,
        multiple=True,
        metavar="FILE",
        help="Features of the images, which are then not needed: an HDF5, npz, csv, "
        "Parquet, safetensors or pt file, or a folder with one HDF5 file a slide. "
        "Where two csvs are read, give it once, or once for each.",
    ),
}


def patches(*more: str, argument: str = "csv") -> _Decorator:
    """Give a command a csv and how it is read, as one argument: a `PatchTable`.

    Parameters
    ----------
    *more : str
        ``"images"`` and ``"embeddings"``, where the command takes them.
    argument : str, default="csv"
        What the csv is called in the help.
    """
    names = [name for name in _READING if name in (*more, "columns", "labels")]

    def decorate(function: _Function) -> _Function:
        @functools.wraps(function)
        def command(**given: Any) -> Any:
            reading = {name: given.pop(name) for name in names}
            table = PatchTable(given.pop(argument), **reading)
            return function(patches=table, **given)

        decorated: _Function = command
        for name in reversed(names):
            decorated = _READING[name](decorated)
        return click.argument(argument, type=PATH)(decorated)

    return decorate


# -- what is shared otherwise ---------------------------------------------------------

model = click.option(
    "--model",
    type=PATH,
    required=True,
    metavar="FILE",
    help="Model that `glomclf train` wrote.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    metavar="N",
    help="Seeds splits, samplers and the network.",
)
overwrite = click.option(
    "--overwrite", is_flag=True, help="Replace the files of an earlier run."
)
quiet = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
explain = click.option(
    "--explain",
    is_flag=True,
    help="Draw what the model looked at into the report. A patch takes one more pass "
    "through the network, or 50 where its feature maps are coarse or not to be had.",
)
model_threshold = click.option(
    "--threshold",
    type=probability,
    show_default="the model's own",
    help="Probability from which a glomerulus is predicted globally sclerotic.",
)


def output(name: str, text: str, metavar: str = "DIR", **more: Any) -> _Decorator:
    """Make the option ``--output``, whose argument is called `name`."""
    return click.option(
        "--output", "-o", name, type=PATH, metavar=metavar, help=text, **more
    )


def folds(text: str, default: int | None = None, **more: Any) -> _Decorator:
    """Make the option ``--cv``."""
    return click.option(
        *("--cv", "n_folds"),
        type=click.IntRange(min=2),
        default=default,
        metavar="FOLDS",
        help=text,
        **more,
    )


def readers(use: str) -> _Decorator:
    """Make the option that names columns of readers; `use` ends its help."""
    return click.option(
        *("--reader", "readers"),
        multiple=True,
        metavar="COLUMN",
        help="Column of CSV with the labels of one reader, empty where a patch was not "
        f"read. Given for each reader: {use}",
    )


# -- the classifier -------------------------------------------------------------------

_CLASSIFIER: dict[str, _Decorator] = {
    "weights": click.option(
        "--weights",
        type=_weights,
        metavar="imagenet|none|FILE",
        show_default="the recipe's",
        help="Weights that the backbone starts from. none is one fixed random network, "
        "and downloads nothing.",
    ),
    "sampler": click.option(
        "--sampler",
        metavar="NAME[+NAME]|none",
        show_default="the recipe's",
        help="Balances the training rows: smote, augment, undersample, oversample, or "
        "several in order.",
    ),
    "threshold": click.option(
        "--threshold",
        type=threshold,
        metavar="NUMBER|f1|'recall>=NUMBER'",
        show_default="0.5",
        help="Probability from which a glomerulus is predicted globally sclerotic. f1 "
        "and 'recall>=0.95' choose it on training participants: for the highest F1, "
        "or the highest precision at that recall.",
    ),
    "settings": click.option(
        *("--set", "settings"),
        type=setting,
        metavar="KEY=VALUE",
        multiple=True,
        callback=_list_if_asked,
        help="Any other setting, as image_size=64 or predict_views=1. May be given "
        "more than once. `--set help` lists all keys and their values.",
    ),
}


def classifier(*, recipe: str, without: Collection[str] = ()) -> _Decorator:
    """Give a command the options of the classifier; the others are ``--set``.

    Parameters
    ----------
    recipe : str
        Where none is given.
    without : collection of str, default=()
        Names of options that this command does not have.
    """
    of_recipe = click.option(
        "--recipe",
        type=click.Choice(["linear", "features", "fine-tune", "scratch"]),
        default=recipe,
        is_eager=True,  # `--set help` lists the settings of this one
        help="How the model is trained. linear: a logistic regression on stored "
        "features. features: a small network on them. fine-tune: the last layers of "
        "the backbone, too. scratch: all layers.",
    )

    def decorate(function: _Function) -> _Function:
        for name, option in reversed(_CLASSIFIER.items()):
            if name not in without:
                function = option(function)
        return of_recipe(function)

    return decorate
