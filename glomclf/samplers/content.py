"""What samplers of images draw by: the image's content, and a seed."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from ..errors import SamplingError


def draw_seed(rng: np.random.RandomState) -> int:
    """Draw the seed of a sampler's transforms.

    Examples
    --------
    >>> import numpy as np
    >>> 0 <= draw_seed(np.random.RandomState(0)) < 2**31
    True
    """
    return int(rng.randint(2**31 - 1))


def content_digest(image: np.ndarray) -> bytes:
    """Stand for the content of an image in 16 bytes, its shape included.

    Examples
    --------
    >>> import numpy as np
    >>> wide, high = np.zeros((1, 4, 3), "uint8"), np.zeros((4, 1, 3), "uint8")
    >>> content_digest(wide) == content_digest(high)
    False
    """
    shape = np.array(image.shape, dtype="<u4").tobytes()
    return blake2b(np.ascontiguousarray(image), digest_size=16, salt=shape).digest()


def draw_key(seed: int, replicate: int, digest: bytes) -> tuple[int, ...]:
    """Say what seeds the draws of one new image.

    Parameters
    ----------
    seed : int
        That of the sampler.
    replicate : int
        The number of the new image among those of its source.
    digest : bytes
        The content of the source.

    Returns
    -------
    tuple of int
        For `numpy.random.default_rng`.

    Examples
    --------
    >>> draw_key(7, 1, bytes(8))
    (7, 1, 0, 0)
    """
    return seed, replicate, *np.frombuffer(digest, dtype="<u4").tolist()


def checked_images(X: np.ndarray) -> np.ndarray:
    """Refuse what is no array of RGB images.

    Raises
    ------
    SamplingError
        If X is not uint8 of shape (n_samples, height, width, 3).
    """
    if X.ndim == 4 and X.shape[-1] == 3 and X.dtype == np.uint8:
        return X
    raise SamplingError(
        f"X has shape {X.shape} and dtype {X.dtype}; augmentation needs RGB images: "
        "shape (n_samples, height, width, 3), dtype uint8 in [0, 255]. Features cannot "
        "be augmented: sample in pixels, or take SMOTE."
    )
