"""One patch, drawn from its frame to its photograph."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .cohort import Patch, random_stream
from .glomerulus import Glomerulus, draw_traits
from .section import Section
from .staining import photograph
from .surroundings import (
    cut_edge,
    draw_capsule,
    draw_interstitium,
    draw_nuclei,
    draw_tubules,
    scatter_cells,
)
from .tuft import draw_tuft


@np.errstate(under="ignore")  # far from an edge its share is nothing
def draw_patch(patch: Patch, sizes: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Draw one patch, RGB, with sides in the range `sizes`."""
    shared = random_stream(patch.entropy, 2, patch.glomerulus)
    own = random_stream(patch.entropy, 3, patch.glomerulus, patch.section)
    glomerulus = draw_traits(shared, patch.label, patch.slide.damage)
    section = _cut(glomerulus, sizes, shared, own)
    draw_interstitium(section, glomerulus)
    cells = [
        draw_tubules(section, glomerulus),
        scatter_cells(section, glomerulus),
        draw_capsule(section, glomerulus),
        draw_tuft(section, glomerulus),
    ]
    draw_nuclei(section, np.concatenate(cells))
    cut_edge(section, glomerulus)
    return photograph(section, patch.slide.stain)


def _cut(
    glomerulus: Glomerulus,
    sizes: tuple[int, int],
    shared: np.random.Generator,
    own: np.random.Generator,
) -> Section:
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
    return Section(shape, scale * stretch, centre, reach, shared, own)
