"""The tuft: capillaries where it is open, scar where it is not."""

from __future__ import annotations

import math

import numpy as np

from .glomerulus import Glomerulus
from .section import (
    FloatArray,
    Points,
    Section,
    cells_at,
    placed,
    ramp,
    ridges,
    wavy_radii,
)


def draw_tuft(section: Section, glomerulus: Glomerulus) -> Points:
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
    return cells_at(section, places[kept], 2.9, 2.2)


def _tuft_mask(
    section: Section, glomerulus: Glomerulus, loops: FloatArray
) -> FloatArray:
    """Lobulated outline; where it is not solid, loops bulge out of it."""
    radius, space = glomerulus.radius, glomerulus.space
    pole, off = section.shared.uniform(0, 2 * np.pi), 0.9 * space * radius
    base = np.array([0.985 * radius * (1 - space)])
    outline = placed(
        glomerulus,
        wavy_radii(section, base, 0.045, 120, range(2, 15)),
        (off * math.cos(pole), off * math.sin(pole)),
    )
    inside = section.softened(section.polygons(outline), 4.0)
    bulging = 0.10 * (1 - 0.6 * glomerulus.sclerosis)
    return ramp(inside - bulging * loops, 0.42, 0.60)


def _capillaries(
    section: Section, glomerulus: Glomerulus, loops: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Uptakes of an open tuft, and its lumina: `loops` cut at two levels."""
    level = 1.4 - 1.35 * glomerulus.patency
    lumina = np.maximum(
        ramp(loops, level, level + 0.45),
        0.8 * ramp(-loops, 1.0 + 0.6 * level, 1.4 + 0.6 * level),
    )
    walls = np.maximum(ridges(loops - (level - 0.35), 0.33), ridges(loops + 1, 0.2))
    mesangium = 0.36 + 0.07 * section.broad + 0.05 * section.grain
    schiff = (mesangium + 0.42 * walls) * (1 - lumina) + 0.05 * lumina
    return schiff, 0.17 - 0.15 * lumina, lumina


def _solid_part(section: Section, share: float) -> FloatArray:
    """1 on the given share of the section, in a few large pieces."""
    if share >= 1:
        return np.ones(section.shape, dtype=np.float32)
    relief = section.field(30.0) + 0.2 * section.medium
    level = float(np.quantile(relief[::4, ::4], 1 - share))
    return ramp(relief, level - 0.2, level + 0.2)


def _scar(
    section: Section, glomerulus: Glomerulus, loops: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """PAS uptake of a sclerosed tuft, and the holes left in it."""
    texture = 0.08 * section.grain + 0.07 * (section.medium + section.broad)
    depth = ramp(section.medium, -1.0, 1.0) * glomerulus.wrinkling
    wrinkles = depth * ridges(loops + 0.4 * section.grain, 0.4)
    level = 2.2 - 1.2 * glomerulus.foam
    holes = ramp(section.medium + 0.5 * loops, level, level + 0.5)
    schiff = glomerulus.density * (0.84 + texture + wrinkles)
    return schiff * (1 - holes) + 0.06 * holes, holes
