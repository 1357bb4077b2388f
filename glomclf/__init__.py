"""Honest, fast, scikit-learn-native classification of glomeruli.

Public names are loaded on first use: importing glomclf imports neither TensorFlow
nor matplotlib.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_ROOM_OF = {
    "AugmentationOverSampler": "samplers",
    "AugmentedViews": "samplers",
    "FoldEnsembleClassifier": "ensemble",
    "GlomeruliClassifier": "classifier",
    "GlomeruliSearchCV": "tuning",
    "ImageLoader": "loader",
    "ImageSampler": "samplers",
    "PatchAugmenter": "augmenting",
    "ResNet50Classifier": "network",
    "ResNet50Trunk": "network",
    "StainNormalizer": "stain",
    "evaluate": "evaluation",
    "image_folder_manifest": "manifest",
    "make_glomeruli": "synthetic",
    "read_classifier": "model_files",
    "read_manifest": "manifest",
}

__all__ = [
    "AugmentationOverSampler",
    "AugmentedViews",
    "FoldEnsembleClassifier",
    "GlomeruliClassifier",
    "GlomeruliSearchCV",
    "ImageLoader",
    "ImageSampler",
    "PatchAugmenter",
    "ResNet50Classifier",
    "ResNet50Trunk",
    "StainNormalizer",
    "evaluate",
    "image_folder_manifest",
    "make_glomeruli",
    "read_classifier",
    "read_manifest",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOM_OF])
