"""Errors of the library, in the words of the command line."""

from __future__ import annotations

import re

from .options import CLASSIFIER_OPTION_NAMES

__all__ = ["in_options"]

_RENAMED = {
    "n_splits": "cv",
    "n_folds": "cv",
    "n_trials": "trials",
    "study_name": "study",
}
_NAMES = "|".join((*CLASSIFIER_OPTION_NAMES, "images", "storage", "timeout", *_RENAMED))
_PARAMETER = re.compile(
    rf"\b({_NAMES})=(?:\"([^\"\n]*)\"|'([^'\n]*)'|([\w.+/-]*[\w/]))"
)
# A name with an underscore is no word of prose; in a path it is part of a file's name.
_UNDERSCORED = [name for name in CLASSIFIER_OPTION_NAMES if "_" in name]
_BARE = re.compile(
    rf"(?<![\w/\\.-])(?:{'|'.join([*_RENAMED, *_UNDERSCORED])})(?![\w/\\=-]|\.\w)"
)
_WORD_OF = {"None": "none", "False": "none", "PATH": "FILE"}


def in_options(message: str) -> str:
    """Name options where the library names parameters.

    Parameters
    ----------
    message : str

    Returns
    -------
    str

    Examples
    --------
    >>> from glomclf.cli.wording import in_options
    >>> in_options("Pass weights=None, or validation_fraction=0.2.")
    'Pass --weights none, or --validation-fraction 0.2.'
    """

    def option(match: re.Match[str]) -> str:
        name, *values = match.groups()
        value = next(one for one in values if one is not None)
        return f"{_option(name)} {_WORD_OF.get(value, value)}"

    named = _PARAMETER.sub(option, message.replace("resume=True", "--resume"))
    return _BARE.sub(lambda match: _option(match[0]), named)


def _option(name: str) -> str:
    return f"--{_RENAMED.get(name, name).replace('_', '-')}"
