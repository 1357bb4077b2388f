"""PatchEncoder: the frozen layers of a backbone, as a scikit-learn transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import engines
from .image_encoder import ImageEncoder
from .known_backbone import KnownBackbone
from .known_layers import layers_of
from .parameters import BACKBONE_CONSTRAINTS

if TYPE_CHECKING:
    from .backbones import Backbone


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
    precision : {"float32", "bfloat16"}, default="float32"
        What the network computes in. ``"bfloat16"`` needs OpenVINO and a processor that
        has it, and gives slightly other features in less time: see the page on speed.
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

    _smallest_side = 32
    _parameter_constraints = {  # noqa: RUF012
        **BACKBONE_CONSTRAINTS,
        **engines.ENGINE_CONSTRAINTS,
        **ImageEncoder._parameter_constraints,
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

    def _look(self) -> None:
        engines.choose_engine(self.engine, self.precision)
        chosen = self.backbone, self.weights, self.normalization
        self._become(KnownBackbone.of(*chosen, self.cache_dir))

    def _become(self, known: KnownBackbone) -> None:
        self._known = known
        self.cut_ = layers_of(self.backbone).cut(self.trainable_layers)
        self.fingerprint_ = known.fingerprint
        self.normalization_ = known.normalization
        self.weights_record_ = known.record

    def _forward(self) -> engines.Forward | None:
        return None if self.cut_ is None else self._compiled_trunk(self.cut_)

    def _compiled_trunk(self, cut: str) -> engines.Forward:
        """Return a function that builds and compiles the trunk at its first call.

        Where the store holds all that is asked for, nothing need be compiled.
        """
        engine = engines.choose_engine(self.engine, self.precision)

        def forward(images: np.ndarray) -> np.ndarray:
            backbone = self._fitted_backbone()
            return engines.compile_trunk(backbone, cut, engine, self.precision)(images)

        return forward

    def _made_by(self) -> str:
        made_by = f"{self.backbone} {self.fingerprint_} {self.cut_}"
        return f"{made_by} {engines.numerics(self.precision)}"

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Describe the fitted trunk as JSON and arrays, for a model file."""
        return self._known.to_parts("encode", whole=self.cut_ is not None)

    def _set_parts(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Become the fitted trunk that ``_to_parts`` described."""
        engines.choose_engine(self.engine, self.precision)
        kept = [arrays[k] for k in sorted(arrays) if k.startswith("encode/")]
        whole = layers_of(self.backbone).cut(self.trainable_layers) is not None
        chosen = self.backbone, self.weights
        self._become(KnownBackbone.from_parts(*chosen, header, kept, whole=whole))

    def _row_shape(self, side: int) -> tuple[int, ...]:
        """Return the shape of what is made of one image of so many pixels a side."""
        if self.cut_ is None:
            return (side, side, 3)
        width = layers_of(self.backbone).width(self.cut_)
        if width is not None:
            return (width,)
        from .cuts import make_trunk

        trunk = make_trunk(self._fitted_backbone(), self.cut_)
        return tuple(trunk.compute_output_shape((1, side, side, 3))[1:])

    def _fitted_backbone(self) -> Backbone:
        return self._known.load()
