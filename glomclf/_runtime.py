"""What the whole process shares: progress bars, its cores, files moved into place."""

from __future__ import annotations

import errno
import math
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path

import joblib

__all__ = [
    "as_text",
    "headed",
    "n_threads",
    "printable",
    "progress",
    "short_names",
    "special_kind",
    "threads_for",
    "user_path",
    "written_whole",
]

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
    began, shown_at, n_steps, n_shown = time.monotonic(), -math.inf, 0, 0
    last_note = ""

    def show() -> None:
        nonlocal shown_at, n_shown
        shown_at, n_shown = time.monotonic(), n_steps
        words = [
            f"{description} {n_steps}/{total}" if total else f"{description} {n_steps}"
        ]
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


def n_threads() -> int:
    """Return the cores for this process: all, shared among its fellow workers.

    joblib tells its worker processes their share in ``OMP_NUM_THREADS``, where a user
    may set it as well. Dask's nanny sets it to 1 whatever the share, so that in a
    Dask worker 1 means the worker's own number of threads: by default the cores of the
    machine, divided by its workers.

    Examples
    --------
    >>> import joblib
    >>> from glomclf._runtime import n_threads
    >>> 1 <= n_threads() <= joblib.cpu_count()
    True
    """
    text = os.environ.get("OMP_NUM_THREADS", "")
    given = int(text) if text.isdigit() else 0
    if given <= 1 and (share := _share_of_dask_worker()) is not None:
        return share
    return given or joblib.cpu_count()


def threads_for(n_jobs: int | None) -> int:
    """Return the threads of this process that joblib's ``n_jobs`` means.

    joblib's own count on a Dask worker is that of all cores of the cluster, which would
    be started here; it is this worker's instead.

    Parameters
    ----------
    n_jobs : int or None
        None is 1, or what ``joblib.parallel_config`` says; -1 is all cores.

    Returns
    -------
    int

    Examples
    --------
    >>> from glomclf._runtime import threads_for
    >>> threads_for(None), threads_for(3)
    (1, 3)
    """
    share = _share_of_dask_worker()
    if share is None:
        return joblib.effective_n_jobs(n_jobs)
    if n_jobs is None:
        return 1
    return min(n_jobs, share) if n_jobs > 0 else share


def _share_of_dask_worker() -> int | None:
    """Return the threads of the Dask worker that runs this, None outside of one."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_worker().state.nthreads
    except ValueError:
        return None


def user_path(path: str | os.PathLike[str]) -> Path:
    """Take a path as users write it, with ``~`` for the home folder.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If the home folder is not known.

    Examples
    --------
    >>> from glomclf._runtime import user_path
    >>> user_path("~/patches") == Path.home() / "patches"
    True
    """
    text = os.fspath(path)
    expanded = os.path.expanduser(text)
    if expanded == text and text[:1] == "~" and text[1:2] in ("", "/", os.sep):
        reason = "the home folder that ~ stands for is not known; write it in full"
        raise FileNotFoundError(errno.ENOENT, reason, text)
    return Path(expanded)  # as in a shell, "~name" is a file where nobody has that name


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file that replaces ``path`` when the block ends without error.

    Parameters
    ----------
    path : str or Path
        Where the result belongs; its folder is made where it is missing.

    Yields
    ------
    Path
        File to write, in the same folder.

    Raises
    ------
    FileExistsError
        If there is a device, a FIFO or a link, which a file must not replace.

    Examples
    --------
    >>> import tempfile
    >>> from glomclf._runtime import written_whole
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(f"{folder}/scores.txt") as file:
    ...         _ = file.write_text("0.9")
    ...     Path(folder, "scores.txt").read_text()
    '0.9'
    """
    target = user_path(path)
    if kind := special_kind(target):
        reason = f"it is {kind}, which a file must not replace"
        raise FileExistsError(errno.EEXIST, reason, str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=".", suffix=target.suffix or ".part", dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def special_kind(path: str | os.PathLike[str]) -> str:
    """Say what is there beside a file or a folder: a link, a FIFO, a device.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str
        Empty for files, folders and what is not there.

    Examples
    --------
    >>> from glomclf._runtime import special_kind
    >>> special_kind("no such file")
    ''
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return ""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a device"


def as_text(path: str | os.PathLike[str]) -> str:
    r"""Write a path as text that any file can hold.

    Bytes of a name that are not UTF-8 become ``\udc`` and their two digits.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str

    Examples
    --------
    >>> import os
    >>> from glomclf._runtime import as_text
    >>> print(as_text(os.fsdecode(b"M\xfcller.png")))
    M\udcfcller.png
    """
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    r"""Write a name so that it moves no cursor, begins no line and changes no colour.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> from glomclf._runtime import printable
    >>> print(printable("a\n\x1b[2J.png"))
    a\n\x1b[2J.png
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def short_names(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Name files without their folders, or with as few as tell them all apart.

    Parameters
    ----------
    paths : iterable of str or path-like, of length n_files

    Returns
    -------
    names : list of str, of length n_files
        With the same number of folders each, separated by slashes.

    Examples
    --------
    >>> from glomclf._runtime import short_names
    >>> short_names(["/data/slide1/a.png", "/data/slide1/b.png"])
    ['a.png', 'b.png']
    >>> short_names(["/data/slide1/a.png", "/data/slide2/a.png"])
    ['slide1/a.png', 'slide2/a.png']
    """
    files = [Path(as_text(path)) for path in paths]
    names = [file.name for file in files]
    for n_parts in range(2, max((len(file.parts) for file in files), default=0) + 1):
        if len(set(names)) == len(set(files)):
            break
        names = [Path(*file.parts[-n_parts:]).as_posix() for file in files]
    return names


def _umask() -> int:
    """Return the process's umask; the system has no way to ask without setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current
