"""ResNet-50 as PyTorch builds it, and its weights in files of PyTorch."""

import numpy as np
import openvino.opset13 as ov
import pytest

from glomclf import PatchEncoder
from glomclf.errors import WeightsError
from glomclf.network.backbones import load_backbone
from tests.network.opset_graphs import StateGraph, features
from tests.torch_files import save_torch

STAGES = ((1, 3, 64), (2, 4, 128), (3, 6, 256), (4, 3, 512))
IMAGENET = {
    "mean": 255 * np.array([0.485, 0.456, 0.406]),
    "std": 255 * np.array([0.229, 0.224, 0.225]),
}


def convolution(rng, n_outputs, n_inputs, side):
    scale = np.float32(np.sqrt(2 / (n_inputs * side * side)))
    shape = (n_outputs, n_inputs, side, side)
    return scale * rng.standard_normal(shape, dtype=np.float32)


@pytest.fixture(scope="module")
def state():
    """Random weights under the names that torchvision and timm give them."""
    rng = np.random.default_rng(0)
    found = {}

    def add(conv, norm, n_outputs, n_inputs, side, gain=1.0):
        found[f"{conv}.weight"] = convolution(rng, n_outputs, n_inputs, side)
        for part, low, high in (
            ("weight", 0.5 * gain, gain),
            *(("bias", -0.1, 0.1), ("running_mean", -0.2, 0.2)),
            ("running_var", 0.5, 1.5),
        ):
            numbers = rng.uniform(low, high, n_outputs).astype(np.float32)
            found[f"{norm}.{part}"] = numbers
        found[f"{norm}.num_batches_tracked"] = np.array(7)

    add("conv1", "bn1", 64, 3, 7)
    n_inputs = 64
    for stage, n_blocks, width in STAGES:
        for block in range(n_blocks):
            name = f"layer{stage}.{block}"
            add(f"{name}.conv1", f"{name}.bn1", width, n_inputs, 1)
            add(f"{name}.conv2", f"{name}.bn2", width, width, 3)
            add(f"{name}.conv3", f"{name}.bn3", 4 * width, width, 1, gain=0.3)
            if block == 0:
                names = f"{name}.downsample.0", f"{name}.downsample.1"
                add(*names, 4 * width, n_inputs, 1)
            n_inputs = 4 * width
    return found


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory):
    head = {"fc.weight": np.zeros((9, 2048), np.float32), "fc.bias": np.zeros(9)}
    folder = tmp_path_factory.mktemp("weights")
    return save_torch(state | head, folder / "resnet50.pth")


def build_again(state):
    graph = StateGraph(state, epsilon=1e-5)
    one, three = ((1, 1), (1, 1)), ((3, 3), (3, 3))

    def layer(x, conv, norm, stride=1, pads=((0, 0), (0, 0))):
        return graph.normalise(graph.convolve(x, conv, stride, pads), norm)

    def build(x, _size):
        x = ov.relu(layer(x, "conv1", "bn1", 2, three))
        x = ov.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3], "floor").output(0)
        for stage, n_blocks, _ in STAGES:
            for block in range(n_blocks):
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 > block else 1
                short = x
                if block == 0:
                    down = f"{name}.downsample"
                    short = layer(x, f"{down}.0", f"{down}.1", stride)
                x = ov.relu(layer(x, f"{name}.conv1", f"{name}.bn1"))
                x = ov.relu(layer(x, f"{name}.conv2", f"{name}.bn2", stride, one))
                x = layer(x, f"{name}.conv3", f"{name}.bn3")
                x = ov.relu(ov.add(x, short))
        return x

    return build


@pytest.mark.parametrize("size", [(224, 224), (97, 131)])
def test_features_are_those_of_an_independent_graph(state, weights, size):
    images = np.random.default_rng(1).integers(0, 256, (1, *size, 3), np.uint8)
    encoder = PatchEncoder(
        "resnet50-v1.5", weights=weights, engine="keras", cache_dir=False
    )
    expected = features(build_again(state), images, **IMAGENET)
    assert expected.shape == (1, 2048)
    assert expected.std() > 0.1
    np.testing.assert_allclose(
        encoder.fit_transform(images), expected, atol=1e-4 * expected.max()
    )


@pytest.mark.parametrize(
    ("trainable_layers", "cut"),
    [(0, "avg_pool"), (1, "layer4_2_out"), (10, "layer4_1_out"), ("all", None)],
)
def test_it_is_cut_at_the_last_block_below_what_is_trained(
    weights, trainable_layers, cut
):
    assert load_backbone("resnet50-v1.5", weights).cut(trainable_layers) == cut


def test_imagenet_weights_are_not_fetched_and_the_error_says_where_they_are():
    message = r"not fetched.*resnet50-11ad3fa6\.pth.*resnet50\.a1_in1k.*weights=PATH"
    with pytest.raises(WeightsError, match=message):
        load_backbone("resnet50-v1.5", "imagenet")


def test_resnet50_of_keras_refuses_weights_of_pytorch(weights):
    message = r"are different functions.*strides.*Pass backbone=\"resnet50-v1\.5\""
    with pytest.raises(WeightsError, match=message):
        load_backbone("resnet50", weights)


def test_resnet50_of_pytorch_refuses_weights_of_keras(tmp_path):
    file = tmp_path / "resnet50.h5"
    file.write_bytes(b"\x89HDF\r\n\x1a\n and so on")
    message = r"as Keras writes it.*are different functions.*backbone=\"resnet50\""
    with pytest.raises(WeightsError, match=message):
        load_backbone("resnet50-v1.5", file)
