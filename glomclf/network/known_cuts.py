"""Which cut and which weights a trunk has, known without building its network.

Building ResNet-50 takes seconds and half a gigabyte in every process. Where the store
holds all features that are asked for, only their names are needed: so the cut and the
fingerprint of a trunk are kept beside them, by what decides both.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..data.store import FeatureStore
from .normalization import Normalization
from .weight_sources import weights_identity

__all__ = ["KnownTrunks"]

# Raised whenever a backbone, its random weights or its cuts change.
_RECIPE = 3
_N_BYTES = 256


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
        self,
        backbone: str,
        weights: str | Path | None,
        normalization: Normalization,
        trainable_layers: int | str,
    ) -> tuple[str | None, str] | None:
        """Return cut and fingerprint, None where they are not known."""
        key = _key(backbone, weights, normalization, trainable_layers)
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
        normalization: Normalization,
        trainable_layers: int | str,
        cut: str | None,
        fingerprint: str,
    ) -> None:
        """Keep cut and fingerprint."""
        key = _key(backbone, weights, normalization, trainable_layers)
        if key is not None:
            text = json.dumps([cut, fingerprint]).encode().ljust(_N_BYTES, b"\0")
            self._store.put_many([key], np.frombuffer(text, np.uint8)[np.newaxis])


def _key(
    backbone: str,
    weights: str | Path | None,
    normalization: Normalization,
    trainable_layers: int | str,
) -> bytes | None:
    identity = weights_identity(backbone, weights)
    if identity is None:
        return None
    told_apart = repr(
        (backbone, identity, *normalization, str(trainable_layers), version("keras"))
    )
    return hashlib.sha256(told_apart.encode()).digest()[:16]
