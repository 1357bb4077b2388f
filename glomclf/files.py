"""Results are written to a temporary name and then moved into place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["written_whole"]


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


def _umask() -> int:
    """Return the process's umask; the system has no way to ask without setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current
