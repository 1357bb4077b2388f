"""How images are scaled before a network: part of its weights, in all but name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ParameterError


class Normalization(NamedTuple):
    """Channels in [0, 1], less their mean, over their standard deviation.

    Parameters
    ----------
    mean, std : tuple of three floats
        Of red, green and blue; in the order of ``channels``.
    channels : {"rgb", "bgr"}, default="rgb"
        The order that the network takes them in.

    Examples
    --------
    >>> from glomclf.network.normalization import NORMALIZATIONS
    >>> NORMALIZATIONS["inception"]
    Normalization(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), channels='rgb')
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: str = "rgb"

    def __call__(self, images: Any) -> Any:
        """Scale float32 RGB images in [0, 255], of shape (n, height, width, 3)."""
        if self.channels == "bgr":
            images = images[..., ::-1]
        mean, std = 255.0 * np.array([self.mean, self.std])
        return (images - mean.astype(np.float32)) * (1.0 / std).astype(np.float32)


NORMALIZATIONS = {
    "imagenet": Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "inception": Normalization((0.5,) * 3, (0.5,) * 3),
    "efficientnet-lite": Normalization((127 / 255,) * 3, (128 / 255,) * 3),
    # Of blue, green and red: the networks of Caffe, and Keras' ResNet-50.
    "caffe": Normalization(
        (103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255,) * 3, "bgr"
    ),
    # Kang et al. (2023), "Benchmarking self-supervised learning on diverse pathology
    # datasets".
    "lunit": Normalization(
        (0.70322989, 0.53606487, 0.66096631), (0.21716536, 0.26081574, 0.20723464)
    ),
}


def find_normalization(given: str | Sequence[Any]) -> Normalization:
    """Return a normalization by its name, or from mean and standard deviation.

    Raises
    ------
    ParameterError
        If it is neither a known name nor such numbers.

    Examples
    --------
    >>> from glomclf.network.normalization import find_normalization
    >>> find_normalization(((0.7, 0.5, 0.6), (0.2, 0.2, 0.2))).channels
    'rgb'
    """
    if isinstance(given, str):
        found = NORMALIZATIONS.get(given)
    else:
        found = _from_numbers(given)
    if found is None:
        raise ParameterError(
            f"normalization={given!r} was given. Expected one of "
            f"{', '.join(map(repr, NORMALIZATIONS))}; or mean and standard deviation "
            "of red, green and blue in [0, 1], such as "
            "((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)); or None, for that of the weights."
        )
    return found


def _from_numbers(given: Sequence[Any]) -> Normalization | None:
    try:
        mean, std, *channels = given
        found = Normalization(
            tuple(map(float, mean)), tuple(map(float, std)), *channels
        )
        is_usable = len(found.mean) == len(found.std) == 3 and min(found.std) > 0
    except (TypeError, ValueError):
        return None
    return found if is_usable and found.channels in ("rgb", "bgr") else None
