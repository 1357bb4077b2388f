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
