"""What is known of a backbone without building it.

Building ResNet-50 takes seconds and half a gigabyte in every process. A model file
names weights, or holds them: whether they are those of its backbone is seen here when
the file is read. Where the store holds all features that are asked for, only their
names are needed: the cut and the fingerprint of a trunk. ``random_statistics.py``
measures the layers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..data.archive_fields import check_fields, check_numbers
from ..data.store import FeatureStore
from ..errors import ModelFileError, ParameterError
from .normalization import Normalization, find_normalization
from .weight_sources import (
    normalization_of,
    weights_identity,
    weights_record,
    weights_record_from_json,
)

if TYPE_CHECKING:
    from .backbones import Backbone

LAYERS_FILE = Path(__file__).with_name("known_layers.json")
# Raised whenever a backbone or its weights' order changes.
_RECIPE = 4
_HEADER: dict[str, list] = {
    "fingerprint": [str],
    "normalization": [list, tuple],
    "weights": [dict],
}


class KnownLayers(NamedTuple):
    """The layers of a backbone.

    Parameters
    ----------
    name : str
    n_layers : int
    outputs : dict of str to (int, int)
        Place and channels of each layer that every path runs through.
    shapes : str
        Digest of the shapes of all weights.
    random : str
        Fingerprint of the backbone with its fixed random weights, scaled as usual.
    """

    name: str
    n_layers: int
    outputs: dict[str, tuple[int, int]]
    shapes: str
    random: str

    def n_trainable(self, trainable_layers: int | str) -> int:
        """Return how many of the last layers ``trainable_layers`` means."""
        n = self.n_layers if trainable_layers == "all" else int(trainable_layers)
        if n > self.n_layers:
            raise ParameterError(
                f"trainable_layers={n} was given, but {self.name!r} has "
                f'{self.n_layers} Keras layers. Pass a smaller number, or "all".'
            )
        return n

    def is_whole(self, trainable_layers: int | str) -> bool:
        """Whether ``trainable_layers`` leaves no layer frozen."""
        return self.n_trainable(trainable_layers) == self.n_layers

    def cut(self, trainable_layers: int | str) -> str | None:
        """Name the last block output before the first trainable layer.

        None stands for the image itself: there is no frozen part.
        """
        n_frozen = self.n_layers - self.n_trainable(trainable_layers)
        frozen = [name for name, (at, _) in self.outputs.items() if at < n_frozen]
        return frozen[-1] if frozen else None

    def width(self, cut: str) -> int | None:
        """Return the number of features at a cut, None where they are maps."""
        place, channels = self.outputs[cut]
        return channels if place == self.n_layers - 1 else None


def layers_of(backbone: str) -> KnownLayers:
    """Return what is known of a backbone by its name.

    Examples
    --------
    >>> from glomclf.network.known_layers import layers_of
    >>> layers_of("cnn").cut(0), layers_of("cnn").width("avg_pool")
    ('avg_pool', 128)
    """
    return KnownLayers(backbone, **_known()[backbone])


@cache
def _known() -> dict[str, dict]:
    return json.loads(LAYERS_FILE.read_text())


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


def digest_of_shapes(arrays: Iterable[np.ndarray]) -> str:
    """Tell the shapes of weights from others."""
    shapes = [tuple(array.shape) for array in arrays]
    return hashlib.sha256(repr(shapes).encode()).hexdigest()


def are_made_again(name: str, weights: Any, fingerprint: str) -> bool:
    """Tell whether a model file need not hold weights, since the name gives them.

    True for the fixed random weights, scaled as usual.
    """
    return weights is None and fingerprint == layers_of(name).random


def fingerprint_of(
    name: str, preprocess: Normalization, arrays: Sequence[np.ndarray]
) -> str:
    """Return the SHA-256 of a backbone's name, normalization and weights."""
    digest = hashlib.sha256(repr((name, *preprocess)).encode())
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
