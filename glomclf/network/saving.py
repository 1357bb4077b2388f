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
from .known_backbone import KnownBackbone

if TYPE_CHECKING:
    from .classifier import PatchClassifier


_HEADER: dict[str, list] = {
    "input_shape": [list],
    "from_images": [bool],
    "backbone": [dict, None],
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
        "backbone": None,
        "history": history_to_json(net.history_),
    }
    arrays = {f"net/{i:03d}": array for i, array in enumerate(net._owned_weights())}
    if net._known is None:
        return header, arrays
    header["backbone"], kept = net._known.to_parts(
        "backbone", whole=net._has_frozen_layers()
    )
    return header, arrays | kept


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
    net.history_ = history_from_json(header["history"])
    net._seed = 0
    described, kept = header["backbone"], _arrays_of("backbone", arrays)
    if (described is None) != net._is_head_alone() or (described is None and kept):
        raise ModelFileError("The network lacks its backbone, or has one too many.")
    net._know(
        described
        and KnownBackbone.from_parts(
            *(net.backbone, net.weights, described, kept),
            whole=net._has_frozen_layers(),
        )
    )
    weights = _arrays_of("net", arrays)
    _refuse_other_head(net, weights)
    net_from_weights(net, weights)


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
