"""The networks: trunk and classifier. TensorFlow is imported on their first use."""

from .classifier import PatchClassifier
from .encoder import PatchEncoder
from .onnx_encoder import OnnxEncoder

__all__ = ["OnnxEncoder", "PatchClassifier", "PatchEncoder"]
