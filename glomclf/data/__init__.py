"""What goes in: tables of patches, whose they are, their images, and splits of them.

Also slides and their polygons, stain, embeddings, drawn patches, the store on disk of
what was computed, and how files of arrays and weights are read and written. Nothing
here imports networks, samplers or scores.
"""

from .annotations import Annotation, read_annotations, write_annotations
from .augmenter import PatchAugmenter, make_augmenter
from .embeddings import read_embeddings
from .extraction import extract_patches
from .images import IMAGE_SUFFIXES, MAX_PIXELS, read_image, resize_image
from .loader import ImageLoader
from .manifest import (
    biopsy_folder_manifest,
    image_folder_manifest,
    read_manifest,
    stack_manifests,
)
from .participants import infer_participants
from .splitting import (
    RepeatedStratifiedGroupKFold,
    StratifiedGroupShuffleSplit,
    leave_one_centre_out,
    train_test_split_by_participant,
)
from .stain import NORMALIZER_METHODS, NORMALIZER_NAMES, StainNormalizer
from .synthetic import make_glomeruli

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "NORMALIZER_METHODS",
    "NORMALIZER_NAMES",
    "Annotation",
    "ImageLoader",
    "PatchAugmenter",
    "RepeatedStratifiedGroupKFold",
    "StainNormalizer",
    "StratifiedGroupShuffleSplit",
    "biopsy_folder_manifest",
    "extract_patches",
    "image_folder_manifest",
    "infer_participants",
    "leave_one_centre_out",
    "make_augmenter",
    "make_glomeruli",
    "read_annotations",
    "read_embeddings",
    "read_image",
    "read_manifest",
    "resize_image",
    "stack_manifests",
    "train_test_split_by_participant",
    "write_annotations",
]
