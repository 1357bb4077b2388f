"""The embedded data set: arrays, or a folder, of PAS-like patches of glomeruli."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    validate_params,
)

from ..._runtime import user_path
from .cohort import MOST_PARTICIPANTS, Patch, plan_patches
from .drawing import draw_patch
from .folder import write_folder

_Arrays: TypeAlias = tuple[
    npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.object_]
]
_Size: TypeAlias = int | tuple[int, int]
_SMALLEST, _LARGEST = 8, 2048


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_participants": [Interval(Integral, 1, MOST_PARTICIPANTS, closed="both")],
        "sclerotic_fraction": [Interval(Real, 0, 1, closed="neither")],
        "image_size": [Interval(Integral, _SMALLEST, _LARGEST, closed="both"), tuple],
        "serial_sections": ["boolean"],
        "directory": [str, os.PathLike, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_glomeruli(
    n_samples: int = 100,
    *,
    n_participants: int = 10,
    sclerotic_fraction: float = 0.2,
    image_size: _Size = 224,
    serial_sections: bool = False,
    directory: str | os.PathLike[str] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> _Arrays | pd.DataFrame:
    """Draw PAS-like patches of glomeruli, globally sclerotic (1) or not (0).

    Participants differ in stain, focus and chronic damage more than the classes do in
    colour, and each has its own share of sclerosis: a model that is judged on
    participants it has seen looks better than it is, as on real biopsies. Many patches
    of class 0 are segmentally sclerotic, collapsed or scarred, and many of class 1 keep
    some open capillaries or a clear Bowman's space.

    Parameters
    ----------
    n_samples : int, default=100
        Number of patches.
    n_participants : int, default=10
        Number of participants, each with at least one glomerulus; some have many.
        At most half of `n_samples` with ``serial_sections``.
    sclerotic_fraction : float, default=0.2
        Share of patches of class 1, in (0, 1). Exactly
        ``round(n_samples * sclerotic_fraction)`` patches are of class 1; with
        ``serial_sections``, where both sections carry one label,
        ``2 * round(n_samples / 2 * sclerotic_fraction)``.
    image_size : int or tuple of (int, int), default=224
        Height and width of each patch in pixels, or the smallest and the largest
        height or width: patches then keep the proportions of their glomerulus, and
        larger glomeruli give larger patches, as in a set of originals. Such a pair
        needs a ``directory``.
    serial_sections : bool, default=False
        If True, each glomerulus is drawn twice, on the two slides
        ``..._PAS_1of2`` and ``..._PAS_2of2`` of its biopsy: a little deformed,
        shifted, recut and restained. If False, each patch shows another glomerulus
        and a participant has one slide.
    directory : str or path-like, default=None
        Folder to write: RGBA PNG files in ``globally_sclerotic_glomeruli`` and
        ``non_globally_sclerotic_glomeruli``, and ``public.csv`` with the columns
        ``name,ground truth,slide,participant``. It must not exist or be empty, and
        appears only once it is complete. If None, arrays are returned.
    random_state : int, RandomState instance or None, default=None
        Pass an int to draw the same patches at each call; a patch depends only on it
        and on the patch's own place, participant and label. Other versions of numpy
        or Pillow may draw other grey values.

    Returns
    -------
    X, y, groups : ndarrays, if ``directory`` is None
        Images of shape (n_samples, image_size, image_size, 3), uint8, RGB; labels of
        shape (n_samples,), int64; names of participants of shape (n_samples,), object.
        Rows are in random order.
    manifest : DataFrame of shape (n_samples, 4), if ``directory`` is given
        ``path, label, slide, participant``, as :func:`glomclf.read_manifest` reads
        them back.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or parameters contradict each other.
    ManifestError
        If ``directory`` is a file or holds files.

    Examples
    --------
    >>> from glomclf import make_glomeruli
    >>> X, y, groups = make_glomeruli(20, n_participants=4, image_size=32,
    ...                               random_state=0)
    >>> X.shape, X.dtype, int(y.sum()), len(set(groups))
    ((20, 32, 32, 3), dtype('uint8'), 4, 4)

    As a folder of originals, with serial sections:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = make_glomeruli(
    ...         20, n_participants=4, image_size=(24, 48), serial_sections=True,
    ...         directory=f"{folder}/biopsies", random_state=0,
    ...     )
    >>> list(manifest), manifest["slide"].nunique(), manifest["participant"].nunique()
    (['path', 'label', 'slide', 'participant'], 8, 4)
    """
    sizes = _size_range(image_size)
    n_glomeruli, rest = divmod(n_samples, 1 + serial_sections)
    if directory is None and sizes[0] != sizes[1]:
        raise InvalidParameterError(
            "arrays hold patches of one size: pass an int as image_size, or a directory"
            f" to write to, got {image_size!r}"
        )
    if rest or n_participants > n_glomeruli:
        raise InvalidParameterError(
            "each participant needs at least one glomerulus, and each glomerulus gives "
            f"{1 + serial_sections} patches: n_samples={n_samples} does not allow that "
            f"with n_participants={n_participants}"
        )
    entropy = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint32)
    patches = plan_patches(
        tuple(entropy.tolist()),
        int(n_glomeruli),
        n_participants,
        sclerotic_fraction,
        n_sections=1 + serial_sections,
    )
    if directory is None:
        return _as_arrays(patches, sizes)
    return write_folder(patches, sizes, user_path(directory).absolute())


def _size_range(image_size: _Size) -> tuple[int, int]:
    """Return the smallest and the largest side in pixels."""
    sizes = image_size if isinstance(image_size, tuple) else (image_size, image_size)
    are_whole = len(sizes) == 2 and all(isinstance(size, Integral) for size in sizes)
    if not are_whole or not _SMALLEST <= sizes[0] <= sizes[1] <= _LARGEST:
        raise InvalidParameterError(
            "image_size must be an int, or a tuple (low, high) of ints with "
            f"{_SMALLEST} <= low <= high <= {_LARGEST}, got {image_size!r}"
        )
    return int(sizes[0]), int(sizes[1])


def _as_arrays(patches: Sequence[Patch], sizes: tuple[int, int]) -> _Arrays:
    X = np.empty((len(patches), sizes[0], sizes[0], 3), dtype=np.uint8)
    for image, patch in zip(X, patches, strict=True):
        image[:] = draw_patch(patch, sizes)
    y = np.array([patch.label for patch in patches], dtype=np.int64)
    groups = np.array([patch.slide.participant for patch in patches], dtype=object)
    return X, y, groups
