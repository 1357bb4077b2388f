"""The folder of the cache: where it is, what it holds, and its removal."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import platformdirs

from ..._runtime import user_path
from ...errors import CacheError
from .database import discard, own_files, own_folders


def default_cache_dir() -> Path:
    """Return the folder where glomclf keeps computed features.

    Returns
    -------
    pathlib.Path
        The environment variable ``GLOMCLF_CACHE_DIR`` where it is set, else the
        platform's cache folder: ``~/.cache/glomclf`` on Linux,
        ``~/Library/Caches/glomclf`` on macOS.
    """
    chosen = os.environ.get("GLOMCLF_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("glomclf"))


def resolve_cache_dir(cache_dir: str | os.PathLike[str] | None) -> Path:
    """Return the absolute folder that a ``cache_dir`` means."""
    try:
        return user_path(cache_dir or default_cache_dir()).absolute()
    except FileNotFoundError:
        raise CacheError(
            f"The cache of features has no place: there is no home folder for "
            f"{cache_dir or default_cache_dir()}. Set HOME, or GLOMCLF_CACHE_DIR to "
            "the full name of a folder."
        ) from None


def clear_cache(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Remove the cache of a folder, sound or damaged, and nothing else in that folder.

    No link is followed. Processes that use it meanwhile start a new one.

    Parameters
    ----------
    cache_dir : str, path-like or None, default=None
        None takes `default_cache_dir`.

    Returns
    -------
    int
        Bytes given back to the disk.

    Raises
    ------
    CacheError
        If files cannot be removed.

    Examples
    --------
    >>> from glomclf.data.store import clear_cache
    >>> clear_cache("no-such-folder")
    0
    """
    folder = resolve_cache_dir(cache_dir)
    before = bytes_on_disk(folder)
    try:
        for versioned in own_folders(folder):
            discard(versioned)
    except OSError as error:
        raise CacheError(
            f"The feature cache in {folder} cannot be removed: {error}. Remove it when"
            " no other process uses it."
        ) from error
    return before - bytes_on_disk(folder)


def bytes_on_disk(folder: Path) -> int:
    """Return the bytes of all stores in a folder."""
    total = 0
    for path in (file for own in own_folders(folder) for file in own_files(own)):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total
