"""Weights of a backbone: Keras' ImageNet weights, and HDF5 files of plain arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..data.hdf5_files import hdf5_fault
from ..errors import WeightsError

__all__ = ["fetch_imagenet", "read_weights"]


def fetch_imagenet(name: str, build: Callable[[str | None], Any]) -> Any:
    """Build a backbone with Keras' ImageNet weights, fetched once.

    Parameters
    ----------
    name : str
        Key in ``BACKBONES``.
    build : callable
        Given the weights, returns the Keras model.

    Returns
    -------
    keras.Model

    Raises
    ------
    WeightsError
        If there are none for this backbone, or they cannot be fetched.
    """
    if name != "resnet50":
        raise WeightsError(
            f'weights="imagenet" was given, but there are none for backbone={name!r}. '
            'Pass weights=None, with trainable_layers="all" to train it from the start.'
        )
    try:
        return build("imagenet")
    except Exception as error:  # whatever the network, the disk or the file throws
        raise WeightsError(
            f"The ImageNet weights of {name!r} could not be fetched "
            f"({type(error).__name__}: {error}). Either connect to the internet once; "
            "or put resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 into "
            "~/.keras/models; or pass weights=PATH, the path of a weights file; or "
            "weights=None, for random weights."
        ) from error


def read_weights(model: Any, path: str) -> None:
    """Load plain arrays from an HDF5 file; no other format is opened.

    Parameters
    ----------
    model : keras.Model
    path : str

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
