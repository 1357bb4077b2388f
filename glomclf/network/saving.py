"""A fitted PatchClassifier as JSON and arrays, for a model file, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .normalization import find_normalization

if TYPE_CHECKING:
    from .classifier import PatchClassifier

__all__ = ["net_from_parts", "net_from_weights", "net_to_parts"]


def net_to_parts(net: PatchClassifier) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Describe a fitted network as JSON and arrays.

    Behind an encoder it is the encoder that keeps the frozen layers; of images, they
    are kept here.

    Parameters
    ----------
    net : PatchClassifier
        Fitted.

    Returns
    -------
    header : dict
    arrays : dict of str to ndarray
    """
    header = {
        "input_shape": list(net.input_shape_),
        "from_images": net._from_images,
        "backbone_fingerprint": net.backbone_fingerprint_,
        "normalization": net._normalization,
        "weights": net.weights_record_,
        "history": net.history_,
    }
    kept = {"net": net._owned_weights()}
    backbone = net._fitted_backbone() if net._has_frozen_layers() else None
    if backbone is not None:
        kept["backbone"] = backbone.weights()
    return header, {
        f"{part}/{i:03d}": array
        for part, arrays in kept.items()
        for i, array in enumerate(arrays)
    }


def net_from_parts(
    net: PatchClassifier,
    header: dict[str, Any],
    arrays: dict[str, np.ndarray],
    classes: np.ndarray,
) -> None:
    """Make a network the fitted one that ``net_to_parts`` described."""
    net.classes_ = classes
    net.input_shape_ = tuple(header["input_shape"])
    if len(net.input_shape_) == 1:
        net.n_features_in_ = net.input_shape_[0]
    net._from_images = header["from_images"]
    net.backbone_fingerprint_ = header["backbone_fingerprint"]
    net.weights_record_ = header["weights"]
    net._normalization = header["normalization"] and find_normalization(
        header["normalization"]
    )
    net.history_ = header["history"]
    net._seed = 0
    net._stored_arrays = _arrays_of("backbone", arrays) or None
    net_from_weights(net, _arrays_of("net", arrays))


def net_from_weights(net: PatchClassifier, weights: list[np.ndarray]) -> None:
    """Build the network again and give it its fitted weights."""
    from .assembly import set_owned_weights
    from .training import make_net

    net.net_ = make_net(net, net._fitted_backbone())
    dtype = np.uint8 if net._from_images else np.float32
    rows = np.zeros((2, *net.input_shape_), dtype=dtype)
    net.net_.initialize(rows, np.array([0.0, 1.0], dtype=np.float32))
    set_owned_weights(net.net_.model_, weights)


def _arrays_of(part: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the arrays of a part of a model file, in their order."""
    return [arrays[key] for key in sorted(arrays) if key.startswith(f"{part}/")]
