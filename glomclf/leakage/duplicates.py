"""Images that show the same: equal pixels, copies saved again, serial sections.

Every image is decoded once and kept as a digest of its pixels and a grey thumbnail of
64 x 64. Equal digests are equal images. Of the rest, thumbnails are compared: their
fine structure, freed of stain and brightness, is correlated under all shifts, turns
and mirrorings to find each image's likeliest relatives, and those few are laid over
each other exactly (`.alignment`). A distance is 1 less the correlation, which is
first brought to what it would be worth among 400 independent pixels: two blurred images
correlate by chance more easily than two sharp ones [1]_.

The thresholds come from measurement: ``docs/benchmarks/near_duplicates.md``.

References
----------
.. [1] Clifford P, Richardson S, Hemon D. Assessing the significance of the correlation
   between two spatial processes. Biometrics 1989;45:123-134.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations, product
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, validate_params

from .._runtime import progress, threads_for
from ..data.images import read_image, resize_image
from ..data.loader import images_or_paths
from ..errors import ImageError
from .alignment import aligned_correlation, dihedral_views

Pair = tuple[int, int, str, float]  # two rows, kind, distance

NEAR_DUPLICATE_DISTANCE = 0.4
"""Largest distance of two images that are taken for views of one glomerulus."""

RE_ENCODED_DISTANCE = 0.08
"""Largest distance of two images that are taken for one image, saved twice."""

_THUMBNAIL, _SMALL = 64, 24  # sides of the images that are aligned, and searched
_SHIFT = 2  # pixels of the small image, a twelfth of its side either way
_N_RELATIVES = 5  # candidates that are aligned, for each image
_INDEPENDENT_PIXELS = 400  # about the median of real patches' thumbnails
_SURE = 0.9  # small images so alike are aligned however many they are
_BLOCK, _PAIRS_AT_ONCE = 512, 32  # more pairs leave the cache of the processor


@dataclass(frozen=True)
class Fingerprints:
    """What is kept of images to compare them.

    Parameters
    ----------
    digests : list of bytes
        SHA-256 of each image's size and RGB pixels, whatever file they came from.
    thumbnails : ndarray of shape (n_samples, 64, 64), uint8
        Grey values in [0, 255].
    """

    digests: list[bytes]
    thumbnails: NDArray[np.uint8]


def fingerprint_images(
    X: ArrayLike | pd.DataFrame, *, n_jobs: int | None = None, verbose: int = 0
) -> Fingerprints:
    """Decode each image once, and keep what comparing needs.

    Parameters
    ----------
    X : DataFrame, array-like of paths, or ndarray
        A DataFrame with ``path``, paths, or uint8 images in [0, 255] of shape
        (n_samples, height, width, 3).
    n_jobs : int or None, default=None
        Threads that decode. None means 1 unless in a `joblib.parallel_config`.
    verbose : int, default=0
        1 shows a bar on standard error.

    Returns
    -------
    fingerprints : Fingerprints

    Raises
    ------
    ImageError
        If files cannot be read; it lists every one of them.
    TypeError, ValueError
        If `X` is none of the above.
    """
    items = images_or_paths(X)
    thumbnails = np.empty((len(items), _THUMBNAIL, _THUMBNAIL), dtype=np.uint8)
    done = _in_threads(n_jobs, _fingerprint, items, range(len(items)))
    digests: list[bytes] = []
    faults: dict[str, str] = {}
    with progress("Comparing images", len(items), enabled=bool(verbose)) as advance:
        for row, (digest, thumbnail, fault) in enumerate(done):
            digests.append(digest)
            thumbnails[row] = thumbnail
            faults.update(fault)
            advance()
    if faults:
        raise ImageError(faults)
    return Fingerprints(digests, thumbnails)


def _in_threads(n_jobs: int | None, function: Callable, *arguments: Iterable) -> Any:
    """Map as `map` does, in threads; yield results in order."""
    threads = {"n_jobs": threads_for(n_jobs), "require": "sharedmem"}
    run = Parallel(return_as="generator", **threads)
    return run(delayed(function)(*one) for one in zip(*arguments, strict=True))


def _fingerprint(item: Any, row: int) -> tuple[bytes, Any, dict[str, str]]:
    is_path = isinstance(item, str | os.PathLike)
    try:
        if not (is_path or isinstance(item, np.ndarray)):
            raise ImageError({"": f"is {item!r}; a path or a uint8 image was expected"})
        image = read_image(item) if is_path else item
        square = resize_image(image, _THUMBNAIL, "stretch")
    except ImageError as error:
        why = next(iter(error.faults.values()))
        return b"", 0, {os.fspath(item) if is_path else f"X[{row}]": why}
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest(), Image.fromarray(square).convert("L"), {}


@validate_params(
    {"max_distance": [Interval(Real, 0, 1, closed="both")]},
    prefer_skip_nested_validation=True,
)
def find_duplicates(
    fingerprints: Fingerprints,
    *,
    max_distance: float = NEAR_DUPLICATE_DISTANCE,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Find pairs of images that show the same glomerulus.

    Parameters
    ----------
    fingerprints : Fingerprints
        As from `fingerprint_images`.
    max_distance : float in [0, 1], default=NEAR_DUPLICATE_DISTANCE
        Largest distance of a pair; 0 finds equal pixels only. The default was chosen
        so that pairs of different glomeruli are hardly ever reported.
    n_jobs : int or None, default=None
        Threads that align candidates.
    verbose : int, default=0
        1 shows a bar on standard error.

    Returns
    -------
    pairs : DataFrame of shape (n_pairs, 4)
        ``first``, ``second`` (rows, first < second), ``kind`` and ``distance``, in
        [0, 1], nearest first. ``kind`` is ``"identical"`` (the same pixels),
        ``"re-encoded"`` (one image saved or resized again, mirrored, or cut or turned
        by a little) or ``"near-duplicate"`` (most often a serial section).

    Notes
    -----
    For each image the five likeliest relatives are aligned, and all that are nearly
    certain, so that time and memory grow with the square of the images only in the
    search, which is one matrix product: of 50 000 images it takes 10 GB. The result
    does not depend on the order of the images.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf import make_glomeruli
    >>> from glomclf.leakage.duplicates import find_duplicates, fingerprint_images
    >>> X, _, _ = make_glomeruli(6, n_participants=3, image_size=64, random_state=0)
    >>> X = np.concatenate([X, X[:1], X[1:2, ::-1]])  # a copy, and an upturned one
    >>> find_duplicates(fingerprint_images(X))[["first", "second", "kind"]]
       first  second        kind
    0      0       6   identical
    1      1       7  re-encoded
    """
    members = rows_by_content(fingerprints.digests)
    found = equal_pairs(members, "identical")
    if max_distance > 0 and len(members) > 1:
        thumbnails = fingerprints.thumbnails[[rows[0] for rows in members]]
        near = _near_pairs(thumbnails, max_distance, n_jobs, verbose)
        found += [
            (min(pair), max(pair), _kind(distance), distance)
            for i, j, distance in near
            for pair in product(members[i], members[j])
        ]
    return pairs_table(found)


def rows_by_content(contents: Iterable[bytes]) -> list[list[int]]:
    """Gather equal rows, in the order of contents, which knows no order of rows."""
    rows_of: dict[bytes, list[int]] = defaultdict(list)
    for row, content in enumerate(contents):
        rows_of[content].append(row)
    return [rows_of[content] for content in sorted(rows_of)]


def equal_pairs(members: list[list[int]], kind: str) -> list[Pair]:
    """Pair all rows that are equal."""
    return [(*pair, kind, 0.0) for rows in members for pair in combinations(rows, 2)]


def pairs_table(found: Iterable[Pair]) -> pd.DataFrame:
    """Make the table of pairs, nearest first."""
    columns = {"first": int, "second": int, "kind": str, "distance": float}
    pairs = pd.DataFrame(found, columns=list(columns)).astype(columns)
    return pairs.sort_values(["distance", "first", "second"], ignore_index=True)


def _kind(distance: float) -> str:
    return "re-encoded" if distance <= RE_ENCODED_DISTANCE else "near-duplicate"


def _near_pairs(
    thumbnails: NDArray[np.uint8], max_distance: float, n_jobs: int | None, verbose: int
) -> Iterable[tuple[int, int, float]]:
    """Yield pairs of images within the distance."""
    shape = (_SMALL, _SMALL)
    resized = (Image.fromarray(one).resize(shape) for one in thumbnails)
    small = np.stack([np.asarray(one, dtype=np.float32) for one in resized])
    candidates = likely_relatives(_structure(small, 0.5, 2, 3))
    structure = _structure(thumbnails.astype(np.float32), 1, 4, 4)
    spectra = _radial_spectra(structure)
    batches = [
        candidates[rows] for rows in gen_batches(len(candidates), _PAIRS_AT_ONCE)
    ]

    def correlated(pairs: NDArray[np.intp]) -> NDArray[np.float32]:
        return aligned_correlation(*structure[pairs.T])

    aligned = _in_threads(n_jobs, correlated, batches)
    with progress("Aligning pairs", len(candidates), enabled=bool(verbose)) as advance:
        for pairs, correlation in zip(batches, aligned, strict=True):
            advance(len(pairs))
            distance = 1 - _comparable(correlation, spectra, pairs)
            for (i, j), d in zip(pairs.tolist(), distance.tolist(), strict=True):
                if d <= max_distance:
                    yield i, j, d


def _structure(
    images: NDArray[np.float32], fine: float, coarse: float, window: float
) -> NDArray[np.float32]:
    """Keep detail of one scale, brought to equal contrast everywhere.

    Brightness, stain and the bright or dark rim that all glomeruli share weigh no more
    than the tuft does.
    """
    detail = gaussian_filter(images, (0, fine, fine))
    detail -= gaussian_filter(images, (0, coarse, coarse))
    contrast = np.sqrt(gaussian_filter(detail * detail, (0, window, window)))
    floor = 0.3 * contrast.mean(axis=(1, 2), keepdims=True) + np.float32(1e-3)
    return detail / (contrast + floor)


def _radial_spectra(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of the variance in each ring of frequencies: (n_images, n_rings)."""
    rings = _rings(images.shape[1])
    spectra = []
    for image in images:
        power = np.abs(np.fft.fft2(image - image.mean())) ** 2
        spectra.append(np.bincount(rings, (power / max(power.sum(), 1e-9)).ravel()))
    return np.array(spectra, dtype=np.float32)


def _rings(size: int) -> NDArray[np.intp]:
    frequency = np.fft.fftfreq(size, 1 / size)
    return np.hypot(*np.meshgrid(frequency, frequency)).astype(np.intp).ravel()


def _comparable(
    correlation: NDArray[np.float32], spectra: NDArray[np.float32], pairs: NDArray
) -> NDArray[np.float64]:
    """Bring correlations to those of equal significance among 400 pixels.

    The number of independent pixels follows from the images' spectra, by Fisher's
    transform it weighs the correlation.
    """
    in_ring = np.bincount(_rings(_THUMBNAIL))
    overlap = (spectra[pairs[:, 0]] * spectra[pairs[:, 1]] / in_ring).sum(axis=1)
    n_pixels = 1 / np.maximum(overlap, 1 / _THUMBNAIL**2)
    fisher = np.arctanh(np.clip(correlation.astype(float), 0, 1 - 1e-12))
    return np.tanh(fisher * np.sqrt(n_pixels / _INDEPENDENT_PIXELS))


def likely_relatives(images: NDArray[np.float32]) -> NDArray[np.intp]:
    """Find the pairs worth aligning, by correlation under shifts, turns, mirroring.

    Parameters
    ----------
    images : ndarray of shape (n_images, size, size), float32

    Returns
    -------
    pairs : ndarray of shape (n_pairs, 2), int
        Each image with its five likeliest relatives, and with all it is nearly equal
        to; first < second, no pair twice.
    """
    n_images = len(images)
    similarity = np.full((n_images, n_images), -1, dtype=np.float32)
    centres = _unit_rows(images[:, _SHIFT:-_SHIFT, _SHIFT:-_SHIFT])
    for columns in gen_batches(n_images, _BLOCK):
        windows = _windows(images[columns])
        for rows in gen_batches(columns.stop, _BLOCK):
            block = centres[rows] @ windows[0].T
            other = np.empty_like(block)
            for window in windows[1:]:
                np.matmul(centres[rows], window.T, out=other)
                np.maximum(block, other, out=block)
            similarity[rows, columns] = block
    _make_symmetric(similarity)
    np.fill_diagonal(similarity, -1)
    chosen = [
        _relatives(similarity[rows], rows) for rows in gen_batches(n_images, _BLOCK)
    ]
    return np.unique(np.concatenate(chosen), axis=0)


def _make_symmetric(similarity: NDArray[np.float32]) -> None:
    """Take the larger of both sides, in place: the matrix may fill the memory."""
    for columns in gen_batches(len(similarity), _BLOCK):
        for rows in gen_batches(columns.stop, _BLOCK):
            larger = np.maximum(similarity[rows, columns], similarity[columns, rows].T)
            similarity[rows, columns] = larger
            similarity[columns, rows] = larger.T


def _relatives(similarity: NDArray[np.float32], rows: slice) -> NDArray[np.intp]:
    """Pair each of these rows with its likeliest relatives, the lower number first."""
    n_relatives = min(_N_RELATIVES, similarity.shape[1] - 1)
    nearest = np.argpartition(-similarity, n_relatives - 1, axis=1)[:, :n_relatives]
    chosen = similarity >= _SURE
    np.put_along_axis(chosen, nearest, True, axis=1)
    first, second = np.nonzero(chosen)
    return np.sort(np.column_stack([first + rows.start, second]), axis=1)


def _windows(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut windows of the centre's size at every shift of every view."""
    side = images.shape[1] - 2 * _SHIFT
    return [
        _unit_rows(view[:, down : down + side, right : right + side])
        for view in dihedral_views(images)
        for down, right in product(range(2 * _SHIFT + 1), repeat=2)
    ]


def _unit_rows(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flatten to rows of mean 0 and length 1, so that products are correlations."""
    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
