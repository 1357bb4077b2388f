"""The networks: trunk and classifier. TensorFlow is imported on their first use."""

from .net import ResNet50Classifier
from .trunk import ResNet50Trunk

__all__ = ["ResNet50Classifier", "ResNet50Trunk"]
