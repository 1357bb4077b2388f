"""The fixed random networks: their statistics are kept, and are those of a batch."""

import numpy as np
import pytest

from glomclf.errors import WeightsError
from glomclf.network.backbones import BACKBONES, load_backbone
from glomclf.network.backend import keras
from glomclf.network.normalization import NORMALIZATIONS
from glomclf.network.random_statistics import calibration_batch, measure_statistics
from glomclf.network.random_weights import STATISTICS_FILE, randomise, statistics_of


# Each builds and runs a whole network; the ResNets have no kind of layer of their own.
@pytest.mark.parametrize("name", ["cnn", "efficientnet-lite0"])
def test_batch_norm_statistics_are_those_of_the_calibration_images(name):
    backbone = load_backbone(name, None)
    norms = [
        layer
        for layer in backbone.model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    checked = [norms[0], norms[-1]]
    below = keras.Model(backbone.model.input, [norm.input for norm in checked])
    images = backbone.preprocess(calibration_batch())
    for norm, values in zip(checked, below.predict(images, verbose=0), strict=True):
        mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
        scale = np.sqrt(variance).max()
        measured = values.mean(axis=(0, 1, 2), dtype=np.float64)
        np.testing.assert_allclose(measured, mean, atol=2e-3 * scale)
        measured = values.var(axis=(0, 1, 2), dtype=np.float64)
        np.testing.assert_allclose(measured, variance, rtol=2e-2)
        assert norm.momentum == 0.99


def test_measuring_again_gives_the_statistics_that_are_kept():
    model = BACKBONES["cnn"].build()
    randomise("cnn", model)
    kept = statistics_of(model)
    for norm in model.layers:
        if isinstance(norm, keras.layers.BatchNormalization):
            norm.moving_variance.assign(np.ones(norm.moving_variance.shape))
    measure_statistics(model, NORMALIZATIONS["inception"](calibration_batch()))
    np.testing.assert_allclose(statistics_of(model), kept, rtol=1e-3, atol=1e-4)
    assert len(kept) == 2 * (16 + 32 + 64 + 128)


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_statistics_are_kept_of_every_backbone(name):
    with np.load(STATISTICS_FILE) as kept:
        statistics = kept[f"{name} statistics"]
    assert np.isfinite(statistics).all()
    assert len(statistics) > 100


def test_other_draws_than_those_measured_with_are_refused(monkeypatch):
    monkeypatch.setattr("glomclf.network.random_weights._SEED", 51)
    with pytest.raises(WeightsError, match=r"other random numbers .* 'cnn'"):
        randomise("cnn", BACKBONES["cnn"].build())
