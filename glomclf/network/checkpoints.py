"""Checkpoints: a training's state after each epoch, on disk, to go on from.

A file is named after everything that decides the training: a run that was killed finds
its own, and no other run does. Like a model it is JSON and plain arrays under one
SHA-256, and is written to a temporary name first, so that a kill at any moment leaves
the last whole one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .._runtime import user_path
from ..data.archive import read_model, rebuilt, write_model
from ..errors import ModelFileError
from .backend import keras
from .epochs import TrainingState, take_state

__all__ = ["Checkpoint", "KeepCheckpoint", "training_fingerprint"]

_KIND = "checkpoint"
_BACKENDS = ("keras", "tensorflow", "numpy")


def training_fingerprint(
    settings: Mapping[str, Any], arrays: Iterable[np.ndarray | None]
) -> str:
    """Hash all that decides a training.

    Parameters
    ----------
    settings : mapping of str to object
        With values that are written as they are.
    arrays : iterable of ndarray or None
        Rows, labels, weights; None for what there is none of.

    Returns
    -------
    str
        SHA-256, other for other versions of glomclf and of what it computes with.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.network.checkpoints import training_fingerprint
    >>> rows = np.zeros((2, 3))
    >>> one = training_fingerprint({"epochs": 2}, [rows, None])
    >>> one == training_fingerprint({"epochs": 3}, [rows, None])
    False
    """
    versions = {name: version(name) for name in _BACKENDS}
    versions["glomclf"] = __version__
    text = json.dumps([versions, settings], sort_keys=True, default=repr)
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        for start in range(0, len(array), 1024):  # a large one stays on disk
            digest.update(np.ascontiguousarray(array[start : start + 1024]))
    return digest.hexdigest()


class Checkpoint:
    """The file of one training.

    Parameters
    ----------
    folder : str or Path
        Made where it is missing.
    fingerprint : str
        As from `training_fingerprint`.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, folder: str | Path, fingerprint: str):
        self.path = user_path(folder) / f"{fingerprint[:40]}.checkpoint"

    def read(self) -> TrainingState | None:
        """Return the last state that was written, None where there is none.

        Raises
        ------
        ModelFileError
            If the file was damaged or changed.
        """
        if not self.path.exists():
            return None
        try:
            header, arrays = read_model(self.path, kind=_KIND)
            return rebuilt(self.path, _state, header, arrays)
        except ModelFileError as error:
            raise ModelFileError(
                f"{error} It was to be the checkpoint to go on from: remove it to "
                "train from the start."
            ) from error

    def write(self, state: TrainingState) -> None:
        """Write a state in place of the last one."""
        arrays = {f"variables/{i:05d}": array for i, array in enumerate(state.arrays)}
        header = {
            "epoch": state.epoch,
            "callbacks": _packed(state.callbacks, "callbacks", arrays),
            "history": _packed(state.history, "history", arrays),
            "is_over": state.is_over,
        }
        write_model(self.path, header, arrays, kind=_KIND)


class KeepCheckpoint(keras.callbacks.Callback):  # type: ignore[name-defined]
    """Write the state after every epoch; the last of all callbacks.

    Parameters
    ----------
    checkpoint : Checkpoint
    others : list of keras.callbacks.Callback
        The callbacks before it, in their order.
    """

    def __init__(self, checkpoint: Checkpoint, others: list[Any]):
        super().__init__()
        self.checkpoint = checkpoint
        self.others = list(others)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the state that the epoch ended in."""
        self.checkpoint.write(take_state(self.model, epoch, self.others))


def _state(
    header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> TrainingState:
    return TrainingState(
        header["epoch"],
        [arrays[name] for name in sorted(arrays) if name.startswith("variables/")],
        _unpacked(header["callbacks"], arrays),
        _unpacked(header["history"], arrays),
        header["is_over"],
    )


def _packed(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Describe a value as JSON; its numbers and arrays go into ``arrays``."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {"of": {k: _packed(v, f"{name}/{k}", arrays) for k, v in value.items()}}
    if isinstance(value, list | tuple):
        return [_packed(v, f"{name}/{i}", arrays) for i, v in enumerate(value)]
    # JSON has neither NaN nor infinity, and a loss may be either.
    arrays[name] = np.asarray(value)
    return {"array" if isinstance(value, np.ndarray) else "number": name}


def _unpacked(described: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(described, list):
        return [_unpacked(item, arrays) for item in described]
    if not isinstance(described, dict):
        return described
    if "of" in described:
        return {k: _unpacked(v, arrays) for k, v in described["of"].items()}
    if "number" in described:
        return arrays[described["number"]].item()
    return arrays[described["array"]]
