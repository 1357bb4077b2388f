"""What lies around the tuft: interstitium, tubules, capsule, nuclei, and the edge."""

from __future__ import annotations

import math

import numpy as np

from .glomerulus import Glomerulus
from .section import (
    FloatArray,
    Points,
    Section,
    cells_at,
    outlines_of,
    placed,
    ramp,
    wavy_radii,
)


def draw_interstitium(section: Section, glomerulus: Glomerulus) -> None:
    """Collagen around tubules and glomerulus, torn here and there."""
    fibrosis = glomerulus.fibrosis
    fibres = (0.03 + 0.05 * fibrosis) * section.fibres
    uptake = fibres + (0.23 + 0.13 * fibrosis) + 0.05 * section.grain
    section.paint(1.0, uptake + 0.05 * section.broad, 0.10 + 0.02 * section.grain)
    loose = section.medium + 0.3 * section.grain
    gaps = ramp(loose, 0.8 + 0.6 * fibrosis, 1.4 + 0.6 * fibrosis)
    section.paint(0.9 * gaps, 0.03, 0.02)


def draw_tubules(section: Section, glomerulus: Glomerulus) -> Points:
    """Tubules on a shaken hexagonal lattice; fibrosis shrinks and thins them out."""
    shared, fibrosis = section.shared, glomerulus.fibrosis
    size = 25 * (1 - 0.45 * fibrosis)
    centres = _lattice(section, 2.1 * size * (1 + 0.2 * fibrosis))
    radii = size * shared.uniform(0.75, 1.12, len(centres))
    lost = shared.random(len(centres)) < 0.08 + 0.4 * fibrosis
    apart = np.hypot(*centres.T) > glomerulus.radius * 1.02 + 0.75 * radii
    centres, radii = centres[apart & ~lost], radii[apart & ~lost]
    n_tubules = len(centres)
    rays = outlines_of(
        wavy_radii(section, radii, 0.05, 24, range(2, 6)),
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
    return cells_at(section, nuclei.reshape(-1, 2), 3.0, 1.5)


def _paint_tubules(section: Section, outlines: list[Points]) -> None:
    """Paint membranes, bodies and lumina, each inside the one before."""
    membrane, body, lumen = (section.polygons(outline) for outline in outlines)
    grain = 0.05 * section.grain
    section.paint(0.85 * membrane, 0.58, 0.14)
    section.paint(body, 0.25 + grain, 0.17 + grain)
    section.paint(0.9 * lumen, 0.05, 0.03)


def _lattice(section: Section, pitch: float) -> Points:
    """Places on a hexagonal lattice over the section's reach, each a little off."""
    columns, rows = (np.ceil(section.reach / pitch).astype(int) + 1).tolist()
    row, column = np.mgrid[-rows : rows + 1, -columns : columns + 1].reshape(2, -1)
    places = pitch * np.column_stack([column + 0.5 * (row % 2), 0.87 * row])
    return places + section.shared.normal(0, 0.12 * pitch, places.shape)


def scatter_cells(section: Section, glomerulus: Glomerulus) -> Points:
    """Draw the places of cells between the tubules, more where it is inflamed."""
    area = 4 * section.reach.prod()
    places = section.points(int(area / (1000 - 750 * glomerulus.inflammation)))
    outside = np.hypot(*places.T) > 1.08 * glomerulus.radius
    return cells_at(section, places[outside], 2.6, 3.0)


def draw_capsule(section: Section, glomerulus: Glomerulus) -> Points:
    """Scarred surroundings, Bowman's capsule, Bowman's space and its flat cells."""
    fibrosis, n_points = glomerulus.fibrosis, 144
    radius, thickness = np.array([[glomerulus.radius], [1.8 + 5 * fibrosis]])
    inner = wavy_radii(section, radius, 0.025, n_points, range(2, 30))
    wall = wavy_radii(section, thickness, 0.25, n_points, range(2, 14))
    rim, outer_rim, scar_rim = (
        placed(glomerulus, inner + n_walls * wall) for n_walls in (0, 1, 4)
    )
    scar = section.softened(section.polygons(scar_rim), 3.0)
    section.paint(scar * (0.2 + 0.6 * fibrosis), 0.36 + 0.06 * section.fibres, 0.1)
    membrane = section.polygons(outer_rim)
    section.paint(0.92 * membrane, 0.74 + 0.05 * section.fibres, 0.14)
    _fill_space(section, glomerulus.scarring, section.polygons(rim))
    seats = section.shared.integers(n_points, size=14)
    along = rim[0, (seats + 1) % n_points] - rim[0, seats - 1]
    angles = np.arctan2(along[:, 1], along[:, 0])
    return cells_at(section, 0.97 * rim[0, seats], 2.0, 4.0, angles)


def _fill_space(section: Section, scarring: float, space: FloatArray) -> None:
    """Fill Bowman's space: clear but for debris, or scarred with collagen."""
    collagen = 0.34 + 0.05 * section.fibres + 0.04 * (section.grain + section.medium)
    debris = 0.02 + 0.1 * ramp(section.medium + 0.5 * section.grain, 1.2, 2.2)
    clear: FloatArray = debris + 0.008 * section.grain
    filling = scarring * collagen + (1 - scarring) * clear
    section.paint(space, filling, 0.02 + 0.07 * scarring)


def draw_nuclei(section: Section, cells: Points) -> None:
    """Paint all nuclei, with what is left of their shape after cutting."""
    own, n_cells = section.own, len(cells)
    radii = cells[:, 2:3] * own.normal(1, 0.1, (n_cells, 9))
    outlines = outlines_of(radii, cells[:, 3], cells[:, 4], cells[:, :2])
    mask = section.polygons(outlines, own.integers(150, 256, n_cells).tolist())
    section.paint(mask, 0.2, 0.85 + 0.22 * section.grain)


def cut_edge(section: Section, glomerulus: Glomerulus) -> None:
    """Leave glass where the tissue ends."""
    if math.isinf(glomerulus.edge):
        return
    angle = section.shared.uniform(0, 2 * np.pi)
    across = math.cos(angle) * section.x + (math.sin(angle) * section.y)[:, None]
    distance = across + 7 * section.broad + 2 * section.medium
    edge = glomerulus.edge * glomerulus.radius
    section.paint(ramp(distance, edge, edge + 2), 0.01, 0.01)
