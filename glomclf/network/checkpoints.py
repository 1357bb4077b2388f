"""Checkpoints: a training's state after each epoch, on disk, to go on from.

A file is named after everything that decides the training: a run that was killed finds
its own, and no other run does. Like a model it is JSON and plain arrays under one
SHA-256, and is written to a temporary name first, so that a kill at any moment leaves
the last whole one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from .. import __version__
from .._runtime import user_path
from ..data.archive import read_model, rebuilt, write_model
from ..data.archive_fields import history_from_json, history_to_json
from ..errors import ModelFileError
from .epochs import TrainingState

_KIND = "checkpoint"
_PARTS = ("variables", "best_weights")
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
        SHA-1, other for other versions of glomclf and of what it computes with.

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
    described = [__version__, versions, dict(settings), *arrays]
    return joblib.hash(described, hash_name="sha1")


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
        self.path = user_path(folder) / f"{fingerprint}.checkpoint"

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
            return rebuilt(self.path, _state, *read_model(self.path, kind=_KIND))
        except ModelFileError as error:
            raise ModelFileError(
                f"{error} It was to be the checkpoint to go on from: remove it to "
                "train from the start."
            ) from error

    def write(self, state: TrainingState) -> None:
        """Write a state in place of the last one."""
        arrays = {
            f"{part}/{i:05d}": array
            for part in _PARTS
            for i, array in enumerate(getattr(state, part))
        }
        header = {"history": history_to_json(state.history)}
        write_model(self.path, header, arrays, kind=_KIND)


def _state(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> TrainingState:
    variables, best_weights = (
        [arrays[name] for name in sorted(arrays) if name.startswith(f"{part}/")]
        for part in _PARTS
    )
    return TrainingState(history_from_json(header["history"]), variables, best_weights)
