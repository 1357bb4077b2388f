"""Options that mean the same in every command, each defined once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

__all__ = [
    "AtLeast",
    "Number",
    "OrWord",
    "Setting",
    "Threshold",
    "classifier_options",
    "images_option",
    "model_option",
    "n_jobs_type",
    "overwrite_option",
    "quiet_option",
    "seed_option",
    "threshold_option",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)


class Number(click.FloatRange):
    """A number within a range, which ``nan`` is not.

    Examples
    --------
    >>> from glomclf.cli.options import Number
    >>> Number(0, 1).convert("0.5", None, None)
    0.5
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Refuse what compares with nothing."""
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class _Threads(click.ParamType):
    """How many threads: any number but 0, as in joblib."""

    name = "integer"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        number = click.INT.convert(value, param, ctx)
        if number == 0:
            self.fail("0 threads do nothing; give 1 or more, or -1.", param, ctx)
        return number


n_jobs_type = _Threads()


class OrWord(click.ParamType):
    """A value of another type, or one word that stands for something else.

    Parameters
    ----------
    other : click.ParamType
        Type of the usual values.
    word : str
        The word, in any case.
    meaning : object
        What the word stands for.

    Examples
    --------
    >>> import click
    >>> from glomclf.cli.options import OrWord
    >>> patience = OrWord(click.IntRange(min=0), "none", None)
    >>> patience.convert("3", None, None), patience.convert("none", None, None)
    (3, None)
    """

    def __init__(self, other: click.ParamType, word: str, meaning: Any):
        self.other = other
        self.word = word
        self.meaning = meaning
        self.name = f"{other.name}|{word}"

    def get_metavar(
        self, param: click.Parameter, ctx: click.Context | None = None
    ) -> str:
        """Name the choice in a help text."""
        other = self.other.get_metavar(param, ctx)  # type: ignore[arg-type]
        name = (other or self.other.name.split()[0].upper()).strip("[]")
        return f"{name}|{self.word}"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Convert the text of an option."""
        if isinstance(value, str) and value.lower() == self.word:
            return self.meaning
        return self.other.convert(value, param, ctx)


class AtLeast(click.ParamType):
    """A score and what it must reach, as ``recall=0.95``.

    Examples
    --------
    >>> from glomclf.cli.options import AtLeast
    >>> AtLeast().convert("recall=0.95", None, None)
    ('recall', 0.95)
    """

    name = "bound"

    def get_metavar(
        self, param: click.Parameter, ctx: click.Context | None = None
    ) -> str:
        """Name the form in a help text."""
        return "SCORE=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Convert the text of an option."""
        if isinstance(value, tuple):
            return value
        name, _, bound = value.partition("=")
        try:
            return name.strip(), float(bound)
        except ValueError:
            self.fail(f"{value!r} is not of the form recall=0.95.", param, ctx)


class _Weights(click.ParamType):
    """``imagenet``, ``none``, or the path of a weights file."""

    name = "weights"

    def get_metavar(
        self, param: click.Parameter, ctx: click.Context | None = None
    ) -> str:
        return "imagenet|none|FILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if value.lower() in ("imagenet", "none"):
            return value.lower()
        if not Path(value).is_file():
            self.fail(
                f"{value!r} is neither imagenet, nor none, nor an existing file.",
                param,
                ctx,
            )
        return value


class Threshold(click.ParamType):
    """A probability, ``f1``, or a bound on the recall.

    Examples
    --------
    >>> from glomclf.cli.options import Threshold
    >>> threshold = Threshold()
    >>> threshold.convert("0.3", None, None), threshold.convert("f1", None, None)
    (0.3, 'f1')
    >>> threshold.convert("recall>=0.95", None, None)
    ('recall', 0.95)
    """

    name = "threshold"

    def get_metavar(
        self, param: click.Parameter, ctx: click.Context | None = None
    ) -> str:
        """Name the forms in a help text."""
        return "NUMBER|f1|'recall>=NUMBER'"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Convert the text of an option."""
        if not isinstance(value, str) or value == "f1":
            return value
        name, is_bound, bound = value.replace(" ", "").partition(">=")
        if name == "recall" and is_bound:
            return name, Number(0, 1, min_open=True).convert(bound, param, ctx)
        if name == "recall":  # the shell takes an open > for itself
            self.fail("put it in quotes: 'recall>=0.95'.", param, ctx)
        return Number(0, 1).convert(value, param, ctx)


class Setting(click.ParamType):
    """One setting and its value, as ``network.epochs=5``; or ``help``.

    Examples
    --------
    >>> from glomclf.cli.options import Setting
    >>> Setting().convert("network.learning_rate=1e-3", None, None)
    ('network.learning_rate', 0.001)
    >>> Setting().convert("network.patience=none", None, None)
    ('network.patience', None)
    """

    name = "KEY=VALUE"
    _WORDS: ClassVar[dict[str, Any]] = {
        "none": None,
        "null": None,
        "true": True,
        "false": False,
    }

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Take the value for a number, a word or a Python literal, else for text."""
        if isinstance(value, tuple) or value == "help":
            return value
        key, is_given, text = value.partition("=")
        if not key.strip() or not is_given:
            self.fail(
                f"{value!r} is not of the form KEY=VALUE, as network.epochs=5. "
                "`--set help` lists the keys.",
                param,
                ctx,
            )
        return key.strip(), self._value(text.strip())

    def _value(self, text: str) -> Any:
        if text.lower() in self._WORDS:
            return self._WORDS[text.lower()]
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return text


def _list_if_asked(ctx: click.Context, param: click.Parameter, values: Any) -> Any:
    """Answer ``--set help``."""
    if "help" not in values:
        return values
    from .settings import print_settings

    print_settings(ctx.params.get("recipe", "features"))
    ctx.exit()


images_option = click.option(
    "--images",
    type=_PATH,
    metavar="DIR",
    help="Folder of the images, if they do not lie beside the csv.",
)
model_option = click.option(
    "--model",
    type=_PATH,
    required=True,
    metavar="FILE",
    help="Model that `glomclf train` wrote.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
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
threshold_option = click.option(
    "--threshold",
    type=Number(0, 1),
    default=None,
    show_default="the model's own",
    help="Probability from which a glomerulus is predicted globally sclerotic.",
)

_CLASSIFIER_OPTIONS = {
    "recipe": click.option(
        "--recipe",
        type=click.Choice(["features", "fine-tune", "scratch", "linear"]),
        default="features",
        is_eager=True,  # `--set help` lists the settings of this one
        help="How the model is trained. features: a small network on stored features. "
        "fine-tune: the last layers of the backbone, too. scratch: all layers. linear: "
        "a logistic regression on stored features.",
    ),
    "backbone": click.option(
        "--backbone",
        metavar="NAME",
        default=None,
        show_default="the recipe's",
        help="Network that turns images into features, as resnet50, or cnn, a small "
        "one.",
    ),
    "weights": click.option(
        "--weights",
        type=_Weights(),
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
        type=Threshold(),
        default=None,
        show_default="0.5",
        help="Probability from which a glomerulus is predicted globally sclerotic. f1 "
        "and 'recall>=0.95' choose it on training participants: for the highest F1, "
        "or the highest precision at that recall.",
    ),
    "cache_dir": click.option(
        "--cache-dir",
        metavar="DIR|none",
        default=None,
        show_default="the user's cache folder",
        help="Where decoded images and features are kept for the next run.",
    ),
    "settings": click.option(
        "--set",
        "settings",
        type=Setting(),
        multiple=True,
        is_eager=True,
        callback=_list_if_asked,
        show_default=False,
        help="Any other setting, as network.epochs=5 or image_size=64. May be given "
        "more than once. `--set help` lists all keys and their values.",
    ),
}


def classifier_options(
    *, without: Collection[str] = ()
) -> Callable[[_Function], _Function]:
    """Give a command the options of the classifier; the others are ``--set``.

    Parameters
    ----------
    without : collection of str, default=()
        Names of options that this command does not have.
    """

    def decorate(function: _Function) -> _Function:
        for name, option in reversed(_CLASSIFIER_OPTIONS.items()):
            if name not in without:
                function = option(function)
        return function

    return decorate
