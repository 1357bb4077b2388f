"""What the layers of each backbone are, known without building it.

A model file names a cut and holds weights. Whether they are those of its backbone is
seen here when the file is read, before TensorFlow is needed. ``random_statistics.py``
measures it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data.archive_fields import check_numbers
from ..errors import ModelFileError
from .normalization import Normalization
from .weight_sources import normalization_of

__all__ = [
    "LAYERS_FILE",
    "KnownLayers",
    "are_made_again",
    "digest_of_shapes",
    "fingerprint_of",
    "last_output",
    "layers_of",
    "refuse_other_weights",
    "weights_of_file",
]

LAYERS_FILE = Path(__file__).with_name("known_layers.json")


class KnownLayers(NamedTuple):
    """The layers of a backbone.

    Parameters
    ----------
    n_layers : int
    outputs : dict of str to (int, int)
        Place and channels of each layer that every path runs through.
    shapes : str
        Digest of the shapes of all weights.
    random : str
        Fingerprint of the backbone with its fixed random weights, scaled as usual.
    """

    n_layers: int
    outputs: dict[str, tuple[int, int]]
    shapes: str
    random: str

    def cut(self, trainable_layers: int | str) -> str | None:
        """Name the last block output before the first trainable layer, as Backbone."""
        n = self.n_layers if trainable_layers == "all" else int(trainable_layers)
        places = {name: place for name, (place, _) in self.outputs.items()}
        return last_output(places, self.n_layers - n)

    def width(self, cut: str) -> int | None:
        """Return the number of features at a cut, None where they are maps."""
        place, channels = self.outputs[cut]
        return channels if place == self.n_layers - 1 else None


def last_output(places: Mapping[str, int], n_frozen: int) -> str | None:
    """Name the last of the outputs that lie in the first layers, None if none does.

    Parameters
    ----------
    places : mapping of str to int
        Of the outputs, from the first to the last.
    n_frozen : int
        How many layers are the first.

    Examples
    --------
    >>> from glomclf.network.known_layers import last_output
    >>> last_output({"pool1": 4, "pool2": 8}, 6), last_output({"pool1": 4}, 4)
    ('pool1', None)
    """
    frozen = [name for name, place in places.items() if place < n_frozen]
    return frozen[-1] if frozen else None


def layers_of(backbone: str) -> KnownLayers:
    """Return what is known of a backbone by its name.

    Examples
    --------
    >>> from glomclf.network.known_layers import layers_of
    >>> layers_of("cnn").cut(0), layers_of("cnn").width("avg_pool")
    ('avg_pool', 128)
    """
    return KnownLayers(**_known()[backbone])


@cache
def _known() -> dict[str, dict]:
    return json.loads(LAYERS_FILE.read_text())


def digest_of_shapes(arrays: Iterable[np.ndarray]) -> str:
    """Tell the shapes of weights from others."""
    shapes = [tuple(array.shape) for array in arrays]
    return hashlib.sha256(repr(shapes).encode()).hexdigest()


def are_made_again(name: str, weights: Any, fingerprint: str) -> bool:
    """Tell whether a model file need not hold weights, since the name gives them.

    Parameters
    ----------
    name : str
        Of the backbone.
    weights : str, Path or None
        What the parameter says.
    fingerprint : str
        Of the weights and the normalization.

    Returns
    -------
    bool
        True for the fixed random weights, scaled as usual.
    """
    return weights is None and fingerprint == layers_of(name).random


def weights_of_file(
    name: str,
    weights: Any,
    preprocess: Normalization,
    arrays: list[np.ndarray],
    fingerprint: str,
) -> list[np.ndarray] | None:
    """Return the weights that a model file holds; None where the name gives them.

    Raises
    ------
    ModelFileError
        As `refuse_other_weights` does.
    """
    is_usual = preprocess == normalization_of(name, None, None)
    if not arrays and is_usual and are_made_again(name, weights, fingerprint):
        return None
    refuse_other_weights(name, preprocess, arrays, fingerprint)
    return arrays


def refuse_other_weights(
    name: str,
    preprocess: Normalization,
    arrays: Sequence[np.ndarray],
    fingerprint: str,
) -> None:
    """Refuse weights out of a model file that are not those of the backbone.

    Raises
    ------
    ModelFileError
        If they have other shapes, are not finite, or are not those that the model was
        fitted with.
    """
    for array in arrays:
        check_numbers(f"The backbone {name!r}", array)
    if digest_of_shapes(arrays) != layers_of(name).shapes:
        raise ModelFileError(f"The weights have not the shapes of those of {name!r}.")
    if fingerprint_of(name, preprocess, arrays) != fingerprint:
        raise ModelFileError(
            f"The weights and the normalization of {name!r} are not those that the "
            "model was fitted with."
        )


def fingerprint_of(
    name: str, preprocess: Normalization, arrays: Sequence[np.ndarray]
) -> str:
    """Return the SHA-256 of a backbone's name, normalization and weights."""
    digest = hashlib.sha256(repr((name, *preprocess)).encode())
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
