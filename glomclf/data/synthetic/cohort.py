"""Who has which glomeruli, on which slides, with which label and traits.

The plan comes before the drawing: a patch then depends on its own place in it alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .staining import Stain, participant_stain, restained

# Participants' accession numbers lie 500 apart within one month, further than any two
# sections of one biopsy, so that names alone never merge two participants.
_MONTHS = tuple(
    f"{year}{month:02d}" for year in range(18, 24) for month in range(1, 13)
)
_NUMBER_STEP = 500
MOST_PARTICIPANTS = len(_MONTHS) * (1_000_000 // _NUMBER_STEP)
# Spread of the share of sclerosis between participants: the sum of the beta
# distribution's two parameters; 3 gives the seed's standard deviation of 0.19.
_SHARE_CONCENTRATION = 3.0


@dataclass(frozen=True)
class Slide:
    """One slide of a participant's biopsy."""

    name: str
    participant: str
    damage: float
    stain: Stain


@dataclass(frozen=True)
class Patch:
    """One image: all that is needed to draw and to name it."""

    slide: Slide
    label: int
    file_name: str
    entropy: tuple[int, ...]
    glomerulus: int
    section: int


def random_stream(entropy: tuple[int, ...], *key: int) -> np.random.Generator:
    """Random numbers of one thing, whatever else is drawn before it."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=key))


def plan_patches(
    entropy: tuple[int, ...],
    n_glomeruli: int,
    n_participants: int,
    sclerotic_fraction: float,
    n_sections: int,
) -> list[Patch]:
    """Plan all patches, in random order."""
    rng = random_stream(entropy, 0)
    owners = _owners(rng, n_glomeruli, n_participants)
    shares = rng.beta(
        _SHARE_CONCENTRATION * sclerotic_fraction,
        _SHARE_CONCENTRATION * (1 - sclerotic_fraction),
        n_participants,
    )
    labels = _labels(rng, shares[owners], round(n_glomeruli * sclerotic_fraction))
    slots = rng.choice(MOST_PARTICIPANTS, n_participants, replace=False)
    slides = [
        _slides(random_stream(entropy, 1, person), slot, share, n_sections)
        for person, (slot, share) in enumerate(zip(slots, shares, strict=True))
    ]
    identifier = f"{rng.integers(2**32):08x}{rng.integers(2**40):010x}"
    places = rng.permutation(n_glomeruli * n_sections)
    patches = []
    for place in places.tolist():
        glomerulus, section = divmod(place, n_sections)
        slide = slides[owners[glomerulus]][section]
        file_name = f"{slide.name}_{identifier}{place:06x}.png"
        label = int(labels[glomerulus])
        patches.append(Patch(slide, label, file_name, entropy, glomerulus, section))
    return patches


def _owners(
    rng: np.random.Generator, n_glomeruli: int, n_participants: int
) -> npt.NDArray[np.int64]:
    """Index of each glomerulus' participant; some participants have many, some few."""
    weights = rng.dirichlet(np.full(n_participants, 2.0))
    counts = 1 + rng.multinomial(n_glomeruli - n_participants, weights)
    return rng.permutation(np.repeat(np.arange(n_participants), counts))


def _labels(
    rng: np.random.Generator, shares: npt.NDArray[np.float64], n_sclerotic: int
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


def _slides(
    rng: np.random.Generator, slot: int, share: float, n_sections: int
) -> list[Slide]:
    """Slides of one participant: section 2of2 has number N, section 1of2 has N + 1."""
    step, month = divmod(slot, len(_MONTHS))
    prefix, number = f"S-{_MONTHS[month]}", 1 + _NUMBER_STEP * step
    damage = float(np.clip(0.15 + 0.5 * share + rng.normal(0, 0.15), 0, 1))
    stain = participant_stain(rng)
    return [
        Slide(
            name=f"{prefix}-{number + 1 - section:06d}_PAS_{section + 1}of2",
            participant=f"{prefix}-{number:06d}",
            damage=damage,
            stain=restained(rng, stain),
        )
        for section in range(n_sections)
    ]


@dataclass(frozen=True)
class Glomerulus:
    """What pathologists would say of one glomerulus and its surroundings."""

    radius: float  # of Bowman's capsule
    aspect: float
    angle: float
    margin: float  # half the patch's side, in extents of the capsule
    sclerosis: float  # share of the tuft that is solid
    space: float  # width of Bowman's space, in radii
    scarring: float  # of Bowman's space: 0 clear, 1 filled with collagen
    patency: float  # how open the capillaries are
    cellularity: float
    density: float  # uptake of the scar
    wrinkling: float  # of the scar's membranes
    fibrosis: float  # of the surroundings


def draw_glomerulus(
    rng: np.random.Generator, is_sclerotic: int, damage: float
) -> Glomerulus:
    """Draw the traits of one glomerulus of a class."""
    if is_sclerotic:
        radius, cellularity = rng.normal(75, 15), 0.1 + rng.beta(1, 2)
        space, patency = 0.5 * rng.beta(0.8, 2.5), rng.uniform(0.1, 0.7)
        sclerosis = 1.0 if rng.random() < 0.6 else rng.uniform(0.65, 1)
        scarring = rng.beta(2.5, 1) if rng.random() < 0.7 + 0.3 * damage else 0.0
    else:
        radius, cellularity = rng.normal(89, 16), 0.2 + rng.beta(2, 2)
        space, patency = 0.03 + 0.35 * rng.beta(1.2, 3.2), rng.beta(1.8, 1.2)
        is_segmental = rng.random() < 0.2 + 0.45 * damage
        sclerosis = rng.uniform(0.1, 0.85) if is_segmental else 0.0
        scarring = rng.beta(2, 2) if rng.random() < 0.05 + 0.4 * damage else 0.0
    return Glomerulus(
        radius=float(np.clip(radius, 40, 130)),
        aspect=math.exp(rng.normal(0, 0.13)),
        angle=rng.uniform(0, math.pi),
        margin=rng.uniform(0.95, 1.2),
        sclerosis=sclerosis,
        space=space,
        scarring=scarring,
        patency=patency,
        cellularity=cellularity,
        density=rng.uniform(0.35, 0.85),
        wrinkling=0.05 + 0.7 * rng.beta(1, 2),
        fibrosis=float(np.clip(damage + rng.normal(0.15 * is_sclerotic, 0.2), 0, 1)),
    )
