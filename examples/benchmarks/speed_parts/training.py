"""Images a second in training: the head, the last layers, the whole network."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from glomclf.data.loader import ImageLoader
from glomclf.errors import EngineError
from glomclf.network import PatchEncoder

from .figures import Figure, Setting, figure
from .timed import TimedClassifier

_N_ROWS = 64
_N_ROWS_OF_ALL = 16  # at a few images a second
_N_HEAD_ROWS = 4096


class _Case(NamedTuple):
    """What is trained, from what."""

    name: str
    trainable_layers: int | str
    X: np.ndarray
    precision: str = "float32"


def measure_training(setting: Setting) -> list[Figure]:
    """Time epochs; what building the network costs is measured apart from them."""
    loader = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False)
    images = loader.fit_transform(setting.manifest.iloc[:_N_ROWS])
    cases = _cases(setting, images)
    times: list[list[tuple[float, float]]] = [[] for _ in cases]
    for _ in range(setting.repeats):
        for case, measured in zip(cases, times, strict=True):
            with suppress(EngineError):  # not on this machine: the table lacks its rows
                measured.append(_measure(setting, case))
    pairs = zip(cases, times, strict=True)
    return [found for case, some in pairs if some for found in _rows(case, some)]


def _cases(setting: Setting, images: np.ndarray) -> list[_Case]:
    n = setting.n_layers
    features, maps = _features(setting, images, 0), _features(setting, images, n)
    heads = np.resize(features, (_N_HEAD_ROWS, features.shape[1]))
    few = images[:_N_ROWS_OF_ALL]
    return [
        _Case("head, from features", 0, heads),
        _Case(f"last {n} layers, from feature maps", n, maps),
        _Case(f"last {n} layers, from feature maps, in bfloat16", n, maps, "bfloat16"),
        _Case(f"last {n} layers, from images", n, images),
        _Case("all layers, from images", "all", few),
        _Case("all layers, from images, in bfloat16", "all", few, "bfloat16"),
    ]


def _features(setting: Setting, images: np.ndarray, trainable_layers: int) -> Any:
    return PatchEncoder(
        setting.backbone,
        weights=setting.weights,
        trainable_layers=trainable_layers,
        cache_dir=False,
    ).fit_transform(images)


def _measure(setting: Setting, case: _Case) -> tuple[float, float]:
    """Return images a second in an epoch, and the seconds a fit takes beside epochs."""
    net = TimedClassifier(
        setting.backbone,
        weights=setting.weights,
        trainable_layers=case.trainable_layers,
        training_precision=case.precision,
        epochs=3,
        random_state=0,
    )
    start = time.perf_counter()
    net.fit(case.X, np.arange(len(case.X)) % 2)
    whole = time.perf_counter() - start
    an_epoch = float(np.median(net.epoch_seconds()))
    return len(case.X) / an_epoch, max(0.0, whole - net.epochs * an_epoch)


def _rows(case: _Case, times: list[tuple[float, float]]) -> list[Figure]:
    rates, overheads = np.array(times).T
    note = f"{len(case.X)} rows, epochs after the first"
    name = case.name
    return [
        figure(name, rates, "images/s", note),
        figure(f"{name}: beside epochs", overheads, "s a fit", note),
    ]
