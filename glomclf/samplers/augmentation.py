"""AugmentationOverSampler: over-sample by transforming images."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import StrOptions

from .._runtime import threads_for
from ..data.augmenter import (
    AUGMENTER_NAMES,
    PatchAugmenter,
    make_augmenter,
    no_rgb_images,
)
from ..data.store import content_keys
from ..errors import SamplingError
from .arrays import ROWS_AT_ONCE, ArraySamplerMixin, assemble


class AugmentationOverSampler(ArraySamplerMixin, BaseOverSampler):
    """Over-sample by drawing images of a class and transforming them.

    Each new image is another look of one image, as training draws them too.

    The look depends on the image's content, the number of the replicate and the seed,
    on nothing else: the same image gives the same first, second, third replicate in
    any order of rows and any company, so that its stored features are found again. The
    images of a class are used as evenly as can be, so that their numbers of replicates
    differ by one at most; which of them are used once more depends on content and seed
    too.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default='auto'
        How many images to have of each class, as in imbalanced-learn: 'auto' makes
        all classes as large as the largest; a float is the ratio of minority to
        majority after resampling (two classes only); a dict gives the number of
        images per class; a callable takes y and returns such a dict.
    augmentation : str or PatchAugmenter, default="geometry"
        How images are changed: a name of :func:`~glomclf.data.augmenter.make_augmenter`
        or a :class:`~glomclf.PatchAugmenter` with ranges of one's own.
    n_jobs : int, default=None
        Number of threads. None is one, -1 is all cores.
    random_state : int, RandomState instance or None, default=None
        Seeds the transforms and the shuffling of the result.

    Attributes
    ----------
    sampling_strategy_ : dict
        The number of images to draw per class.
    source_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The input row that an output row was carried over from, -1 for new images.
    parent_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The same, and for new images the row that was transformed.

    Raises
    ------
    SamplingError
        If X is not uint8 of shape (n_samples, height, width, 3).

    See Also
    --------
    ImageSampler : Any imbalanced-learn sampler on images.

    Notes
    -----
    Only the minority is transformed, so whatever a transform leaves behind marks the
    minority class, and can be learned in place of the glomerulus. Black corners and
    smeared edges would be such marks; mirrored tissue looks like tissue. Resampling
    leaves a fainter one: an enlarged image is softer than the scanner's. ``"dihedral"``
    leaves none.

    Identical images of one class count as one image: their replicates have
    consecutive numbers, and so differ.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.samplers import AugmentationOverSampler
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 256, (9, 16, 16, 3), dtype="uint8")
    >>> y = np.repeat([0, 1], [6, 3])
    >>> sampler = AugmentationOverSampler(random_state=0)
    >>> X_resampled, y_resampled = sampler.fit_resample(X, y)
    >>> X_resampled.shape, np.bincount(y_resampled)
    ((12, 16, 16, 3), array([6, 6]))
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseOverSampler._parameter_constraints,
        "augmentation": [StrOptions(set(AUGMENTER_NAMES)), PatchAugmenter],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        sampling_strategy="auto",
        *,
        augmentation="geometry",
        n_jobs=None,
        random_state=None,
    ):
        super().__init__(sampling_strategy=sampling_strategy)
        self.augmentation = augmentation
        self.n_jobs = n_jobs
        self.random_state = random_state

    _mixes_rows = False

    def _check_X_y(self, X, y):
        X, y, binarize_y = super()._check_X_y(X, y)
        if fault := no_rgb_images(X):
            raise SamplingError(
                f"{fault} Features cannot be augmented: sample in pixels, or use SMOTE."
            )
        return X, y, binarize_y

    def _fit_resample(self, X, y):
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        parents, keys = [*range(len(X))], []
        for label, n_new in self.sampling_strategy_.items():
            rows = np.flatnonzero(y == label)
            digests = content_keys(X[rows]) if n_new else []
            for i, replicate in draw_evenly(digests, n_new, seed):
                parents.append(rows[i])
                content = np.frombuffer(digests[i], dtype="<u4").tolist()
                keys.append((seed, replicate, *content))
        order = rng.permutation(len(parents))
        self.parent_indices_ = np.array(parents)[order]
        source = np.append(np.arange(len(X)), np.full(len(keys), -1))
        self.source_indices_ = source[order]
        looks = self._looks(X, parents[len(X) :], keys)
        return assemble(X, source, looks, order), y[self.parent_indices_]

    def _looks(self, X, rows, keys):
        augmenter: Any = make_augmenter(self.augmentation)
        n_threads = threads_for(self.n_jobs)
        for batch in gen_batches(len(rows), ROWS_AT_ONCE):
            yield from augmenter.transform(
                X[rows[batch]], keys[batch], n_threads=n_threads
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = False
        tags.input_tags.dataframe = False
        return tags


def draw_evenly(digests: list[bytes], n_new: int, seed: int) -> list[tuple[int, int]]:
    """Draw images evenly, in an order that depends on content and seed alone.

    Parameters
    ----------
    digests : list of bytes
        What stands for the content of each image.
    n_new : int
        How many to draw.
    seed : int
        Seeds the order.

    Returns
    -------
    list of (int, int)
        For each draw the image, and the number of the replicate from 1. Images of
        equal content are numbered together.

    Examples
    --------
    >>> draw_evenly([b"a", b"b"], 3, seed=0)
    [(1, 1), (0, 1), (1, 2)]
    """
    key = seed.to_bytes(8, "little")
    ranks = [blake2b(digest, key=key).digest() for digest in digests]
    order = sorted(range(len(digests)), key=ranks.__getitem__)
    used: Counter[bytes] = Counter()
    draws = []
    for k in range(n_new):
        i = order[k % len(order)]
        used[digests[i]] += 1
        draws.append((i, used[digests[i]]))
    return draws
