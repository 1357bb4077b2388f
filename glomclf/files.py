"""Files: results are moved into place when they are whole; short names to show."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["short_names", "written_whole"]


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

    Examples
    --------
    >>> import tempfile
    >>> from glomclf.files import written_whole
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(f"{folder}/scores.txt") as file:
    ...         _ = file.write_text("0.9")
    ...     Path(folder, "scores.txt").read_text()
    '0.9'
    """
    target = Path(path)
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
    >>> from glomclf.files import short_names
    >>> short_names(["/data/slide1/a.png", "/data/slide1/b.png"])
    ['a.png', 'b.png']
    >>> short_names(["/data/slide1/a.png", "/data/slide2/a.png"])
    ['slide1/a.png', 'slide2/a.png']
    """
    files = [Path(path) for path in paths]
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
