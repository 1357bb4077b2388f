"""The last feature maps of a network, and what its head makes of each place in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .assembly import build_map_network
from .backbones import Backbone
from .backend import as_delivered
from .engines import Forward, choose_engine, compile_trunk

if TYPE_CHECKING:
    from .classifier import PatchClassifier
    from .encoder import PatchEncoder


def feature_maps(encoder: PatchEncoder | None, network: Any) -> Forward:
    """Return the part of a fitted network up to its last pooling.

    Parameters
    ----------
    encoder : PatchEncoder or None
        None where `network` takes images.
    network : PatchClassifier or classifier of pooled features
        Fitted.

    Returns
    -------
    callable
        uint8 images (n, height, width, 3) -> float32 maps (n, rows, columns, channels),
        whose mean over rows and columns is the pooled features.
    """
    if encoder is None or encoder.cut_ is None:
        backbone = network._fitted_backbone()
        if network.trainable_layers == 0:
            return _frozen_maps(backbone)
        return _tail_maps(network, backbone)
    backbone = encoder._fitted_backbone()
    if encoder.cut_ == backbone.model.layers[-1].name:
        return _frozen_maps(backbone)
    trunk = encoder._compiled_trunk(encoder.cut_)
    tail = _tail_maps(network, backbone)
    return lambda images: tail(trunk(images))


def _frozen_maps(backbone: Backbone) -> Forward:
    """Run a backbone that was not trained; the pooling is its last layer."""
    before_pooling = backbone.model.layers[-2].name
    return compile_trunk(backbone, before_pooling, choose_engine("auto", "float32"))


def _tail_maps(network: PatchClassifier, backbone: Backbone) -> Forward:
    model = build_map_network(network.net_.model_, backbone)

    @as_delivered()
    def forward(rows: np.ndarray) -> np.ndarray:
        return np.asarray(model(rows, training=False), dtype=np.float32)

    return forward


def head_at(
    network: PatchClassifier, pooled: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the linear function that the head is around some pooled features.

    A head with ReLU is linear in pieces: near a row its log odds are exactly
    ``row @ weights + offset``, and ``weights`` is their gradient.

    Parameters
    ----------
    network : PatchClassifier
        Fitted.
    pooled : ndarray of shape (n_samples, n_features)

    Returns
    -------
    weights : ndarray of shape (n_samples, n_features)
    offset : ndarray of shape (n_samples,)
    """
    layer = network.net_.model_.get_layer
    mean, variance = layer("standardise").get_weights()
    scale = 1 / np.sqrt(variance + layer("standardise").epsilon)
    hidden, hidden_bias = layer("hidden").get_weights()
    output, output_bias = layer("output").get_weights()
    before = ((pooled - mean) * scale) @ hidden + hidden_bias
    active = (before > 0) * output[:, 0]
    weights = active @ hidden.T * scale
    logit = (before * active).sum(axis=1) + output_bias[0]
    return weights, logit - (weights * pooled).sum(axis=1)
