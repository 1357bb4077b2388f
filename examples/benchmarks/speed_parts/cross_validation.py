"""The same cross-validation with the plain pipeline and with the trunk.

The plain pipeline (load, sample, net) runs every image through the whole network in
every epoch. It is timed in one fold, on a third of its training rows, for three epochs;
all rows, folds and epochs follow from these by counting. With the trunk the head is
timed as it is, in all folds and epochs; where layers are trained, it is scaled up in
the same way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from imblearn.pipeline import Pipeline
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from glomclf.data.loader import ImageLoader
from glomclf.errors import EngineError
from glomclf.network import PatchClassifier, PatchEncoder
from glomclf.network.backbones import load_backbone
from glomclf.samplers import make_sampler

from .arithmetic import saved_by_trunk
from .figures import Figure, Setting, figure, seconds
from .timed import TimedClassifier

_SAMPLER = "smote+augment"
_N_EPOCHS = 3  # the first one traces the network, the others are what epochs take
_ONE_IN = 3
# Small enough that the plain pipeline can run all folds and epochs.
_SMALL_SIZE = 64


def measure_cross_validation(setting: Setting) -> Iterator[Figure]:
    """Time the head, the trunk in either precision."""
    variants = {
        "trunk in float32": {},
        "trunk in bfloat16": {"trunk__precision": "bfloat16"},
    }
    yield from _compare(setting, 0, variants)


def measure_layers(setting: Setting) -> Iterator[Figure]:
    """Time the last layers, trained in either precision."""
    variants = {
        "in float32": {},
        "in bfloat16": {"net__training_precision": "bfloat16"},
    }
    yield from _compare(setting, setting.n_layers, variants)
    backbone = load_backbone(setting.backbone, setting.weights)
    limit = saved_by_trunk(backbone, setting.n_layers, setting.image_size)
    name = f"{_what(setting.n_layers)}: multiplications, plain pipeline / trunk"
    note = "of an epoch: the most that stored maps save in the same precision"
    yield figure(name, limit, "x", note)


class _Times(NamedTuple):
    """Seconds of a whole cross-validation, and probabilities of the first fold."""

    cold: float
    warm: float
    probability: np.ndarray


def _compare(
    setting: Setting,
    trainable_layers: int,
    variants: Mapping[str, Mapping[str, Any]],
) -> Iterator[Figure]:
    """Time all pipelines in turn; what a machine does only once comes before."""
    measure = _scaled_up if trainable_layers else _as_it_is
    _warm_up(setting, trainable_layers)
    plain: list[_Times] = []
    trunk: dict[str, list[_Times]] = {name: [] for name in variants}
    for repeat in range(setting.repeats):
        for number, name in enumerate(list(trunk)):
            folder = setting.folder / f"{number}-{repeat}"
            pipeline = _with_trunk(setting, trainable_layers, folder)
            pipeline.set_params(**variants[name])
            try:
                trunk[name].append(measure(setting, pipeline))
            except EngineError:
                del trunk[name]  # not on this machine: the table lacks its rows
        plain.append(_scaled_up(setting, _plain(setting, trainable_layers)))
    name = f"{_what(trainable_layers)}: plain pipeline"
    yield figure(name, [times.warm for times in plain], "s", _scaled(setting))
    for name, times in trunk.items():
        prefix = f"{_what(trainable_layers)}, {name}"
        about = _scaled(setting) if trainable_layers else _whole(setting)
        yield from _figures(setting, prefix, about, plain, times)


def _warm_up(setting: Setting, trainable_layers: int) -> None:
    """Import, and build the backbone that a process builds once for all fits."""
    rows = setting.manifest.groupby("label").head(8)
    plain = _plain(setting, trainable_layers).set_params(net__epochs=1)
    plain.fit(rows, rows["label"].to_numpy())


def _as_it_is(setting: Setting, pipeline: Pipeline) -> _Times:
    """Time all folds and epochs, first with an empty cache."""
    cold = seconds(lambda: _cross_validate(setting, pipeline))
    warm = seconds(lambda: _cross_validate(setting, pipeline))
    return _Times(cold, warm, _short_fit(setting, pipeline)[1])


def _scaled_up(setting: Setting, pipeline: Pipeline) -> _Times:
    """Time a short fit; what an empty cache costs, once for each fold.

    Only epochs are scaled to all rows, not what is done beside them: rather too little
    than too much.
    """
    keeps = "trunk" in pipeline.named_steps
    empty = seconds(lambda: _short_fit(setting, pipeline)) if keeps else 0.0
    start = time.perf_counter()
    fitted, probability = _short_fit(setting, pipeline)
    a_fit = time.perf_counter() - start
    an_epoch = float(np.median(fitted["net"].epoch_seconds()))
    beside = a_fit - _N_EPOCHS * an_epoch
    warm = setting.folds * (beside + setting.epochs * an_epoch * _ONE_IN)
    cold = warm + setting.folds * _ONE_IN * max(0.0, empty - a_fit)
    return _Times(cold, warm, probability)


def _short_fit(setting: Setting, pipeline: Pipeline) -> tuple[Any, np.ndarray]:
    short = clone(pipeline).set_params(net__epochs=_N_EPOCHS)
    return _fit_and_predict(setting, short, one_in=_ONE_IN)


def _what(trainable_layers: int) -> str:
    return f"last {trainable_layers} layers" if trainable_layers else "head"


def _whole(setting: Setting) -> str:
    return (
        f"{setting.folds} folds x {setting.epochs} epochs, {len(setting.manifest)} "
        f"patches, sampler={_SAMPLER!r}"
    )


def _scaled(setting: Setting) -> str:
    return (
        f"{_whole(setting)}; scaled up from one fold, 1 in {_ONE_IN} training rows, "
        f"{_N_EPOCHS} epochs"
    )


def _figures(
    setting: Setting,
    prefix: str,
    note: str,
    plain: list[_Times],
    trunk: list[_Times],
) -> list[Figure]:
    of_plain = np.array([times.warm for times in plain])
    cold = np.array([times.cold for times in trunk])
    warm = np.array([times.warm for times in trunk])
    pairs = list(zip(plain, trunk, strict=True))
    change = [np.abs(p.probability - t.probability).max() for p, t in pairs]
    y = _test_labels(setting)
    auc = [
        roc_auc_score(y, t.probability) - roc_auc_score(y, p.probability)
        for p, t in pairs
    ]
    compared = (
        f"first fold, 1 in {_ONE_IN} training rows, {_N_EPOCHS} epochs, plain pipeline "
        "against trunk"
    )
    rows: list[tuple[str, Any, str, str]] = [
        ("empty cache", cold, "s", note),
        ("warm cache", warm, "s", note),
        ("speed from an empty cache", of_plain / cold, "x", "plain / trunk"),
        ("speed from a warm cache", of_plain / warm, "x", "plain / trunk"),
        ("largest change of a probability", change, "", compared),
        ("change of ROC AUC", auc, "", compared),
    ]
    return [
        figure(f"{prefix}: {name}", values, unit, about)
        for name, values, unit, about in rows
    ]


def measure_scores(setting: Setting) -> Iterator[Figure]:
    """Score all folds after all epochs with both pipelines, on small images.

    Engines differ in the last digits of a feature, and training amplifies them: how far
    is what the second engine shows.
    """
    small = setting._replace(image_size=_SMALL_SIZE)
    plain = _cross_validate(small, _plain(small, 0))
    note = f"{_whole(small)}, all as they are, at {_SMALL_SIZE} px"
    yield figure("plain pipeline: ROC AUC of a fold", plain, "", note)
    for engine in ("keras", "openvino"):
        folder = setting.folder / f"scores-{engine}"
        pipeline = _with_trunk(small, 0, folder)
        try:
            scores = _cross_validate(small, pipeline.set_params(trunk__engine=engine))
        except EngineError:
            continue  # not on this machine: its row is missing from the table
        change = np.abs(plain - scores)
        name = f"trunk by {engine}: change of a fold's ROC AUC"
        yield figure(name, change, "", note)


def _net(setting: Setting, trainable_layers: int) -> PatchClassifier:
    return TimedClassifier(
        setting.backbone,
        weights=setting.weights,
        trainable_layers=trainable_layers,
        epochs=setting.epochs,
        random_state=0,
    )


def _with_trunk(setting: Setting, trainable_layers: int, folder: Path) -> Pipeline:
    loader = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=folder, lazy=True)
    trunk = PatchEncoder(
        setting.backbone,
        weights=setting.weights,
        trainable_layers=trainable_layers,
        cache_dir=folder,
    )
    sampler = make_sampler(_SAMPLER, random_state=0, n_jobs=-1)
    steps = [("load", loader), ("sample", sampler), ("trunk", trunk)]
    return Pipeline([*steps, ("net", _net(setting, trainable_layers))])


def _plain(setting: Setting, trainable_layers: int) -> Pipeline:
    loader = ImageLoader(setting.image_size, n_jobs=-1, cache_dir=False)
    sampler = make_sampler(_SAMPLER, random_state=0, n_jobs=-1)
    net = _net(setting, trainable_layers)
    return Pipeline([("load", loader), ("sample", sampler), ("net", net)])


def _folds(setting: Setting) -> list[tuple[np.ndarray, np.ndarray]]:
    manifest = setting.manifest
    splitter = StratifiedGroupKFold(setting.folds, shuffle=True, random_state=0)
    return list(splitter.split(manifest, manifest["label"], manifest["participant"]))


def _test_labels(setting: Setting, fold: int = 0) -> np.ndarray:
    return setting.manifest["label"].to_numpy()[_folds(setting)[fold][1]]


def _fit_and_predict(
    setting: Setting, pipeline: Any, fold: int = 0, one_in: int = 1
) -> tuple[Any, np.ndarray]:
    """Return the pipeline fitted on a fold, and what it gives for the rest."""
    train, test = _folds(setting)[fold]
    train = train[::one_in]
    manifest = setting.manifest
    fitted = clone(pipeline).fit(
        manifest.iloc[train], manifest["label"].to_numpy()[train]
    )
    return fitted, fitted.predict_proba(manifest.iloc[test])[:, 1]


def _cross_validate(setting: Setting, pipeline: Any) -> np.ndarray:
    """Return the area under the ROC curve of each fold."""
    scores = []
    for fold in range(setting.folds):
        _, probability = _fit_and_predict(setting, pipeline, fold)
        scores.append(roc_auc_score(_test_labels(setting, fold), probability))
    return np.array(scores)
