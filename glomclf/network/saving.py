"""A fitted PatchClassifier as JSON and arrays, for a model file, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.archive_fields import (
    check_fields,
    check_numbers,
    history_from_json,
    history_to_json,
)
from ..data.augmenter import make_augmenter
from ..errors import ModelFileError
from .known_layers import are_made_again, weights_of_file
from .normalization import find_normalization
from .weight_sources import weights_record_from_json

if TYPE_CHECKING:
    from .classifier import PatchClassifier

__all__ = ["net_from_parts", "net_from_weights", "net_to_parts"]

_OF_BACKBONE = ("backbone_fingerprint", "normalization", "weights")
_HEADER: dict[str, list] = {
    "input_shape": [list],
    "from_images": [bool],
    "backbone_fingerprint": [str, None],
    "normalization": [list, tuple, None],
    "weights": [dict, None],
    "history": [dict],
}
# Mean and variance of the features, and the weights and biases of two layers.
_N_OF_HEAD = 6


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
        "history": history_to_json(net.history_),
    }
    kept = {"net": net._owned_weights()}
    backbone = net._fitted_backbone() if net._has_frozen_layers() else None
    if backbone is not None and not are_made_again(
        net.backbone, net.weights, backbone.fingerprint
    ):
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
    """Make a network the fitted one that ``net_to_parts`` described.

    Raises
    ------
    ModelFileError
        If description, arrays and the network's parameters do not belong together.
    """
    check_fields("The network", header, _HEADER)
    make_augmenter(net.augmentation)  # of a name that is known
    net.classes_ = classes
    net.input_shape_ = tuple(header["input_shape"])
    if len(net.input_shape_) == 1:
        net.n_features_in_ = net.input_shape_[0]
    net._from_images = header["from_images"]
    net.backbone_fingerprint_ = header["backbone_fingerprint"]
    net.history_ = history_from_json(header["history"])
    net._seed = 0
    _set_backbone(net, header, _arrays_of("backbone", arrays))
    weights = _arrays_of("net", arrays)
    _refuse_other_head(net, weights)
    net_from_weights(net, weights)


def _set_backbone(
    net: PatchClassifier, header: dict[str, Any], arrays: list[np.ndarray]
) -> None:
    """Keep what is told of the backbone, and its weights where no encoder has them."""
    net._normalization = net.weights_record_ = None
    needed = [header[name] is not None for name in _OF_BACKBONE]
    if set(needed) != {not net._is_head_alone()}:
        raise ModelFileError("The network lacks its backbone, or has one too many.")
    net._stored_arrays = None
    if all(needed):
        scale = find_normalization(header["normalization"])
        fingerprint = header["backbone_fingerprint"]
        net._normalization = scale
        net.weights_record_ = weights_record_from_json(header["weights"])
        if net._has_frozen_layers():
            net._stored_arrays = weights_of_file(
                net.backbone, net.weights, scale, arrays, fingerprint
            )
    if arrays and net._stored_arrays is None:
        raise ModelFileError("The network holds weights that it does not need.")


def _refuse_other_head(net: PatchClassifier, weights: list[np.ndarray]) -> None:
    """See that the file holds what its numbers say, before as much is asked for."""
    for array in weights:
        check_numbers("The network", array)
    shapes = [array.shape for array in weights[-_N_OF_HEAD:]]
    n_features = shapes[0][0] if shapes and shapes[0] else 0
    n_units = net.dense_units
    expected = [(n_features,), (n_features,), (n_features, n_units), (n_units,)]
    if net._is_head_alone() and net.input_shape_ != (n_features,):
        expected = []
    if shapes != [*expected, (n_units, 1), (1,)]:
        raise ModelFileError(
            f"The weights of the head have the shapes {shapes}, which are not those of "
            f"dense_units={n_units} on rows of shape {net.input_shape_}."
        )


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
