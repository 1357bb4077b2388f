"""Weights of PyTorch in a Keras network: every name accounted for, or an error."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.tensor_files import read_tensors
from ..errors import TensorFileError, WeightsError
from .backend import keras

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
