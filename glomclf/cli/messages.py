"""How a command ends when it cannot do what was asked: a message and an exit code."""

from __future__ import annotations

import errno
import re
import shlex
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from ..errors import GlomclfError, GlomclfWarning
from .console import InputError, note
from .outputs import written_files

state = "to come"  # of the command: then "at work", then "over"

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # no quota on Windows
# What the library names most, as it is written on the command line.
_AS_OPTIONS = {
    "images=FOLDER": "--images FOLDER",
    "X=read_embeddings(FILE, manifest)": "--embeddings FILE",
    "resume=True": "--resume",
    "labels={NAME: 1, 0, None or 'skip'}": "--label NAME=1, 0, none or skip",
    "mpp=NUMBER": "--mpp NUMBER",
    "weights=None": "--weights none",
    "weights=PATH": "--weights FILE",
    "sample_weight:": "--reader:",
    "n_splits=": "--cv ",
    "n_splits": "--cv",
    "n_trials=": "--trials ",
    "network__": "network.",
    "encoder__": "encoder.",
}
# And what it writes as a mapping: of text, of numbers.
_AS_PAIRS = re.compile(r"(columns|labels)=\{([^{}]*)\}")
_PAIR = re.compile(r"(['\"])(.*?)\1: (['\"]?)(.*?)\3(?:, |$)")


class _InternalFault(InputError):
    exit_code = 1


class Stopped(KeyboardInterrupt):
    """A signal asks the command to end."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


class _Interrupted(click.ClickException):
    def __init__(self, number: int):
        super().__init__(how_it_ended(number))
        self.exit_code = 128 + number  # type: ignore[misc]  # a class's, says click

    def show(self, file: Any = None) -> None:
        note(f"\n{self.message}")


def how_it_ended(number: int) -> str:
    """Name the signal, and the files that the command wrote before it was stopped."""
    word = "Interrupted" if number == signal.SIGINT else "Terminated"
    files = written_files()
    kept = (
        ["Kept, each whole:", *map(str, files)] if files else ["No file was written."]
    )
    return f"{word}. " + "\n  ".join(kept)


@contextmanager
def errors_shown(*, debug: bool) -> Iterator[None]:
    """Turn whatever ends the block early into one message and an exit code.

    Parameters
    ----------
    debug : bool
        Whether errors keep their traceback.
    """
    global state
    state = "at work"
    try:
        with _warnings_on_one_line():
            yield
    except KeyboardInterrupt as error:
        raise _Interrupted(getattr(error, "number", signal.SIGINT)) from None
    except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if debug:
            raise
        raise _explained(error) from error
    finally:
        state = "over"


def _explained(error: Exception) -> click.ClickException:
    if isinstance(error, GlomclfError) or _is_invalid_parameter(error):
        return InputError(_with_options(str(error)))
    if isinstance(error, OSError) and error.filename is not None:
        return InputError(f"{error.filename}: {error.strerror}.")
    if isinstance(error, OSError) and error.errno in _FULL:
        return InputError(f"{error.strerror}: free some, or write to another disk.")
    reason = " ".join(str(error).split()) or "no message"
    return _InternalFault(
        f"internal fault: {type(error).__name__}: {reason} "
        "(`glomclf --debug COMMAND ...` shows the traceback)"
    )


def _with_options(message: str) -> str:
    for parameter, option in _AS_OPTIONS.items():
        message = message.replace(parameter, option)
    return _AS_PAIRS.sub(_as_pairs, message)


def _as_pairs(found: re.Match[str]) -> str:
    pairs = {pair[2]: pair[4] for pair in _PAIR.finditer(found[2])}
    return as_option(found[1], pairs)


def as_option(name: str, pairs: Mapping[str, Any]) -> str:
    """Write a mapping as it is typed.

    Examples
    --------
    >>> from glomclf.cli.messages import as_option
    >>> as_option("labels", {"GS": 1, "NGS": 0})
    '--labels GS=1,NGS=0'
    """
    words = ",".join(f"{key}={value}" for key, value in pairs.items())
    return f"--{name} {shlex.quote(words)}"


def _is_invalid_parameter(error: Exception) -> bool:
    """Recognise scikit-learn's error without importing scikit-learn."""
    validation = sys.modules.get("sklearn.utils._param_validation")
    return validation is not None and isinstance(
        error, validation.InvalidParameterError
    )


@contextmanager
def _warnings_on_one_line() -> Iterator[None]:
    """Show glomclf's warnings without the place in the code they come from."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", GlomclfWarning)
        shown_by_python = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], *place: Any, **more: Any
        ) -> None:
            if issubclass(category, GlomclfWarning):
                note(f"Warning: {_with_options(str(message))}")
            else:
                shown_by_python(message, category, *place, **more)

        warnings.showwarning = show
        yield
