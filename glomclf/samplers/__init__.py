"""Resampling of images, so that the classes are balanced: training rows only.

The samplers know arrays, neither networks nor files.
"""

from __future__ import annotations

from .adapter import ImageSampler
from .augmentation import AugmentationOverSampler
from .chain import SamplerChain
from .named import SAMPLER_NAMES, make_sampler, needs_images

__all__ = [
    "SAMPLER_NAMES",
    "AugmentationOverSampler",
    "ImageSampler",
    "SamplerChain",
    "make_sampler",
    "needs_images",
]
