"""ImageLoader, the first step of every pipeline: paths -> RGB uint8 images."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, Options, StrOptions

from .._runtime import threads_for, user_path
from .image_source import conversion
from .images import MAX_PIXELS
from .lazy_images import Decoding, LazyImages

_EXPECTED = (
    "a DataFrame with a 'path' column, a 1-D array-like of paths, or uint8 images of "
    "shape (n_samples, height, width, 3)"
)


class ImageLoader(TransformerMixin, BaseEstimator):
    """Load images as RGB uint8 squares of one size.

    The loader is stateless: each image is loaded on its own, so nothing can leak
    from one row to another and `fit` only checks its input. Files are decoded in
    threads and written straight into the array that is returned. See
    :func:`glomclf.data.images.read_image` for the formats and how each colour mode is
    turned into RGB. What was decoded once is kept on disk by the content of the file.

    Parameters
    ----------
    image_size : int, default=224
        Side in pixels of the square images that are returned.
    resize : {"pad", "stretch"}, default="pad"
        "pad" keeps the aspect ratio and fills the rest with white, the colour of
        empty glass; "stretch" resizes each side on its own. Both are antialiased.
    n_jobs : int or None, default=None
        Number of threads. None means 1 unless in a
        :func:`joblib.parallel_config` context, -1 means one for each core.
    verbose : int, default=0
        Whether to show a progress bar on standard error.
    max_pixels : int, default=50_000_000
        Largest width times height of a file, checked from its header before it is
        decoded.
    cache_dir : path, None or False, default=None
        Folder where decoded files are kept, found again by what the file holds. None is
        the platform's cache folder; False keeps nothing.
    lazy : bool, default=False
        Whether files are decoded when they are read, rather than at once. Then
        `transform` returns a :class:`.LazyImages`: to samplers and
        to numpy it is an array; :class:`PatchEncoder` reads it a few images at a time,
        so that decoding, encoder and store overlap and the images need no memory.

    See Also
    --------
    glomclf.read_manifest : Makes the DataFrame with the `path` column.

    Notes
    -----
    The output is four-dimensional, so there are no feature names out and
    `set_output` does not apply.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from glomclf import ImageLoader
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = [Path(folder, "a.png"), Path(folder, "b.jpg")]
    ...     for file, size in zip(files, [(300, 200), (90, 90)]):
    ...         Image.new("RGB", size, "purple").save(file)
    ...     images = ImageLoader(image_size=64).fit_transform(files)
    >>> images.shape, images.dtype
    ((2, 64, 64, 3), dtype('uint8'))
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "image_size": [Interval(Integral, 1, None, closed="left")],
        "resize": [StrOptions({"pad", "stretch"})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
        "cache_dir": [str, Path, Options(bool, {False}), None],
        "lazy": ["boolean"],
    }

    def __init__(
        self,
        image_size: int = 224,
        *,
        resize: str = "pad",
        n_jobs: int | None = None,
        verbose: int = 0,
        max_pixels: int = MAX_PIXELS,
        cache_dir: str | Path | bool | None = None,
        lazy: bool = False,
    ):
        self.image_size = image_size
        self.resize = resize
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.max_pixels = max_pixels
        self.cache_dir = cache_dir
        self.lazy = lazy

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike | pd.DataFrame, y: Any = None) -> ImageLoader:
        """Check the parameters and the kind of `X`; no file is opened.

        Parameters
        ----------
        X : DataFrame, array-like of paths or of uint8 images
            As in :meth:`transform`.
        y : None
            Ignored.

        Returns
        -------
        self : ImageLoader
            Itself.

        Raises
        ------
        TypeError, ValueError
            As in :meth:`transform`.
        """
        images_or_paths(X)
        return self

    def transform(self, X: ArrayLike | pd.DataFrame) -> NDArray[np.uint8] | LazyImages:
        """Load the images, in the order of `X`.

        Parameters
        ----------
        X : DataFrame, array-like of paths or of uint8 images
            A DataFrame with a `path` column; or a list, 1-D array or Series of str
            or path-like objects; or RGB images in [0, 255], as a uint8 array of
            shape (n_samples, height, width, 3) or a list of uint8 arrays of shape
            (height, width, 3) that may differ in size.

        Returns
        -------
        images : ndarray of shape (n_samples, image_size, image_size, 3), dtype uint8
            RGB in [0, 255], memory-mapped where it is large; with `lazy`, a
            :class:`.LazyImages`. An image array that already has
            this shape is returned as it is, not copied.

        Raises
        ------
        ImageError
            If any image cannot be used; with `lazy`, once they are read. `faults` maps
            each such file, or the position of whatever is neither path nor image, to
            the reason.
        TypeError
            If `X` as a whole is none of the above.
        ValueError
            If `X` is empty, or an array of another shape or dtype.
        """
        self._validate_params()
        items = images_or_paths(X)
        shape = (len(items), self.image_size, self.image_size, 3)
        if isinstance(items, np.ndarray) and items.shape == shape:
            return items
        images = LazyImages(
            items,
            Decoding(self.image_size, self.resize, self.max_pixels),
            cache_dir=self.cache_dir,
            # Asked here: a context of joblib ends where this method does.
            n_threads=threads_for(self.n_jobs),
            verbose=self.verbose,
        )
        return images if self.lazy else np.asarray(images)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        return tags


def images_or_paths(X: Any) -> NDArray[np.uint8] | list[Any]:
    """Return an image array as it is, and anything else as a list of rows."""
    if isinstance(X, pd.DataFrame):
        if "path" not in X.columns:
            raise ValueError(
                f"X is a DataFrame with the columns {list(X.columns)}; "
                "a column 'path' was expected (see glomclf.read_manifest)"
            )
        X = X["path"]
    if isinstance(X, str | bytes | os.PathLike):
        raise TypeError(f"X is the single path {X!r}; a list of paths was expected")
    if not (hasattr(X, "__len__") and hasattr(X, "__getitem__")) or isinstance(X, dict):
        raise TypeError(f"X is of type {type(X).__name__}; expected {_EXPECTED}")
    if isinstance(X, np.ndarray):
        _check_array(X)
    if len(X) == 0:
        raise ValueError(
            "Found array with 0 sample(s) while a minimum of 1 is required."
        )
    if isinstance(X, np.ndarray) and X.ndim == 4:
        return X
    return [_with_home(item) for item in X]


def _with_home(item: Any) -> Any:
    is_path = isinstance(item, str | os.PathLike)
    return str(user_path(item)) if is_path and os.fspath(item)[:1] == "~" else item


def _check_array(X: NDArray[Any]) -> None:
    paths = X.ndim == 1 and X.dtype.kind in "OUT"
    images = X.ndim == 4 and X.shape[3] == 3 and X.dtype == np.uint8
    if paths or images:
        return
    raise ValueError(
        f"X is an array of shape {X.shape} and dtype {X.dtype}; "
        f"expected {_EXPECTED}{conversion(X.shape, X.dtype)}"
    )
