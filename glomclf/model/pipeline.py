"""The steps behind the front door: made from its settings, and run on several views."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from sklearn.base import clone

from ..data.dihedral import DihedralImages
from ..data.loader import ImageLoader
from ..data.stain import make_normalizer
from ..data.streaming import ArraySource
from ..network import PatchClassifier, PatchEncoder
from ..network.classifier import (
    BACKBONE_CONSTRAINTS,
    HEAD_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
)
from ..samplers import AugmentedViews, make_sampler

__all__ = ["make_net", "make_pipeline", "mean_over_views", "prepare_validation"]

_NET_PARAMETERS = (*BACKBONE_CONSTRAINTS, *HEAD_CONSTRAINTS, *TRAINING_CONSTRAINTS)


def make_pipeline(settings: Any, sampler_seed: int, net_seed: int) -> Pipeline:
    """Chain the steps: sample before the trunk, or after it.

    Parameters
    ----------
    settings : object
        The parameters of a `GlomeruliClassifier` as attributes, none of them "auto".
    sampler_seed, net_seed : int

    Returns
    -------
    imblearn.pipeline.Pipeline
        ``load``; ``stain``, ``sample``, ``views`` where asked for; ``trunk``, unless
        the net augments its training images itself; ``net``.
    """
    load, stain, views = _load(settings), _stain(settings), _views(settings, net_seed)
    sample, trunk = _sample(settings, sampler_seed), _trunk(settings)
    in_pixels = settings.sampling_space == "pixels"
    middle = [*sample, *views, *trunk] if in_pixels else [*views, *trunk, *sample]
    return Pipeline([*load, *stain, *middle, ("net", make_net(settings, net_seed))])


_Steps = list[tuple[str, Any]]


def _load(settings: Any) -> _Steps:
    loader = ImageLoader(
        settings.image_size,
        resize=settings.resize,
        n_jobs=settings.n_jobs,
        verbose=settings.verbose,
        cache_dir=settings.cache_dir,
        lazy=True,
    )
    return [("load", loader)]


def _stain(settings: Any) -> _Steps:
    normalizer = make_normalizer(settings.stain_normalizer, n_jobs=settings.n_jobs)
    return [] if normalizer is None else [("stain", clone(normalizer))]


def _sample(settings: Any, seed: int) -> _Steps:
    sampler = make_sampler(settings.sampler, random_state=seed, n_jobs=settings.n_jobs)
    return [] if sampler is None else [("sample", sampler)]


def _views(settings: Any, seed: int) -> _Steps:
    if not settings.augmented_views:
        return []
    views = AugmentedViews(
        settings.augmented_views, n_jobs=settings.n_jobs, random_state=seed
    )
    return [("views", views)]


def _trunk(settings: Any) -> _Steps:
    if settings.augmentation is not None:
        return []  # no epoch sees the same image twice: there is nothing to store
    trunk = PatchEncoder(
        settings.backbone,
        weights=settings.weights,
        trainable_layers=settings.trainable_layers,
        batch_size=settings.batch_size,
        engine=settings.engine,
        precision=settings.precision,
        cache_dir=settings.cache_dir,
        verbose=settings.verbose,
    )
    return [("trunk", trunk)]


def make_net(settings: Any, seed: int) -> PatchClassifier:
    """Make the last step."""
    same = {name: getattr(settings, name) for name in _NET_PARAMETERS}
    return PatchClassifier(**{**same, "random_state": seed})


def prepare_validation(pipeline: Pipeline, X_train: Any, X_val: Any) -> Any:
    """Bring validation rows to where the net begins; no sampler meets them.

    Parameters
    ----------
    pipeline : imblearn.pipeline.Pipeline
        As from `make_pipeline`, not fitted. Transformers that learn are fitted on
        ``X_train`` alone.
    X_train, X_val : DataFrame, array-like of paths, or ndarray

    Returns
    -------
    array-like
        What the net takes.
    """
    transformers = [
        step for name, step in pipeline.steps[:-1] if hasattr(step, "transform")
    ]
    learns = "stain" in pipeline.named_steps
    train = X_train if learns else None
    rows = X_val
    for step in transformers:
        step.fit(rows if train is None else train)
        if step is pipeline.named_steps.get("stain"):
            train = None  # nothing behind it learns from the images
        elif train is not None:
            train = step.transform(train)
        rows = step.transform(rows)
    return np.asarray(rows)


def mean_over_views(pipeline: Pipeline, X: Any, n_views: int) -> np.ndarray:
    """Give the mean probability over the first views of each image.

    Parameters
    ----------
    pipeline : imblearn.pipeline.Pipeline
        Fitted.
    X : DataFrame, array-like of paths, or ndarray
    n_views : int in [1, 8]
        Of the eight ways to turn and mirror a square; the first is the image itself.

    Returns
    -------
    ndarray of shape (n_samples, 2), float64
    """
    if n_views == 1:
        return pipeline.predict_proba(X)
    images, rest = pipeline[0].transform(X), pipeline[1:]
    source = ArraySource(images) if isinstance(images, np.ndarray) else images
    views = [
        rest.predict_proba(images if k == 0 else DihedralImages(source, k))
        for k in range(n_views)
    ]
    return np.mean(views, axis=0)
