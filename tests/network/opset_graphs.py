"""Networks written down again in OpenVINO's operations, from a state dict of PyTorch.

Nothing here is shared with glomclf, or laid out as there: images come channels first,
and padding is written out for the size of the image.
"""

import math

import numpy as np
import openvino
from openvino import opset13 as ov


class StateGraph:
    """Layers that take their weights from a state dict by name."""

    def __init__(self, state, epsilon):
        self.state, self.epsilon = state, epsilon

    def convolve(self, x, name, stride=1, pads=((0, 0), (0, 0)), depthwise=False):
        kernel = self.state[f"{name}.weight"]
        (top, bottom), (left, right) = pads
        numbers = [stride] * 2, [top, left], [bottom, right], [1, 1]
        if depthwise:
            return ov.group_convolution(x, kernel[:, None], *numbers)
        return ov.convolution(x, kernel, *numbers)

    def normalise(self, x, name):
        parts = ("weight", "bias", "running_mean", "running_var")
        values = [self.state[f"{name}.{part}"] for part in parts]
        return ov.batch_norm_inference(x, *values, self.epsilon)


def features(build, images, mean, std):
    """Run a graph on uint8 images, scaled by mean and deviation in [0, 255]."""
    rows = ((images.astype(np.float32) - mean) / std).transpose(0, 3, 1, 2)
    x = ov.parameter(rows.shape, np.float32)
    pooled = ov.reduce_mean(build(x, images.shape[1:3]), np.array([2, 3]))
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Model([pooled], [x], "again")
    compiled = openvino.Core().compile_model(model, "CPU", exact)
    return compiled(rows.astype(np.float32))[0]


def tensorflow_pads(size, side, stride):
    """What TensorFlow pads at both ends of each axis for an output of size / stride."""
    totals = [max((math.ceil(n / stride) - 1) * stride + side - n, 0) for n in size]
    return [(total // 2, total - total // 2) for total in totals]
