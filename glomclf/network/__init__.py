"""The networks: trunk and classifier. TensorFlow is imported on their first use."""

from .classifier import PatchClassifier
from .encoder import PatchEncoder

__all__ = ["PatchClassifier", "PatchEncoder"]
