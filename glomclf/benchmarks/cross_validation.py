"""The same cross-validation with the plain pipeline and with the trunk.

The plain pipeline (load, sample, net) runs every image through the whole network in
every epoch. It is timed in one fold, for one epoch and for two; all folds and epochs
follow from these by counting. With the trunk everything is timed as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def measure_cross_validation(setting: Setting) -> list[Figure]:
    """Time the head alone trained, and the last 25 layers."""
    return [*_compare(setting, 0), *_compare(setting, 25)]


def _compare(setting: Setting, trainable_layers: int) -> list[Figure]:
    plain, cold, warm, differences = [], [], [], []
    for repeat in range(setting.repeats):
        folder = setting.folder / f"cv-{trainable_layers}-{repeat}"
        pipeline = _with_trunk(setting, trainable_layers, folder)
        cold.append(_cross_validation(setting, pipeline))
        warm.append(_cross_validation(setting, pipeline))
        taken, scores = _plain(setting, trainable_layers)
        plain.append(taken)
        short = pipeline.set_params(net__epochs=2)
        differences.append(np.abs(_fit_and_predict(setting, short) - scores).max())
    return _figures(setting, trainable_layers, plain, cold, warm, differences)


def _figures(
    setting: Setting,
    trainable_layers: int,
    plain: list[float],
    cold: list[float],
    warm: list[float],
    differences: list[float],
) -> list[Figure]:
    what = "head" if trainable_layers == 0 else f"last {trainable_layers} layers"
    whole = (
        f"{setting.folds} folds x {setting.epochs} epochs, {len(setting.manifest)} "
        f"patches, sampler={_SAMPLER!r}"
    )
    scaled = f"{whole}; scaled up from one fold of 1 and of 2 epochs"
    rows: list[tuple[str, Any, str, str]] = [
        ("plain pipeline", plain, "s", scaled),
        ("trunk, empty cache", cold, "s", whole),
        ("trunk, warm cache", warm, "s", whole),
        ("speed from an empty cache", np.divide(plain, cold), "x", "plain / trunk"),
        ("speed from a warm cache", np.divide(plain, warm), "x", "plain / trunk"),
        (
            "largest change of a probability",
            differences,
            "",
            "first fold, 2 epochs, plain pipeline against trunk",
        ),
    ]
    return [
        figure("cv", f"{what}: {name}", values, unit, note)
        for name, values, unit, note in rows
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


def _plain(setting: Setting, trainable_layers: int) -> tuple[float, np.ndarray]:
    """Return the seconds of all folds and epochs, and one fold's probabilities."""
    loader = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False)
    sampler = make_sampler(_SAMPLER, random_state=0)
    net = _net(setting, trainable_layers)
    pipeline = Pipeline([("load", loader), ("sample", sampler), ("net", net)])
    scores: list[np.ndarray] = []

    def fit(epochs: int) -> None:
        pipeline.set_params(net__epochs=epochs)
        scores.append(_fit_and_predict(setting, pipeline))

    first, second = seconds(lambda: fit(1)), seconds(lambda: fit(2))
    an_epoch = max(0.0, second - first)
    return setting.folds * (first + (setting.epochs - 1) * an_epoch), scores[1]
