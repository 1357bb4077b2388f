"""Images that are read when they are needed: to numpy an array, read a few at a time.

What reads them all at once, as a sampler does, sees an array. What reads them a few at
a time, as the encoder does, holds no more than these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, gen_batches

from .large_arrays import empty_array
from .store import content_keys

ROWS_AT_ONCE = 64


class ImageSource(ABC):
    """uint8 images, of shape (n_samples, height, width, 3), in [0, 255].

    ``np.asarray`` reads them all, once, into an array that is memory-mapped where it is
    large; an index reads the rows it names.

    Parameters
    ----------
    shape : tuple of int
        (n_samples, height, width, 3)

    Attributes
    ----------
    cache_dir : pathlib.Path or None
        The folder where decoded files are kept, None where they are not.
    """

    cache_dir: Path | None = None
    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self._array: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if self._array is None:
            self._array = self._read_all()
        return np.array(self._array, dtype=dtype, copy=copy)

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        wanted = np.arange(len(self))[rows]
        if self._array is not None:
            return self._array[wanted]
        return self.read(np.atleast_1d(wanted)).reshape(*wanted.shape, *self.shape[1:])

    @abstractmethod
    def read(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Read some rows.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), dtype int

        Returns
        -------
        ndarray of shape (n_rows, height, width, 3), dtype uint8
        """

    @abstractmethod
    def known_keys(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        """Return the content keys of rows, None where an image must be read first."""

    def _read_all(self) -> NDArray[np.uint8]:
        array = empty_array(self.shape, np.uint8)
        for batch in gen_batches(len(self), ROWS_AT_ONCE):
            array[batch] = self.read(np.arange(len(self))[batch])
        return array


class ArraySource(ImageSource):
    """Images that are in an array already.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3), dtype uint8
    """

    def __init__(self, images: NDArray[np.uint8]):
        super().__init__(images.shape)
        self._array: NDArray[np.uint8] = images

    def read(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return the images of rows."""
        return self._array[rows]

    def known_keys(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        """Return the content keys of rows."""
        return [*content_keys(self._array[rows])]


def as_image_source(X: Any, smallest_side: int = 1) -> ImageSource:
    """Check images, and return what reads them a few at a time.

    Parameters
    ----------
    X : ImageSource or array-like of shape (n_samples, height, width, 3), dtype uint8
    smallest_side : int, default=1
        Pixels that height and width need.

    Returns
    -------
    ImageSource
        A source as it is, unread; an array as an `ArraySource`.

    Raises
    ------
    ValueError
        If `X` are no such images.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.image_source import as_image_source
    >>> as_image_source(np.zeros((4, 32, 32, 3), dtype=np.uint8))
    ArraySource(shape=(4, 32, 32, 3))
    """
    if not isinstance(X, ImageSource):
        X = check_array(X, allow_nd=True, dtype=None, ensure_2d=False, input_name="X")
    shape = X.shape
    is_rgb = X.dtype == np.uint8 and len(shape) == 4 and shape[-1] == 3
    if not is_rgb or min(shape[1:3]) < smallest_side:
        size = f", at least {smallest_side} pixels a side" if smallest_side > 1 else ""
        raise ValueError(
            f"X has shape {shape} and dtype {X.dtype}. Expected uint8 images of shape "
            f"(n_samples, height, width, 3){size}, RGB in [0, 255], as ImageLoader "
            f"gives them{conversion(shape, X.dtype)}."
        )
    return X if isinstance(X, ImageSource) else ArraySource(X)


def conversion(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Say how images of another form become uint8 images in RGB.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype

    Returns
    -------
    str
        To stand behind what was expected; empty where nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.image_source import conversion
    >>> print(conversion((9, 3, 32, 32), np.dtype(np.uint8)))
    . To convert: X = X.transpose(0, 2, 3, 1) puts the channels last
    """
    steps = []
    match shape:
        case (_, 3 | 1 | 4, height, width) if width > 4:
            steps.append("X = X.transpose(0, 2, 3, 1) puts the channels last")
            shape = (shape[0], height, width, shape[1])
        case (3, height, width) if width > 4:
            steps.append("X = X.transpose(1, 2, 0)[np.newaxis] is one image")
            shape = (1, height, width, 3)
        case (_, _, 3):
            steps.append("X = X[np.newaxis] is one image")
            shape = (1, *shape)
        case (_, _, _):
            steps.append("X = X[..., np.newaxis] has a channel")
            shape = (*shape, 1)
    if len(shape) != 4:
        return ""
    if shape[-1] == 1:
        steps.append("X = np.repeat(X, 3, axis=-1) makes grey images RGB")
    elif shape[-1] == 4:
        steps.append("X = X[..., :3] leaves transparency out")
    if dtype.kind == "f":
        steps.append(
            "X = (X * 255).round().astype(np.uint8) if X is in [0, 1]; "
            "X = X.round().astype(np.uint8) if it is in [0, 255]"
        )
    elif dtype.kind in "iub" and dtype != np.uint8:
        steps.append("X = X.astype(np.uint8) if X is in [0, 255]")
    return f". To convert: {'; then '.join(steps)}" if steps else ""
