"""Images on disk, found again by the key of what they were made of.

Beside the pixels lies the key under which the encoder's features are kept, so that
features of a known file are found without decoding it, or even reading its pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from .feature_store import FeatureStore
from .keys import content_keys

# Raised whenever read_image or resize_image give other pixels for some file.
_DECODING = 3


class PixelStore:
    """Images on disk, and the keys of their pixels, by the key of what they came from.

    Parameters
    ----------
    cache_dir : path or None
        As in :class:`ImageLoader`.
    made : str
        What was done to come from there to the images: all that decides their pixels.

    Attributes
    ----------
    cache_dir : pathlib.Path
        The folder.
    """

    def __init__(self, cache_dir: str | Path | None, made: str):
        self._pixels = FeatureStore(cache_dir, made)
        self._keys = FeatureStore(cache_dir, f"keys of {made}")
        self.cache_dir = self._pixels.cache_dir

    def content_keys(self, sources: Sequence[bytes | None]) -> list[bytes | None]:
        """Return the keys of the images' pixels, None where they are not known."""
        values, found = self._keys.get_many([source or b"" for source in sources])
        return [
            value.tobytes() if there else None
            for value, there in zip(values, found, strict=True)
        ]

    def get(
        self, sources: Sequence[bytes | None]
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the images, and which of them were there."""
        return self._pixels.get_many([source or b"" for source in sources])

    def put(self, sources: Sequence[bytes | None], images: NDArray[np.uint8]) -> None:
        """Keep images, and the keys of their pixels, where the source is known."""
        places = [place for place, key in enumerate(sources) if key is not None]
        if places:
            known, kept = [sources[place] or b"" for place in places], images[places]
            keys = np.frombuffer(b"".join(content_keys(kept)), dtype=np.uint8)
            self._pixels.put_many(known, kept)
            self._keys.put_many(known, keys.reshape(-1, 16))


def decoded_images(
    cache_dir: str | Path | None, image_size: int, resize: str, max_pixels: int
) -> PixelStore:
    """Return the store of files decoded at one size, by the key of the file.

    Files beyond `max_pixels` are refused, so that each bound has images of its own.
    """
    how = f"{image_size} {resize} {max_pixels} {_DECODING} {PIL.__version__}"
    return PixelStore(cache_dir, f"decoded images {how}")
