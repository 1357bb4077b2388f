"""SamplerChain: several samplers in a row, and what a sampler is."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, ClassVar

import numpy as np
from imblearn.base import BaseSampler, is_sampler
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags

from ..errors import SamplingError
from .adapter import ImageSampler, seeded
from .arrays import ArraySamplerMixin


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
    parent_indices_ : ndarray of shape (n_samples_new,), dtype=int
        The same, and for rows that were made by transforming another that row.
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

    @property
    def _mixes_rows(self) -> bool:
        return any(lifted(sampler)._mixes_rows for sampler in self.samplers)

    def _check_X_y(self, X, y):
        faults = sampler_faults(self.samplers)
        if faults:
            raise SamplingError(
                f"{'; '.join(faults)}; expected a list of samplers, such as [SMOTE()]. "
                "`make_sampler` makes samplers from names."
            )
        return super()._check_X_y(X, y)

    def _fit_resample(self, X, y, **params):
        rng = check_random_state(self.random_state)
        self.samplers_ = [seeded(lifted(sampler), rng) for sampler in self.samplers]
        source = parent = np.arange(len(X))
        for sampler in self.samplers_:
            X, y = sampler.fit_resample(X, y, **params)
            step = sampler.source_indices_
            source = np.where(step < 0, -1, source[step])
            step = getattr(sampler, "parent_indices_", step)
            parent = np.where(step < 0, -1, parent[step])
        self.source_indices_, self.parent_indices_ = source, parent
        self.sampling_strategy_ = [step.sampling_strategy_ for step in self.samplers_]
        return X, y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if not sampler_faults(self.samplers):
            steps = [get_tags(sampler).input_tags for sampler in self.samplers]
            tags.input_tags.two_d_array = all(step.two_d_array for step in steps)
        return tags


def lifted(sampler: Any) -> Any:
    """Clone a sampler, and lift it to images where it is not one of this package.

    Parameters
    ----------
    sampler : sampler
        Of imbalanced-learn, or of this package.

    Returns
    -------
    sampler
        One that takes images.
    """
    if isinstance(sampler, ArraySamplerMixin):
        return clone(sampler)
    return ImageSampler(clone(sampler))


def sampler_faults(parts: Sequence, names: Sequence[str] = ()) -> list[str]:
    """Say of each part that is neither a sampler nor one of the names what it is.

    Parameters
    ----------
    parts : sequence
        What is to be a list of samplers, or of names.
    names : sequence of str, default=()
        The names that stand for samplers.

    Returns
    -------
    list of str
        A sentence for each part that is wrong.
    """
    if not parts:
        return ["The list is empty"]
    return [fault for part in parts if (fault := _fault(part, names))]


def _fault(part: Any, names: Sequence[str]) -> str:
    if isinstance(part, str):
        if part in names:
            return ""
        close = get_close_matches(part.lower(), names, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        return f"{part!r} is not the name of a sampler{hint}"
    can_sample = not isinstance(part, type) and hasattr(part, "fit_resample")
    if can_sample and is_sampler(part):
        return ""
    return f"{part!r} is not an instance of a sampler"
