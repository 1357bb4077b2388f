"""The engine of the trunk: the same features as Keras' own, at any size."""

import numpy as np
import pytest

from glomclf.network.engines import compile_trunk
from glomclf.network.resnet50 import load_backbone, make_trunk


@pytest.fixture(scope="module")
def cnn():
    return load_backbone("cnn", None)


@pytest.mark.parametrize("cut", ["avg_pool", "block2_out"])
def test_the_compiled_trunk_gives_what_keras_gives(cnn, patches, cut):
    X, _ = patches
    expected = make_trunk(cnn, cut).predict(X, verbose=0)
    features = compile_trunk(cnn, cut)(X)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_one_compiled_trunk_takes_images_of_any_number_and_size(cnn, patches):
    X, _ = patches
    forward = compile_trunk(cnn, "block4_out")
    assert forward(X[:1]).shape == (1, 2, 2, 128)
    assert forward(X.repeat(2, axis=1)).shape == (len(X), 4, 2, 128)


def test_the_trunk_is_compiled_once_for_each_cut(cnn):
    assert compile_trunk(cnn, "avg_pool") is compile_trunk(cnn, "avg_pool")
    assert compile_trunk(cnn, "avg_pool") is not compile_trunk(cnn, "block4_out")
