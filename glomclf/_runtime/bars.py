"""Progress: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from .names import printable

_SECONDS_A_LINE = 30

_HEAD: ContextVar[str] = ContextVar("head of every bar", default="")


def _do_nothing(n_done: int = 1, note: str = "") -> None:
    pass


@contextmanager
def progress(
    description: str, total: int, *, enabled: bool = True
) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error while the block runs.

    Where that is no terminal, as in the log of a batch job, plain lines stand for it:
    one a step, but not more than one every half minute.

    Parameters
    ----------
    description : str
        What is being done.
    total : int
        How many steps there are.
    enabled : bool, default=True
        Without it nothing is drawn.

    Yields
    ------
    advance : callable
        ``advance(n_done=1, note="")`` moves the bar on and shows the note behind it.

    Examples
    --------
    >>> from glomclf._runtime import progress
    >>> with progress("counting", total=3, enabled=False) as advance:
    ...     for _ in range(3):
    ...         advance()
    """
    if not enabled:
        yield _do_nothing
        return
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    if not (console.is_jupyter or (console.is_interactive and sys.stderr.isatty())):
        with _lines(_HEAD.get() + description, total) as advance:
            yield advance
        return
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(elapsed_when_finished=True),
        bars.TextColumn("{task.fields[note]}"),
    )
    with bars.Progress(*columns, console=console) as bar:
        task = bar.add_task(_HEAD.get() + description, total=total, note="")

        def advance(n_done: int = 1, note: str = "") -> None:
            bar.update(task, advance=n_done, note=note)

        yield advance


@contextmanager
def _lines(description: str, total: int) -> Iterator[Callable[..., None]]:
    """Write lines that any file can hold, also while the work goes on."""
    began = time.monotonic()
    n_steps, n_shown, shown_at, last_note = 0, 0, -math.inf, ""

    def show() -> None:
        nonlocal n_shown, shown_at
        n_shown, shown_at = n_steps, time.monotonic()
        words = [f"{description} {n_steps}" + (f"/{total}" if total else "")]
        words += [last_note] if last_note else []
        words.append(_duration(shown_at - began, n_steps, total))
        print(printable(", ".join(words)), file=sys.stderr, flush=True)

    def advance(n_done: int = 1, note: str = "") -> None:
        nonlocal n_steps, last_note
        n_steps, last_note = n_steps + n_done, note
        if n_done and time.monotonic() - shown_at >= _SECONDS_A_LINE:
            show()

    try:
        yield advance
    finally:
        if n_steps > n_shown:
            show()


def _duration(seconds: float, n_done: int, total: int) -> str:
    """Say how long the rest takes at the pace so far; in the end, how long all took."""
    left = seconds * (total - n_done) / n_done if 0 < n_done < total else 0
    text = timedelta(seconds=round(left or seconds))
    return f"{text} left" if left else f"{text} passed"


@contextmanager
def headed(text: str) -> Iterator[None]:
    """Say in every bar of the block which part of longer work it belongs to.

    Parameters
    ----------
    text : str
        Stands before the description of each bar.

    Examples
    --------
    >>> from glomclf._runtime import headed, progress
    >>> with headed("fold 1 of 5: "), progress("training", 3, enabled=False) as advance:
    ...     advance()
    """
    token = _HEAD.set(_HEAD.get() + text)
    try:
        yield
    finally:
        _HEAD.reset(token)
