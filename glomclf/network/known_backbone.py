"""What a fit knows of its backbone without building it.

Building ResNet-50 takes seconds and half a gigabyte in every process. A model file
names weights, or holds them: whether they are those of its backbone is seen here when
the file is read. Where the store holds all features that are asked for, only their
names are needed: the cut and the fingerprint of a trunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.archive_fields import check_fields, check_numbers
from ..data.store import FeatureStore
from ..errors import ModelFileError
from .known_layers import are_made_again, digest_of_shapes, fingerprint_of, layers_of
from .normalization import Normalization, find_normalization
from .weight_sources import (
    normalization_of,
    weights_identity,
    weights_record,
    weights_record_from_json,
)

if TYPE_CHECKING:
    from .backbones import Backbone

# Raised whenever a backbone or its weights' order changes.
_RECIPE = 4
_HEADER: dict[str, list] = {
    "fingerprint": [str],
    "normalization": [list, tuple],
    "weights": [dict],
}


@dataclass
class KnownBackbone:
    """What a fit knows of its backbone: which it is, and which weights it has.

    Parameters
    ----------
    name : str
    weights : "imagenet", path or None
    normalization : Normalization
    fingerprint : str
        SHA-256 of name, normalization and weights.
    record : dict of str to str or None
        As from `weights_record`.
    arrays : list of ndarray or None
        The weights, where a model file held them.
    """

    name: str
    weights: str | Path | None
    normalization: Normalization
    fingerprint: str
    record: dict[str, str | None]
    arrays: list[np.ndarray] | None = None

    @classmethod
    def of(
        cls,
        name: str,
        weights: str | Path | None,
        given: str | Sequence[Any] | None,
        cache_dir: str | Path | bool | None = False,
    ) -> KnownBackbone:
        """Look for weights; the backbone is built only to learn its fingerprint once.

        Parameters
        ----------
        name : str
        weights : "imagenet", path or None
        given : str, (mean, std) or None
            Normalization.
        cache_dir : path, None or False, default=False
            Where fingerprints are kept.

        Raises
        ------
        WeightsError
            If the weights cannot be had.
        """
        scale = normalization_of(name, weights, given)
        fingerprint = _kept_fingerprint(name, weights, scale, cache_dir)
        return cls(name, weights, scale, fingerprint, weights_record(name, weights))

    def load(self) -> Backbone:
        """Build the backbone, once a process."""
        from .backbones import find_backbone

        return find_backbone(self)

    def to_parts(self, prefix: str, *, whole: bool) -> tuple[dict, dict]:
        """Describe it as JSON, and as arrays if ``whole`` and no name gives them."""
        header = {
            "fingerprint": self.fingerprint,
            "normalization": self.normalization,
            "weights": self.record,
        }
        if not whole or are_made_again(self.name, self.weights, self.fingerprint):
            return header, {}
        arrays = self.arrays or self.load().model.get_weights()
        return header, {f"{prefix}/{i:03d}": array for i, array in enumerate(arrays)}

    @classmethod
    def from_parts(
        cls,
        name: str,
        weights: Any,
        header: Any,
        arrays: list[np.ndarray],
        *,
        whole: bool,
    ) -> KnownBackbone:
        """Read what ``to_parts`` described.

        Raises
        ------
        ModelFileError
            If the weights have other shapes, are not finite, are not those that the
            model was fitted with, or are not needed.
        """
        check_fields("The backbone", header, _HEADER)
        scale = find_normalization(header["normalization"])
        record = weights_record_from_json(header["weights"])
        self = cls(name, weights, scale, header["fingerprint"], record)
        is_usual = scale == normalization_of(name, None, None)
        known = is_usual and are_made_again(name, weights, self.fingerprint)
        if whole and (arrays or not known):
            self._refuse_others(arrays)
            self.arrays = arrays
        elif arrays:
            raise ModelFileError(f"There are weights of {name!r} that are not needed.")
        return self

    def _refuse_others(self, arrays: list[np.ndarray]) -> None:
        for array in arrays:
            check_numbers(f"The backbone {self.name!r}", array)
        if digest_of_shapes(arrays) != layers_of(self.name).shapes:
            raise ModelFileError(
                f"The weights have not the shapes of those of {self.name!r}."
            )
        if fingerprint_of(self.name, self.normalization, arrays) != self.fingerprint:
            raise ModelFileError(
                f"The weights and the normalization of {self.name!r} are not those "
                "that the model was fitted with."
            )


def _kept_fingerprint(
    name: str,
    weights: str | Path | None,
    scale: Normalization,
    cache_dir: str | Path | bool | None,
) -> str:
    """Return the fingerprint of a backbone, from the store where it is known."""

    def learned() -> str:
        from .backbones import load_backbone

        return load_backbone(name, weights, scale).fingerprint

    identity = weights_identity(name, weights)
    if cache_dir is False or identity is None:
        return learned()
    described = repr((name, identity, *scale, version("keras")))
    key = hashlib.sha256(described.encode()).digest()[:16]
    store = FeatureStore(cache_dir, f"fingerprints {_RECIPE}")  # type: ignore[arg-type]
    values, found = store.get_many([key])
    if found[0]:
        return values[0].tobytes().hex()
    fingerprint = learned()
    store.put_many([key], np.frombuffer(bytes.fromhex(fingerprint), np.uint8)[None])
    return fingerprint
