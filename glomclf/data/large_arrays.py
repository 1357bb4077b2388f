"""Arrays that may be larger than memory: those above a bound lie in a file."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import CacheError

_folder: ContextVar[str | os.PathLike[str] | None] = ContextVar("folder", default=None)

LARGE_BYTES = 256 * 1024**2
"""Bytes from which an array is memory-mapped."""


@contextmanager
def arrays_in(folder: str | os.PathLike[str] | None) -> Iterator[None]:
    """Name the folder where large arrays of the block lie; None leaves it as it is.

    Examples
    --------
    >>> from glomclf.data.large_arrays import arrays_in, empty_array
    >>> with arrays_in("no-such-folder"):  # this one is small
    ...     empty_array((2, 3), "uint8").shape
    (2, 3)
    """
    token = _folder.set(_folder.get() if folder is None else folder)
    try:
        yield
    finally:
        _folder.reset(token)


def empty_array(
    shape: tuple[int, ...],
    dtype: DTypeLike,
    folder: str | os.PathLike[str] | None = None,
) -> NDArray[Any]:
    """Return an array to be filled, memory-mapped where it is large.

    The file has no name, so that the system removes it with the array, however the
    process ends; and the array is an ordinary one to numpy, joblib and pickle.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    folder : path-like or None, default=None
        Where the file lies, made where it is not; None is that of `arrays_in`, else the
        platform's folder of temporary files.

    Returns
    -------
    ndarray of shape `shape`
        Its values are arbitrary.

    Raises
    ------
    CacheError
        If the folder has no room for the array.

    Examples
    --------
    >>> from glomclf.data.large_arrays import empty_array
    >>> empty_array((2, 3), "uint8").shape
    (2, 3)
    """
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if n_bytes < LARGE_BYTES:
        return np.empty(shape, dtype)
    folder = _folder.get() if folder is None else folder
    try:
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file.fileno(), n_bytes)
            mapped = mmap.mmap(file.fileno(), n_bytes)
    except OSError as error:
        place = tempfile.gettempdir() if folder is None else os.fspath(folder)
        variable = "TMPDIR" if folder is None else "GLOMCLF_CACHE_DIR"
        raise CacheError(
            f"An array of {n_bytes / 1e9:.1f} GB cannot be kept in {place}: "
            f"{error.strerror}. Free some space there, or name a folder on another "
            f"disk (cache_dir, or the environment variable {variable})."
        ) from error
    return np.frombuffer(mapped, dtype).reshape(shape)


def _reserve(descriptor: int, n_bytes: int) -> None:
    """Take the space at once: a mapped file that finds a full disk ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, n_bytes)
    else:
        os.truncate(descriptor, n_bytes)
