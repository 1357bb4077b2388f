"""The samplers by name: to add a name, add a line to ``SAMPLERS``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from sklearn.utils import get_tags

from ..errors import SamplingError
from .augmentation import AugmentationOverSampler
from .chain import SamplerChain, lifted, sampler_faults

_KEPT_MAJORITY = 1200


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
    >>> from glomclf.samplers.named import half_the_majority
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
    >>> from glomclf.samplers.named import near_the_minority
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


def _count(y: np.ndarray) -> dict:
    return dict(sorted(Counter(np.asarray(y).tolist()).items()))


# What a name stands for, and its sampling_strategy where another sampler follows.
SAMPLERS: dict[str, tuple[type, Callable[[np.ndarray], dict]]] = {
    "augment": (AugmentationOverSampler, half_the_majority),
    "oversample": (RandomOverSampler, half_the_majority),
    "smote": (SMOTE, half_the_majority),
    "undersample": (RandomUnderSampler, near_the_minority),
}

SAMPLER_NAMES = tuple(SAMPLERS)
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
    faults = sampler_faults(parts, SAMPLER_NAMES)
    if faults:
        raise SamplingError(
            f"Cannot make a sampler from {spec!r}. {'; '.join(faults)}. Give None, one "
            f"of the names {', '.join(SAMPLER_NAMES)}, names joined with '+' to run in "
            "order, an imbalanced-learn sampler such as SMOTE(), or a list of these."
        )
    *before, last = parts
    samplers = [*(_by_name(part) for part in before), _by_name(last, last=True)]
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


def mixes_rows(spec: Any) -> bool:
    """Tell whether a sampler makes rows that are not of one row each.

    Parameters
    ----------
    spec : None, str, sampler, or list of str and samplers
        As for `make_sampler`.

    Returns
    -------
    bool
        False for those that select rows, and for augmentation.

    Examples
    --------
    >>> from glomclf.samplers.named import mixes_rows
    >>> mixes_rows("smote+augment"), mixes_rows("undersample+augment")
    (True, False)
    """
    return spec is not None and make_sampler(spec)._mixes_rows


def _parts(spec: Any) -> list:
    """Flatten names, chains of names and lists into one list."""
    if isinstance(spec, str):
        return [name.strip() for name in spec.split("+")]
    if isinstance(spec, list | tuple):
        return [part for item in spec for part in _parts(item)]
    return [spec]


def _by_name(part: Any, *, last: bool = False) -> Any:
    """Return the sampler of images that a name or another sampler stands for."""
    if isinstance(part, str):
        kind, strategy = SAMPLERS[part]
        part = kind(sampling_strategy="auto" if last else strategy)
    return lifted(part)
