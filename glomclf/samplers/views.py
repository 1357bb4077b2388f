"""AugmentedViews: new views of every training image, for networks that stay frozen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from numbers import Integral
from typing import ClassVar

import numpy as np
from imblearn.base import BaseSampler
from numpy.typing import NDArray
from sklearn.utils import check_random_state, check_scalar, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions

from .._runtime import threads_for
from ..data.augmenter import AUGMENTER_NAMES, PatchAugmenter, make_augmenter
from .arrays import ArraySamplerMixin, assemble
from .content import checked_images, content_digest, draw_key, draw_seed

_ROWS_AT_ONCE = 64


class AugmentedViews(ArraySamplerMixin, BaseSampler):
    """Add new views of every image, of all classes alike.

    A network that is trained from pixels can be shown another view of an image in each
    epoch. Frozen layers run once per image; here they are given a number of views, and
    what is trained behind them sees these. It goes after the sampler that evens out the
    classes, and leaves their proportions as they are.

    A view depends on the image's content, its number and the seed, on nothing else. So
    folds and trials that share an image share its views, and the features of these,
    which a :class:`PatchEncoder` keeps.

    Parameters
    ----------
    n_views : int, default=1
        New views of each image, from 1. The images themselves stay.
    augmentation : {"dihedral", "geometry", "geometry+stain"} or PatchAugmenter, \
default="geometry+stain"
        What a view is: see :func:`glomclf.data.augmenter.make_augmenter`.
    n_jobs : int, default=None
        Number of threads. None is one, -1 is all cores.
    random_state : int, RandomState instance or None, default=None
        Seeds the views and the shuffling of the result.

    Attributes
    ----------
    seed_ : int
        The seed of the views, drawn from ``random_state``.
    source_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The input row that an output row was carried over from, -1 for new views.
    parent_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The same, and for new views the row that they are of.
    replicates_ : ndarray of shape (n_samples_new,), dtype=int
        The number of the view, from 1; 0 for input rows.

    Raises
    ------
    SamplingError
        If X is not uint8 of shape (n_samples, height, width, 3).

    See Also
    --------
    glomclf.data.augmenter.PatchAugmenter : What makes a view.
    AugmentationOverSampler : New images of the smaller classes only.

    Notes
    -----
    Identical images of one class have views of their own: those of the second are
    numbered on from those of the first. What a sampler has repeated is seen from as
    many sides as it was repeated times.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.samplers import AugmentedViews
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 256, (9, 16, 16, 3), dtype="uint8")
    >>> y = np.repeat([0, 1], [6, 3])
    >>> sampler = AugmentedViews(2, random_state=0)
    >>> X_resampled, y_resampled = sampler.fit_resample(X, y)
    >>> X_resampled.shape, np.bincount(y_resampled)
    ((27, 16, 16, 3), array([18,  9]))
    >>> new = int(np.flatnonzero(sampler.replicates_ == 2)[0])
    >>> again = sampler.view_image(X[sampler.parent_indices_[new]], view=2)
    >>> bool(np.array_equal(X_resampled[new], again))
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_views": [Interval(Integral, 1, None, closed="left")],
        "augmentation": [StrOptions(set(AUGMENTER_NAMES)), PatchAugmenter],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }
    _sampling_type = "bypass"
    sampling_strategy = "auto"  # all classes alike

    def __init__(
        self,
        n_views=1,
        augmentation="geometry+stain",
        *,
        n_jobs=None,
        random_state=None,
    ):
        self.n_views = n_views
        self.augmentation = augmentation
        self.n_jobs = n_jobs
        self.random_state = random_state

    def view_image(self, image, view=1):
        """Make one view of one image, as `fit_resample` would.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), dtype=uint8
            RGB in [0, 255].
        view : int, default=1
            The number of the view, from 1; ``n_views`` does not bound it.

        Returns
        -------
        ndarray of shape (height, width, 3), dtype=uint8
            The view. Before `fit_resample` it is the one that an integer
            ``random_state`` leads to, and with None another one each time.
        """
        self._validate_params()
        check_scalar(view, "view", Integral, min_val=1)
        images = checked_images(np.asarray(image)[np.newaxis])
        if hasattr(self, "seed_"):
            seed = self.seed_
        else:
            seed = draw_seed(check_random_state(self.random_state))
        key = draw_key(seed, view, content_digest(images[0]))
        return make_augmenter(self.augmentation).transform(images, [key])[0]

    def _check_X_y(self, X, y):
        X, y, binarize_y = super()._check_X_y(X, y)
        return checked_images(X), y, binarize_y

    def _fit_resample(self, X, y):
        rng = check_random_state(self.random_state)
        self.seed_ = draw_seed(rng)
        digests = [content_digest(image) for image in X]
        numbers = _numbered(digests, y, self.n_views)
        replicates = np.append(np.zeros(len(X), dtype=int), numbers.ravel())
        rows = np.arange(len(X))
        parents = np.append(rows, rows.repeat(self.n_views))
        source = np.where(replicates > 0, -1, parents)
        order = rng.permutation(len(parents))
        views = self._views(X, digests, numbers)
        self.source_indices_ = source[order]
        self.parent_indices_ = parents[order]
        self.replicates_ = replicates[order]
        return assemble(X, source, views, order), y[self.parent_indices_]

    def _views(
        self, X: NDArray[np.uint8], digests: list[bytes], numbers: NDArray[np.intp]
    ) -> Iterator[NDArray[np.uint8]]:
        """Make the views of all rows, of one row after the other."""
        augmenter = make_augmenter(self.augmentation)
        threads = threads_for(self.n_jobs)
        rows = np.arange(len(X)).repeat(self.n_views)
        keys = [
            draw_key(self.seed_, number, digests[row])
            for row, number in zip(rows, numbers.ravel().tolist(), strict=True)
        ]
        for batch in gen_batches(len(rows), _ROWS_AT_ONCE):
            yield from augmenter.transform(
                X[rows[batch]], keys[batch], n_threads=threads
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = False
        tags.input_tags.dataframe = False
        return tags


def _numbered(digests: list[bytes], y: NDArray, n_views: int) -> NDArray[np.intp]:
    """Count the views of equal images of one class on and on."""
    seen: Counter[tuple[bytes, int]] = Counter()
    firsts = []
    for image in zip(digests, y.tolist(), strict=True):
        firsts.append(seen[image] * n_views + 1)
        seen[image] += 1
    return np.array(firsts)[:, np.newaxis] + np.arange(n_views)
