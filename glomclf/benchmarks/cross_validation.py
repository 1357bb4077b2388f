"""The same cross-validation with the plain pipeline and with the trunk.

The plain pipeline (load, sample, net) runs every image through the whole network in
every epoch. It is timed in one fold, for one epoch and for two; all folds and epochs
follow from these by counting. With the trunk the head is timed as it is, in all folds
and epochs; where layers are trained, it is scaled up in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from imblearn.pipeline import Pipeline
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold

from ..loader import ImageLoader
from ..network import ResNet50Classifier, ResNet50Trunk
from ..samplers import make_sampler
from .figures import Figure, Setting, figure, seconds

__all__ = ["measure_cross_validation"]

_SAMPLER = "smote+augment"


def measure_cross_validation(setting: Setting) -> Iterator[Figure]:
    """Time the head alone trained, and the last 25 layers."""
    yield from _compare(setting, 0)
    yield from _compare(setting, 25)


class _Times(NamedTuple):
    """Seconds of a whole cross-validation, and probabilities after two epochs."""

    cold: float
    warm: float
    scores: np.ndarray


def _compare(setting: Setting, trainable_layers: int) -> list[Figure]:
    plain, trunk = [], []
    for repeat in range(setting.repeats):
        folder = setting.folder / f"cv-{trainable_layers}-{repeat}"
        pipeline = _with_trunk(setting, trainable_layers, folder)
        measure = _scaled_up if trainable_layers else _as_it_is
        trunk.append(measure(setting, pipeline))
        plain.append(_scaled_up(setting, _plain(setting, trainable_layers)))
    return _figures(setting, trainable_layers, plain, trunk)


def _as_it_is(setting: Setting, pipeline: Pipeline) -> _Times:
    """Time all folds and epochs, first with an empty cache."""
    cold = _cross_validation(setting, pipeline)
    warm = _cross_validation(setting, pipeline)
    scores = _fit_and_predict(setting, clone(pipeline).set_params(net__epochs=2))
    return _Times(cold, warm, scores)


def _scaled_up(setting: Setting, pipeline: Pipeline) -> _Times:
    """Time one fold for one epoch and for two; what an empty cache costs, once more."""
    scores: list[np.ndarray] = []

    def fit(epochs: int) -> None:
        short = clone(pipeline).set_params(net__epochs=epochs)
        scores.append(_fit_and_predict(setting, short))

    keeps = "trunk" in pipeline.named_steps
    empty = seconds(lambda: fit(1)) if keeps else 0.0
    first, second = seconds(lambda: fit(1)), seconds(lambda: fit(2))
    an_epoch = max(0.0, second - first)
    warm = setting.folds * (first + (setting.epochs - 1) * an_epoch)
    cold = warm + setting.folds * max(0.0, empty - first)
    return _Times(cold, warm, scores[-1])


def _figures(
    setting: Setting, trainable_layers: int, plain: list[_Times], trunk: list[_Times]
) -> list[Figure]:
    what = f"last {trainable_layers} layers" if trainable_layers else "head"
    whole = (
        f"{setting.folds} folds x {setting.epochs} epochs, {len(setting.manifest)} "
        f"patches, sampler={_SAMPLER!r}"
    )
    scaled = f"{whole}; scaled up from one fold of 1 and of 2 epochs"
    note = scaled if trainable_layers else whole
    of_plain = np.array([times.warm for times in plain])
    cold = np.array([times.cold for times in trunk])
    warm = np.array([times.warm for times in trunk])
    pairs = zip(plain, trunk, strict=True)
    change = [np.abs(one.scores - other.scores).max() for one, other in pairs]
    compared = "first fold, 2 epochs, plain pipeline against trunk"
    rows: list[tuple[str, Any, str, str]] = [
        ("plain pipeline", of_plain, "s", scaled),
        ("trunk, empty cache", cold, "s", note),
        ("trunk, warm cache", warm, "s", note),
        ("speed from an empty cache", of_plain / cold, "x", "plain / trunk"),
        ("speed from a warm cache", of_plain / warm, "x", "plain / trunk"),
        ("largest change of a probability", change, "", compared),
    ]
    return [
        figure("cv", f"{what}: {name}", values, unit, about)
        for name, values, unit, about in rows
    ]


def _net(setting: Setting, trainable_layers: int) -> ResNet50Classifier:
    return ResNet50Classifier(
        weights=setting.weights,
        trainable_layers=trainable_layers,
        epochs=setting.epochs,
        random_state=0,
    )


def _with_trunk(setting: Setting, trainable_layers: int, folder: Path) -> Pipeline:
    loader = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=folder, lazy=True)
    trunk = ResNet50Trunk(
        weights=setting.weights, trainable_layers=trainable_layers, cache_dir=folder
    )
    sampler = make_sampler(_SAMPLER, random_state=0)
    steps = [("load", loader), ("sample", sampler), ("trunk", trunk)]
    return Pipeline([*steps, ("net", _net(setting, trainable_layers))])


def _folds(setting: Setting) -> list[tuple[np.ndarray, np.ndarray]]:
    manifest = setting.manifest
    splitter = StratifiedGroupKFold(setting.folds, shuffle=True, random_state=0)
    return list(splitter.split(manifest, manifest["label"], manifest["participant"]))


def _fit_and_predict(setting: Setting, pipeline: Any, fold: int = 0) -> np.ndarray:
    train, test = _folds(setting)[fold]
    manifest = setting.manifest
    fitted = clone(pipeline).fit(
        manifest.iloc[train], manifest["label"].to_numpy()[train]
    )
    return fitted.predict_proba(manifest.iloc[test])


def _cross_validation(setting: Setting, pipeline: Any) -> float:
    return seconds(
        lambda: [_fit_and_predict(setting, pipeline, k) for k in range(setting.folds)]
    )


def _plain(setting: Setting, trainable_layers: int) -> Pipeline:
    loader = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False)
    sampler = make_sampler(_SAMPLER, random_state=0)
    net = _net(setting, trainable_layers)
    return Pipeline([("load", loader), ("sample", sampler), ("net", net)])
