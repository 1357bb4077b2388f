"""ImageSampler: any imbalanced-learn sampler on images and feature maps."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from imblearn.base import BaseSampler, is_sampler
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods

from ..errors import SamplingError
from .arrays import ArraySamplerMixin, assemble
from .neighbors import RowNeighbors


class ImageSampler(ArraySamplerMixin, BaseSampler):
    """Lift an imbalanced-learn sampler to images and feature maps.

    Imbalanced-learn's samplers take tables, and compute in the dtype they are given:
    on uint8 images SMOTE wraps modulo 256. Here synthetic rows are computed in
    floats, and rounded and clipped to the dtype's range where it is an integer.
    Rows that the sampler carries over are the input's, bit for bit. The result is
    shuffled, for samplers append the synthetic rows, and whoever cuts the tail off
    would cut off nothing else.

    Parameters
    ----------
    sampler : imbalanced-learn sampler
        The sampler to lift, such as ``SMOTE()``. It is cloned.
    random_state : int, RandomState instance or None, default=None
        Seeds the shuffling, and the sampler where its own ``random_state`` is None.

    Attributes
    ----------
    sampler_ : imbalanced-learn sampler
        The clone that was run, seeds included. It is not itself fitted, for fitted
        samplers hold on to the images.
    sampling_strategy_ : dict
        As in the sampler: the number of rows to draw (over-sampling) or to keep
        (under-sampling) per class.
    source_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The input row that an output row was carried over from, -1 for synthetic ones.
    sample_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The sampler's own ``sample_indices_`` in the shuffled order, where it has them.
    n_features_in_ : int
        Number of features, for input of two dimensions.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, for a DataFrame whose column names are strings.

    Raises
    ------
    SamplingError
        If the sampler cannot resample the rows: most often there are fewer images of
        the minority class than it needs neighbours.

    See Also
    --------
    AugmentationOverSampler : Over-sample by transforming images.
    make_sampler : Samplers by name.

    Notes
    -----
    Memory beyond input and output, for images:

    - samplers that select rows at random (`RandomUnderSampler`, `RandomOverSampler`)
      are run on row numbers: nothing;
    - `SMOTE`, `BorderlineSMOTE` and `ADASYN` with a number of neighbours are run on
      the identity matrix, whose rows stand for the images, and return with which
      weights images are to be mixed: some blocks of columns, and one image. The draws
      are those of the sampler on the flattened images;
    - any other sampler needs a copy of the images in floats, four times the size of
      uint8, and what it makes of it.

    SMOTE is by Chawla et al. [1]_.

    References
    ----------
    .. [1] N. V. Chawla, K. W. Bowyer, L. O. Hall, W. P. Kegelmeyer, "SMOTE: synthetic
       minority over-sampling technique", Journal of Artificial Intelligence Research
       16, 321-357, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from imblearn.over_sampling import SMOTE
    >>> from glomclf.samplers import ImageSampler
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 256, (30, 8, 8, 3), dtype="uint8")
    >>> y = np.repeat([0, 1], [20, 10])
    >>> sampler = ImageSampler(SMOTE(), random_state=0)
    >>> X_resampled, y_resampled = sampler.fit_resample(X, y)
    >>> X_resampled.shape, X_resampled.dtype, np.bincount(y_resampled)
    ((40, 8, 8, 3), dtype('uint8'), array([20, 20]))
    >>> int(np.sum(sampler.source_indices_ == -1))
    10
    """

    _parameter_constraints: ClassVar[dict] = {
        "sampler": [HasMethods("fit_resample")],
        "random_state": ["random_state"],
    }

    def __init__(self, sampler, random_state=None):
        self.sampler = sampler
        self.random_state = random_state

    @property
    def sampling_strategy(self) -> Any:
        """What the sampler is asked to draw; set it on the sampler."""
        return getattr(self.sampler, "sampling_strategy", "auto")

    @property
    def _sampling_type(self) -> str:
        return getattr(self.sampler, "_sampling_type", "bypass")

    @property
    def _mixes_rows(self) -> bool:
        return not _selects(self.sampler)

    def _check_X_y(self, X, y):
        if isinstance(self.sampler, type) or not is_sampler(self.sampler):
            raise SamplingError(
                f"sampler is {self.sampler!r}; expected an instance of an "
                "imbalanced-learn sampler, such as SMOTE()."
            )
        if isinstance(self.sampler, ArraySamplerMixin):
            raise SamplingError(
                f"{self.sampler!r} takes images as it is: use it without ImageSampler."
            )
        return super()._check_X_y(X, y)

    def _fit_resample(self, X, y, **params):
        rng = check_random_state(self.random_state)
        self.sampler_ = seeded(self.sampler, rng)
        inner = clone(self.sampler_)
        drawn = _draw(inner, X, y, params)
        order = rng.permutation(len(drawn.y))
        self.source_indices_ = drawn.source[order]
        self.__dict__.pop("sample_indices_", None)
        if _has_sample_indices(inner):
            self.sample_indices_ = inner.sample_indices_[order]
        X_resampled = assemble(X, drawn.source, drawn.synthetic, order)
        return X_resampled, drawn.y[order]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if is_sampler(self.sampler) and not isinstance(self.sampler, type):
            tags.sampler_tags.sample_indices = _has_sample_indices(self.sampler)
        return tags


class _Drawn(NamedTuple):
    """What a sampler made, before any image is moved."""

    source: np.ndarray  # row of X, or -1 for a synthetic row
    y: np.ndarray
    synthetic: Iterable[np.ndarray]  # in the order of the -1s


def seeded(sampler: Any, rng: np.random.RandomState) -> Any:
    """Clone a sampler and set each of its random states that is None.

    Parameters
    ----------
    sampler : sampler
        Any estimator with `get_params`.
    rng : RandomState instance
        The seeds are drawn from it.

    Returns
    -------
    sampler
        The clone.
    """
    params = sampler.get_params(deep=True)
    names = [name for name in sorted(params) if name.split("__")[-1] == "random_state"]
    seeds = {name: rng.randint(2**31 - 1) for name in names if params[name] is None}
    return clone(sampler).set_params(**seeds)


def _draw(sampler: Any, X: np.ndarray, y: np.ndarray, params: dict) -> _Drawn:
    """Run the sampler in the way that holds least."""
    if _selects(sampler):
        return _select(sampler, X, y, params)
    if X.ndim > 2 and _mixes(sampler):
        return _mix(sampler, X, y, params)
    return _resample_floats(sampler, X, y, params)


def _selects(sampler: Any) -> bool:
    """Tell whether the sampler returns input rows, and says which."""
    perturbs = getattr(sampler, "shrinkage", None) is not None
    return _has_sample_indices(sampler) and not perturbs


def _has_sample_indices(sampler: Any) -> bool:
    tags = getattr(get_tags(sampler), "sampler_tags", None)
    return getattr(tags, "sample_indices", False)


def _mixes(sampler: Any) -> bool:
    """Tell whether the sampler's result is a mixture of neighbours, and no more.

    Subclasses may do anything else; a neighbours object may have another metric; and
    the second kind of borderline-SMOTE does not work on sparse rows.
    """
    if type(sampler) not in (SMOTE, BorderlineSMOTE, ADASYN):
        return False
    counts = all(isinstance(k, Integral) for k in _neighbor_counts(sampler).values())
    return counts and getattr(sampler, "kind", None) != "borderline-2"


def _neighbor_counts(sampler: Any) -> dict[str, Any]:
    """Return the sampler's parameters that say how many neighbours it looks for."""
    params = sampler.get_params(deep=False)
    return {name: k for name, k in params.items() if name.endswith("neighbors")}


def _select(sampler: Any, X: np.ndarray, y: np.ndarray, params: dict) -> _Drawn:
    blind = type(sampler) in (RandomUnderSampler, RandomOverSampler)
    features = np.arange(len(X))[:, np.newaxis] if blind else _as_floats(X)
    with _explained(sampler, y):
        _, y_new = sampler.fit_resample(features, y, **params)
    return _Drawn(sampler.sample_indices_, y_new, ())


def _mix(sampler: Any, X: np.ndarray, y: np.ndarray, params: dict) -> _Drawn:
    images = X.reshape(len(X), -1)
    neighbors = {
        name: RowNeighbors(images, k + 1)  # a row is its own first neighbour
        for name, k in _neighbor_counts(sampler).items()
    }
    stand_ins = sparse.eye_array(len(X), format="csr")
    with _explained(sampler, y):
        mixing = clone(sampler).set_params(**neighbors)
        weights, y_new = mixing.fit_resample(stand_ins, y, **params)
    source = np.full(len(y_new), -1)
    source[: len(X)] = np.arange(len(X))
    return _Drawn(source, y_new, mixtures(images, weights.tocsr()[len(X) :]))


def mixtures(images: np.ndarray, weights: sparse.csr_array) -> Iterator[np.ndarray]:
    """Mix images, one mixture at a time.

    Parameters
    ----------
    images : ndarray of shape (n_samples, n_pixels)
        The images, flattened.
    weights : csr array of shape (n_mixtures, n_samples)
        The weight of each image in each mixture.

    Yields
    ------
    ndarray of shape (n_pixels,)
        The mixture: in float32 for uint8, float16 and float32, else in float64.
    """
    dtype = np.result_type(images.dtype, np.float32)
    for start, stop in zip(weights.indptr[:-1], weights.indptr[1:], strict=True):
        parents = images[weights.indices[start:stop]].astype(dtype)
        yield weights.data[start:stop].astype(dtype) @ parents


def _resample_floats(
    sampler: Any, X: np.ndarray, y: np.ndarray, params: dict
) -> _Drawn:
    floats = _as_floats(X)
    with _explained(sampler, y):
        X_new, y_new = sampler.fit_resample(floats, y, **params)
    if X_new.shape[1:] != floats.shape[1:]:
        raise SamplingError(
            f"{sampler!r} returned rows of shape {X_new.shape[1:]} where it was given "
            f"{floats.shape[1:]}; expected a sampler that keeps the columns."
        )
    source = _match_rows(floats, y, X_new, y_new)
    return _Drawn(source, y_new, (X_new[i] for i in np.flatnonzero(source < 0)))


def _as_floats(X: np.ndarray) -> np.ndarray:
    """Flatten rows, and convert them unless they are floats that samplers keep."""
    dtype = np.result_type(X.dtype, np.float32)
    return X.reshape(len(X), -1).astype(dtype, copy=False)


def _match_rows(
    X: np.ndarray, y: np.ndarray, X_new: np.ndarray, y_new: np.ndarray
) -> np.ndarray:
    """Find for each new row the equal input row of its class, or -1.

    Equal rows are matched in their order. Samplers may have widened the dtype.
    """
    known: defaultdict[tuple, deque[int]] = defaultdict(deque)
    for i, key in enumerate(_row_keys(X, y, X.dtype)):
        known[key].append(i)
    source = np.full(len(y_new), -1)
    for i, key in enumerate(_row_keys(X_new, y_new, X.dtype)):
        if key in known:
            source[i] = known[key][0]
            known[key].rotate(-1)
    return source


def _row_keys(X: np.ndarray, y: np.ndarray, dtype: np.dtype) -> Iterator[tuple]:
    for row, label in zip(X, y.tolist(), strict=True):
        content = np.ascontiguousarray(row, dtype)
        yield blake2b(content, digest_size=16).digest(), label


@contextmanager
def _explained(sampler: Any, y: np.ndarray) -> Iterator[None]:
    """Say what a sampler raises in terms of images and remedies."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        counts = ", ".join(
            f"{n} of class {c}" for c, n in sorted(Counter(y.tolist()).items())
        )
        names = " or ".join(_neighbor_counts(sampler))
        remedy = (
            ". Where images of the smallest class are too few: give more, lower "
            f"{names} or take a sampler without neighbours: 'augment', 'oversample' or "
            "'undersample'."
        )
        raise SamplingError(
            f"{type(sampler).__name__} cannot resample these rows ({counts}): {error}"
            f"{remedy if names else ''}"
        ) from error
