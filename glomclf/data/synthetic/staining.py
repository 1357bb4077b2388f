"""How a slide is stained, and turns what tissue takes up into light."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from .section import FloatArray, Points, Section

_UPTAKE_STEPS = 160  # grey levels per unit of uptake in the stain's tables


@dataclass(frozen=True)
class Stain:
    """How one slide turns uptake into light.

    ``schiff`` and ``haematoxylin`` are optical densities per unit of uptake in red,
    green and blue, ``glass`` is the share of light that bare glass lets through,
    ``blur`` is in micrometres, ``unevenness`` in shares of the light.
    """

    schiff: Points
    haematoxylin: Points
    glass: Points
    blur: float
    unevenness: float


def participant_stain(rng: np.random.Generator) -> Stain:
    """Draw the stain of the laboratory that a participant's biopsy went to."""
    purple = rng.beta(1.2, 1.6)  # from magenta to purple, as between laboratories
    hue = (1 - purple) * np.array([0.22, 0.95, 0.40])
    hue += purple * np.array([0.50, 0.95, 0.48])
    schiff = hue * rng.normal(1, 0.09, 3) * 1.55 * math.exp(rng.normal(0, 0.45))
    nuclear = np.array([0.80, 0.80, 0.42]) * rng.normal(1, 0.08, 3)
    return Stain(
        schiff=schiff,
        haematoxylin=nuclear * 1.5 * math.exp(rng.normal(0, 0.25)),
        glass=np.clip(rng.uniform(0.90, 0.98) * rng.normal(1, 0.012, 3), 0.8, 1),
        blur=rng.gamma(3, 0.2),
        unevenness=rng.uniform(0, 0.1),
    )


def restained(rng: np.random.Generator, stain: Stain) -> Stain:
    """Stain the next slide in the same laboratory, in another run."""
    schiff, haematoxylin, blur = np.exp(rng.normal(0, [0.06, 0.06, 0.15]))
    return replace(
        stain,
        schiff=stain.schiff * schiff,
        haematoxylin=stain.haematoxylin * haematoxylin,
        blur=float(stain.blur * blur),
    )


def photograph(section: Section, stain: Stain) -> npt.NDArray[np.uint8]:
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


def _transmitted(uptake: FloatArray, densities: Points, blur: float) -> FloatArray:
    """Share of light let through, in three colours: exp(-uptake * densities)."""
    steps = np.clip(uptake * _UPTAKE_STEPS, 0, 255).astype(np.uint8)
    image = Image.fromarray(steps).filter(ImageFilter.GaussianBlur(blur))
    levels = np.arange(256)[:, None] / _UPTAKE_STEPS
    table = np.exp(-levels * densities).astype(np.float32)
    return np.take(table, np.asarray(image), axis=0)
