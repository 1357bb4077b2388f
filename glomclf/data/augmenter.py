"""PatchAugmenter: another look of a patch, as a microscope and a laboratory might give.

It knows nothing of rows, classes or networks: what it makes of an image depends on the
image, its parameters and a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval

from ..errors import ParameterError
from .colours import apply_tables, colour_tables
from .dihedral import N_DIHEDRAL_VIEWS, dihedral_view
from .geometry import move

_SMALL = Interval(Real, 0, 1, closed="left")


class PatchAugmenter(BaseEstimator):
    """Turn, mirror, move, scale and restain patches at random.

    A patch is taken in one of its eight dihedral views, then rotated, zoomed and
    shifted in one step, so that its pixels are sampled once. Then its stain, contrast
    and brightness change. A range of 0 leaves that part out.

    Parameters
    ----------
    flips : bool, default=True
        Whether patches are mirrored and turned by right angles: each of the eight
        dihedral views is as likely. An image that is not square has four of them.
    rotation_range : float in [0, 180], default=180
        Largest rotation in degrees, either way.
    zoom_range : float in [0, 1), default=0.2
        Things are drawn between ``1 - zoom_range`` and ``1 + zoom_range`` times their
        size, the same in both directions.
    shift_range : float in [0, 1), default=0.05
        Largest shift as a fraction of the height and width, either way.
    stain_range : float in [0, 1), default=0.3
        Optical density is multiplied by a factor between ``1 - stain_range`` and
        ``1 + stain_range``, one for all channels: how much stain a section took up.
        And by one more for each channel, with a third of this range: the hue of the
        stain.
    light_range : float in [0, 1), default=0.1
        Largest relative change, either way, of the distance of all values to the
        patch's mean (contrast), and of all values (brightness). Up to 0.3 times as much
        is added to the optical density of each channel: the white of the scanner.

    See Also
    --------
    make_augmenter : Augmenters by name.

    Notes
    -----
    Stains are jittered in the space of optical densities, where stains add up
    (Beer and Lambert), as Tellez et al. [1]_ do; they found this jitter to be what
    helps most across laboratories [2]_. They separate haematoxylin and eosin first, by
    vectors that do not hold for other stains. Here channels are jittered as they are,
    which needs no vectors and suits PAS as well.

    Beyond the edges a patch is mirrored, so that nothing marks a patch as augmented.

    References
    ----------
    .. [1] Tellez D, Balkenhol M, Otte-Hoeller I, et al. Whole-slide mitosis detection
       in H&E breast histology using PHH3 as a reference to train distilled
       stain-invariant convolutional networks. IEEE Transactions on Medical Imaging
       2018;37:2126-2136.
    .. [2] Tellez D, Litjens G, Bandi P, et al. Quantifying the effects of data
       augmentation and stain color normalization in convolutional neural networks for
       computational pathology. Medical Image Analysis 2019;58:101544.

    Examples
    --------
    >>> import numpy as np
    >>> from glomclf.data.augmenter import PatchAugmenter
    >>> rng = np.random.default_rng(0)
    >>> images = rng.integers(0, 256, (4, 16, 16, 3), dtype="uint8")
    >>> augmenter = PatchAugmenter(zoom_range=0)
    >>> seen = augmenter.transform(images, [(0, row) for row in range(4)])
    >>> seen.shape, seen.dtype
    ((4, 16, 16, 3), dtype('uint8'))
    >>> bool(np.array_equal(augmenter.transform(images[2:3], [(0, 2)]), seen[2:3]))
    True
    """

    _parameter_constraints = {  # noqa: RUF012
        "flips": ["boolean"],
        "rotation_range": [Interval(Real, 0, 180, closed="both")],
        "zoom_range": [_SMALL],
        "shift_range": [_SMALL],
        "stain_range": [_SMALL],
        "light_range": [_SMALL],
    }

    def __init__(
        self,
        *,
        flips=True,
        rotation_range=180,
        zoom_range=0.2,
        shift_range=0.05,
        stain_range=0.3,
        light_range=0.1,
    ):
        self.flips = flips
        self.rotation_range = rotation_range
        self.zoom_range = zoom_range
        self.shift_range = shift_range
        self.stain_range = stain_range
        self.light_range = light_range

    def transform(self, images, keys, *, n_threads=1):
        """Make one new look of each image.

        Parameters
        ----------
        images : ndarray of shape (n_samples, height, width, 3), dtype=uint8
            RGB in [0, 255].
        keys : sequence of tuple of int
            What seeds the draws of each image, such as ``(seed, epoch, row)``: of
            non-negative numbers, and of one length, for a zero at the end is not
            told from none.
        n_threads : int, default=1
            Threads that share the images. The result is the same with any number.

        Returns
        -------
        ndarray of shape (n_samples, height, width, 3), dtype=uint8
            Row ``i`` depends on ``images[i]`` and ``keys[i]`` alone.

        Raises
        ------
        ParameterError
            If these are no such images, or not as many keys.
        """
        self._validate_params()
        _check(images, keys)
        out = np.empty_like(images, order="C")

        def fill(start: int) -> None:
            for row in range(start, len(images), n_threads):
                out[row] = self._transform(images[row], keys[row])

        if n_threads == 1:
            fill(0)
        else:
            with ThreadPoolExecutor(n_threads) as threads:
                list(threads.map(fill, range(n_threads)))
        return out

    def _transform(self, image: NDArray[np.uint8], key: Any) -> NDArray[np.uint8]:
        """Draw all numbers in one order, so that one range leaves the others alone."""
        rng = np.random.default_rng(key)
        view = int(rng.integers(N_DIHEDRAL_VIEWS))
        places, colours = rng.uniform(-1, 1, 4), rng.uniform(-1, 1, 9)
        if self.flips:
            is_square = image.shape[0] == image.shape[1]
            view = view if is_square else view & 0b101  # no odd number of turns
            image = dihedral_view(image[np.newaxis], view)[0]
        return self._restained(self._moved(image, places), colours)

    def _moved(self, image: NDArray, places: NDArray) -> NDArray[np.uint8]:
        if not (self.rotation_range or self.zoom_range or self.shift_range):
            return image
        angle, zoom, *shift = places
        return move(
            image,
            rotation=self.rotation_range * angle,
            zoom=1 + self.zoom_range * zoom,
            shift=self.shift_range * np.array(image.shape[1::-1]) * shift,
        )

    def _restained(self, image: NDArray, colours: NDArray) -> NDArray[np.uint8]:
        if not (self.stain_range or self.light_range):
            return image
        taken_up, contrast, brightness = colours[:3]
        tables = colour_tables(
            image,
            density_factors=(1 + self.stain_range * taken_up)
            * (1 + self.stain_range / 3 * colours[3:6]),
            density_shifts=0.3 * self.light_range * colours[6:],
            contrast=1 + self.light_range * contrast,
            brightness=1 + self.light_range * brightness,
        )
        return apply_tables(image, tables)


def _check(images: Any, keys: Sequence[Any]) -> None:
    if fault := no_rgb_images(images):
        raise ParameterError(fault)
    if len(keys) != len(images):
        raise ParameterError(
            f"{len(keys)} keys were given for {len(images)} images; give one each."
        )


def no_rgb_images(images: Any) -> str:
    """Say what is wrong with what should be uint8 images in RGB, if anything is."""
    shape, dtype = np.shape(images), getattr(images, "dtype", None)
    if len(shape) == 4 and shape[3] == 3 and dtype == np.uint8:
        return ""
    return (
        f"The images have shape {shape} and dtype {dtype}; augmentation needs RGB "
        "images: shape (n_samples, height, width, 3), dtype uint8 in [0, 255]."
    )


_STAIN = {"stain_range": 0, "light_range": 0}
_MOVES = {"rotation_range": 0, "zoom_range": 0, "shift_range": 0}
# What each name leaves out.
_LEFT_OUT = {"dihedral": _MOVES | _STAIN, "geometry": _STAIN, "geometry+stain": {}}

AUGMENTER_NAMES = tuple(_LEFT_OUT)
"""The names that `make_augmenter` knows."""


def make_augmenter(spec: str | PatchAugmenter | None) -> Any:
    """Make an augmenter from a name.

    Parameters
    ----------
    spec : None, str or PatchAugmenter
        - None: no augmentation;
        - ``"dihedral"``: one of the eight dihedral views, which move pixels and change
          none;
        - ``"geometry"``: these, and any rotation, zoom and shift;
        - ``"geometry+stain"``: these, and stain, contrast and brightness;
        - a :class:`PatchAugmenter`, which is cloned.

    Returns
    -------
    PatchAugmenter or None

    Raises
    ------
    ParameterError
        If it is none of these.
    ValueError
        If a parameter of the augmenter is out of range.

    Examples
    --------
    >>> from glomclf.data.augmenter import make_augmenter
    >>> make_augmenter("dihedral").rotation_range
    0
    >>> make_augmenter("flips")
    Traceback (most recent call last):
        ...
    glomclf.errors.ParameterError: augmentation='flips' is no augmentation. ...
    """
    if spec is None:
        return None
    if isinstance(spec, str) and spec in _LEFT_OUT:
        return PatchAugmenter(**_LEFT_OUT[spec])
    if not isinstance(spec, PatchAugmenter):
        raise ParameterError(
            f"augmentation={spec!r} is no augmentation. Give None, one of the names "
            f"{', '.join(AUGMENTER_NAMES)}, or a PatchAugmenter."
        )
    augmenter = clone(spec)
    augmenter._validate_params()
    return augmenter
