"""What pathologists would say of one glomerulus, drawn at random by its class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


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
    calibre: float  # of the capillaries
    cellularity: float
    density: float  # uptake of the scar
    wrinkling: float  # of the scar's membranes
    foam: float  # holes in the scar
    fibrosis: float  # of the surroundings
    inflammation: float
    edge: float  # distance of the edge of the tissue, in radii


def draw_traits(rng: np.random.Generator, label: int, damage: float) -> Glomerulus:
    """Draw the traits of one glomerulus of a class."""
    make = _sclerotic if label else _not_globally_sclerotic
    return Glomerulus(
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
