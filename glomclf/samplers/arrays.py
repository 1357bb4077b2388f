"""What all samplers of glomclf share: n-d input, and output built in one pass."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from imblearn.utils import check_target_type
from sklearn.utils import gen_batches
from sklearn.utils.validation import validate_data

from ..data.large_arrays import empty_array
from ..errors import SamplingError

ROWS_AT_ONCE = 256


class ArraySamplerMixin:
    """Lets an imbalanced-learn sampler take dense arrays of two or more dimensions.

    X is an array of features, of feature maps, or of images: uint8 in [0, 255], of
    shape (n_samples, height, width, 3). `fit_resample` shuffles the rows, which keep
    their dtype and shape. It goes before :class:`imblearn.base.BaseSampler` in a
    class's bases.
    """

    n_features_in_: int

    def _check_X_y(self, X, y):
        y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
        X, y = validate_data(self, X=X, y=y, reset=True, allow_nd=True)
        if X.dtype.kind not in "uif":
            raise SamplingError(
                f"X has dtype {X.dtype}; expected integers or floats. Images are "
                "uint8 in [0, 255]: convert X with X.astype('uint8')."
            )
        if X.ndim > 2:
            del self.n_features_in_  # it would be the height of the images
        return X, y, binarize_y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags


def assemble(
    X: np.ndarray,
    source: np.ndarray,
    synthetic: Iterable[np.ndarray],
    order: np.ndarray,
) -> np.ndarray:
    """Write carried-over and synthetic rows straight to their shuffled places.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        The input rows.
    source : ndarray of shape (n_samples_new,), dtype=int
        For each new row its row in X, or -1 for a synthetic one.
    synthetic : iterable of ndarray
        The synthetic rows in the order of the -1s, of the dtype of X or in floats
        that are yet to be rounded. It is consumed one row at a time.
    order : ndarray of shape (n_samples_new,), dtype=int
        A permutation: row `i` of the result is new row `order[i]`.

    Returns
    -------
    ndarray of shape (n_samples_new, ...)
        The rows; carried-over ones are bit for bit those of X.
    """
    out = empty_array((len(source), *X.shape[1:]), X.dtype)
    carried = np.flatnonzero(source[order] >= 0)
    for batch in gen_batches(len(carried), ROWS_AT_ONCE):
        out[carried[batch]] = X[source[order[carried[batch]]]]
    place = np.argsort(order)
    for i, row in zip(np.flatnonzero(source < 0), synthetic, strict=True):
        out[place[i]] = to_dtype(row, X.dtype).reshape(X.shape[1:])
    return out


def to_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert to dtype; integers are rounded and clipped, for a bare cast wraps.

    Examples
    --------
    >>> import numpy as np
    >>> to_dtype(np.array([-3.0, 7.6, 300.0]), np.dtype("uint8"))
    array([  0,   8, 255], dtype=uint8)
    """
    if values.dtype == dtype or dtype.kind == "f":
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
