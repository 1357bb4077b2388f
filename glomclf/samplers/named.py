"""Samplers by name, and several of them in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar

import numpy as np
from imblearn.base import BaseSampler, is_sampler
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags

from ..errors import SamplingError
from .adapter import ImageSampler, seeded
from .arrays import ArraySamplerMixin
from .augmentation import AugmentationOverSampler

_KEPT_MAJORITY = 1200


class SamplerChain(ArraySamplerMixin, BaseSampler):
    """Run samplers one after the other.

    Parameters
    ----------
    samplers : list of samplers
        Imbalanced-learn samplers, which are lifted by :class:`ImageSampler`, and
        samplers of this package, in the order in which they run. They are cloned.
    random_state : int, RandomState instance or None, default=None
        Seeds those samplers whose own ``random_state`` is None.

    Attributes
    ----------
    samplers_ : list of samplers
        The samplers as they were run.
    sampling_strategy_ : list of dict
        That of each sampler.
    source_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The input row that an output row was carried over from, through all
        samplers; -1 for synthetic rows.
    n_features_in_ : int
        Number of features, for input of two dimensions.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, for a DataFrame whose column names are strings.

    Raises
    ------
    SamplingError
        If there is no sampler, or one of them cannot resample the rows.

    See Also
    --------
    make_sampler : Chains by name.

    Examples
    --------
    >>> import numpy as np
    >>> from imblearn.over_sampling import SMOTE
    >>> from imblearn.under_sampling import RandomUnderSampler
    >>> from glomclf.samplers import SamplerChain
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 256, (50, 8, 8, 3), dtype="uint8")
    >>> y = np.repeat([0, 1], [40, 10])
    >>> chain = SamplerChain([SMOTE(sampling_strategy=0.5), RandomUnderSampler()], 0)
    >>> X_resampled, y_resampled = chain.fit_resample(X, y)
    >>> np.bincount(y_resampled)
    array([20, 20])
    """

    _parameter_constraints: ClassVar[dict] = {
        "samplers": [list, tuple],
        "random_state": ["random_state"],
    }
    _sampling_type = "bypass"
    sampling_strategy = "auto"  # each sampler has its own

    def __init__(self, samplers, random_state=None):
        self.samplers = samplers
        self.random_state = random_state

    def _check_X_y(self, X, y):
        faults = _faults(self.samplers)
        if faults:
            raise SamplingError(
                f"{'; '.join(faults)}; expected a list of samplers, such as [SMOTE()]. "
                "`make_sampler` makes samplers from names."
            )
        return super()._check_X_y(X, y)

    def _fit_resample(self, X, y, **params):
        rng = check_random_state(self.random_state)
        self.samplers_ = [seeded(_lifted(sampler), rng) for sampler in self.samplers]
        source = np.arange(len(X))
        for sampler in self.samplers_:
            X, y = sampler.fit_resample(X, y, **params)
            step = sampler.source_indices_
            source = np.where(step < 0, -1, source[step])
        self.source_indices_ = source
        self.sampling_strategy_ = [step.sampling_strategy_ for step in self.samplers_]
        return X, y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if not _faults(self.samplers):
            steps = [get_tags(sampler).input_tags for sampler in self.samplers]
            tags.input_tags.two_d_array = all(step.two_d_array for step in steps)
        return tags


def half_the_majority(y: np.ndarray) -> dict:
    """Raise each smaller class to half of the largest, where it is not there yet.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The classes.

    Returns
    -------
    dict
        The number of rows to have of each class: a ``sampling_strategy`` for
        over-samplers.

    Examples
    --------
    >>> import numpy as np
    >>> half_the_majority(np.repeat([0, 1], [4704, 1054]))
    {0: 4704, 1: 2352}
    """
    counts = _count(y)
    half = max(counts.values()) // 2
    return {label: max(n, half) for label, n in counts.items()}


def near_the_minority(y: np.ndarray) -> dict:
    """Cut each larger class to 1200 rows, or to 4/3 of the smallest class.

    The latter where the largest class has fewer than 1200 rows, or the smallest has
    more.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The classes.

    Returns
    -------
    dict
        The number of rows to keep of each class: a ``sampling_strategy`` for
        under-samplers.

    Examples
    --------
    >>> import numpy as np
    >>> near_the_minority(np.repeat([0, 1], [3999, 896]))
    {0: 1200, 1: 896}
    >>> near_the_minority(np.repeat([0, 1], [566, 151]))
    {0: 201, 1: 151}
    """
    counts = _count(y)
    smallest, largest = min(counts.values()), max(counts.values())
    fits = smallest <= _KEPT_MAJORITY <= largest
    kept = _KEPT_MAJORITY if fits else smallest * 4 // 3
    return {label: min(n, kept) for label, n in counts.items()}


_NAMED: dict[str, tuple[type, Callable]] = {  # and how far one goes before another
    "augment": (AugmentationOverSampler, half_the_majority),
    "oversample": (RandomOverSampler, half_the_majority),
    "smote": (SMOTE, half_the_majority),
    "undersample": (RandomUnderSampler, near_the_minority),
}

SAMPLER_NAMES = tuple(_NAMED)
"""The names that `make_sampler` knows, to be used alone or joined with ``+``."""


def make_sampler(
    spec: Any, *, random_state: Any = None, n_jobs: int | None = None
) -> Any:
    """Make a sampler of images from a name, a sampler, or a list of them.

    Parameters
    ----------
    spec : None, str, sampler, or list of str and samplers
        - None: no resampling;
        - ``"smote"``, ``"augment"``, ``"oversample"`` (duplicates) or
          ``"undersample"``: until the classes are equal, as imbalanced-learn's
          ``sampling_strategy="auto"``;
        - names joined with ``+``, or a list: run in order. A name goes only part of
          the way where it is not the last: over-samplers raise the minority to half of
          the majority, and draw nothing where it is that large already;
          ``"undersample"`` cuts the majority to 1200 rows, or to 4/3 of the minority
          where the majority has fewer than 1200 (or the minority more). So
          ``"smote+augment"`` is SMOTE to half the majority, then augmentation to
          equality;
        - an imbalanced-learn sampler, which is lifted by :class:`ImageSampler`, or a
          sampler of this package. They are cloned.
    random_state : int, RandomState instance or None, default=None
        Seeds what has no seed of its own.
    n_jobs : int or None, default=None
        Threads of an augmentation that names no number of its own.

    Returns
    -------
    sampler or None
        An :class:`ImageSampler`, :class:`AugmentationOverSampler` or
        :class:`SamplerChain`; None for None.

    Raises
    ------
    SamplingError
        If a name is unknown, or something else is not a sampler. All such parts are
        named at once.

    Examples
    --------
    >>> from glomclf.samplers import make_sampler
    >>> make_sampler("undersample", random_state=0)
    ImageSampler(random_state=0, sampler=RandomUnderSampler())
    >>> make_sampler("smoot+augment")
    Traceback (most recent call last):
        ...
    glomclf.errors.SamplingError: Cannot make a sampler from 'smoot+augment'. ...
    """
    if spec is None:
        return None
    parts = _parts(spec)
    faults = _faults(parts, SAMPLER_NAMES)
    if faults:
        raise SamplingError(
            f"Cannot make a sampler from {spec!r}. {'; '.join(faults)}. Give None, one "
            f"of the names {', '.join(SAMPLER_NAMES)}, names joined with '+' to run in "
            "order, an imbalanced-learn sampler such as SMOTE(), or a list of these."
        )
    samplers = [
        *(_lifted(_by_name(part, last=False)) for part in parts[:-1]),
        _lifted(_by_name(parts[-1], last=True)),
    ]
    for sampler in samplers:
        if isinstance(sampler, AugmentationOverSampler) and sampler.n_jobs is None:
            sampler.set_params(n_jobs=n_jobs)
    if len(samplers) > 1:
        return SamplerChain(samplers, random_state=random_state)
    if samplers[0].random_state is None:
        samplers[0].set_params(random_state=random_state)
    return samplers[0]


def needs_images(spec: Any) -> bool:
    """Tell whether a sampler works on images only, not on features.

    Parameters
    ----------
    spec : None, str, sampler, or list of str and samplers
        As for `make_sampler`.

    Returns
    -------
    bool
        True if there is augmentation in it.

    Raises
    ------
    SamplingError
        As `make_sampler` does.

    Examples
    --------
    >>> from glomclf.samplers import needs_images
    >>> needs_images("smote"), needs_images("smote+augment")
    (False, True)
    """
    sampler = make_sampler(spec)
    return sampler is not None and not get_tags(sampler).input_tags.two_d_array


def _parts(spec: Any) -> list:
    """Flatten names, chains of names and lists into one list."""
    if isinstance(spec, str):
        return [name.strip() for name in spec.split("+")]
    if isinstance(spec, list | tuple):
        return [part for item in spec for part in _parts(item)]
    return [spec]


def _faults(parts: Sequence, names: Sequence[str] = ()) -> list[str]:
    """Say of each part that is neither a sampler nor one of the names what it is."""
    if not parts:
        return ["The list is empty"]
    return [
        _fault(part, names)
        for part in parts
        if not (_is_instance(part) or (isinstance(part, str) and part in names))
    ]


def _fault(part: Any, names: Sequence[str]) -> str:
    if not isinstance(part, str):
        return f"{part!r} is not an instance of a sampler"
    close = get_close_matches(part.lower(), names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{part!r} is not the name of a sampler{hint}"


def _is_instance(part: Any) -> bool:
    return (
        not isinstance(part, type)
        and hasattr(part, "fit_resample")
        and is_sampler(part)
    )


def _by_name(part: Any, *, last: bool) -> Any:
    if not isinstance(part, str):
        return part
    kind, part_of_the_way = _NAMED[part]
    return kind(sampling_strategy="auto" if last else part_of_the_way)


def _lifted(sampler: Any) -> Any:
    """Clone a sampler, and lift it to images where it is not one of this package."""
    if isinstance(sampler, ArraySamplerMixin):
        return clone(sampler)
    return ImageSampler(clone(sampler))


def _count(y: np.ndarray) -> dict:
    return dict(sorted(Counter(np.asarray(y).tolist()).items()))
