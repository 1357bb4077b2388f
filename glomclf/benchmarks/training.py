"""Images a second in training: the head, the last 25 layers, the whole network."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..loader import ImageLoader
from ..network import ResNet50Classifier, ResNet50Trunk
from .figures import Figure, Setting, figure, seconds

__all__ = ["measure_training"]

_N_ROWS = 64
_N_ROWS_OF_ALL = 16  # at a few images a second
_N_HEAD_ROWS = 4096


def measure_training(setting: Setting) -> list[Figure]:
    """Time epochs; what building the network costs is measured apart from them."""
    rows = setting.manifest.iloc[:_N_ROWS]
    y = np.arange(len(rows)) % 2
    loader = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False)
    images = loader.fit_transform(rows)
    inputs = {
        "head, from features": (0, _features(setting, images, 0)),
        "last 25 layers, from feature maps": (25, _features(setting, images, 25)),
        "last 25 layers, from images": (25, images),
        "all layers, from images": ("all", images[:_N_ROWS_OF_ALL]),
    }
    figures = []
    for name, (trainable_layers, X) in inputs.items():
        if trainable_layers == 0:
            X = np.resize(X, (_N_HEAD_ROWS, X.shape[1]))
        codes = np.resize(y, len(X))
        figures += _measure(setting, name, trainable_layers, X, codes)
    return figures


def _features(setting: Setting, images: np.ndarray, trainable_layers: int) -> Any:
    return ResNet50Trunk(
        weights=setting.weights, trainable_layers=trainable_layers, cache_dir=False
    ).fit_transform(images)


def _measure(
    setting: Setting, name: str, trainable_layers: Any, X: np.ndarray, y: np.ndarray
) -> list[Figure]:
    def fit(epochs: int) -> None:
        ResNet50Classifier(
            weights=setting.weights,
            trainable_layers=trainable_layers,
            epochs=epochs,
            random_state=0,
        ).fit(X, y)

    few, many = (1, 3) if trainable_layers else (1, 11)
    rates, overheads = [], []
    for _ in range(setting.repeats):
        first, second = seconds(lambda: fit(few)), seconds(lambda: fit(many))
        an_epoch = max(1e-9, (second - first) / (many - few))
        rates.append(len(X) / an_epoch)
        overheads.append(max(0.0, first - few * an_epoch))
    note = f"{len(X)} rows, {many} epochs less {few}"
    return [
        figure("training", name, rates, "images/s", note),
        figure("training", f"{name}: beside epochs", overheads, "s a fit", note),
    ]
