"""ResNet50Trunk: the frozen layers of a backbone, as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import Options
from sklearn.utils.validation import check_is_fitted

from ..progress import progress
from .net import BACKBONE_CONSTRAINTS, HEAD_CONSTRAINTS
from .store import FeatureStore, content_keys

if TYPE_CHECKING:
    from .resnet50 import Backbone

__all__ = ["CACHE_CONSTRAINT", "ResNet50Trunk"]

CACHE_CONSTRAINT = [str, Path, Options(bool, {False}), None]


class ResNet50Trunk(TransformerMixin, BaseEstimator):
    """The layers of a backbone that are never trained: images to features.

    It is cut at the last block output before the first trainable layer, and learns
    nothing from the images: each one's features depend on that image alone.

    Parameters
    ----------
    backbone : {"resnet50", "cnn"}, default="resnet50"
    weights : "imagenet", path or None, default="imagenet"
        As in :class:`ResNet50Classifier`.
    trainable_layers : int or "all", default=0
        As in :class:`ResNet50Classifier`. 0 gives pooled features; ``"all"`` leaves
        nothing frozen, and the images pass unchanged.
    batch_size : int, default=32
        Images that run through the network at once.
    cache_dir : path, None or False, default=None
        Folder where features are kept by the content of the image, so that each is
        computed once, whatever the fold, the trial or the process. None is the
        platform's cache folder; False keeps nothing.
    verbose : int, default=0
        1 shows a bar on standard error.

    Attributes
    ----------
    cut_ : str or None
        Keras layer whose output is given; None where nothing is frozen.
    fingerprint_ : str
        SHA-256 of the backbone's weights.

    Examples
    --------
    >>> from glomclf import ResNet50Trunk, make_glomeruli
    >>> X, _, _ = make_glomeruli(4, n_participants=2, image_size=32, random_state=0)
    >>> ResNet50Trunk("cnn", weights=None).fit_transform(X).shape
    (4, 128)
    """

    _parameter_constraints = {  # noqa: RUF012
        **BACKBONE_CONSTRAINTS,
        "batch_size": HEAD_CONSTRAINTS["batch_size"],
        "cache_dir": CACHE_CONSTRAINT,
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        backbone="resnet50",
        *,
        weights="imagenet",
        trainable_layers=0,
        batch_size=32,
        cache_dir=None,
        verbose=0,
    ):
        self.backbone = backbone
        self.weights = weights
        self.trainable_layers = trainable_layers
        self.batch_size = batch_size
        self.cache_dir = cache_dir
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Load the weights; nothing is learned from the images.

        Parameters
        ----------
        X : ndarray of shape (n_samples, height, width, 3), uint8 in [0, 255]
        y : ignored

        Returns
        -------
        self
        """
        from .resnet50 import load_backbone

        _check_images(X)
        backbone = load_backbone(self.backbone, self.weights)
        self.cut_ = backbone.cut(self.trainable_layers)
        self.fingerprint_ = backbone.fingerprint
        self._stored_arrays = None
        return self

    def transform(self, X):
        """Run the images through the frozen layers.

        Parameters
        ----------
        X : ndarray of shape (n_samples, height, width, 3), uint8 in [0, 255]

        Returns
        -------
        ndarray of shape (n_samples, ...), float32
            Pooled features (n_samples, n_features) or feature maps (n_samples, h, w,
            channels); the images themselves where no layer is frozen.
        """
        check_is_fitted(self)
        X = _check_images(X)
        if self.cut_ is None:
            return X
        from .engines import compile_trunk

        forward = compile_trunk(self._fitted_backbone(), self.cut_)
        with progress("features", len(X), enabled=self.verbose > 0) as advance:
            if self.cache_dir is False:
                return _in_batches(forward, X, self.batch_size, advance)
            store = FeatureStore(self.cache_dir, self._namespace())
            return _through_store(store, forward, X, self.batch_size, advance)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.requires_fit = True
        return tags

    def _namespace(self) -> str:
        """Name all that decides the features beside the image itself."""
        return f"{self.backbone} {self.fingerprint_} {self.cut_} float32 tensorflow"

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Describe the fitted trunk as JSON and arrays, for a model file."""
        header = {"cut": self.cut_, "fingerprint": self.fingerprint_}
        if self.cut_ is None:
            return header, {}
        arrays = self._fitted_backbone().weights()
        return header, {f"trunk/{i:03d}": array for i, array in enumerate(arrays)}

    def _set_parts(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Become the fitted trunk that ``_to_parts`` described."""
        self.cut_ = header["cut"]
        self.fingerprint_ = header["fingerprint"]
        self._stored_arrays = [
            arrays[k] for k in sorted(arrays) if k.startswith("trunk/")
        ]

    def _fitted_backbone(self) -> Backbone:
        from .resnet50 import find_backbone

        return find_backbone(
            self.backbone, self.weights, self.fingerprint_, self._stored_arrays
        )


def _check_images(X: Any) -> np.ndarray:
    X = check_array(X, allow_nd=True, dtype=None, ensure_2d=False, input_name="X")
    if X.dtype != np.uint8 or X.ndim != 4 or X.shape[-1] != 3 or min(X.shape[1:3]) < 32:
        raise ValueError(
            f"X has shape {X.shape} and dtype {X.dtype}. Expected uint8 images of "
            "shape (n_samples, height, width, 3), at least 32 pixels a side, as "
            "ImageLoader gives them."
        )
    return X


def _in_batches(
    forward: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    batch_size: int,
    advance: Callable[..., None],
) -> np.ndarray:
    """Fill one output array, so that no second copy of the features is held."""
    features = np.empty(0, dtype=np.float32)
    for start in range(0, len(X), batch_size):
        batch = forward(np.ascontiguousarray(X[start : start + batch_size]))
        if start == 0:
            features = np.empty((len(X), *batch.shape[1:]), dtype=np.float32)
        features[start : start + len(batch)] = batch
        advance(len(batch))
    return features


def _through_store(
    store: FeatureStore,
    forward: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    batch_size: int,
    advance: Callable[..., None],
) -> np.ndarray:
    """Compute only the images that the store lacks, each once, and keep them."""
    keys = content_keys(X)
    features, found = store.get_many(keys)
    advance(int(found.sum()))
    first_row: dict[bytes, int] = {}
    for row in np.flatnonzero(~found):
        first_row.setdefault(keys[row], int(row))
    rows = list(first_row.values())
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        batch = forward(X[part])
        if features.shape[1:] != batch.shape[1:]:
            features = np.zeros((len(X), *batch.shape[1:]), dtype=np.float32)
        features[part] = batch
        store.put_many([keys[row] for row in part], batch)
        advance(len(part))
    for row in np.flatnonzero(~found):
        if (source := first_row[keys[row]]) != row:
            features[row] = features[source]
            advance(1)
    return features
