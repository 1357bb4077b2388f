"""Nearest neighbours of images, at the cost of a few columns of memory."""

from __future__ import annotations

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches

_NUMBERS_AT_ONCE = 2**23  # 64 MiB in float64


class RowNeighbors(NearestNeighbors):
    """Neighbours among the rows of an array, asked for by row number.

    A sampler that mixes neighbours never has to see the images: it is given the
    identity matrix, whose row `i` stands for image `i`, and this object, which knows
    the images. What the sampler then calls a synthetic row is the list of weights
    with which images are to be mixed.

    Parameters
    ----------
    images : ndarray of shape (n_samples, n_pixels)
        The images, flattened. They are neither copied nor converted as a whole.
    n_neighbors : int
        How many neighbours `kneighbors` returns, the row itself included.

    Notes
    -----
    Distances are summed over blocks of columns in float64: exact for uint8, and
    with a working memory that grows with neither the image size nor the number of
    cores. :class:`~sklearn.neighbors.NearestNeighbors` converts whole rows, 1.2 MB
    each at 224 pixels, in blocks of 256 for every core.
    """

    def __init__(self, images, n_neighbors=5):
        super().__init__(n_neighbors=n_neighbors)
        self.images = images

    def __sklearn_clone__(self):
        # Samplers clone it; the default clone would copy the images.
        return type(self)(self.images, self.n_neighbors)

    def fit(self, X, y=None):
        """Remember among which rows to search.

        Parameters
        ----------
        X : sparse array of shape (n_samples_fit, n_samples)
            Rows of the identity matrix.
        y : None
            Not used.

        Returns
        -------
        self : object
            The object itself.
        """
        self.rows_ = X.indices
        self.n_samples_fit_ = len(self.rows_)
        return self

    def kneighbors(self, X, n_neighbors=None, return_distance=True):
        """Find the nearest of the fitted rows.

        Parameters
        ----------
        X : sparse array of shape (n_queries, n_samples)
            Rows of the identity matrix, each found as its own first neighbour.
        n_neighbors : int, default=None
            How many; by default as given at construction.
        return_distance : bool, default=True
            Whether to return the distances too.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Euclidean distances, if asked for.
        indices : ndarray of shape (n_queries, n_neighbors)
            Positions among the fitted rows, the nearest first.

        Raises
        ------
        ValueError
            If there are fewer fitted rows than neighbours, in scikit-learn's words.
        """
        k = n_neighbors or self.n_neighbors
        queries = X.indices
        if k > self.n_samples_fit_:
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}, n_samples = {len(queries)}"
            )
        squared = squared_distances(self.images, queries, self.rows_)
        nearest = np.argsort(squared, axis=1, kind="stable")[:, :k]
        if not return_distance:
            return nearest
        return np.sqrt(np.take_along_axis(squared, nearest, axis=1)), nearest


def squared_distances(
    images: np.ndarray, queries: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Return the squared Euclidean distances between two lists of rows.

    Parameters
    ----------
    images : ndarray of shape (n_samples, n_pixels)
        The images, flattened.
    queries, rows : ndarray of shape (n_queries,) and (n_rows,), dtype=int
        Row numbers.

    Returns
    -------
    ndarray of shape (n_queries, n_rows), dtype=float64
        Squared distances.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.array([[0, 0], [255, 0], [0, 1]], dtype="uint8")
    >>> squared_distances(images, np.array([0]), np.array([0, 1, 2]))
    array([[0.0000e+00, 6.5025e+04, 1.0000e+00]])
    """
    same = np.array_equal(queries, rows)
    total = np.zeros((len(queries), len(rows)))
    width = max(1, _NUMBERS_AT_ONCE // (len(queries) + len(rows)))
    for columns in gen_batches(images.shape[1], width):
        fitted = _block(images, rows, columns)
        asked = fitted if same else _block(images, queries, columns)
        total += euclidean_distances(asked, fitted, squared=True)
    return total


def _block(images: np.ndarray, rows: np.ndarray, columns: slice) -> np.ndarray:
    """Return some columns of some rows, moved near the origin.

    The expansion of a squared distance into dot products loses digits far from it.
    """
    block = images[rows, columns].astype(np.float64)
    block -= images[0, columns]
    return block
