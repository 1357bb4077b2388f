"""PatchEncoder: the frozen layers of a backbone, as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from ..data.archive_fields import check_fields
from ..data.image_source import as_image_source
from ..errors import ModelFileError
from . import engines
from .image_encoder import CACHE_CONSTRAINT, ImageEncoder
from .known_cuts import KnownTrunks
from .known_layers import are_made_again, layers_of, weights_of_file
from .normalization import find_normalization
from .parameters import BACKBONE_CONSTRAINTS, CLASSIFIER_CONSTRAINTS
from .weight_sources import (
    normalization_of,
    weights_record,
    weights_record_from_json,
)

if TYPE_CHECKING:
    from .backbones import Backbone

__all__ = ["PatchEncoder"]

_LEAST_SIDE = 32
_HEADER: dict[str, list] = {
    "cut": [str, None],
    "fingerprint": [str],
    "normalization": [list, tuple],
    "weights": [dict],
}


class PatchEncoder(ImageEncoder):
    """The layers of a backbone that are never trained: images to features.

    It is cut at the last block output before the first trainable layer, and learns
    nothing from the images: each one's features depend on that image alone.

    Parameters
    ----------
    backbone : {"resnet50", "resnet50-v1.5", "efficientnet-lite0", "cnn"}, \
            default="resnet50"
    weights : "imagenet", path or None, default="imagenet"
        As in :class:`PatchClassifier`.
    normalization : str, (mean, std) or None, default=None
        As in :class:`PatchClassifier`.
    trainable_layers : int or "all", default=0
        As in :class:`PatchClassifier`. 0 gives pooled features; ``"all"`` leaves
        nothing frozen, and the images pass unchanged.
    batch_size : int, default=32
        Images that run through the network at once.
    engine : {"auto", "keras", "openvino"}, default="auto"
        What runs the network. ``"auto"`` is OpenVINO where it is installed (the extra
        ``openvino``), else Keras; in float32 both give the same features to 1e-5.
    precision : {"float32", "bfloat16", "int8"}, default="float32"
        What the network computes in. The lower ones need OpenVINO and give slightly
        other features in less time: see the page on speed before choosing one.
        ``"bfloat16"`` needs a processor that has it; ``"int8"`` is calibrated on fixed
        synthetic patches, never on ``X``.
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
        SHA-256 of the backbone's weights and normalization.
    normalization_ : tuple
        Mean and standard deviation of the channels, and their order.
    weights_record_ : dict of str to str or None
        ``source``, ``sha256`` and ``licence`` of the weights, as far as they are known.

    Examples
    --------
    >>> from glomclf import PatchEncoder, make_glomeruli
    >>> X, _, _ = make_glomeruli(4, n_participants=2, image_size=32, random_state=0)
    >>> PatchEncoder("cnn", weights=None).fit_transform(X).shape
    (4, 128)
    """

    _parameter_constraints = {  # noqa: RUF012
        **BACKBONE_CONSTRAINTS,
        "batch_size": CLASSIFIER_CONSTRAINTS["batch_size"],
        **engines.ENGINE_CONSTRAINTS,
        "cache_dir": CACHE_CONSTRAINT,
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        backbone="resnet50",
        *,
        weights="imagenet",
        normalization=None,
        trainable_layers=0,
        batch_size=32,
        engine="auto",
        precision="float32",
        cache_dir=None,
        verbose=0,
    ):
        self.backbone = backbone
        self.weights = weights
        self.normalization = normalization
        self.trainable_layers = trainable_layers
        self.batch_size = batch_size
        self.engine = engine
        self.precision = precision
        self.cache_dir = cache_dir
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Load the weights; nothing is learned from the images.

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
            If the engine or the precision is not installed.
        WeightsError
            If the weights cannot be had.
        """
        as_image_source(X, smallest_side=_LEAST_SIDE)
        engines.choose_engine(self.engine, self.precision)
        self.normalization_ = normalization_of(
            self.backbone, self.weights, self.normalization
        )
        self.cut_, self.fingerprint_ = self._find_cut()
        self.weights_record_ = weights_record(self.backbone, self.weights)
        self._stored_arrays = None
        return self

    def transform(self, X):
        """Run the images through the frozen layers.

        Parameters
        ----------
        X : ndarray or LazyImages of shape (n_samples, height, width, 3), uint8
            In [0, 255]. What ``ImageLoader(lazy=True)`` gives is read a few images at a
            time, while the network runs.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            Pooled features (n_samples, n_features), float32, or feature maps
            (n_samples, h, w, channels); the images themselves where no layer
            is frozen. Memory-mapped where large.

        Raises
        ------
        EngineError
            If the engine or the precision cannot be had on this machine.
        """
        check_is_fitted(self)
        source = as_image_source(X, smallest_side=_LEAST_SIDE)
        if self.cut_ is None:
            return np.asarray(source)
        return self._encode(source, self._forward(self.cut_))

    def _find_cut(self) -> tuple[str | None, str]:
        """Return cut and fingerprint; the network is built only to learn them once."""
        known = None if self.cache_dir is False else KnownTrunks(self.cache_dir)
        described = (
            *(self.backbone, self.weights, self.normalization_),
            self.trainable_layers,
        )
        if known is not None and (found := known.get(*described)) is not None:
            return found
        from .backbones import load_backbone

        backbone = load_backbone(self.backbone, self.weights, self.normalization_)
        found = (backbone.cut(self.trainable_layers), backbone.fingerprint)
        if known is not None:
            known.put(*described, *found)
        return found

    def _forward(self, cut: str) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that builds and compiles the trunk at its first call.

        Where the store holds all that is asked for, nothing need be compiled.
        """
        engine = engines.choose_engine(self.engine, self.precision)

        def forward(images: np.ndarray) -> np.ndarray:
            compiled = engines.compile_trunk(
                self._fitted_backbone(),
                cut,
                engine,
                self.precision,
                self.cache_dir,
            )
            return compiled(images)

        return forward

    def _made_by(self) -> str:
        made_by = f"{self.backbone} {self.fingerprint_} {self.cut_}"
        return f"{made_by} {engines.numerics(self.precision)}"

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Describe the fitted trunk as JSON and arrays, for a model file."""
        header = {
            "cut": self.cut_,
            "fingerprint": self.fingerprint_,
            "normalization": self.normalization_,
            "weights": self.weights_record_,
        }
        known = self.weights, self.fingerprint_
        if self.cut_ is None or are_made_again(self.backbone, *known):
            return header, {}
        arrays = self._stored_arrays or self._fitted_backbone().weights()
        return header, {f"encode/{i:03d}": array for i, array in enumerate(arrays)}

    def _set_parts(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Become the fitted trunk that ``_to_parts`` described."""
        check_fields("The encoder", header, _HEADER)
        engines.choose_engine(self.engine, self.precision)
        kept = [arrays[k] for k in sorted(arrays) if k.startswith("encode/")]
        self.normalization_ = find_normalization(header["normalization"])
        self.weights_record_ = weights_record_from_json(header["weights"])
        self.cut_, self.fingerprint_ = header["cut"], header["fingerprint"]
        self._stored_arrays = kept if kept or self.cut_ is not None else None
        known = layers_of(self.backbone)
        if self.cut_ != known.cut(self.trainable_layers):
            raise ModelFileError(
                f"The encoder is cut at {self.cut_!r}, which is not "
                f"where trainable_layers={self.trainable_layers!r} cuts it."
            )
        if self.cut_ is not None:
            self._stored_arrays = weights_of_file(
                self.backbone,
                self.weights,
                self.normalization_,
                kept,
                self.fingerprint_,
            )

    def _row_shape(self, side: int) -> tuple[int, ...]:
        """Return the shape of what is made of one image of so many pixels a side."""
        if self.cut_ is None:
            return (side, side, 3)
        width = layers_of(self.backbone).width(self.cut_)
        if width is not None:
            return (width,)
        from .backbones import output_shape

        return output_shape(self._fitted_backbone(), self.cut_, side)

    def _fitted_backbone(self) -> Backbone:
        from .backbones import find_backbone

        return find_backbone(
            self.backbone,
            self.weights,
            self.fingerprint_,
            self._stored_arrays,
            self.normalization_,
        )
