"""Honest, fast, scikit-learn-native classification of glomeruli.

Public names are loaded on first use: importing glomclf imports neither TensorFlow
nor matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # with names given again, which type checkers take for public
    from .data import ImageLoader as ImageLoader
    from .data import PatchAugmenter as PatchAugmenter
    from .data import StainNormalizer as StainNormalizer
    from .data import extract_patches as extract_patches
    from .data import image_folder_manifest as image_folder_manifest
    from .data import make_glomeruli as make_glomeruli
    from .data import read_annotations as read_annotations
    from .data import read_embeddings as read_embeddings
    from .data import read_manifest as read_manifest
    from .data import train_test_split_by_participant as train_test_split_by_participant
    from .data import write_annotations as write_annotations
    from .evaluation import RecallAtLeast as RecallAtLeast
    from .evaluation import evaluate as evaluate
    from .model import FoldEnsembleClassifier as FoldEnsembleClassifier
    from .model import GlomeruliClassifier as GlomeruliClassifier
    from .model import LinearProbe as LinearProbe
    from .model import explain as explain
    from .model import make_classifier as make_classifier
    from .model import read_classifier as read_classifier
    from .network import OnnxEncoder as OnnxEncoder
    from .network import PatchClassifier as PatchClassifier
    from .network import PatchEncoder as PatchEncoder
    from .samplers import AugmentationOverSampler as AugmentationOverSampler
    from .samplers import ImageSampler as ImageSampler
    from .tuning import GlomeruliSearchCV as GlomeruliSearchCV

__version__ = "0.1.0"

_PACKAGE_OF = {
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

__all__ = sorted(_PACKAGE_OF)


def __getattr__(name: str) -> Any:
    if name not in _PACKAGE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_PACKAGE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PACKAGE_OF])
