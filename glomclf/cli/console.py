"""What a command says and writes: notes, errors, tables and files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

__all__ = [
    "InputError",
    "check_inputs",
    "check_output",
    "drop_unwritten",
    "list_files",
    "note",
    "output",
    "print_table",
    "remember_command",
    "say",
    "shown",
    "text_of_bytes",
    "typed_command",
]


class InputError(click.ClickException):
    """Something that the user gave and can mend."""

    exit_code = 2

    def format_message(self) -> str:
        """Return the message as a terminal may see it."""
        return shown(super().format_message())


def note(text: str) -> None:
    """Say on standard error what is being done."""
    click.echo(shown(text), err=True)


def say(text: str) -> None:
    """Say on standard output what came of it."""
    click.echo(shown(text))


def shown(text: str) -> str:
    r"""Keep a terminal from obeying what others wrote: names, and messages with them.

    Examples
    --------
    >>> from glomclf.cli.console import shown
    >>> print(shown("No such file:\n  \x1b[2J.csv"))
    No such file:
      \x1b[2J.csv
    """
    from .._runtime import printable

    return "\n".join(map(printable, text.split("\n")))


def check_inputs(paths: Iterable[Path]) -> None:
    """Refuse files that are not there, all at once.

    Raises
    ------
    InputError
        If one is missing.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise InputError(f"No such file: {', '.join(missing)}.")


def check_output(
    path: Path, inputs: Iterable[Path] = (), *, overwrite: bool = True
) -> None:
    """Refuse a result that cannot be written, before the work that leads to it.

    Parameters
    ----------
    path : Path
        File to be written.
    inputs : iterable of Path
        Files that are read, and must not be overwritten.
    overwrite : bool, default=True
        Whether the file may exist.

    Raises
    ------
    InputError
        If it is an input, a folder, a link or a device, exists against `overwrite`, or
        its folder cannot be written to.
    """
    from .._runtime import special_kind

    # Unlike Path.resolve, it has an answer for links in a circle.
    if os.path.realpath(path) in map(os.path.realpath, inputs):
        raise InputError(
            f"{path} is read by this command and would be overwritten. Give another "
            "--output."
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder; --output names a file here.")
    if kind := special_kind(path):
        raise InputError(
            f"{path} is {kind}, which a file must not replace. Give another --output."
        )
    if path.exists() and not overwrite:
        raise InputError(
            f"{path} exists. Pass --overwrite to replace it, or another --output."
        )
    existing = next(filter(os.path.lexists, path.absolute().parents))
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(
            f"Nothing can be written to {path.parent} ({error.strerror}). Give another "
            "--output."
        ) from error


@contextmanager
def output(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a result whole or not at all, and remember it for `list_files`.

    Parameters
    ----------
    path : str or path-like
        Where the result belongs.

    Yields
    ------
    Path
        File to write.
    """
    from .._runtime import written_whole

    with written_whole(path) as temporary:
        yield temporary
    if Path(path) not in written_files():
        written_files().append(Path(path))


def written_files() -> list[Path]:
    """Return the files that this run of the command has written so far."""
    context = click.get_current_context(silent=True)
    if context is None:
        return []
    return context.find_root().meta.setdefault("glomclf.written", [])


def drop_unwritten(paths: Iterable[Path]) -> None:
    """Remove files of an earlier run that this one has not replaced: they mislead."""
    for path in sorted(set(paths) - set(written_files())):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            note(f"{path} is of an earlier run and cannot be removed: {error}.")


def remember_command(context: click.Context, words: Sequence[str]) -> None:
    """Keep what the user typed after ``glomclf``, for `typed_command`."""
    context.meta["glomclf.words"] = list(words)


def typed_command() -> list[str] | None:
    """Return the words of the command as they were typed; None outside of one."""
    context = click.get_current_context(silent=True)
    words = None if context is None else context.meta.get("glomclf.words")
    return None if words is None else ["glomclf", *words]


def list_files() -> None:
    """Say on standard output where every file lies."""
    from .._runtime import printable

    say("\nFiles:")
    for path in written_files():
        say(f"  {printable(str(path))}")


def text_of_bytes(n_bytes: int) -> str:
    """Write a size with its unit."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes} bytes"


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    of_text: bool = False,
) -> None:
    """Print a table on standard output, numbers to the right, text in lines."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=shown(title), title_justify="left")
    for place, name in enumerate(columns):
        is_number = place > 0 and not of_text
        table.add_column(
            shown(name),
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*map(shown, row))
    Console(markup=False, emoji=False).print(table)  # [extra] is no style
