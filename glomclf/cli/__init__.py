"""The command line: one file a command, imported when it is called.

``glomclf --help`` must answer at once, so nothing here imports a numerical library.
"""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from typing import Any

import click

from .. import __version__
from .console import remember_command
from .messages import errors_shown

_COMMANDS = (
    *("demo", "extract", "split", "audit", "train", "evaluate"),
    *("predict", "recalibrate", "compare", "tune", "doctor", "cache"),
)


class _Commands(click.Group):
    """Commands by the name of their file, and one way to end for all of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f".{cmd_name}", __name__).command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = get_close_matches(args[0], _COMMANDS, n=1)
        if near and args[0] not in _COMMANDS:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def make_context(
        self, info_name: str | None, args: list[str], *rest: Any, **extra: Any
    ) -> click.Context:
        words = list(args)  # click empties the list as it reads it
        context = super().make_context(info_name, args, *rest, **extra)
        remember_command(context, words)
        return context

    def invoke(self, ctx: click.Context) -> Any:
        with errors_shown(debug=ctx.params["debug"]):
            return super().invoke(ctx)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, prog_name="glomclf")
@click.option("--debug", is_flag=True, help="Show the traceback of a fault.")
def main(debug: bool) -> None:
    """Find globally sclerotic glomeruli in patches of kidney biopsies.

    The label 1 stands for globally sclerotic, 0 for all others. Results go to standard
    output and to files, progress goes to standard error. The exit code is 0 after
    success, 1 after an internal fault, 2 if you can mend the input, 130 after Ctrl-C,
    143 after SIGTERM, and 129 after SIGHUP.
    """
