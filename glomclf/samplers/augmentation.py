"""AugmentationOverSampler: over-sample by transforming images."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from joblib import Parallel, delayed
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils._param_validation import Interval, StrOptions

from .._runtime import threads_for
from ..data.geometry import FILL_MODES, move
from ..errors import SamplingError
from .arrays import ArraySamplerMixin, assemble


class AugmentationOverSampler(ArraySamplerMixin, BaseOverSampler):
    """Over-sample by drawing images of a class and transforming them.

    Each new image is one image under one random affine transform: flip, shear, zoom
    and rotation about the centre, and shift. All of them are drawn anew for each.

    The transform depends on the image's content, the number of the replicate and the
    seed, on nothing else: the same image gives the same first, second, third replicate
    in any order of rows and any company. The images of a class are used as evenly as
    can be, so that their numbers of replicates differ by one at most; which of them
    are used once more depends on content and seed too.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default='auto'
        How many images to have of each class, as in imbalanced-learn: 'auto' makes
        all classes as large as the largest; a float is the ratio of minority to
        majority after resampling (two classes only); a dict gives the number of
        images per class; a callable takes y and returns such a dict.
    rotation_range : float in [0, 180], default=180
        Largest rotation in degrees, either way.
    width_shift_range, height_shift_range : float in [0, 1), default=0.05
        Largest shift as a fraction of the width or height, either way.
    shear_range : float in [0, 60], default=5
        Largest shear angle in degrees, either way.
    zoom_range : float in [0, 1), default=0.2
        Things are drawn between ``1 - zoom_range`` and ``1 + zoom_range`` times their
        size, the same in both directions.
    horizontal_flip, vertical_flip : bool, default=True
        Whether half of the images are mirrored left to right, top to bottom.
    fill_mode : {"reflect", "nearest", "wrap", "constant"}, default="reflect"
        How an image goes on beyond its edges: mirrored, with its last pixel repeated,
        with its other side, or with ``fill_value``.
    fill_value : int in [0, 255], default=0
        The grey beyond the edges, for ``fill_mode="constant"``.
    n_jobs : int, default=None
        Number of threads. None is one, -1 is all cores.
    random_state : int, RandomState instance or None, default=None
        Seeds the transforms and the shuffling of the result.

    Attributes
    ----------
    sampling_strategy_ : dict
        The number of images to draw per class.
    seed_ : int
        The seed of the transforms, drawn from ``random_state``.
    source_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The input row that an output row was carried over from, -1 for new images.
    parent_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The same, and for new images the row that was transformed.
    replicates_ : ndarray of shape (n_samples_new,), dtype=int
        The number of the replicate, from 1; 0 for input rows.

    Raises
    ------
    SamplingError
        If X is not uint8 of shape (n_samples, height, width, 3).

    See Also
    --------
    ImageSampler : Any imbalanced-learn sampler on images.

    Notes
    -----
    The defaults, and where they differ from the usual ones. Zoom of 0.2 and horizontal
    flips are those of a published pipeline for glomeruli. A patch of a glomerulus has
    neither up nor down, so vertical flips and all rotations are allowed. Shifts and
    shear are small, for the patches are centred on their glomerulus, and the shape of
    the tuft tells the classes apart; for the same reason zoom keeps the proportions.

    Only the minority is transformed, so whatever a transform leaves behind marks the
    minority class, and can be learned in place of the glomerulus. Black corners
    (``fill_mode="constant"``) and smeared edges ("nearest") are such marks; mirrored
    tissue looks like tissue. Resampling leaves a fainter one: an enlarged image is
    softer than the scanner's. Bilinear sampling blurs more, and is not used. Flips
    alone leave no mark: set all ranges to 0 to have them alone.

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
    >>> new = int(np.flatnonzero(sampler.replicates_)[0])
    >>> again = sampler.augment_image(X[sampler.parent_indices_[new]], replicate=1)
    >>> bool(np.array_equal(X_resampled[new], again))
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseOverSampler._parameter_constraints,
        "rotation_range": [Interval(Real, 0, 180, closed="both")],
        "width_shift_range": [Interval(Real, 0, 1, closed="left")],
        "height_shift_range": [Interval(Real, 0, 1, closed="left")],
        "shear_range": [Interval(Real, 0, 60, closed="both")],
        "zoom_range": [Interval(Real, 0, 1, closed="left")],
        "horizontal_flip": ["boolean"],
        "vertical_flip": ["boolean"],
        "fill_mode": [StrOptions(set(FILL_MODES))],
        "fill_value": [Interval(Integral, 0, 255, closed="both")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        sampling_strategy="auto",
        *,
        rotation_range=180,
        width_shift_range=0.05,
        height_shift_range=0.05,
        shear_range=5,
        zoom_range=0.2,
        horizontal_flip=True,
        vertical_flip=True,
        fill_mode="reflect",
        fill_value=0,
        n_jobs=None,
        random_state=None,
    ):
        super().__init__(sampling_strategy=sampling_strategy)
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.shear_range = shear_range
        self.zoom_range = zoom_range
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.n_jobs = n_jobs
        self.random_state = random_state

    def augment_image(self, image, replicate=1):
        """Make one replicate of one image, as `fit_resample` would.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), dtype=uint8
            RGB in [0, 255].
        replicate : int, default=1
            The number of the replicate, from 1.

        Returns
        -------
        ndarray of shape (height, width, 3), dtype=uint8
            The transformed image. Before `fit_resample` it is the one that an integer
            ``random_state`` leads to, and with None another one each time.
        """
        self._validate_params()
        check_scalar(replicate, "replicate", Integral, min_val=1)
        image = np.asarray(image)
        _refuse_what_is_no_image(image[np.newaxis])
        if hasattr(self, "seed_"):
            seed = self.seed_
        else:
            seed = _draw_seed(check_random_state(self.random_state))
        return self._transform(image, _content_digest(image), replicate, seed)

    _mixes_rows = False

    def _check_X_y(self, X, y):
        X, y, binarize_y = super()._check_X_y(X, y)
        _refuse_what_is_no_image(X)
        return X, y, binarize_y

    def _fit_resample(self, X, y):
        rng = check_random_state(self.random_state)
        self.seed_ = _draw_seed(rng)
        parents, replicates, synthetic = self._draw(X, y)
        source = np.where(replicates > 0, -1, parents)
        order = rng.permutation(len(parents))
        self.source_indices_ = source[order]
        self.parent_indices_ = parents[order]
        self.replicates_ = replicates[order]
        return assemble(X, source, synthetic, order), y[self.parent_indices_]

    def _draw(self, X, y):
        """Choose what to transform, and start on it."""
        parents, replicates, tasks = list(range(len(X))), [0] * len(X), []
        for label, n_new in self.sampling_strategy_.items():
            rows = np.flatnonzero(y == label)
            digests = [_content_digest(X[row]) for row in rows] if n_new else []
            for i, replicate in draw_evenly(digests, n_new, self.seed_):
                parents.append(rows[i])
                replicates.append(replicate)
                tasks.append((rows[i], digests[i], replicate))
        # Threads even where joblib is set to send work to processes or over a network:
        # the images are here.
        threads = threads_for(self.n_jobs)
        run = Parallel(threads, require="sharedmem", return_as="generator")
        transform = delayed(self._transform)
        synthetic = run(transform(X[i], *draw, self.seed_) for i, *draw in tasks)
        return np.array(parents), np.array(replicates), synthetic

    def _transform(self, image, digest, replicate, seed):
        content = np.frombuffer(digest, dtype="<u4").tolist()
        rng = np.random.default_rng((seed, replicate, *content))
        # Always the same draws, so that changing one range leaves the others alone.
        angle, shear, zoom, *shift = rng.uniform(-1, 1, size=5)
        flip_x, flip_y = rng.random(2) < 0.5
        height, width = image.shape[:2]
        reach = [self.width_shift_range * width, self.height_shift_range * height]
        return move(
            image,
            rotation=self.rotation_range * angle,
            shear=self.shear_range * shear,
            zoom=1 + self.zoom_range * zoom,
            flip_x=self.horizontal_flip and flip_x,
            flip_y=self.vertical_flip and flip_y,
            shift=np.multiply(reach, shift),
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = False
        tags.input_tags.dataframe = False
        return tags


def _draw_seed(rng: np.random.RandomState) -> int:
    return int(rng.randint(2**31 - 1))


def _content_digest(image: np.ndarray) -> bytes:
    """Stand for the content of an image in 16 bytes, its shape included."""
    shape = np.array(image.shape, dtype="<u4").tobytes()
    return blake2b(np.ascontiguousarray(image), digest_size=16, salt=shape).digest()


def _refuse_what_is_no_image(X: np.ndarray) -> None:
    if X.ndim == 4 and X.shape[-1] == 3 and X.dtype == np.uint8:
        return
    raise SamplingError(
        f"X has shape {X.shape} and dtype {X.dtype}; augmentation needs RGB images: "
        "shape (n_samples, height, width, 3), dtype uint8 in [0, 255]. Features cannot "
        "be augmented: sample in pixels, or take SMOTE."
    )


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
