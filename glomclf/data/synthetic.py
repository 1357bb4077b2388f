"""The embedded data set: PAS-like patches of glomeruli, drawn by code.

Every patch is drawn in micrometres as two maps, the uptake of Schiff's reagent (PAS)
and of haematoxylin, which a slide's stain then turns into light by the law of Beer and
Lambert [1]_. Textures are smoothed noise; capillary walls are the level lines of such
noise; capsules, tubules and nuclei are polygons. Two serial sections of one glomerulus
share most of that noise and differ in the rest, as tissue a little deeper does.

References
----------
.. [1] A. C. Ruifrok and D. A. Johnston, "Quantification of histochemical staining by
   color deconvolution", Analytical and Quantitative Cytology and Histology 23 (2001).
"""

from __future__ import annotations

import math
import os
import shutil
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import repeat
from numbers import Integral, Real
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    validate_params,
)

from ..errors import ManifestError

__all__ = ["make_glomeruli"]

_FloatArray: TypeAlias = npt.NDArray[np.float32]
_Points: TypeAlias = npt.NDArray[np.float64]
_Arrays: TypeAlias = tuple[
    npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.object_]
]
_Size: TypeAlias = int | tuple[int, int]

_CLASS_FOLDERS = ("non_globally_sclerotic_glomeruli", "globally_sclerotic_glomeruli")
_SMALLEST, _LARGEST = 8, 2048
# Participants' accession numbers lie at least 200 apart within one month, further than
# any two sections of one biopsy, so that names alone never merge two participants.
_MONTHS = tuple(
    f"{year}{month:02d}" for year in range(18, 24) for month in range(1, 13)
)
_NUMBER_STEP, _NUMBER_SPREAD = 500, 300
_MOST_PARTICIPANTS = len(_MONTHS) * (1_000_000 // _NUMBER_STEP)
# Spread of the share of sclerosis between participants: the sum of the beta
# distribution's two parameters; 3 gives the seed's standard deviation of 0.19.
_SHARE_CONCENTRATION = 3.0

_OVERSAMPLING = 2  # polygons are drawn twice as large and averaged: no jagged edges
_KINSHIP = 0.88  # correlation of the noise of two serial sections
_UPTAKE_STEPS = 160  # grey levels per unit of uptake in the stain's tables


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_participants": [Interval(Integral, 1, _MOST_PARTICIPANTS, closed="both")],
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
    _check_combination(
        n_samples, n_participants, image_size, serial_sections, directory
    )
    sizes = _size_range(image_size)
    entropy = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint32)
    patches = _plan(
        tuple(entropy.tolist()),
        int(n_samples) // (1 + serial_sections),
        n_participants,
        sclerotic_fraction,
        n_sections=1 + serial_sections,
    )
    if directory is None:
        return _as_arrays(patches, sizes)
    return _as_folder(patches, sizes, Path(os.path.abspath(directory)))


def _size_range(image_size: _Size) -> tuple[int, int]:
    """Return the smallest and the largest side in pixels; (0, 0) where unusable."""
    sizes = image_size if isinstance(image_size, tuple) else (image_size, image_size)
    if len(sizes) != 2 or not all(isinstance(size, Integral) for size in sizes):
        return 0, 0
    return int(sizes[0]), int(sizes[1])


def _check_combination(
    n_samples: int,
    n_participants: int,
    image_size: _Size,
    serial_sections: bool,
    directory: str | os.PathLike[str] | None,
) -> None:
    """Raise one error that names all parameters that contradict each other."""
    low, high = _size_range(image_size)
    n_glomeruli = n_samples // (1 + serial_sections)
    faults = {
        f"image_size must be an int, or a tuple (low, high) of ints with {_SMALLEST} "
        f"<= low <= high <= {_LARGEST}, got {image_size!r}": (
            not _SMALLEST <= low <= high <= _LARGEST
        ),
        "arrays hold patches of one size: pass an int as image_size, or a directory "
        f"to write to, got {image_size!r}": directory is None and low != high,
        "each glomerulus gives two patches with serial_sections=True: n_samples must "
        f"be even, got {n_samples}": bool(serial_sections and n_samples % 2),
        "each participant needs at least one glomerulus: n_participants must be at "
        f"most {n_glomeruli} here, got {n_participants}": n_participants > n_glomeruli,
    }
    if any(faults.values()):
        found = "".join(f"\n  {fault}" for fault, is_so in faults.items() if is_so)
        raise InvalidParameterError(
            f"The parameters of make_glomeruli cannot be used together:{found}"
        )


# The plan: who has which glomeruli, on which slides, with which label.


@dataclass(frozen=True)
class _Stain:
    """How one slide turns uptake into light.

    ``schiff`` and ``haematoxylin`` are optical densities per unit of uptake in red,
    green and blue, ``glass`` is the share of light that bare glass lets through,
    ``blur`` is in micrometres, ``unevenness`` in shares of the light.
    """

    schiff: _Points
    haematoxylin: _Points
    glass: _Points
    blur: float
    unevenness: float


@dataclass(frozen=True)
class _Slide:
    name: str
    participant: str
    damage: float
    stain: _Stain


@dataclass(frozen=True)
class _Patch:
    """One image: all that is needed to draw and to name it."""

    slide: _Slide
    label: int
    file_name: str
    entropy: tuple[int, ...]
    glomerulus: int
    section: int

    @property
    def relative_path(self) -> str:
        return f"{_CLASS_FOLDERS[self.label]}/{self.file_name}"


def _stream(entropy: tuple[int, ...], *key: int) -> np.random.Generator:
    """Random numbers of one thing, whatever else is drawn before it."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=key))


def _plan(
    entropy: tuple[int, ...],
    n_glomeruli: int,
    n_participants: int,
    sclerotic_fraction: float,
    n_sections: int,
) -> list[_Patch]:
    rng = _stream(entropy, 0)
    owners = _owners(rng, n_glomeruli, n_participants)
    shares = rng.beta(
        _SHARE_CONCENTRATION * sclerotic_fraction,
        _SHARE_CONCENTRATION * (1 - sclerotic_fraction),
        n_participants,
    )
    labels = _labels(rng, shares[owners], round(n_glomeruli * sclerotic_fraction))
    slides = [
        _slides(_stream(entropy, 1, person), accession, shares[person], n_sections)
        for person, accession in enumerate(_accessions(rng, n_participants))
    ]
    identifier = f"{rng.integers(2**32):08x}{rng.integers(2**40):010x}"
    places = rng.permutation(n_glomeruli * n_sections)
    patches = []
    for place in places.tolist():
        glomerulus, section = divmod(place, n_sections)
        slide = slides[owners[glomerulus]][section]
        file_name = f"{slide.name}_{identifier}{place:06x}.png"
        label = int(labels[glomerulus])
        patches.append(_Patch(slide, label, file_name, entropy, glomerulus, section))
    return patches


def _owners(
    rng: np.random.Generator, n_glomeruli: int, n_participants: int
) -> npt.NDArray[np.int64]:
    """Index of each glomerulus' participant; some participants have many, some few."""
    weights = rng.dirichlet(np.full(n_participants, 2.0))
    counts = 1 + rng.multinomial(n_glomeruli - n_participants, weights)
    return rng.permutation(np.repeat(np.arange(n_participants), counts))


def _labels(
    rng: np.random.Generator, shares: _Points, n_sclerotic: int
) -> npt.NDArray[np.int64]:
    """Label 1 for exactly `n_sclerotic` glomeruli, likelier where the share is high.

    A Bernoulli draw is ``logit(share) + logistic noise > 0``; moving the zero until the
    count is right keeps the odds between participants.
    """
    shares = np.clip(shares, 1e-9, 1 - 1e-9)
    scores = np.log(shares / (1 - shares)) + rng.logistic(size=len(shares))
    labels = np.zeros(len(shares), dtype=np.int64)
    labels[np.argsort(-scores, kind="stable")[:n_sclerotic]] = 1
    return labels


def _accessions(rng: np.random.Generator, n_participants: int) -> list[tuple[str, int]]:
    """Month of receipt and running number of each participant's biopsy."""
    slots = rng.choice(_MOST_PARTICIPANTS, n_participants, replace=False)
    spread = rng.integers(_NUMBER_SPREAD, size=n_participants)
    numbers = 1 + _NUMBER_STEP * (slots // len(_MONTHS)) + spread
    return [
        (_MONTHS[slot % len(_MONTHS)], int(number))
        for slot, number in zip(slots, numbers, strict=True)
    ]


def _slides(
    rng: np.random.Generator, accession: tuple[str, int], share: float, n_sections: int
) -> list[_Slide]:
    """Slides of one participant: section 1of2 has number N, section 2of2 has N - 1."""
    month, number = accession
    damage = float(np.clip(0.15 + 0.5 * share + rng.normal(0, 0.15), 0, 1))
    stain = _participant_stain(rng)
    return [
        _Slide(
            name=f"S-{month}-{number + 1 - section:06d}_PAS_{section + 1}of2",
            participant=f"S-{month}-{number:06d}",
            damage=damage,
            stain=_restained(rng, stain),
        )
        for section in range(n_sections)
    ]


def _participant_stain(rng: np.random.Generator) -> _Stain:
    purple = rng.beta(1.2, 1.6)  # from magenta to purple, as between laboratories
    hue = (1 - purple) * np.array([0.22, 0.95, 0.40])
    hue += purple * np.array([0.50, 0.95, 0.48])
    schiff = hue * rng.normal(1, 0.09, 3) * 1.55 * math.exp(rng.normal(0, 0.45))
    nuclear = np.array([0.80, 0.80, 0.42]) * rng.normal(1, 0.08, 3)
    return _Stain(
        schiff=schiff,
        haematoxylin=nuclear * 1.5 * math.exp(rng.normal(0, 0.25)),
        glass=np.clip(rng.uniform(0.90, 0.98) * rng.normal(1, 0.012, 3), 0.8, 1),
        blur=rng.gamma(3, 0.2),
        unevenness=rng.uniform(0, 0.1),
    )


def _restained(rng: np.random.Generator, stain: _Stain) -> _Stain:
    """Stain the next slide in the same laboratory, in another run."""
    schiff, haematoxylin, blur = np.exp(rng.normal(0, [0.06, 0.06, 0.15]))
    return replace(
        stain,
        schiff=stain.schiff * schiff,
        haematoxylin=stain.haematoxylin * haematoxylin,
        blur=float(stain.blur * blur),
    )


# The ways out: arrays, or a folder.


def _as_arrays(patches: Sequence[_Patch], sizes: tuple[int, int]) -> _Arrays:
    X = np.empty((len(patches), sizes[0], sizes[0], 3), dtype=np.uint8)
    for image, patch in zip(X, patches, strict=True):
        image[:] = _draw(patch, sizes)
    y = np.array([patch.label for patch in patches], dtype=np.int64)
    groups = np.array([patch.slide.participant for patch in patches], dtype=object)
    return X, y, groups


def _as_folder(
    patches: Sequence[_Patch], sizes: tuple[int, int], directory: Path
) -> pd.DataFrame:
    _check_free(directory)
    target = directory.resolve()  # renaming would replace a link, not its folder
    # An empty folder that is there, perhaps a mounted one, is filled.
    beside = target if target.exists() else target.parent
    partial = beside / f".{target.name}.{uuid.uuid4().hex}.partial"
    try:
        _write(patches, sizes, partial)
        if beside == target:
            _move_up(partial)
        else:
            partial.rename(target)
    except BaseException:
        made = [target / name for name in _CLASS_FOLDERS] if beside == target else []
        for folder in (partial, *made):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return pd.DataFrame(
        {
            "path": [str(directory / patch.relative_path) for patch in patches],
            "label": [patch.label for patch in patches],
            "slide": [patch.slide.name for patch in patches],
            "participant": [patch.slide.participant for patch in patches],
        }
    )


def _move_up(folder: Path) -> None:
    """Move what is in a folder beside it; the csv comes last, when all is there."""
    for path in sorted(folder.iterdir(), key=lambda path: path.suffix):
        path.rename(folder.parent / path.name)
    folder.rmdir()


def _check_free(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise ManifestError(
            f"make_glomeruli writes a folder, but {str(directory)!r} is a file: pass "
            "another directory."
        )
    if directory.is_dir() and any(directory.iterdir()):
        raise ManifestError(
            f"make_glomeruli overwrites nothing, but {str(directory)!r} is not empty: "
            "pass a directory that is empty or does not exist."
        )


def _write(patches: Sequence[_Patch], sizes: tuple[int, int], folder: Path) -> None:
    for name in _CLASS_FOLDERS:
        (folder / name).mkdir(parents=True)
    for patch in patches:
        image = Image.fromarray(_draw(patch, sizes))
        image.putalpha(255)
        image.save(folder / patch.relative_path, compress_level=1)
    rows = [
        (patch.file_name, patch.label, patch.slide.name, patch.slide.participant)
        for patch in patches
    ]
    columns = ["name", "ground truth", "slide", "participant"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "public.csv", index=False)


# The tissue. Lengths are in micrometres from the centre of the glomerulus, uptakes in
# units in which a solid scar takes up a little less than 1.


@dataclass(frozen=True)
class _Glomerulus:
    """What pathologists would say of one glomerulus and its surroundings."""

    radius: float  # of Bowman's capsule
    aspect: float
    angle: float
    margin: float  # half the patch's side, in extents of the capsule
    sclerosis: float  # share of the tuft that is solid
    space: float  # width of Bowman's space, in radii
    scarring: float  # of Bowman's space: 0 clear, 1 filled with collagen
    patency: float  # how open the capillaries are
    calibre: float  # of the capillaries
    cellularity: float
    density: float  # uptake of the scar
    wrinkling: float  # of the scar's membranes
    foam: float  # holes in the scar
    fibrosis: float  # of the surroundings
    inflammation: float
    edge: float  # distance of the edge of the tissue, in radii


def _glomerulus(rng: np.random.Generator, label: int, damage: float) -> _Glomerulus:
    make = _sclerotic if label else _not_globally_sclerotic
    return _Glomerulus(
        aspect=math.exp(rng.normal(0, 0.13)),
        angle=rng.uniform(0, math.pi),
        margin=rng.uniform(0.95, 1.2),
        calibre=rng.uniform(3.6, 5.6),
        density=rng.uniform(0.35, 0.85),
        wrinkling=0.05 + 0.7 * rng.beta(1, 2),
        foam=rng.beta(1, 2.5),
        fibrosis=float(np.clip(damage + rng.normal(0.15 * label, 0.2), 0, 1)),
        inflammation=float(np.clip(damage + rng.normal(0.05 * label, 0.3), 0, 1)),
        edge=rng.uniform(0.9, 1.3) if rng.random() < 0.12 else math.inf,
        **make(rng, damage),
    )


def _sclerotic(rng: np.random.Generator, damage: float) -> dict[str, float]:
    return {
        "radius": float(np.clip(rng.normal(75, 15), 40, 130)),
        "sclerosis": 1.0 if rng.random() < 0.6 else rng.uniform(0.65, 1),
        "space": 0.5 * rng.beta(0.8, 2.5),
        "scarring": rng.beta(2.5, 1) if rng.random() < 0.7 + 0.3 * damage else 0.0,
        "patency": rng.uniform(0.1, 0.7),
        "cellularity": 0.1 + rng.beta(1, 2),
    }


def _not_globally_sclerotic(
    rng: np.random.Generator, damage: float
) -> dict[str, float]:
    segmental, scarred = rng.random(2) < (0.2 + 0.45 * damage, 0.05 + 0.4 * damage)
    return {
        "radius": float(np.clip(rng.normal(89, 16), 40, 130)),
        "sclerosis": rng.uniform(0.1, 0.85) if segmental else 0.0,
        "space": 0.03 + 0.35 * rng.beta(1.2, 3.2),
        "scarring": rng.beta(2, 2) if scarred else 0.0,
        "patency": rng.beta(1.8, 1.2),
        "cellularity": 0.2 + rng.beta(2, 2),
    }


class _Section:
    """A section of tissue while it is drawn: its geometry, its noise, its two maps.

    Parameters
    ----------
    shape : tuple of (int, int)
        Height and width in pixels.
    scale : ndarray of shape (2,)
        Micrometres per pixel, across and down.
    centre : ndarray of shape (2,)
        Place of the glomerulus' centre in pixels.
    reach : ndarray of shape (2,)
        Half of the extents across and down, in micrometres, for which noise is made:
        the same for all sections of one glomerulus.
    shared, own : Generator
        Random numbers of the glomerulus, and of this section of it.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        scale: _Points,
        centre: _Points,
        reach: _Points,
        shared: np.random.Generator,
        own: np.random.Generator,
    ):
        self.shape, self.scale, self.centre, self.reach = shape, scale, centre, reach
        self.shared, self.own = shared, own
        self.x, self.y = (
            ((np.arange(n) - middle) * step).astype(np.float32)
            for n, middle, step in zip(shape[::-1], centre, scale, strict=True)
        )
        self.grain = self._grain()
        self.medium = self.field(9.0)
        self.broad = self.field(34.0)
        self.fibres = self._concentric_fibres()
        self.schiff = np.zeros(shape, dtype=np.float32)
        self.haematoxylin = np.zeros(shape, dtype=np.float32)

    def noise(self, shape: tuple[int, ...]) -> _FloatArray:
        """Draw standard normal noise that sections of one glomerulus share in part."""
        noise = self.shared.standard_normal(shape, dtype=np.float32)
        noise *= np.float32(_KINSHIP)
        own = self.own.standard_normal(shape, dtype=np.float32)
        own *= np.float32(math.sqrt(1 - _KINSHIP**2))
        noise += own
        return noise

    def field(self, length: float) -> _FloatArray:
        """Draw smooth noise with structures of about `length`, one value a pixel."""
        n_cells = np.ceil(2 * self.reach / length).astype(int) + 4
        start = n_cells / 2 - self.centre * self.scale / length
        stop = start + np.array(self.shape[::-1]) * self.scale / length
        box = (*np.maximum(start, 0), *np.minimum(stop, n_cells))
        cells = Image.fromarray(self.noise((n_cells[1], n_cells[0])))
        size = self.shape[::-1]
        return np.asarray(cells.resize(size, Image.Resampling.BICUBIC, box=box))

    def _grain(self) -> _FloatArray:
        """Draw the finest texture; where pixels can show it, a finer one on top."""
        grain = self.field(2.2)
        if self.scale.max() > 0.6:
            return grain
        n_cells = np.ceil(np.array(self.shape) * self.scale[::-1] / 0.8).astype(int)
        cells = self.own.standard_normal(n_cells + 1, dtype=np.float32)
        fine = Image.fromarray(cells).resize(self.shape[::-1], Image.Resampling.BICUBIC)
        return 0.8 * grain + 0.6 * np.asarray(fine, np.float32)

    def _concentric_fibres(self) -> _FloatArray:
        distance: _FloatArray = np.sqrt(self.x**2 + (self.y**2)[:, None])
        phase = 0.8 * distance + 6 * self.broad + 2 * self.medium + 1.2 * self.grain
        return np.sin(phase) * (0.5 + 0.5 * self.medium)

    def points(self, n_points: int) -> _Points:
        """Draw places all over the section; three in ten are this section's own."""
        places = self.shared.uniform(-1, 1, (n_points, 2)) * self.reach
        fresh = self.own.random(n_points) < 0.3
        places[fresh] = self.own.uniform(-1, 1, (int(fresh.sum()), 2)) * self.reach
        return places[self.visible(places)]

    def visible(self, places: _Points, room: float = 0.0) -> npt.NDArray[np.bool_]:
        pixels, slack = self.pixels(places), room / self.scale
        size = np.array(self.shape[::-1])
        return np.all((pixels >= -slack) & (pixels < size + slack), axis=1)

    def pixels(self, places: _Points) -> _Points:
        return places / self.scale + self.centre

    def value(self, image: _FloatArray, places: _Points) -> _FloatArray:
        """Look an image up at visible places."""
        column, row = self.pixels(places).astype(int).T
        return image[row, column]

    def polygons(
        self, outlines: _Points, greys: Iterable[int] | None = None
    ) -> _FloatArray:
        """Fill outlines of shape (n, n_points, 2), later ones over earlier ones."""
        height, width = self.shape
        image = Image.new("L", (width * _OVERSAMPLING, height * _OVERSAMPLING))
        fill = ImageDraw.Draw(image).polygon
        n_curves, n_points, _ = outlines.shape
        corners = self.pixels(outlines) * _OVERSAMPLING
        corners = corners.reshape(n_curves, 2 * n_points)
        for corner, grey in zip(corners.tolist(), greys or repeat(255), strict=False):
            fill(corner, fill=grey)
        return np.asarray(image.reduce(_OVERSAMPLING), np.float32) * np.float32(1 / 255)

    def softened(self, mask: _FloatArray, width: float) -> _FloatArray:
        image = Image.fromarray((mask * 255).astype(np.uint8))
        image = image.filter(ImageFilter.BoxBlur(float(width / self.scale[0])))
        return np.asarray(image, np.float32) * np.float32(1 / 255)

    def paint(
        self,
        mask: float | _FloatArray,
        schiff: float | _FloatArray,
        haematoxylin: float | _FloatArray,
    ) -> None:
        """Replace both uptakes where `mask` is 1, mix where it is between 0 and 1."""
        self.schiff += mask * (schiff - self.schiff)
        self.haematoxylin += mask * (haematoxylin - self.haematoxylin)


def _draw(patch: _Patch, sizes: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Draw one patch, RGB, with sides in the range `sizes`."""
    shared = _stream(patch.entropy, 2, patch.glomerulus)
    own = _stream(patch.entropy, 3, patch.glomerulus, patch.section)
    glomerulus = _glomerulus(shared, patch.label, patch.slide.damage)
    section = _cut(glomerulus, sizes, shared, own)
    _interstitium(section, glomerulus)
    cells = [
        _tubules(section, glomerulus),
        _interstitial_cells(section, glomerulus),
        _capsule(section, glomerulus),
        _tuft(section, glomerulus),
    ]
    _nuclei(section, np.concatenate(cells))
    _edge_of_tissue(section, glomerulus)
    return _photograph(section, patch.slide.stain)


def _cut(
    glomerulus: _Glomerulus,
    sizes: tuple[int, int],
    shared: np.random.Generator,
    own: np.random.Generator,
) -> _Section:
    """Choose the frame: centred on the glomerulus, but for haste and the microtome."""
    low, high = sizes
    turn = np.array([math.cos(glomerulus.angle), math.sin(glomerulus.angle)])
    axes = glomerulus.radius * glomerulus.aspect ** np.array([0.5, -0.5])
    extents = np.array([math.hypot(*(axes * turn)), math.hypot(*(axes * turn[::-1]))])
    window = 2 * glomerulus.margin * extents
    longest = low + (high - low) * (glomerulus.radius - 35) / 95
    scale = window.max() / longest
    size = np.clip(window / scale, low, high)
    reach = 1.25 * size * scale / 2
    size = np.clip(np.rint(size * own.uniform(0.98, 1.02, 2)), low, high).astype(int)
    shift = np.clip(shared.normal(0, 0.06, 2), -0.15, 0.15)
    shift += np.clip(own.normal(0, 0.025, 2), -0.06, 0.06)
    stretch = 1 + np.clip(own.normal(0, 0.015, 2), -0.03, 0.03)
    shape = (int(size[1]), int(size[0]))
    centre = size / 2 * (1 + shift)
    return _Section(shape, scale * stretch, centre, reach, shared, own)


def _ramp(values: _FloatArray, low: float, high: float) -> _FloatArray:
    """0 below `low`, 1 above `high`, straight in between."""
    return np.clip((values - low) * (1 / (high - low)), 0, 1)


def _ridges(values: _FloatArray, width: float) -> _FloatArray:
    """1 along the lines where `values` are 0, falling to 0 beside them."""
    return np.exp(-((values * (1 / width)) ** 2))


def _wavy_radii(
    section: _Section,
    radii: _Points,
    roughness: float,
    n_points: int,
    waves: range,
) -> _Points:
    """Radii of n closed curves at `n_points` angles: (n, n_points)."""
    amplitudes = roughness * section.noise((len(radii), 2 * len(waves)))
    wobble = amplitudes @ _harmonics(waves, n_points)
    return radii[:, None] * np.clip(1 + wobble, 0.4, 1.7)


@cache
def _harmonics(waves: range, n_points: int) -> _Points:
    """Cosines and sines around a circle, the finer the weaker."""
    wave = np.array(waves)[:, None]
    angles = wave * np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    weights = (wave - waves.start + 1.0) ** -0.8
    return np.concatenate([weights * np.cos(angles), weights * np.sin(angles)])


def _outlines(
    radii: _Points, aspects: _Points, angles: _Points, centres: _Points
) -> _Points:
    """Corners of n curves, stretched and turned: (n, n_points, 2)."""
    around = np.linspace(0, 2 * np.pi, radii.shape[1], endpoint=False)
    stretch = np.sqrt(aspects)[:, None]
    x, y = radii * np.cos(around) * stretch, radii * np.sin(around) / stretch
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.stack([cos * x - sin * y, sin * x + cos * y], -1) + centres[:, None]


def _cells(
    section: _Section,
    places: _Points,
    radius: float,
    longest: float,
    angles: _Points | None = None,
) -> _Points:
    """Nuclei to be drawn: x, y, radius, elongation (up to `longest`), angle."""
    own, n_cells = section.own, len(places)
    radii = radius * own.uniform(0.75, 1.25, n_cells)
    elongations = own.uniform(1, longest, n_cells)
    if angles is None:
        angles = own.uniform(0, np.pi, n_cells)
    return np.column_stack([places, radii, elongations, angles])


def _interstitium(section: _Section, glomerulus: _Glomerulus) -> None:
    """Collagen around tubules and glomerulus, torn here and there."""
    fibrosis = glomerulus.fibrosis
    fibres = (0.03 + 0.05 * fibrosis) * section.fibres
    uptake = fibres + (0.23 + 0.13 * fibrosis) + 0.05 * section.grain
    section.paint(1.0, uptake + 0.05 * section.broad, 0.10 + 0.02 * section.grain)
    loose = section.medium + 0.3 * section.grain
    gaps = _ramp(loose, 0.8 + 0.6 * fibrosis, 1.4 + 0.6 * fibrosis)
    section.paint(0.9 * gaps, 0.03, 0.02)


def _tubules(section: _Section, glomerulus: _Glomerulus) -> _Points:
    """Tubules on a shaken hexagonal lattice; fibrosis shrinks and thins them out."""
    shared, fibrosis = section.shared, glomerulus.fibrosis
    size = 25 * (1 - 0.45 * fibrosis)
    centres = _lattice(section, 2.1 * size * (1 + 0.2 * fibrosis))
    radii = size * shared.uniform(0.75, 1.12, len(centres))
    lost = shared.random(len(centres)) < 0.08 + 0.4 * fibrosis
    apart = np.hypot(*centres.T) > glomerulus.radius * 1.02 + 0.75 * radii
    centres, radii = centres[apart & ~lost], radii[apart & ~lost]
    n_tubules = len(centres)
    rays = _outlines(
        _wavy_radii(section, radii, 0.05, 24, range(2, 6)),
        shared.uniform(0.7, 1.4, n_tubules),
        shared.uniform(0, np.pi, n_tubules),
        np.zeros((n_tubules, 2)),
    )
    cuts = np.stack(
        [1 - (1 + 2.5 * fibrosis) / radii, shared.uniform(0.15, 0.5, n_tubules)]
    )
    seats = shared.integers(24, size=(n_tubules, 9, 1))
    seen = section.visible(centres, 1.3 * size)
    centres, rays, cuts = centres[seen, None], rays[seen], cuts[:, seen, None, None]
    _paint_tubules(section, [centres + cut * rays for cut in (1, *cuts)])
    nuclei = centres + 0.72 * np.take_along_axis(rays, seats[seen], axis=1)
    return _cells(section, nuclei.reshape(-1, 2), 3.0, 1.5)


def _paint_tubules(section: _Section, outlines: list[_Points]) -> None:
    """Paint membranes, bodies and lumina, each inside the one before."""
    membrane, body, lumen = (section.polygons(outline) for outline in outlines)
    grain = 0.05 * section.grain
    section.paint(0.85 * membrane, 0.58, 0.14)
    section.paint(body, 0.25 + grain, 0.17 + grain)
    section.paint(0.9 * lumen, 0.05, 0.03)


def _lattice(section: _Section, pitch: float) -> _Points:
    """Places on a hexagonal lattice over the section's reach, each a little off."""
    columns, rows = (np.ceil(section.reach / pitch).astype(int) + 1).tolist()
    row, column = np.mgrid[-rows : rows + 1, -columns : columns + 1].reshape(2, -1)
    places = pitch * np.column_stack([column + 0.5 * (row % 2), 0.87 * row])
    return places + section.shared.normal(0, 0.12 * pitch, places.shape)


def _interstitial_cells(section: _Section, glomerulus: _Glomerulus) -> _Points:
    area = 4 * section.reach.prod()
    places = section.points(int(area / (1000 - 750 * glomerulus.inflammation)))
    outside = np.hypot(*places.T) > 1.08 * glomerulus.radius
    return _cells(section, places[outside], 2.6, 3.0)


def _capsule(section: _Section, glomerulus: _Glomerulus) -> _Points:
    """Scarred surroundings, Bowman's capsule, Bowman's space and its flat cells."""
    fibrosis, n_points = glomerulus.fibrosis, 144
    radius, thickness = np.array([[glomerulus.radius], [1.8 + 5 * fibrosis]])
    inner = _wavy_radii(section, radius, 0.025, n_points, range(2, 30))
    wall = _wavy_radii(section, thickness, 0.25, n_points, range(2, 14))
    rim, outer_rim, scar_rim = (
        _placed(glomerulus, inner + n_walls * wall) for n_walls in (0, 1, 4)
    )
    scar = section.softened(section.polygons(scar_rim), 3.0)
    section.paint(scar * (0.2 + 0.6 * fibrosis), 0.36 + 0.06 * section.fibres, 0.1)
    membrane = section.polygons(outer_rim)
    section.paint(0.92 * membrane, 0.74 + 0.05 * section.fibres, 0.14)
    _fill_space(section, glomerulus.scarring, section.polygons(rim))
    seats = section.shared.integers(n_points, size=14)
    along = rim[0, (seats + 1) % n_points] - rim[0, seats - 1]
    angles = np.arctan2(along[:, 1], along[:, 0])
    return _cells(section, 0.97 * rim[0, seats], 2.0, 4.0, angles)


def _placed(
    glomerulus: _Glomerulus, radii: _Points, centre: tuple[float, float] = (0.0, 0.0)
) -> _Points:
    """One curve with the proportions of the glomerulus."""
    aspect, angle = np.array([[glomerulus.aspect], [glomerulus.angle]])
    return _outlines(radii, aspect, angle, np.array([centre]))


def _fill_space(section: _Section, scarring: float, space: _FloatArray) -> None:
    """Fill Bowman's space: clear but for debris, or scarred with collagen."""
    collagen = 0.34 + 0.05 * section.fibres + 0.04 * (section.grain + section.medium)
    debris = 0.02 + 0.1 * _ramp(section.medium + 0.5 * section.grain, 1.2, 2.2)
    clear: _FloatArray = debris + 0.008 * section.grain
    filling = scarring * collagen + (1 - scarring) * clear
    section.paint(space, filling, 0.02 + 0.07 * scarring)


def _tuft(section: _Section, glomerulus: _Glomerulus) -> _Points:
    """Capillaries where the tuft is open, scar where it is not, and their nuclei."""
    loops = section.field(glomerulus.calibre) + 0.4 * section.medium
    mask = _tuft_mask(section, glomerulus, loops)
    schiff, haematoxylin, holes = _capillaries(section, glomerulus, loops)
    solid = np.zeros(section.shape, dtype=np.float32)
    if glomerulus.sclerosis > 0:
        solid = _solid_part(section, glomerulus.sclerosis)
        scar, scar_holes = _scar(section, glomerulus, loops)
        schiff += solid * (scar - schiff)
        haematoxylin += solid * (0.08 - haematoxylin)
        holes += solid * (scar_holes - holes)
    section.paint(mask, schiff, haematoxylin)
    places = section.points(
        int(4 * section.reach.prod() / 100 * glomerulus.cellularity)
    )
    crowding = section.value(mask * (1 - holes) * (1 - 0.7 * solid), places)
    kept = crowding > section.own.uniform(0.2, 0.8, len(places))
    return _cells(section, places[kept], 2.9, 2.2)


def _tuft_mask(
    section: _Section, glomerulus: _Glomerulus, loops: _FloatArray
) -> _FloatArray:
    """Lobulated outline; where it is not solid, loops bulge out of it."""
    radius, space = glomerulus.radius, glomerulus.space
    pole, off = section.shared.uniform(0, 2 * np.pi), 0.9 * space * radius
    base = np.array([0.985 * radius * (1 - space)])
    outline = _placed(
        glomerulus,
        _wavy_radii(section, base, 0.045, 120, range(2, 15)),
        (off * math.cos(pole), off * math.sin(pole)),
    )
    inside = section.softened(section.polygons(outline), 4.0)
    bulging = 0.10 * (1 - 0.6 * glomerulus.sclerosis)
    return _ramp(inside - bulging * loops, 0.42, 0.60)


def _capillaries(
    section: _Section, glomerulus: _Glomerulus, loops: _FloatArray
) -> tuple[_FloatArray, _FloatArray, _FloatArray]:
    """Uptakes of an open tuft, and its lumina: `loops` cut at two levels."""
    level = 1.4 - 1.35 * glomerulus.patency
    lumina = np.maximum(
        _ramp(loops, level, level + 0.45),
        0.8 * _ramp(-loops, 1.0 + 0.6 * level, 1.4 + 0.6 * level),
    )
    walls = np.maximum(_ridges(loops - (level - 0.35), 0.33), _ridges(loops + 1, 0.2))
    mesangium = 0.36 + 0.07 * section.broad + 0.05 * section.grain
    schiff = (mesangium + 0.42 * walls) * (1 - lumina) + 0.05 * lumina
    return schiff, 0.17 - 0.15 * lumina, lumina


def _solid_part(section: _Section, share: float) -> _FloatArray:
    """1 on the given share of the section, in a few large pieces."""
    if share >= 1:
        return np.ones(section.shape, dtype=np.float32)
    relief = section.field(30.0) + 0.2 * section.medium
    level = float(np.quantile(relief[::4, ::4], 1 - share))
    return _ramp(relief, level - 0.2, level + 0.2)


def _scar(
    section: _Section, glomerulus: _Glomerulus, loops: _FloatArray
) -> tuple[_FloatArray, _FloatArray]:
    """PAS uptake of a sclerosed tuft, and the holes left in it."""
    texture = 0.08 * section.grain + 0.07 * (section.medium + section.broad)
    depth = _ramp(section.medium, -1.0, 1.0) * glomerulus.wrinkling
    wrinkles = depth * _ridges(loops + 0.4 * section.grain, 0.4)
    level = 2.2 - 1.2 * glomerulus.foam
    holes = _ramp(section.medium + 0.5 * loops, level, level + 0.5)
    schiff = glomerulus.density * (0.84 + texture + wrinkles)
    return schiff * (1 - holes) + 0.06 * holes, holes


def _nuclei(section: _Section, cells: _Points) -> None:
    own, n_cells = section.own, len(cells)
    radii = cells[:, 2:3] * own.normal(1, 0.1, (n_cells, 9))
    outlines = _outlines(radii, cells[:, 3], cells[:, 4], cells[:, :2])
    mask = section.polygons(outlines, own.integers(150, 256, n_cells).tolist())
    section.paint(mask, 0.2, 0.85 + 0.22 * section.grain)


def _edge_of_tissue(section: _Section, glomerulus: _Glomerulus) -> None:
    if math.isinf(glomerulus.edge):
        return
    angle = section.shared.uniform(0, 2 * np.pi)
    across = math.cos(angle) * section.x + (math.sin(angle) * section.y)[:, None]
    distance = across + 7 * section.broad + 2 * section.medium
    edge = glomerulus.edge * glomerulus.radius
    section.paint(_ramp(distance, edge, edge + 2), 0.01, 0.01)


def _photograph(section: _Section, stain: _Stain) -> npt.NDArray[np.uint8]:
    """Focus, absorption, lamp and sensor."""
    own = section.own
    blur = float(stain.blur * own.gamma(3, 1 / 3) / section.scale[0])
    thickness = 1 + 0.06 * section.broad
    light = _transmitted(section.schiff * thickness, stain.schiff, blur)
    light *= _transmitted(section.haematoxylin * thickness, stain.haematoxylin, blur)
    down, across = own.normal(0, stain.unevenness, 2).tolist()
    lamp = 255 * (
        1
        + down * np.linspace(-0.5, 0.5, section.shape[0], dtype=np.float32)[:, None]
        + across * np.linspace(-0.5, 0.5, section.shape[1], dtype=np.float32)
    )
    light *= lamp[..., None] * stain.glass.astype(np.float32)
    noise = own.standard_normal(section.shape, dtype=np.float32)
    light += 2.5 * noise[..., None]
    return np.clip(light, 0, 255, out=light).astype(np.uint8)


def _transmitted(uptake: _FloatArray, densities: _Points, blur: float) -> _FloatArray:
    """Share of light let through, in three colours: exp(-uptake * densities)."""
    steps = np.clip(uptake * _UPTAKE_STEPS, 0, 255).astype(np.uint8)
    image = Image.fromarray(steps).filter(ImageFilter.GaussianBlur(blur))
    levels = np.arange(256)[:, None] / _UPTAKE_STEPS
    table = np.exp(-levels * densities).astype(np.float32)
    return np.take(table, np.asarray(image), axis=0)
