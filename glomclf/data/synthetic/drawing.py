"""One patch, drawn from its frame to its photograph."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .cohort import Glomerulus, Patch, draw_glomerulus, random_stream
from .section import FloatArray, Points, Section, outlines_of, ramp, ridges
from .staining import photograph


@np.errstate(under="ignore")  # far from an edge its share is nothing
def draw_patch(patch: Patch, sizes: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Draw one patch, RGB, with sides in the range `sizes`."""
    shared = random_stream(patch.entropy, 2, patch.glomerulus)
    own = random_stream(patch.entropy, 3, patch.glomerulus, patch.section)
    glomerulus = draw_glomerulus(shared, patch.label, patch.slide.damage)
    section = _cut(glomerulus, sizes, shared, own)
    _draw_tubules(section, glomerulus)
    rim = _draw_capsule(section, glomerulus)
    _draw_tuft(section, glomerulus)
    flat_cells = rim[section.shared.integers(len(rim), size=14)]
    section.paint_nuclei(0.97 * flat_cells, 2.0, 3.0)
    return photograph(section, patch.slide.stain)


def _cut(
    glomerulus: Glomerulus,
    sizes: tuple[int, int],
    shared: np.random.Generator,
    own: np.random.Generator,
) -> Section:
    """Choose the frame: centred on the glomerulus, but for haste and the microtome."""
    low, high = sizes
    cos, sin = math.cos(glomerulus.angle), math.sin(glomerulus.angle)
    axes = glomerulus.radius * glomerulus.aspect ** np.array([0.5, -0.5])
    extents = np.linalg.norm(axes * [[cos, sin], [sin, cos]], axis=1)
    window = 2 * glomerulus.margin * extents
    longest = low + (high - low) * (glomerulus.radius - 35) / 95
    scale = float(window.max() / longest)
    size = np.clip(window / scale, low, high)
    reach = 1.25 * size * scale / 2
    size = np.clip(np.rint(size * own.uniform(0.98, 1.02, 2)), low, high).astype(int)
    shift = np.clip(shared.normal(0, 0.06, 2), -0.15, 0.15)
    shift += np.clip(own.normal(0, 0.03, 2), -0.08, 0.08)
    return Section(size, scale, size / 2 * (1 + shift), reach, shared, own)


def _draw_tubules(section: Section, glomerulus: Glomerulus) -> None:
    """Tubules in collagen; fibrosis shrinks them and thins them out."""
    shared, fibrosis, grain = section.shared, glomerulus.fibrosis, 0.05 * section.grain
    collagen = 0.23 + 0.15 * fibrosis + grain
    section.paint(1.0, collagen + 0.05 * (section.medium + section.broad), 0.10)
    size = 25 * (1 - 0.45 * fibrosis)
    centres = _lattice(section, 2.1 * size * (1 + 0.2 * fibrosis))
    radii = size * shared.uniform(0.75, 1.12, len(centres))
    lost = shared.random(len(centres)) < 0.08 + 0.4 * fibrosis
    apart = np.hypot(*centres.T) > glomerulus.radius * 1.02 + 0.75 * radii
    centres, radii = centres[apart & ~lost, None], radii[apart & ~lost]
    aspects, angles = shared.uniform([0.7, 0], [1.4, np.pi], (len(radii), 2)).T
    rays = outlines_of(section.wavy(radii, 0.05, 24, 4), aspects, angles)
    body = (1 - (1 + 2.5 * fibrosis) / radii)[:, None, None]
    lumen = shared.uniform(0.15, 0.5, body.shape)
    section.paint(0.85 * section.polygons(centres + rays), 0.58, 0.14)
    section.paint(section.polygons(centres + body * rays), 0.25 + grain, 0.17 + grain)
    section.paint(0.9 * section.polygons(centres + lumen * rays), 0.05, 0.03)
    seats = shared.integers(24, size=(len(radii), 9, 1))
    nuclei = centres + 0.72 * np.take_along_axis(rays, seats, axis=1)
    section.paint_nuclei(nuclei.reshape(-1, 2), 3.0, 1.5)
    section.paint_nuclei(section.places(1000 - 750 * fibrosis), 2.6, 3.0)


def _lattice(section: Section, pitch: float) -> Points:
    """Places on a hexagonal lattice over the section's reach, each a little off."""
    columns, rows = (np.ceil(section.reach / pitch).astype(int) + 1).tolist()
    row, column = np.mgrid[-rows : rows + 1, -columns : columns + 1].reshape(2, -1)
    places = pitch * np.column_stack([column + 0.5 * (row % 2), 0.87 * row])
    return places + section.shared.normal(0, 0.12 * pitch, places.shape)


def _draw_capsule(section: Section, glomerulus: Glomerulus) -> Points:
    """Bowman's capsule, and its space: clear but for debris, or scarred."""
    fibrosis, scarring = glomerulus.fibrosis, glomerulus.scarring
    radius, thickness = np.array([[glomerulus.radius], [1.8 + 5 * fibrosis]])
    inner = section.wavy(radius, 0.025, 144, 28)
    wall = section.wavy(thickness, 0.25, 144, 12)
    rim, outer_rim = (_placed(glomerulus, radii) for radii in (inner, inner + wall))
    membrane = 0.92 * section.polygons(outer_rim)
    section.paint(membrane, 0.74 + 0.05 * section.medium, 0.14)
    texture: FloatArray = section.medium + 0.5 * section.grain
    debris: FloatArray = 0.02 + 0.1 * ramp(texture, 1.2, 2.2)
    filling: FloatArray = debris + scarring * (0.34 + 0.06 * texture - debris)
    section.paint(section.polygons(rim), filling, 0.02 + 0.07 * scarring)
    return rim[0]


def _placed(glomerulus: Glomerulus, radii: Points) -> Points:
    """One curve with the proportions of the glomerulus."""
    aspect, angle = np.array([[glomerulus.aspect], [glomerulus.angle]])
    return outlines_of(radii, aspect, angle)


def _draw_tuft(section: Section, glomerulus: Glomerulus) -> None:
    """Capillaries where the tuft is open, scar where it is not, and their nuclei."""
    loops = section.field(4.6) + 0.4 * section.medium
    mask = _tuft_mask(section, glomerulus, loops)
    schiff, lumina = _capillaries(section, glomerulus.patency, loops)
    solid = _solid_part(section, glomerulus.sclerosis)
    scar, holes = _scar(section, glomerulus, loops)
    lumina += solid * (holes - lumina)
    haematoxylin = 0.17 - 0.15 * lumina - 0.09 * solid * (1 - lumina)
    section.paint(mask, schiff + solid * (scar - schiff), haematoxylin)
    places = section.places(100 / glomerulus.cellularity)
    crowding = section.value(mask * (1 - lumina) * (1 - 0.7 * solid), places)
    kept = crowding > section.own.uniform(0.2, 0.8, len(places))
    section.paint_nuclei(places[kept], 2.9, 2.2)


def _tuft_mask(
    section: Section, glomerulus: Glomerulus, loops: FloatArray
) -> FloatArray:
    """Lobulated outline; where it is not solid, loops bulge out of it."""
    radius, space = glomerulus.radius, glomerulus.space
    pole = section.shared.uniform(0, 2 * np.pi)
    centre = 0.9 * space * radius * np.array([math.cos(pole), math.sin(pole)])
    radii = section.wavy(np.array([0.985 * radius * (1 - space)]), 0.045, 120, 13)
    outline = _placed(glomerulus, radii) + centre
    inside = section.softened(section.polygons(outline), 4.0)
    bulging = 0.10 * (1 - 0.6 * glomerulus.sclerosis)
    return ramp(inside - bulging * loops, 0.42, 0.60)


def _capillaries(
    section: Section, patency: float, loops: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """PAS uptake of an open tuft, and its lumina: `loops` cut at two levels."""
    level = 1.4 - 1.35 * patency
    lumina = np.maximum(
        ramp(loops, level, level + 0.45),
        0.8 * ramp(-loops, 1.0 + 0.6 * level, 1.4 + 0.6 * level),
    )
    walls = np.maximum(ridges(loops - (level - 0.35), 0.33), ridges(loops + 1, 0.2))
    mesangium = 0.36 + 0.07 * section.broad + 0.05 * section.grain
    return (mesangium + 0.42 * walls) * (1 - lumina) + 0.05 * lumina, lumina


def _solid_part(section: Section, share: float) -> FloatArray:
    """1 on the given share of the section, in a few large pieces."""
    relief = section.field(30.0) + 0.2 * section.medium
    level = float(np.quantile(relief[::4, ::4], 1 - share))
    solid: FloatArray = ramp(relief, level - 0.2, level + 0.2)
    return np.full_like(solid, round(share)) if share in (0, 1) else solid


def _scar(
    section: Section, glomerulus: Glomerulus, loops: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """PAS uptake of a sclerosed tuft, and the holes left in it."""
    texture = 0.08 * section.grain + 0.07 * (section.medium + section.broad)
    depth = ramp(section.medium, -1.0, 1.0) * glomerulus.wrinkling
    wrinkles = depth * ridges(loops + 0.4 * section.grain, 0.4)
    holes = ramp(section.medium + 0.5 * loops, 1.9, 2.4)
    schiff = glomerulus.density * (0.84 + texture + wrinkles)
    return schiff * (1 - holes) + 0.06 * holes, holes
