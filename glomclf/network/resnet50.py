"""The backbones: built, given weights, counted in layers and cut in two.

A backbone maps images to pooled features. It is cut at the last block output before
the first trainable layer: what lies below never changes (the trunk), what lies above
is copied afresh for every fit (the tail).
"""

from __future__ import annotations

import functools
import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError, WeightsError
from .backend import keras, refuse_fork
from .random_weights import randomise

__all__ = [
    "BACKBONES",
    "LIVE_MOMENTUM",
    "Backbone",
    "find_backbone",
    "freeze_backbone",
    "load_backbone",
    "make_tail",
    "make_trunk",
]

# Outputs that every path from image to features runs through.
_BLOCK_OUTPUT = re.compile(r"_out$|^pool1_pool$|^avg_pool$")
# Of batch-norm statistics where the whole network is trained: by Keras' own 0.99 they
# still tell of the untrained network when a small data set has been seen a few times.
LIVE_MOMENTUM = 0.9


@dataclass(frozen=True, eq=False)
class Backbone:
    """A network from images to pooled features, never trained itself.

    Attributes
    ----------
    name : str
        Key in ``BACKBONES``.
    model : keras.Model
        Preprocessed images (n, height, width, 3) -> features (n, n_features).
    preprocess : callable
        Keras tensor of RGB images in [0, 255] -> input of ``model``.
    fingerprint : str
        SHA-256 of the architecture's name and all its weights.
    """

    name: str
    model: Any
    preprocess: Callable[[Any], Any]
    fingerprint: str

    def n_trainable(self, trainable_layers: int | str) -> int:
        """Return how many of the last layers ``trainable_layers`` means."""
        n_layers = len(self.model.layers)
        if trainable_layers == "all":
            return n_layers
        if int(trainable_layers) > n_layers:
            raise ParameterError(
                f"trainable_layers={trainable_layers} was given, but {self.name!r} has "
                f'{n_layers} Keras layers. Pass a smaller number, or "all".'
            )
        return int(trainable_layers)

    def is_whole(self, trainable_layers: int | str) -> bool:
        """Whether ``trainable_layers`` leaves no layer frozen."""
        return self.n_trainable(trainable_layers) == len(self.model.layers)

    def cut(self, trainable_layers: int | str) -> str | None:
        """Name the last block output before the first trainable layer.

        None stands for the image itself: there is no frozen part.
        """
        layers = self.model.layers
        frozen = layers[: len(layers) - self.n_trainable(trainable_layers)]
        outputs = [layer.name for layer in frozen if _BLOCK_OUTPUT.search(layer.name)]
        return outputs[-1] if outputs else None

    def weights(self) -> list[np.ndarray]:
        """Return all weights as arrays, in Keras' order."""
        return self.model.get_weights()


def _build_resnet50(weights: str | None) -> Any:
    return keras.applications.ResNet50(
        include_top=False, weights=weights, pooling="avg", input_shape=(None, None, 3)
    )


def _build_cnn(weights: str | None) -> Any:
    """Build four convolution blocks, in the spirit of the seed's first attempt."""
    layers = keras.layers
    x = inputs = keras.Input((None, None, 3), name="image")
    for block, n_filters in enumerate((16, 32, 64, 128), start=1):
        x = layers.Conv2D(n_filters, 3, padding="same", name=f"block{block}_conv")(x)
        x = layers.BatchNormalization(name=f"block{block}_bn")(x)
        x = layers.Activation("relu", name=f"block{block}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_out")(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, x, name="cnn")


def _scale_to_unit(images: Any) -> Any:
    return images / 127.5 - 1.0


BACKBONES: dict[str, tuple[Callable[[str | None], Any], Callable[[Any], Any]]] = {
    "resnet50": (_build_resnet50, keras.applications.resnet50.preprocess_input),
    "cnn": (_build_cnn, _scale_to_unit),
}


def load_backbone(name: str, weights: str | Path | None) -> Backbone:
    """Build a backbone once per process and give it its weights.

    Parameters
    ----------
    name : {"resnet50", "cnn"}
    weights : "imagenet", path or None
        ``None`` is one fixed random network, the same on every machine.

    Returns
    -------
    Backbone

    Raises
    ------
    BackendError
        In a fork of a process that has loaded TensorFlow.
    WeightsError
        If the weights cannot be fetched, read or fitted to the network.
    """
    refuse_fork()
    if weights is None or weights == "imagenet":
        with _building:
            return _cached_backbone(name, weights, None)
    path = Path(weights).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"weights={str(weights)!r} is not a file. Pass the path of an HDF5 weights "
            'file, "imagenet", or None for random weights.'
        )
    stat = path.stat()
    with _building:
        return _cached_backbone(
            name, str(path.resolve()), (stat.st_mtime_ns, stat.st_size)
        )


_building = threading.Lock()  # the cache lets two threads build the same backbone


@functools.lru_cache(maxsize=4)
def _cached_backbone(name: str, weights: str | None, _version: Any) -> Backbone:
    """Hold the last few backbones: each one built anew leaks in TensorFlow."""
    build, _ = BACKBONES[name]
    if weights is None:
        model = build(None)
        randomise(name, model)
    elif weights == "imagenet":
        model = _fetch_imagenet(name, build)
    else:
        model = build(None)
        _read_weights(model, weights)
    return freeze_backbone(name, model)


def freeze_backbone(name: str, model: Any) -> Backbone:
    """Wrap a built model that from now on nobody trains."""
    model.trainable = False
    digest = hashlib.sha256(name.encode())
    for array in model.get_weights():
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array))
    return Backbone(name, model, BACKBONES[name][1], digest.hexdigest())


def find_backbone(
    name: str,
    weights: str | Path | None,
    fingerprint: str | None = None,
    arrays: list[np.ndarray] | None = None,
) -> Backbone:
    """Return the backbone of a fit, from its arrays where a model file held them.

    Raises
    ------
    BackendError
        In a fork of a process that has loaded TensorFlow.
    WeightsError
        If the weights are no longer those with the fingerprint.
    """
    refuse_fork()
    if fingerprint is not None and fingerprint in _restored:
        return _restored[fingerprint]
    if arrays is None:
        backbone = load_backbone(name, weights)
    else:
        backbone = _from_arrays(name, arrays)
    if fingerprint is not None and backbone.fingerprint != fingerprint:
        raise WeightsError(
            f"weights={str(weights)!r} are no longer the weights that the model was "
            "fitted with. Restore them, or fit again."
        )
    if arrays is not None:
        _restored[backbone.fingerprint] = backbone
    return backbone


# Backbones out of model files, by fingerprint: one a file, however often it is read.
_restored: dict[str, Backbone] = {}


def _from_arrays(name: str, arrays: list[np.ndarray]) -> Backbone:
    model = BACKBONES[name][0](None)
    model.set_weights(arrays)
    return freeze_backbone(name, model)


def _fetch_imagenet(name: str, build: Callable[[str | None], Any]) -> Any:
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


def _read_weights(model: Any, path: str) -> None:
    """Load plain arrays from an HDF5 file; no other format is opened."""
    _refuse_foreign_hdf5(path)
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


def _refuse_foreign_hdf5(path: str) -> None:
    """Refuse files that are not HDF5, or that reach into other files."""
    import h5py

    if not h5py.is_hdf5(path):
        raise WeightsError(
            f"{path} is not an HDF5 file. Expected a weights file that Keras wrote, "
            "with the ending .weights.h5 or .h5."
        )
    foreign: list[str] = []

    def look(name: str, link: Any) -> None:
        if isinstance(link, (h5py.ExternalLink, h5py.SoftLink)):
            foreign.append(name)

    with h5py.File(path, "r") as file:
        file.visititems_links(look)
        file.visititems(
            lambda name, item: (
                foreign.append(name)
                if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
                else None
            )
        )
    if foreign:
        raise WeightsError(
            f"{path} links to data outside itself at {', '.join(foreign)}. A weights "
            "file must hold its own arrays."
        )


@functools.lru_cache(maxsize=8)
def make_trunk(backbone: Backbone, cut: str) -> Any:
    """Return the frozen part as a model: uint8 images -> output of layer ``cut``."""
    images = keras.Input((None, None, 3), dtype="uint8", name="images")
    pixels = keras.ops.cast(images, "float32")
    body = keras.Model(backbone.model.input, backbone.model.get_layer(cut).output)
    trunk = keras.Model(images, body(backbone.preprocess(pixels)), name="trunk")
    trunk.trainable = False
    return trunk


def make_tail(
    backbone: Backbone, trainable_layers: int | str, policy: str = "float32"
) -> Any | None:
    """Return a fresh copy of the part above the cut, None where nothing lies there.

    Only the last ``trainable_layers`` Keras layers of the copy are trainable; frozen
    batch-norm layers stay in inference mode. Where there are none, the statistics of
    the others follow training closely. ``policy`` is Keras' name of the precision they
    compute in.
    """
    cut = backbone.cut(trainable_layers)
    model = backbone.model
    if cut == model.layers[-1].name:
        return None
    shared = (
        model if cut is None else keras.Model(model.get_layer(cut).output, model.output)
    )
    changed: dict[str, Any] = {"dtype": policy}
    if backbone.is_whole(trainable_layers):
        changed["momentum"] = LIVE_MOMENTUM
    tail = keras.models.clone_model(
        shared, clone_function=lambda layer: _copy_layer(layer, changed)
    )
    tail.set_weights(shared.get_weights())
    n_trainable = backbone.n_trainable(trainable_layers)
    trained = {layer.name for layer in model.layers[len(model.layers) - n_trainable :]}
    for layer in tail.layers:
        layer.trainable = layer.name in trained
    return tail


def _copy_layer(layer: Any, changed: dict[str, Any]) -> Any:
    """Copy a layer, with other settings where it has them."""
    settings = layer.get_config()
    known = {name: value for name, value in changed.items() if name in settings}
    return type(layer).from_config({**settings, **known})
