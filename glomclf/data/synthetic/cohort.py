"""Who has which glomeruli, on which slides, with which label.

The plan comes before the drawing: a patch then depends on its own place in it alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..image_folders import CLASS_FOLDERS
from .staining import Stain, participant_stain, restained

# Participants' accession numbers lie at least 200 apart within one month, further than
# any two sections of one biopsy, so that names alone never merge two participants.
_MONTHS = tuple(
    f"{year}{month:02d}" for year in range(18, 24) for month in range(1, 13)
)
_NUMBER_STEP, _NUMBER_SPREAD = 500, 300
MOST_PARTICIPANTS = len(_MONTHS) * (1_000_000 // _NUMBER_STEP)
# Spread of the share of sclerosis between participants: the sum of the beta
# distribution's two parameters; 3 gives the standard deviation of 0.19 that was found
# in the biopsies of the published pipeline.
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

    @property
    def relative_path(self) -> str:
        """Where the file lies in the data set's folder."""
        return f"{CLASS_FOLDERS[self.label]}/{self.file_name}"


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
    slides = [
        _slides(
            random_stream(entropy, 1, person), accession, shares[person], n_sections
        )
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


def _accessions(rng: np.random.Generator, n_participants: int) -> list[tuple[str, int]]:
    """Month of receipt and running number of each participant's biopsy."""
    slots = rng.choice(MOST_PARTICIPANTS, n_participants, replace=False)
    spread = rng.integers(_NUMBER_SPREAD, size=n_participants)
    numbers = 1 + _NUMBER_STEP * (slots // len(_MONTHS)) + spread
    return [
        (_MONTHS[slot % len(_MONTHS)], int(number))
        for slot, number in zip(slots, numbers, strict=True)
    ]


def _slides(
    rng: np.random.Generator, accession: tuple[str, int], share: float, n_sections: int
) -> list[Slide]:
    """Slides of one participant: section 1of2 has number N, section 2of2 has N - 1."""
    month, number = accession
    damage = float(np.clip(0.15 + 0.5 * share + rng.normal(0, 0.15), 0, 1))
    stain = participant_stain(rng)
    return [
        Slide(
            name=f"S-{month}-{number + 1 - section:06d}_PAS_{section + 1}of2",
            participant=f"S-{month}-{number:06d}",
            damage=damage,
            stain=restained(rng, stain),
        )
        for section in range(n_sections)
    ]
