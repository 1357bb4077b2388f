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
    with _temporary_file(target) as temporary:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)


@contextmanager
def claimed(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep a file that is yet to be written for this process, until the block ends.

    A process that is killed keeps nothing. Where the system has no locks, nothing is
    kept.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    BlockingIOError
        If another process has claimed the file, or is writing it.

    Examples
    --------
    >>> import tempfile
    >>> from glomclf._runtime import claimed
    >>> with tempfile.TemporaryDirectory() as folder, claimed(f"{folder}/scores.txt"):
    ...     pass
    """
    with _temporary_file(user_path(path), alone=True) as temporary:
        yield
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


@contextmanager
def _temporary_file(target: Path, *, alone: bool = False) -> Iterator[Path]:
    """Give a file beside the target, locked if it has the usual name, until the end.

    The name is the same each time, so that the next run takes what a kill has left.
    Only while another process writes the same target does it have to be another, or,
    if `alone`, is that an error.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    suffix = target.suffix or ".part"
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    temporary = target.with_name(f".{digest}{suffix}")
    handle, is_taken = _locked(temporary)
    if is_taken and alone:
        reason = "another run is about to write it; wait for its end, or name another"
        raise BlockingIOError(errno.EAGAIN, reason, str(target))
    if handle is None:
        other, name = tempfile.mkstemp(prefix=".", suffix=suffix, dir=target.parent)
        os.close(other)  # on Windows nothing that is open can be moved
        temporary = Path(name)
    try:
        yield temporary
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)


def _locked(path: Path) -> tuple[int | None, bool]:
    """Open a file of ours and lock it; tell whether another process has done so."""
    if not _CAN_LOCK:
        return None, False
    is_free = None
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        is_free = take_lock(handle)
        if is_free and _is_own(handle, path):
            os.truncate(handle, 0)
            return handle, False
        os.close(handle)
    return None, is_free is False


def take_lock(handle: int) -> bool | None:
    """Lock an open file until it is closed, by the end of the process at the latest.

    Parameters
    ----------
    handle : int
        File descriptor.

    Returns
    -------
    bool or None
        False where another process has locked it, None where the system cannot.

    Examples
    --------
    >>> import tempfile
    >>> from glomclf._runtime import take_lock
    >>> with tempfile.TemporaryFile() as file:
    ...     take_lock(file.fileno())
    True
    """
    if not _CAN_LOCK:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if isinstance(error, BlockingIOError) else None
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
