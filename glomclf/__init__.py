"""Honest, fast, scikit-learn-native classification of glomeruli.

Public names are loaded on first use: importing glomclf imports neither TensorFlow
nor matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import (
        ImageLoader,
        PatchAugmenter,
        StainNormalizer,
        extract_patches,
        image_folder_manifest,
        make_glomeruli,
        read_annotations,
        read_embeddings,
        read_manifest,
        train_test_split_by_participant,
        write_annotations,
    )
    from .evaluation import RecallAtLeast, evaluate
    from .model import (
        FoldEnsembleClassifier,
        GlomeruliClassifier,
        LinearProbe,
        explain,
        make_classifier,
        read_classifier,
    )
    from .network import OnnxEncoder, PatchClassifier, PatchEncoder
    from .samplers import AugmentationOverSampler, ImageSampler
    from .tuning import GlomeruliSearchCV

__version__ = "0.1.0"

_ROOM_OF = {
    "AugmentationOverSampler": "samplers",
    "FoldEnsembleClassifier": "model",
    "GlomeruliClassifier": "model",
    "GlomeruliSearchCV": "tuning",
    "ImageLoader": "data",
    "ImageSampler": "samplers",
    "LinearProbe": "model",
    "OnnxEncoder": "network",
    "PatchAugmenter": "data",
    "PatchClassifier": "network",
    "PatchEncoder": "network",
    "RecallAtLeast": "evaluation",
    "StainNormalizer": "data",
    "evaluate": "evaluation",
    "explain": "model",
    "extract_patches": "data",
    "image_folder_manifest": "data",
    "make_classifier": "model",
    "make_glomeruli": "data",
    "read_annotations": "data",
    "read_classifier": "model",
    "read_embeddings": "data",
    "read_manifest": "data",
    "train_test_split_by_participant": "data",
    "write_annotations": "data",
}

__all__ = [
    "AugmentationOverSampler",
    "FoldEnsembleClassifier",
    "GlomeruliClassifier",
    "GlomeruliSearchCV",
    "ImageLoader",
    "ImageSampler",
    "LinearProbe",
    "OnnxEncoder",
    "PatchAugmenter",
    "PatchClassifier",
    "PatchEncoder",
    "RecallAtLeast",
    "StainNormalizer",
    "evaluate",
    "explain",
    "extract_patches",
    "image_folder_manifest",
    "make_classifier",
    "make_glomeruli",
    "read_annotations",
    "read_classifier",
    "read_embeddings",
    "read_manifest",
    "train_test_split_by_participant",
    "write_annotations",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOM_OF])
