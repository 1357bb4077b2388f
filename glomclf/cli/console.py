"""What a command says: notes, errors and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from .._runtime import printable


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
    return "\n".join(map(printable, text.split("\n")))


def remember_command(context: click.Context, words: Sequence[str]) -> None:
    """Keep what the user typed after ``glomclf``, for `typed_command`."""
    context.meta["glomclf.words"] = ["glomclf", *words]


def typed_command() -> list[str] | None:
    """Return the words of the command as they were typed; None outside of one."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get("glomclf.words")


def text_of_bytes(n_bytes: int) -> str:
    """Write a size with its unit."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes} bytes"


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
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
        table.add_row(*(shown(str(cell)) for cell in row))
    Console(markup=False, emoji=False).print(table)  # [extra] is no style
