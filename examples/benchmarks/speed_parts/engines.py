"""Images to features: engines and precisions beside each other, and what they change.

The area under the ROC curve is that of a logistic regression on the features, in folds
that leave participants whole: what the head of a model makes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from glomclf.data.loader import ImageLoader
from glomclf.errors import EngineError
from glomclf.network import PatchEncoder
from glomclf.network.engines import choose_engine, compile_trunk

from .figures import Figure, Setting, figure, in_turn

_N_TIMED = 64
_N_STREAMED = 128
_BATCH_SIZE = 32
_REFERENCE = "tf.function"
_OTHERS = {
    "OpenVINO float32": ("openvino", "float32"),
    "OpenVINO bfloat16": ("openvino", "bfloat16"),
}
_Forward = Callable[[np.ndarray], np.ndarray]


def measure_engines(setting: Setting) -> list[Figure]:
    """Time the trunk by engine and precision; compare features and ROC AUC."""
    loader = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False)
    images = loader.fit_transform(setting.manifest)
    engines = _engines(setting)
    speeds = _speeds(setting, engines, images[:_N_TIMED])
    changes = _changes(setting, engines, images)
    return [*speeds, *changes, *_streaming(setting)]


def _engines(setting: Setting) -> dict[str, _Forward]:
    """Compile all that this machine has."""
    from glomclf.network.backbones import load_backbone
    from glomclf.network.cuts import make_trunk

    backbone = load_backbone(setting.backbone, setting.weights)
    cut = backbone.cut(0)
    if cut is None:
        raise AssertionError("with no trainable layer there is a cut")
    model = make_trunk(backbone, cut)
    found: dict[str, _Forward] = {
        "Keras predict": lambda images: model.predict(
            images, batch_size=_BATCH_SIZE, verbose=0
        ),
        _REFERENCE: compile_trunk(backbone, cut),
    }
    for name, (engine, precision) in _OTHERS.items():
        try:
            choose_engine(engine, precision)
            found[name] = compile_trunk(backbone, cut, engine, precision)
        except EngineError:
            continue  # not on this machine: its row is missing from the table
    return found


def _run(forward: _Forward, images: np.ndarray) -> np.ndarray:
    starts = range(0, len(images), _BATCH_SIZE)
    return np.concatenate([forward(images[s : s + _BATCH_SIZE]) for s in starts])


def _speeds(
    setting: Setting, engines: dict[str, _Forward], images: np.ndarray
) -> list[Figure]:
    def bound(forward: _Forward) -> Callable[[], Any]:
        return lambda: _run(forward, images)

    for forward in engines.values():
        forward(images[:_BATCH_SIZE])
    runs = {name: bound(forward) for name, forward in engines.items()}
    times = in_turn(runs, setting.repeats)
    note = f"{len(images)} images of {setting.image_size} px"
    figures = []
    for name, taken in times.items():
        rate, ratio = len(images) / taken, times[_REFERENCE] / taken
        figures.append(figure(f"{name}: rate", rate, "images/s", note))
        note_ratio = f"times as fast as a raw {_REFERENCE}, in the same run"
        figures.append(figure(f"{name}: speed", ratio, "x", note_ratio))
    return figures


def _changes(
    setting: Setting, engines: dict[str, _Forward], images: np.ndarray
) -> list[Figure]:
    reference = _run(engines[_REFERENCE], images)
    expected = _roc_auc(setting, reference)
    note = f"{len(images)} images, logistic regression, participants kept whole"
    figures = [figure(f"{_REFERENCE}: ROC AUC", expected, "", note)]
    for name in _OTHERS:
        if name not in engines:
            continue
        features = _run(engines[name], images)
        change = np.abs(features - reference).mean() / np.abs(reference).mean()
        auc = _roc_auc(setting, features) - expected
        figures += [
            figure(f"{name}: change of features", change, "of their mean"),
            figure(f"{name}: change of ROC AUC", auc, "", note),
        ]
    return figures


def _roc_auc(setting: Setting, features: np.ndarray) -> float:
    manifest = setting.manifest
    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    folds = StratifiedGroupKFold(setting.folds, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=2000))
    score = cross_val_predict(
        model, features, y, groups=groups, cv=folds, method="predict_proba"
    )
    return float(roc_auc_score(y, score[:, 1]))


def _streaming(setting: Setting) -> list[Figure]:
    """Time files to features in one pass, beside decoding and the trunk alone."""
    files = setting.manifest["path"][:_N_STREAMED]
    eager = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False)
    lazy = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False, lazy=True)
    trunk = PatchEncoder(weights=setting.weights, cache_dir=False)
    images = eager.fit_transform(files)
    trunk.fit(images).transform(images[:8])
    ways = {
        "decoding alone": lambda: eager.transform(files),
        "trunk alone": lambda: trunk.transform(images),
        "files to features": lambda: trunk.transform(lazy.transform(files)),
    }
    times = in_turn(ways, setting.repeats)
    slower = np.maximum(times["decoding alone"], times["trunk alone"])
    note = f"{len(files)} files of the patches, engine='auto', float32"
    rates = [
        figure(name, len(files) / taken, "images/s", note)
        for name, taken in times.items()
    ]
    ratio = times["files to features"] / slower
    note = "time of the whole over that of its slower part"
    return [*rates, figure("files to features: time", ratio, "x", note)]
