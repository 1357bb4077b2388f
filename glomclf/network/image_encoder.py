"""What encoders of images have in common: each image is computed once, and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Options

from .._runtime import progress
from ..data.feature_stream import stream_features
from ..data.image_source import ImageSource
from ..data.store import FeatureStore
from ..errors import EngineError

__all__ = ["CACHE_CONSTRAINT", "ImageEncoder"]

CACHE_CONSTRAINT = [str, Path, Options(bool, {False}), None]


class ImageEncoder(TransformerMixin, BaseEstimator):
    """Base of encoders that read images a few at a time and learn nothing from them.

    A child has the parameters ``batch_size``, ``cache_dir`` and ``verbose``, and the
    method ``_made_by``.
    """

    batch_size: int
    cache_dir: Any
    verbose: Any

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.requires_fit = True
        return tags

    def _made_by(self) -> str:
        """Name all that decides a feature beside the image; for the children to say."""
        raise NotImplementedError

    def _encode(
        self, source: ImageSource, forward: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Return the features of all images, computed or found in the store."""
        with progress("features", len(source), enabled=self.verbose > 0) as advance:
            return stream_features(
                source,
                lambda images: _finite(forward(images)),
                self._store(),
                batch_size=self.batch_size,
                advance=advance,
            )

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
            "other weights, the normalization they were trained with, and "
            "precision='float32'."
        )
    return features
