"""The eight views of an image that move pixels and change none: turns and mirrors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .image_source import ImageSource

N_DIHEDRAL_VIEWS = 8
"""Quarter turns, each as it is and mirrored."""


def dihedral_view(images: NDArray, k: int) -> NDArray:
    """Return one of the eight views of each image.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, ...)
    k : int in [0, 7]
        ``k // 2`` quarter turns counter-clockwise, then mirrored left to right where
        `k` is odd. 0 is the image itself.

    Returns
    -------
    view : ndarray of shape (n_samples, height, width, ...)
        No copy: what is written to it is written to `images`. Height and width are
        exchanged by an odd number of quarter turns.

    Raises
    ------
    ParameterError
        If `k` is none of the eight.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.dihedral import dihedral_view
    >>> image = np.array([[[0, 1], [2, 3]]])
    >>> dihedral_view(image, 2)[0]
    array([[1, 3],
           [0, 2]])
    """
    if k not in range(N_DIHEDRAL_VIEWS):
        raise ParameterError(
            f"k={k!r} is no dihedral view; expected an int from 0 (the image itself) "
            f"to {N_DIHEDRAL_VIEWS - 1}."
        )
    turned = np.rot90(images, k // 2, axes=(1, 2))
    return turned[:, :, ::-1] if k % 2 else turned


class DihedralImages(ImageSource):
    """One view of images that are read a few at a time.

    Parameters
    ----------
    source : ImageSource
        Images of shape (n_samples, height, width, 3), such as :class:`LazyImages`.
    k : int in [0, 7]
        As in :func:`dihedral_view`.

    Attributes
    ----------
    shape : tuple of int
        (n_samples, height, width, 3)

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.dihedral import DihedralImages
    >>> from glomclf.data.image_source import ArraySource
    >>> images = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    >>> images[:, 0] = 255
    >>> view = DihedralImages(ArraySource(images), 2)
    >>> bool(view.read(np.array([1]))[0, :, 0].all())
    True
    """

    def __init__(self, source: ImageSource, k: int):
        no_pixels = np.broadcast_to(np.uint8(0), source.shape)
        super().__init__(dihedral_view(no_pixels, k).shape)
        self.source = source
        self.k = k

    def __repr__(self) -> str:
        return f"DihedralImages(shape={self.shape}, k={self.k})"

    def known_keys(self, rows: NDArray[np.intp]) -> list[bytes | None]:
        """Return the content keys of rows that are known without reading them.

        The key of a turned image follows from its pixels alone, so only the first view
        has keys that the source may know.
        """
        return list(self.source.known_keys(rows)) if self.k == 0 else [None] * len(rows)

    def read(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Read some rows, and turn them.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), dtype int

        Returns
        -------
        ndarray of shape (n_rows, height, width, 3), dtype uint8
        """
        return np.ascontiguousarray(dihedral_view(self.source.read(rows), self.k))
