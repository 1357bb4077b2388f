"""One way to show that long work goes on: a bar on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["headed", "progress"]

_HEAD: ContextVar[str] = ContextVar("head of every bar", default="")


def _do_nothing(n_done: int = 1, note: str = "") -> None:
    pass


@contextmanager
def progress(
    description: str, total: int, *, enabled: bool = True
) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error while the block runs.

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
    >>> from glomclf.progress import progress
    >>> with progress("counting", total=3, enabled=False) as advance:
    ...     for _ in range(3):
    ...         advance()
    """
    if not enabled:
        yield _do_nothing
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(elapsed_when_finished=True),
        bars.TextColumn("{task.fields[note]}"),
    )
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(_HEAD.get() + description, total=total, note="")

        def advance(n_done: int = 1, note: str = "") -> None:
            bar.update(task, advance=n_done, note=note)

        yield advance


@contextmanager
def headed(text: str) -> Iterator[None]:
    """Say in every bar of the block which part of longer work it belongs to.

    Parameters
    ----------
    text : str
        Stands before the description of each bar.

    Examples
    --------
    >>> from glomclf.progress import headed, progress
    >>> with headed("fold 1 of 5: "), progress("training", 3, enabled=False) as advance:
    ...     advance()
    """
    token = _HEAD.set(_HEAD.get() + text)
    try:
        yield
    finally:
        _HEAD.reset(token)
