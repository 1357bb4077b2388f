"""StainNormalizer: images of differently stained slides are brought to one stain.

No library is used: those that need neither PyTorch nor a server's client fit to one
reference image, move bare glass along with the tissue, and fail on patches without
stain. The page on stain normalisation in the documentation weighs them.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._runtime import threads_for
from ..errors import ParameterError, StainError
from .archive_fields import check_fields, check_numbers
from .image_source import ROWS_AT_ONCE, ImageSource, as_image_source
from .lazy_images import MappedImages
from .stain_methods import METHODS, Floats, Image, mean_density
from .store import PixelStore

NORMALIZER_METHODS = tuple(METHODS)
"""How :class:`StainNormalizer` can measure and move a stain."""

NORMALIZER_NAMES = (
    *NORMALIZER_METHODS,
    *(f"fixed-{method}" for method in NORMALIZER_METHODS),
)
"""What :func:`make_normalizer` takes: a method, to the stain of the training images or
to the fixed one."""

# Raised whenever the same stain gives other pixels.
_CHANGING = 1
# An image with less tissue than this has no stain of its own to be measured.
_LEAST_TISSUE = 0.01


class StainNormalizer(TransformerMixin, BaseEstimator):
    """Bring images of differently stained slides to the stain of the training images.

    `fit` measures the stain of each training image and keeps the median. `transform`
    measures each image again and moves its own stain there. An image's result depends
    on that image and on the training images, on no other. As a step of a pipeline, or
    in a classifier that is cross-validated, it sees training rows alone.

    Parameters
    ----------
    method : {"reinhard", "density", "macenko"}, default="reinhard"
        What is measured and moved. "reinhard": mean and standard deviation of the
        tissue in the colour space l-alpha-beta [1]_. "density": the 99th percentile
        of the optical density in red, green and blue, each scaled on its own.
        "macenko": the directions of two stains in optical density, found in the image
        itself, and the 99th percentile of each [2]_.
    target : {"training", "fixed"}, default="training"
        The stain that images are brought to: the median of the training images, or one
        that is the same for all data, that of the patches of
        :func:`glomclf.make_glomeruli`. With "fixed" nothing is learned: an image is the
        same in every fold, and its stored features are found again.
    min_density : float in [0, 2], default=0.15
        Optical density (natural logarithm, mean of the three channels) from which a
        pixel is tissue; 0.15, as in [2]_, is 14 % of the light. Glass is not measured;
        from half of this density down, pixels stay as they are.
    n_jobs : int or None, default=None
        Threads that measure and change images. None is one, -1 all cores.

    Attributes
    ----------
    target_ : ndarray of float64
        The stain that images are brought to. For "reinhard" of shape (2, 3): means,
        then standard deviations. For "density" of shape (1, 3). For "macenko" of shape
        (2, 4): of haematoxylin, then of the other stain, the direction in red, green
        and blue, of length 1, and the strength.
    n_images_ : int
        Training images that had a stain to measure; 0 for ``target="fixed"``.

    See Also
    --------
    glomclf.ImageLoader : The step before.

    Notes
    -----
    None of the methods knows the colours of haematoxylin and eosin: what is aimed at is
    the stain of the training images, PAS or another. "macenko" takes the stain that
    absorbs the larger share of its light in red for haematoxylin, which holds beside
    eosin and beside PAS. It needs both stains in an image: where one is missing, shades
    of the other are taken for two.

    How dark a glomerulus is stained also tells the classes apart, and all methods take
    some of that away. So it has to be measured whether they help: the page on stain
    normalisation in the documentation does, across three centres.

    No stain or contrast is made more than 4 times stronger or weaker. An image passes
    unchanged where no stain can be measured: with less than 1 % of tissue or, for
    "macenko", with one colour only.

    The training images of every fold have another median. With ``target="training"``,
    features that are kept by the content of images are found again only where the same
    normaliser was fitted on the same rows.

    References
    ----------
    .. [1] Reinhard, Ashikhmin, Gooch, Shirley: Color transfer between images. IEEE
       Computer Graphics and Applications 21(5):34-41, 2001.
    .. [2] Macenko et al.: A method for normalizing histology slides for quantitative
       analysis. IEEE International Symposium on Biomedical Imaging, 1107-1110, 2009.

    Examples
    --------
    >>> from glomclf import StainNormalizer, make_glomeruli
    >>> X, _, _ = make_glomeruli(12, n_participants=6, image_size=32, random_state=0)
    >>> normalizer = StainNormalizer("macenko").fit(X[:8])
    >>> normalizer.target_.shape, normalizer.transform(X[8:]).shape
    ((2, 4), (4, 32, 32, 3))
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "method": [StrOptions(set(NORMALIZER_METHODS))],
        "target": [StrOptions({"training", "fixed"})],
        "min_density": [Interval(Real, 0, 2, closed="both")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        method: str = "reinhard",
        *,
        target: str = "training",
        min_density: float = 0.15,
        n_jobs: int | None = None,
    ):
        self.method = method
        self.target = target
        self.min_density = min_density
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> StainNormalizer:
        """Measure the stain of the training images.

        Parameters
        ----------
        X : ndarray or LazyImages of shape (n_samples, height, width, 3), uint8
            RGB in [0, 255]. What ``ImageLoader(lazy=True)`` gives is read a few images
            at a time.
        y : None
            Ignored.

        Returns
        -------
        self : StainNormalizer
            Itself.

        Raises
        ------
        ValueError
            If `X` are no such images.
        StainError
            If no image has a stain to measure, and ``target="training"``.
        """
        source = as_image_source(X)
        if self.target == "fixed":
            self.target_ = np.array(METHODS[self.method].fixed)
            self.n_images_ = 0
            return self
        rows, measured = np.arange(len(source)), []
        run = Parallel(threads_for(self.n_jobs), require="sharedmem")
        for batch in gen_batches(len(rows), ROWS_AT_ONCE):
            images = source.read(rows[batch])
            measured += run(delayed(self._measure)(image) for image in images)
        found = [stain for stain in measured if stain is not None]
        if not found:
            raise StainError(
                f"None of the {len(rows)} images has a stain that "
                f'method="{self.method}" can measure: on at least '
                f"{_LEAST_TISSUE:.0%} of the pixels an optical density of "
                f"min_density={self.min_density} or more was expected"
                f"{' in two colours' if self.method == 'macenko' else ''}. Are the "
                "images RGB, of stained tissue?"
            )
        self.target_ = METHODS[self.method].centre(np.array(found))
        self.n_images_ = len(found)
        return self

    def transform(self, X: Any) -> Any:
        """Bring each image to the stain of the training images.

        Parameters
        ----------
        X : ndarray or LazyImages of shape (n_samples, height, width, 3), uint8
            RGB in [0, 255].

        Returns
        -------
        ndarray of shape (n_samples, height, width, 3), dtype uint8
            RGB in [0, 255], memory-mapped where it is large. For lazy images a
            :class:`.MappedImages`, which changes them when they
            are read.

        Raises
        ------
        ValueError
            If `X` are no such images.
        """
        check_is_fitted(self)
        source = as_image_source(X)
        threads = threads_for(self.n_jobs)
        images = MappedImages(source, self._change, threads, self._store(source))
        return images if source is X else np.asarray(images)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _measure(self, image: Image) -> Floats | None:
        """Measure the stain of one image; None where there is none."""
        tissue = mean_density(image) >= self.min_density
        if tissue.mean() < _LEAST_TISSUE:
            return None
        # Taken by their places, which is much quicker than by a mask.
        pixels = image.reshape(-1, 3).take(np.flatnonzero(tissue), axis=0)
        return METHODS[self.method].measure(pixels)

    def _change(self, image: Image) -> Image:
        """Bring one image to the target."""
        own = self._measure(image)
        if own is None:
            return image
        changed = METHODS[self.method].move(image, own, self.target_)
        if self.min_density > 0:
            changed = _keep_glass(image, changed, self.min_density)
        return np.clip(np.rint(changed), 0, 255).astype(np.uint8)

    def _store(self, source: ImageSource) -> PixelStore | None:
        """Return where images are kept: beside those of the source, by all that counts.

        Only a fixed stain is worth it: every fold has another median.
        """
        if self.target != "fixed" or source.cache_dir is None:
            return None
        how = [
            self.method, self.min_density, self.target_.tolist(), source.shape[1:],
            _CHANGING,
        ]  # fmt: skip
        return PixelStore(source.cache_dir, f"images of one stain {how}")

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Describe the fitted normaliser as JSON and arrays, for a model file."""
        parameters = {
            "method": self.method,
            "target": self.target,
            "min_density": float(self.min_density),
        }
        header = {"parameters": parameters, "n_images": self.n_images_}
        return header, {"stain/target": self.target_}

    def _set_parts(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Become the fitted normaliser that ``_to_parts`` described."""
        check_fields(
            "The stain", header, {"parameters": [dict], "n_images": [Integral]}
        )
        self.set_params(**header["parameters"])
        self._validate_params()
        self.n_images_ = header["n_images"]
        shape = np.shape(METHODS[self.method].fixed)
        self.target_ = check_numbers("stain/target", arrays["stain/target"], shape)


def make_normalizer(
    normalizer: StainNormalizer | str | None, *, n_jobs: int | None = None
) -> StainNormalizer | None:
    """Return a normaliser by the name of its method.

    Parameters
    ----------
    normalizer : StainNormalizer, str or None
        A normaliser is returned as it is; None is none. A name is one of
        `NORMALIZER_NAMES`: that of a method, with "fixed-" before it for
        ``target="fixed"``.
    n_jobs : int or None, default=None
        Threads of one that is made by name.

    Returns
    -------
    StainNormalizer or None

    Raises
    ------
    ParameterError
        If it is neither.

    Examples
    --------
    >>> from glomclf.data.stain import make_normalizer
    >>> make_normalizer("density")
    StainNormalizer(method='density')
    """
    if normalizer is None or isinstance(normalizer, StainNormalizer):
        return normalizer
    if normalizer in NORMALIZER_NAMES:
        method = normalizer.removeprefix("fixed-")
        target = "training" if method == normalizer else "fixed"
        return StainNormalizer(method, target=target, n_jobs=n_jobs)
    names = ", ".join(f'"{name}"' for name in NORMALIZER_NAMES)
    raise ParameterError(
        f"stain_normalizer={normalizer!r} is no way to normalise stains. Give None, "
        f"{names} or a StainNormalizer."
    )


def _keep_glass(image: Image, changed: Floats, min_density: float) -> Floats:
    """Let a change fade out from tissue to bare glass, so that no edge appears.

    Glass is mostly a little darker than white: all below half of `min_density` is.
    """
    share = np.clip(2 * mean_density(image) / min_density - 1, 0, 1)
    return image + share[..., np.newaxis] * (changed - image)
