"""State dicts of PyTorch: whose names are understood, and what is not."""

import numpy as np
import pytest

from glomclf.errors import WeightsError
from glomclf.network.architectures import resnet_torch_name
from glomclf.network.backend import keras
from glomclf.network.weights import read_torch_weights
from tests.torch_files import Call, save_torch


@pytest.fixture(scope="module")
def model():
    layers = keras.layers
    x = inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(name="bn1")(x)
    x = layers.DepthwiseConv2D(3, use_bias=False, name="layer1_0_conv1")(x)
    return keras.Model(inputs, x, name="small")


def make_state(seed=0):
    rng = np.random.default_rng(seed)
    shapes = {
        "conv1.weight": (4, 3, 3, 3),
        **{f"bn1.{p}": (4,) for p in ("weight", "bias", "running_mean", "running_var")},
        "layer1.0.conv1.weight": (4, 1, 3, 3),
    }
    return {
        name: rng.uniform(0.5, 1, shape).astype("f4") for name, shape in shapes.items()
    }


def under(prefix, state):
    return {f"{prefix}{name}": array for name, array in state.items()}


OTHER = make_state(1)
FC = {"fc.weight": np.zeros((2, 4)), "fc.bias": np.zeros(2)}


def read(model, value, tmp_path):
    file = save_torch(value, tmp_path / "a.pth")
    read_torch_weights(model, str(file), resnet_torch_name)
    return model.get_weights()


@pytest.mark.parametrize(
    "value",
    [
        make_state() | FC | {"bn1.num_batches_tracked": np.array(3)},
        {
            "epoch": 200,
            "arch": "resnet50",
            "state_dict": under("module.", make_state()),
        },
        {
            "state_dict": under("module.encoder_q.", make_state() | FC)
            | under("module.encoder_k.", OTHER | FC)
            | {"module.queue": np.zeros((4, 8)), "module.queue_ptr": np.zeros(1, "i8")},
            "optimizer": {"state": {0: {"momentum_buffer": np.zeros(3)}}},
        },
        {
            "student": under("module.backbone.", OTHER)
            | {"module.head.mlp.0.weight": np.zeros((2, 2))},
            "teacher": under("backbone.", make_state())
            | {"head.last_layer.weight_g": np.zeros((2, 1))},
            "dino_loss": {"center": np.zeros((1, 2))},
        },
        {
            "model": under("module.backbone.", make_state())
            | {
                "module.projector.0.weight": np.zeros((2, 4)),
                "module.bn.bias": FC["fc.bias"],
            }
        },
        under("module.", make_state())
        | {
            "module.projection_head.0.weight": np.zeros((2, 4)),
            "module.prototypes.weight": np.zeros((3, 2)),
        },
    ],
    ids=["torchvision", "moco v1", "moco v2", "dino", "barlow twins", "swav"],
)
def test_what_training_wraps_around_a_network_is_taken_off(model, value, tmp_path):
    state = make_state()
    kernel, *norm, depthwise = read(model, value, tmp_path)
    np.testing.assert_array_equal(kernel, state["conv1.weight"].transpose(2, 3, 1, 0))
    for array, part in zip(
        norm, ("weight", "bias", "running_mean", "running_var"), strict=True
    ):
        np.testing.assert_array_equal(array, state[f"bn1.{part}"])
    expected = state["layer1.0.conv1.weight"].transpose(2, 3, 0, 1)
    np.testing.assert_array_equal(depthwise, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bn1.bias": None}, r"it lacks bn1\.bias\."),
        ({"layer9.weight": np.ones(1)}, r"holds layer9\.weight, which that network"),
        ({"bn1.bias": np.ones(5)}, r"bn1\.bias has the shape \(5,\)"),
        ({"conv1.weight": np.ones(4)}, r"conv1\.weight has the shape \(4,\)"),
        (
            {"bn1.bias": np.full(4, np.nan)},
            r"bn1\.bias has numbers that are not finite",
        ),
        ({"bn1.bias": np.ones(4, "i8")}, r"bn1\.bias has numbers .* no floats"),
    ],
)
def test_a_weight_that_does_not_fit_is_named(model, change, message, tmp_path):
    state = make_state() | change
    state = {name: array for name, array in state.items() if array is not None}
    with pytest.raises(WeightsError, match=rf"weights of 'small': .*{message}"):
        read(model, {"state_dict": under("module.", state)}, tmp_path)


def test_all_faults_are_named_at_once_and_nothing_is_loaded(model, tmp_path):
    before = read(model, make_state(), tmp_path)
    state = make_state(3) | {"extra": np.ones(1), "bn1.weight": np.ones(3)}
    del state["bn1.bias"]
    with pytest.raises(WeightsError, match=r"lacks bn1\.bias; .*extra.*; bn1\.weight"):
        read(model, state, tmp_path)
    for kept, array in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(kept, array)


def test_the_weights_of_another_network_are_named_in_part(model, tmp_path):
    other = {f"blocks.{place}.weight": np.ones(2) for place in range(40)}
    with pytest.raises(WeightsError, match=r"it lacks .*holds blocks\.0.* and 35 more"):
        read(model, other, tmp_path)


def test_a_hostile_file_is_a_fault_of_the_weights(model, tmp_path):
    with pytest.raises(WeightsError, match=r"names os\.system"):
        read(model, make_state() | {"a": Call("os", "system", ("true",))}, tmp_path)
