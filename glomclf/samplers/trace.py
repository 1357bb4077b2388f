"""What each step of a sampler did: class counts, and new images with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from .chain import SamplerChain


@dataclass(frozen=True)
class ResamplingStep:
    """One sampler's input and output.

    Parameters
    ----------
    name : str
        Class of the sampler.
    counts_before, counts_after : dict of object to int
        Rows of each class.
    sources, synthetic : ndarray of shape (n_examples, height, width, 3), uint8
        Some new images, and of each the image it was made from: the one that was
        transformed, or the nearest of its class in the sampler's input, where the
        sampler mixes several. Empty where the sampler makes no images.
    """

    name: str
    counts_before: dict[Any, int]
    counts_after: dict[Any, int]
    sources: NDArray[np.uint8]
    synthetic: NDArray[np.uint8]


def trace_resampling(
    sampler: Any, X: ArrayLike, y: ArrayLike, *, n_examples: int = 8
) -> list[ResamplingStep]:
    """Run a fitted sampler's steps once more, one by one, and note what each did.

    Parameters
    ----------
    sampler : sampler
        Of `glomclf.samplers`, fitted. Where its ``random_state`` is an int, as in a
        `GlomeruliClassifier`, the same rows come about.
    X : array-like of shape (n_samples, ...)
        The training rows it was fitted on: images, or features.
    y : array-like of shape (n_samples,)
        Their labels.
    n_examples : int, default=8
        The most new images to keep of a step.

    Returns
    -------
    steps : list of ResamplingStep

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.samplers.trace import trace_resampling
    >>> from glomclf.samplers import make_sampler
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 256, (26, 8, 8, 3), dtype="uint8")
    >>> y = np.repeat([0, 1], [20, 6])
    >>> sampler = make_sampler("smote+augment", random_state=0)
    >>> _ = sampler.fit_resample(X, y)
    >>> for step in trace_resampling(sampler, X, y):
    ...     print(step.name, step.counts_before, step.counts_after)
    SMOTE {0: 20, 1: 6} {0: 20, 1: 10}
    AugmentationOverSampler {0: 20, 1: 10} {0: 20, 1: 20}
    """
    rows, labels = np.asarray(X), np.asarray(y)
    steps = sampler.samplers_ if isinstance(sampler, SamplerChain) else [sampler]
    trace = []
    for step in steps:
        again = clone(step)
        X_new, y_new = again.fit_resample(rows, labels)
        n_shown = n_examples if rows.ndim == 4 else 0
        # The samplers shuffle, so the first are as good as any.
        shown = np.flatnonzero(again.source_indices_ < 0)[:n_shown]
        trace.append(
            ResamplingStep(
                name=type(getattr(again, "sampler", again)).__name__,
                counts_before=_count(labels),
                counts_after=_count(y_new),
                sources=rows[_parents(again, rows, labels, X_new, y_new, shown)],
                synthetic=X_new[shown],
            )
        )
        rows, labels = X_new, y_new
    return trace


def _count(y: np.ndarray) -> dict[Any, int]:
    labels, counts = np.unique(y, return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def _parents(
    sampler: Any, X: NDArray, y: NDArray, X_new: NDArray, y_new: NDArray, shown: NDArray
) -> NDArray[np.intp]:
    """Find the row of X that each shown row of X_new was made from, or the nearest."""
    if hasattr(sampler, "parent_indices_"):
        return sampler.parent_indices_[shown]
    parents = []
    for image, label in zip(X_new[shown].astype(np.float32), y_new[shown], strict=True):
        rows = np.flatnonzero(y == label)
        # One image at a time, to bound memory.
        distances = [np.square(X[row] - image).sum() for row in rows]
        parents.append(rows[np.argmin(distances)])
    return np.array(parents, dtype=np.intp)
