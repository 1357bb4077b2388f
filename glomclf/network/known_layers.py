"""What the layers of each backbone are, known without building it.

``random_statistics.py`` measures it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import ParameterError
from .normalization import Normalization

if TYPE_CHECKING:
    pass

LAYERS_FILE = Path(__file__).with_name("known_layers.json")


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
