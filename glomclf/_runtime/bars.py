"""Progress: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from .names import printable

_SECONDS_A_LINE = 30


_HEAD: ContextVar[str] = ContextVar("head of every bar", default="")


@dataclass
class _Parts:
    """Parts of one work, which write lines of a log as if they were one bar."""

    began: float
    shown_at: float
    is_last: bool = False


_PARTS: ContextVar[_Parts | None] = ContextVar("what a bar is a part of", default=None)


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
    parts = _PARTS.get() or _Parts(time.monotonic(), -math.inf, is_last=True)
    began, n_steps, n_shown = time.monotonic(), 0, 0
    last_note = ""

    def is_time() -> bool:
        return time.monotonic() - parts.shown_at >= _SECONDS_A_LINE

    def show() -> None:
        nonlocal n_shown
        parts.shown_at, n_shown = time.monotonic(), n_steps
        words = [
            f"{description} {n_steps}/{total}" if total else f"{description} {n_steps}"
        ]
        words += [last_note] if last_note else []
        is_end = n_steps >= total and parts.is_last
        seconds = parts.shown_at - (parts.began if is_end else began)
        words.append(_duration(seconds, n_steps, total))
        print(printable(", ".join(words)), file=sys.stderr, flush=True)

    def advance(n_done: int = 1, note: str = "") -> None:
        nonlocal n_steps, last_note
        n_steps, last_note = n_steps + n_done, note
        if n_done and is_time():
            show()

    try:
        yield advance
    finally:
        if n_steps > n_shown and (parts.is_last or is_time()):
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


def parts_of_one(noun: str, n_parts: int) -> Iterator[AbstractContextManager[None]]:
    """Divide work into parts that are headed, and together write few lines of a log.

    Where standard error is no terminal, short parts write one line, at the end of the
    last.

    Parameters
    ----------
    noun : str
        What a part is.
    n_parts : int

    Yields
    ------
    context manager
        Of one part.

    Examples
    --------
    >>> from glomclf._runtime import parts_of_one, progress
    >>> for part in parts_of_one("view", 2):
    ...     with part, progress("encoding", 3, enabled=False) as advance:
    ...         advance()
    """
    now = time.monotonic()
    parts = _Parts(now, now)
    for k in range(1, n_parts + 1):
        yield _part(f"{noun} {k} of {n_parts}: ", parts, is_last=k == n_parts)


@contextmanager
def _part(text: str, parts: _Parts, *, is_last: bool) -> Iterator[None]:
    parts.is_last = is_last
    token = _PARTS.set(parts)
    try:
        with headed(text):
            yield
    finally:
        _PARTS.reset(token)
