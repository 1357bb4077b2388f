"""The backbones: networks from images to pooled features, built and given weights."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime import user_path
from ..errors import WeightsError
from .architectures import BACKBONES
from .backend import as_delivered, refuse_fork
from .known_layers import fingerprint_of, layers_of
from .normalization import Normalization
from .random_weights import randomise
from .weight_sources import normalization_of
from .weights import fetch_keras_resnet50, find_weights, read_hdf5, read_torch_weights

if TYPE_CHECKING:
    from .known_backbone import KnownBackbone


@dataclass(frozen=True, eq=False)
class Backbone:
    """A network from images to pooled features, never trained itself.

    Attributes
    ----------
    name : str
        Key in ``BACKBONES``.
    model : keras.Model
        Preprocessed images (n, height, width, 3) -> features (n, n_features).
    preprocess : Normalization
        Keras tensor of RGB images in [0, 255] -> input of ``model``.
    fingerprint : str
        SHA-256 of the architecture's name, its normalization and all its weights.
    """

    name: str
    model: Any
    preprocess: Normalization
    fingerprint: str

    def cut(self, trainable_layers: int | str) -> str | None:
        """Name the last block output before the first trainable layer, None for none.

        Raises
        ------
        ParameterError
            If there are not as many layers.
        """
        return layers_of(self.name).cut(trainable_layers)


def load_backbone(
    name: str,
    weights: str | Path | None,
    normalization: str | Sequence[Any] | None = None,
) -> Backbone:
    """Build a backbone once per process and give it its weights.

    Parameters
    ----------
    name : str
        Key in ``BACKBONES``.
    weights : "imagenet", path or None
        ``None`` is one fixed random network, the same on every machine.
    normalization : str, (mean, std) or None, default=None
        None is that of the weights.

    Returns
    -------
    Backbone

    Raises
    ------
    BackendError
        In a fork of a process that has loaded TensorFlow.
    ParameterError
        If the normalization is none.
    WeightsError
        If the weights cannot be fetched, read or fitted to the network.
    """
    refuse_fork()
    preprocess = normalization_of(name, weights, normalization)
    if weights is None or weights == "imagenet":
        with _building:
            return _cached_backbone(name, weights, None, preprocess)
    path = user_path(weights)
    if not path.is_file():
        raise WeightsError(
            f"weights={str(weights)!r} is not a file. Pass the path of a weights "
            'file, "imagenet", or None for random weights.'
        )
    stat = path.stat()
    version = stat.st_mtime_ns, stat.st_size
    with _building:
        return _cached_backbone(name, str(path.resolve()), version, preprocess)


_building = threading.Lock()  # the cache lets two threads build the same backbone


@functools.lru_cache(maxsize=4)
@as_delivered()
def _cached_backbone(
    name: str, weights: str | None, _version: Any, preprocess: Normalization
) -> Backbone:
    """Hold the last few backbones: each one built anew leaks in TensorFlow."""
    build, torch_name = BACKBONES[name]
    if weights is None:
        model = build()
        randomise(name, model)
    elif (name, weights) == ("resnet50", "imagenet"):
        model = fetch_keras_resnet50()
    else:
        file = find_weights(name, weights)
        model = build()
        if torch_name is None:
            read_hdf5(model, file)
        else:
            read_torch_weights(model, file, torch_name)
    return freeze_backbone(name, model, preprocess)


def freeze_backbone(name: str, model: Any, preprocess: Normalization) -> Backbone:
    """Wrap a built model that from now on nobody trains."""
    model.trainable = False
    fingerprint = fingerprint_of(name, preprocess, model.get_weights())
    return Backbone(name, model, preprocess, fingerprint)


def find_backbone(known: KnownBackbone) -> Backbone:
    """Return the backbone of a fit, from its arrays where a model file held them.

    Raises
    ------
    BackendError
        In a fork of a process that has loaded TensorFlow.
    WeightsError
        If the weights are no longer those with the fingerprint.
    """
    refuse_fork()
    if known.fingerprint in _restored:
        return _restored[known.fingerprint]
    if known.arrays is None:
        found = load_backbone(known.name, known.weights, known.normalization)
    else:
        found = _from_arrays(known.name, known.arrays, known.normalization)
    if found.fingerprint != known.fingerprint:
        raise WeightsError(
            f"weights={str(known.weights)!r} are no longer the weights that the model "
            "was fitted with. Restore them, or fit again."
        )
    if known.arrays is not None:
        _restored[found.fingerprint] = found
    return found


# Backbones out of model files, by fingerprint: one a file, however often it is read.
_restored: dict[str, Backbone] = {}


@as_delivered()
def _from_arrays(
    name: str, arrays: list[np.ndarray], preprocess: Normalization
) -> Backbone:
    model = BACKBONES[name].build()
    model.set_weights(arrays)
    return freeze_backbone(name, model, preprocess)
