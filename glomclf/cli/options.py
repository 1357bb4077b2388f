"""Options that mean the same in every command, each defined once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

__all__ = [
    "CLASSIFIER_OPTION_NAMES",
    "AtLeast",
    "Duration",
    "Number",
    "OrWord",
    "classifier_options",
    "images_option",
    "model_option",
    "n_jobs_type",
    "quiet_option",
    "seed_option",
    "threshold_option",
    "weights_option",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)
_POSITIVE = click.IntRange(min=1)


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
_SHARE = Number(0, 1, min_open=True, max_open=True)


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


class Duration(click.ParamType):
    """A time in seconds, or with a unit, as ``90s``, ``30m`` or ``2h``.

    Examples
    --------
    >>> from glomclf.cli.options import Duration
    >>> Duration().convert("30m", None, None)
    1800.0
    """

    name = "duration"
    _SECONDS: ClassVar[dict[str, int]] = {"s": 1, "m": 60, "h": 3600}

    def get_metavar(
        self, param: click.Parameter, ctx: click.Context | None = None
    ) -> str:
        """Name the form in a help text."""
        return "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Convert the text of an option."""
        if isinstance(value, float):
            return value
        text = value.strip().lower()
        factor = self._SECONDS.get(text[-1:], 1)
        try:
            seconds = factor * float(text.rstrip("smh"))
        except ValueError:
            seconds = -1.0
        if not 0 < seconds < float("inf"):
            self.fail(
                f"{value!r} is not a time. Give seconds, or a number with a unit, as "
                "90s, 30m or 2h.",
                param,
                ctx,
            )
        return seconds


class _Weights(click.ParamType):
    """``imagenet``, ``none``, or the path of a weights file."""

    name = "weights"

    def get_metavar(
        self, param: click.Parameter, ctx: click.Context | None = None
    ) -> str:
        return "imagenet|none|FILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        if value is None or value.lower() == "none":
            return None
        if value.lower() == "imagenet":
            return "imagenet"
        if not Path(value).is_file():
            self.fail(
                f"{value!r} is neither imagenet, nor none, nor an existing file.",
                param,
                ctx,
            )
        return value


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
quiet_option = click.option(
    "--quiet", "-q", is_flag=True, show_default=False, help="Show no progress."
)
weights_option = click.option(
    "--weights",
    type=_Weights(),
    default="none",
    help="Weights to measure with; none is one fixed random network.",
)
threshold_option = click.option(
    "--threshold",
    type=Number(0, 1),
    default=None,
    show_default="the model's own",
    help="Probability from which a glomerulus is predicted globally sclerotic.",
)

# Names and defaults are those of GlomeruliClassifier, which is too heavy to import
# here; a test holds them together.
_CLASSIFIER_OPTIONS: dict[str, dict[str, Any]] = {
    "sampler": {
        "type": OrWord(click.STRING, "none", None),
        "metavar": "NAME[+NAME]|none",
        "help": "Balances the training rows: smote, augment, undersample, oversample, "
        "or several in order.",
    },
    "recipe": {
        "type": click.Choice(["features", "fine-tune", "scratch", "auto"]),
        "default": "features",
        "help": "How the network is trained: its head on stored features; the head, "
        "then the last layers; all of it; or whichever suits the weights and the "
        "number of images.",
    },
    "sampling_space": {
        "type": click.Choice(["pixels", "features"]),
        "help": "Whether the sampler sees images or the frozen layers' output.",
    },
    "backbone": {
        "type": click.Choice(["resnet50", "cnn"]),
        "default": "resnet50",
        "help": "ResNet-50, or a small plain network.",
    },
    "weights": {
        "type": _Weights(),
        "default": "imagenet",
        "help": "Weights to start from; none is one fixed random network.",
    },
    "trainable_layers": {
        "type": OrWord(click.IntRange(min=0), "all", "all"),
        "help": "How many of the backbone's last layers are trained.",
    },
    "image_size": {
        "type": click.IntRange(min=32),
        "help": "Side of the images in pixels, after resizing.",
    },
    "resize": {
        "type": click.Choice(["pad", "stretch"]),
        "default": "pad",
        "help": "How an oblong patch becomes square.",
    },
    "stain_normalizer": {
        "type": OrWord(
            click.Choice(
                [
                    "reinhard",
                    "density",
                    "macenko",
                    "fixed-reinhard",
                    "fixed-density",
                    "fixed-macenko",
                ]
            ),
            "none",
            None,
        ),
        "metavar": "[fixed-]reinhard|density|macenko|none",
        "help": "Brings images to the stain of the training images, or a fixed one.",
    },
    "augmentation": {
        "type": OrWord(
            click.Choice(["dihedral", "geometry", "geometry+stain"]), "none", None
        ),
        "metavar": "dihedral|geometry|geometry+stain|none",
        "help": "Changes each training image anew in every epoch.",
    },
    "augmented_views": {
        "type": click.IntRange(min=0),
        "help": "Augmented views of each training image, stored for frozen layers.",
    },
    "predict_views": {
        "type": click.IntRange(1, 8),
        "help": "Ways to turn and mirror an image that a probability is the mean of.",
    },
    "dense_units": {"type": _POSITIVE, "help": "Units of the hidden layer."},
    "dropout": {
        "type": Number(0, 1, max_open=True),
        "help": "Share of hidden units left out in training.",
    },
    "optimizer": {
        "type": click.Choice(["adam", "adamw", "rmsprop", "sgd"]),
        "help": "Optimizer.",
    },
    "learning_rate": {
        "type": Number(0, min_open=True),
        "help": "Learning rate.",
    },
    "schedule": {
        "type": click.Choice(["constant", "cosine"]),
        "help": "How the learning rate goes down.",
    },
    "warmup_epochs": {
        "type": Number(min=0),
        "help": "Epochs in which the learning rate rises from zero.",
    },
    "weight_decay": {
        "type": OrWord(Number(min=0), "none", None),
        "help": "Decoupled weight decay of kernels; none is the optimizer's own.",
    },
    "label_smoothing": {
        "type": Number(0, 0.5, max_open=True),
        "help": "How far training labels are moved towards one half.",
    },
    "clip_norm": {
        "type": OrWord(Number(min=0, min_open=True), "none", None),
        "help": "Norm that the gradients of a step are clipped to.",
    },
    "head_epochs": {
        "type": click.IntRange(min=0),
        "help": "Epochs in which the head is trained alone.",
    },
    "tail_learning_rate": {
        "type": OrWord(Number(0, min_open=True), "none", None),
        "help": "Learning rate of the backbone's layers; none is that of the head.",
    },
    "batch_size": {"type": _POSITIVE, "help": "Images a batch."},
    "epochs": {"type": _POSITIVE, "help": "Most epochs to train."},
    "patience": {
        "type": OrWord(click.IntRange(min=0), "none", None),
        "help": "Epochs without a lower validation loss before training stops.",
    },
    "class_weight": {
        "type": OrWord(click.Choice(["balanced"]), "none", None),
        "metavar": "balanced|none",
        "help": "Whether the rarer class weighs more.",
    },
    "training_precision": {
        "type": click.Choice(["float32", "bfloat16"]),
        "help": "What the trained layers compute in; bfloat16 for many layers, on a "
        "processor that has it.",
    },
    "checkpoint_dir": {
        "type": OrWord(_PATH, "none", None),
        "default": "none",
        "metavar": "DIR|none",
        "help": "Where the state of a training is kept after every epoch: a run that "
        "was killed goes on from there when the same command is given again. Remove "
        "it when the model is there.",
    },
    "validation_fraction": {
        "type": OrWord(_SHARE, "none", None),
        "help": "Share of the training participants that are not trained on: they show "
        "the course, stop the training early (--patience) and can choose the "
        "threshold. none trains on all; auto is 0.15 where something is decided on "
        "them, else none.",
    },
    "threshold": {
        "type": OrWord(Number(0, 1), "validation", "validation"),
        "default": 0.5,
        "help": "Probability from which a glomerulus is predicted globally sclerotic; "
        "validation chooses it on training participants.",
    },
    "threshold_aim": {
        "type": click.Choice(["f1", "recall"]),
        "default": "f1",
        "help": "What --threshold validation aims at: the highest F1, or the highest "
        "precision at --threshold-recall.",
    },
    "threshold_recall": {
        "type": Number(0, 1, min_open=True),
        "default": 0.95,
        "help": "Recall that --threshold-aim recall must reach.",
    },
    "cache_dir": {
        "type": OrWord(_PATH, "none", False),
        "default": None,
        "show_default": "the user's cache folder",
        "metavar": "DIR|none",
        "help": "Where the frozen layers' output is kept for the next run.",
    },
    "engine": {
        "type": click.Choice(["auto", "keras", "openvino"]),
        "default": "auto",
        "help": "What runs the frozen layers: the fastest that is installed, or one.",
    },
    "precision": {
        "type": click.Choice(["float32", "bfloat16", "int8"]),
        "default": "float32",
        "help": "What the frozen layers compute in; below float32 features change a "
        "little.",
    },
    "n_jobs": {
        "type": n_jobs_type,
        "default": None,
        "show_default": "joblib's",
        "help": "Threads that decode and transform images; -1 is all cores.",
    },
}

CLASSIFIER_OPTION_NAMES = tuple(_CLASSIFIER_OPTIONS)


def classifier_options(function: _Function) -> _Function:
    """Give a command the options of the classifier, named as its parameters."""
    for name, settings in reversed(_CLASSIFIER_OPTIONS.items()):
        flag = f"--{name.replace('_', '-')}"
        if "default" not in settings:
            settings = {**settings, **_left_to_the_recipe(settings["type"])}
        function = click.option(flag, name, **settings)(function)
    return function


def _left_to_the_recipe(kind: click.ParamType) -> dict[str, Any]:
    return {
        "type": OrWord(kind, "auto", "auto"),
        "default": "auto",
        "show_default": "the recipe's",
    }
