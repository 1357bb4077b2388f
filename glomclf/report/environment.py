"""What makes a run repeatable: versions and the command."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from .. import __version__
from ..tuning.passwords import without_password

__all__ = ["command_text", "library_versions"]

_LIBRARIES = (
    "scikit-learn",
    "imbalanced-learn",
    "keras",
    "tensorflow",
    "scikeras",
    "optuna",
    "numpy",
    "pandas",
    "scipy",
    "pillow",
)


def library_versions() -> dict[str, str]:
    """Return the versions of Python, glomclf and what it stands on; imports none.

    Returns
    -------
    versions : dict of str to str

    Examples
    --------
    >>> from glomclf.report.environment import library_versions
    >>> list(library_versions())[:3]
    ['python', 'glomclf', 'scikit-learn']
    """
    versions = {"python": platform.python_version(), "glomclf": __version__}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def command_text(words: Sequence[str]) -> str:
    """Write a command as it was typed, but without passwords in addresses.

    Parameters
    ----------
    words : sequence of str
        The program and its arguments.

    Returns
    -------
    text : str

    Examples
    --------
    >>> from glomclf.report.environment import command_text
    >>> command_text(["glomclf", "tune", "--storage", "mysql://me:secret@host/db"])
    'glomclf tune --storage mysql://me:***@host/db'
    """
    return " ".join(map(_quoted, words, without_password(words)))


def _quoted(word: str, shown: str) -> str:
    """Quote a word for a shell; three stars alone need no quotes to be read."""
    return shown if shlex.quote(word) == word else shlex.quote(shown)
