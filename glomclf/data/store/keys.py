"""Keys made of content: of pixels for images, of bytes for files.

A file is known by the hash of its bytes rather than by path, size and time: a file that
was moved or copied is found, one that was replaced within the clock's granularity is
not mistaken for the old one, and hashing a file takes a hundredth of decoding it.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_HASH_THREADS = 4


def content_keys(images: NDArray[np.uint8]) -> list[bytes]:
    """Return a key per image, made of its pixels and nothing else.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3), dtype uint8
        RGB images as they enter the encoder.

    Returns
    -------
    list of bytes
        The first 16 bytes of the SHA-256 of height, width and pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.store import content_keys
    >>> images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    >>> images[1, 0, 0, 0] = 255
    >>> first, second = content_keys(images)
    >>> len(first), first == second
    (16, False)
    """
    n_threads = min(_MAX_HASH_THREADS, os.cpu_count() or 1, max(1, len(images)))
    with ThreadPoolExecutor(n_threads) as pool:
        parts = list(pool.map(_hash_images, np.array_split(images, n_threads)))
    return [key for part in parts for key in part]


def file_key(path: str | os.PathLike[str]) -> bytes | None:
    """Return 128 bits of the SHA-256 of a file, None where it cannot be read.

    Examples
    --------
    >>> from glomclf.data.store import file_key
    >>> file_key("no such file") is None
    True
    """
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").digest()[:16]
    except OSError:
        return None


def digest(*parts: Any) -> bytes:
    """Return 128 bits of SHA-256, which processors of the last years have built in."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part)
    return hasher.digest()[:16]


def _hash_images(images: NDArray[np.uint8]) -> list[bytes]:
    size = repr(images.shape[1:]).encode()
    return [digest(size, np.ascontiguousarray(image)) for image in images]
