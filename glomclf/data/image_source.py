"""What images have in common that are read when they are needed.

What reads them all at once, as a sampler does, sees an array. What reads them a few at
a time, as the trunk does, holds no more than these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from .large_arrays import empty_array

__all__ = ["ROWS_AT_ONCE", "ImagesOnDemand"]

ROWS_AT_ONCE = 64


class ImagesOnDemand(ABC):
    """uint8 images, of shape (n_samples, height, width, 3), in [0, 255].

    ``np.asarray`` reads them all, once, into an array that is memory-mapped where it is
    large; an index reads the rows it names.

    Parameters
    ----------
    shape : tuple of int
        (n_samples, height, width, 3)
    """

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
        """Return the content keys of rows that are known without reading them."""

    def _read_all(self) -> NDArray[np.uint8]:
        array = empty_array(self.shape, np.uint8)
        for batch in gen_batches(len(self), ROWS_AT_ONCE):
            array[batch] = self.read(np.arange(len(self))[batch])
        return array
