"""Which cut and which weights a trunk has, known without building its network.

Building ResNet-50 takes seconds and half a gigabyte in every process. Where the store
holds all features that are asked for, only their names are needed: so the cut and the
fingerprint of a trunk are kept beside them, by what decides both.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..data.store import FeatureStore

__all__ = ["KnownTrunks", "weights_identity"]

# Raised whenever a backbone, its random weights or its cuts change.
_RECIPE = 2
_N_BYTES = 256
_BLOCK_BYTES = 1024**2
_KERAS_FILE = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


def weights_identity(weights: str | Path | None) -> str | None:
    """Name the weights by their file's content; None where there is no such file.

    Examples
    --------
    >>> from glomclf.network.known_cuts import weights_identity
    >>> weights_identity("no such file") is None
    True
    """
    if weights is None:
        return "random"  # the same everywhere
    if weights == "imagenet":
        home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
        return _content(home / "models" / _KERAS_FILE)
    return _content(Path(weights).expanduser())


def _content(file: Path) -> str | None:
    if not file.is_file():
        return None
    hasher = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK_BYTES):
            hasher.update(block)
    return hasher.hexdigest()


class KnownTrunks:
    """Cut and fingerprint of trunks, found again by what decides them.

    Parameters
    ----------
    cache_dir : path or None
        As in :class:`PatchEncoder`.
    """

    def __init__(self, cache_dir: str | Path | None):
        self._store = FeatureStore(cache_dir, f"known trunks {_RECIPE}")

    def get(
        self, backbone: str, weights: str | Path | None, trainable_layers: int | str
    ) -> tuple[str | None, str] | None:
        """Return cut and fingerprint, None where they are not known."""
        key = _key(backbone, weights, trainable_layers)
        if key is None:
            return None
        values, found = self._store.get_many([key])
        if not found[0]:
            return None
        cut, fingerprint = json.loads(values[0].tobytes().rstrip(b"\0"))
        return cut, fingerprint

    def put(
        self,
        backbone: str,
        weights: str | Path | None,
        trainable_layers: int | str,
        cut: str | None,
        fingerprint: str,
    ) -> None:
        """Keep cut and fingerprint."""
        key = _key(backbone, weights, trainable_layers)
        if key is not None:
            text = json.dumps([cut, fingerprint]).encode().ljust(_N_BYTES, b"\0")
            self._store.put_many([key], np.frombuffer(text, np.uint8)[np.newaxis])


def _key(
    backbone: str, weights: str | Path | None, trainable_layers: int | str
) -> bytes | None:
    identity = weights_identity(weights)
    if identity is None:
        return None
    told_apart = repr((backbone, identity, str(trainable_layers), version("keras")))
    return hashlib.sha256(told_apart.encode()).digest()[:16]
