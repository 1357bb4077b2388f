"""Files moved into place when they are whole, and what a kill left of them."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .names import user_path

try:
    import fcntl

    _CAN_LOCK = True
except ImportError:  # Windows
    _CAN_LOCK = False

__all__ = ["special_kind", "take_lock", "written_whole"]


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
    handle, temporary = _temporary_file(target)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)


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


def _temporary_file(target: Path) -> tuple[int | None, Path]:
    """Make a file beside the target, and hold its lock if it has the usual name.

    The name is the same each time, so that the next run takes what a kill has left.
    Only while another process writes the same target does it have to be another.
    """
    suffix = target.suffix or ".part"
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    usual = target.with_name(f".{digest}{suffix}")
    if _CAN_LOCK:
        with suppress(OSError):
            handle = os.open(usual, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            if take_lock(handle) and _is_own(handle, usual):
                os.truncate(handle, 0)
                return handle, usual
            os.close(handle)
    handle, name = tempfile.mkstemp(prefix=".", suffix=suffix, dir=target.parent)
    os.close(handle)
    return None, Path(name)


def take_lock(handle: int) -> bool:
    """Lock an open file until it is closed, by the end of the process at the latest.

    Parameters
    ----------
    handle : int
        File descriptor.

    Returns
    -------
    bool
        False where another process has locked it, or the system cannot.

    Examples
    --------
    >>> import tempfile
    >>> from glomclf._runtime import take_lock
    >>> with tempfile.TemporaryFile() as file:
    ...     take_lock(file.fileno())
    True
    """
    if not _CAN_LOCK:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_own(handle: int, path: Path) -> bool:
    """Tell whether an open file is ours alone, and still lies there."""
    found = os.fstat(handle)
    is_there = os.path.samestat(found, os.stat(path, follow_symlinks=False))
    return is_there and found.st_uid == os.geteuid() and found.st_nlink == 1


def _umask() -> int:
    """Return the process's umask; the system has no way to ask without setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current
