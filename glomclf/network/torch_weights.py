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

# What training in PyTorch puts around a network, in front of the names of its weights.
_WRAPPERS = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network"),
    *("module", "backbone", "encoder", "encoder_q", "base_encoder", "online_encoder"),
    *("momentum_encoder", "trunk", "resnet", "feature_extractor", "teacher", "student"),
)
# And what lies beside it: heads, second networks, queues, the state of the optimizer.
_BESIDE = re.compile(
    r"^(fc|_fc|head|heads|classifier|projector|projection_head|projection|prototypes|"
    r"predictor|mlp|bn|encoder_k|queue|queue_ptr|queue_labels|student|teacher|"
    r"momentum_encoder|target_encoder|optimizer|optim|lr_scheduler|scheduler|scaler|"
    r"amp|dino_loss|loss|criterion|center|epoch|instDis|groupDis)(\.|$)"
)
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

    Names may stand behind what training wraps around a network, such as
    ``state_dict.module.encoder_q.``; heads and other networks beside it are left out.

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
    state = _without_wrapper(tensors, set(places))
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


def _without_wrapper(
    tensors: dict[str, np.ndarray], expected: set[str]
) -> dict[str, np.ndarray]:
    """Return the tensors of the network by their own names, and what is not known.

    Where several networks lie in the file, as of a student and its teacher, it is the
    one whose wrappers come first in the list above.
    """
    wrappers = Counter(
        wrapper
        for name in tensors
        if name.removeprefix(wrapper := _wrapper(name)) in expected
    )
    chosen = min(wrappers, key=lambda one: (-wrappers[one], _rank(one)), default="")
    state = {}
    for name, array in tensors.items():
        own = name.removeprefix(chosen)
        if own in expected or not (_COUNTER.search(own) or _is_beside(own)):
            state[own] = array
    return state


def _wrapper(name: str) -> str:
    """Return the wrappers in front of a name, with their dots."""
    parts = name.split(".")
    n_wrappers = next(
        (i for i, part in enumerate(parts) if part not in _WRAPPERS), len(parts)
    )
    return "".join(f"{part}." for part in parts[:n_wrappers])


def _rank(prefix: str) -> list[int]:
    return [_WRAPPERS.index(part) for part in prefix.split(".")[:-1]]


def _is_beside(name: str) -> bool:
    """Whether a name is of no part of the network: behind any of its wrappers."""
    parts = name.split(".")
    return any(
        _BESIDE.match(".".join(parts[i:]))
        for i in range(len(_wrapper(name).split(".")))
    )


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
