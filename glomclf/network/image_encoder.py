"""What encoders of images have in common: each image is computed once, and kept."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, Options
from sklearn.utils.validation import check_is_fitted

from .._runtime import progress
from ..data.feature_stream import stream_features
from ..data.image_source import as_image_source
from ..data.store import FeatureStore
from ..errors import EngineError


class ImageEncoder(TransformerMixin, BaseEstimator):
    """Base of encoders that read images a few at a time and learn nothing from them.

    A child has the parameters ``batch_size``, ``cache_dir`` and ``verbose``, and the
    methods ``_look``, ``_forward`` and ``_made_by``.
    """

    batch_size: int
    cache_dir: Any
    verbose: Any
    _smallest_side = 1
    _parameter_constraints: dict[str, list] = {  # noqa: RUF012
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "cache_dir": [str, Path, Options(bool, {False}), None],
        "verbose": ["verbose"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.requires_fit = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Look for the network; nothing is learned from the images.

        Parameters
        ----------
        X : ndarray or LazyImages of shape (n_samples, height, width, 3), uint8
            In [0, 255].
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        EngineError
            If what runs it is not installed.
        WeightsError
            If its weights cannot be had or used.
        """
        as_image_source(X, smallest_side=self._smallest_side)
        self._look()
        return self

    def transform(self, X):
        """Run the images through the network.

        Parameters
        ----------
        X : ndarray or LazyImages of shape (n_samples, height, width, 3), uint8
            In [0, 255]. What ``ImageLoader(lazy=True)`` gives is read a few images at a
            time, while the network runs.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            Features (n_samples, n_features) or feature maps (n_samples, h, w,
            channels), float32; the images themselves where no layer is frozen.
            Memory-mapped where large.

        Raises
        ------
        EngineError
            If the network cannot be run on this machine, or gives something else than
            features.
        """
        check_is_fitted(self)
        source = as_image_source(X, smallest_side=self._smallest_side)
        forward = self._forward()
        if forward is None:
            return np.asarray(source)
        with progress("features", len(source), enabled=self.verbose > 0) as advance:
            return stream_features(
                source,
                lambda images: _finite(forward(images)),
                self._store(),
                batch_size=self.batch_size,
                advance=advance,
            )

    def _look(self) -> None:
        """Learn all but the features; for the children to do."""
        raise NotImplementedError

    def _forward(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Return what compiles and runs the network; None where images pass as are."""
        raise NotImplementedError

    def _made_by(self) -> str:
        """Name all that decides a feature beside the image; for the children to say."""
        raise NotImplementedError

    def _store(self) -> FeatureStore | None:
        if self.cache_dir is False:
            return None
        return FeatureStore(self.cache_dir, self._made_by())


def _finite(features: np.ndarray) -> np.ndarray:
    """Refuse features that are no numbers before anyone keeps them.

    Raises
    ------
    EngineError
        If one is not finite.
    """
    n_lost = sum(not np.isfinite(row).all() for row in features)
    if n_lost:
        raise EngineError(
            f"The features of {n_lost} of {len(features)} images are not finite. Use "
            "other weights, the normalization they were trained with, and float32."
        )
    return features
