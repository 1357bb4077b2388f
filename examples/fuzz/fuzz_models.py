"""Model files that were changed and whose checksum was made anew.

Each is refused when it is loaded, or predicts as it did; or it is the sound file of
another model, with other settings or weights, whose probabilities are finite.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fuzzing import Kind, Wrong, mutated
from safetensors.numpy import save
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from glomclf import (
    FoldEnsembleClassifier,
    GlomeruliClassifier,
    PatchClassifier,
    PatchEncoder,
    make_glomeruli,
    read_classifier,
)
from glomclf.data.archive import OF_EVERY_FILE, _digest, read_model
from glomclf.errors import DivergenceError, EngineError, ModelFileError
from glomclf.model import LinearProbe, training_reference

_SIDE = 32
_CLOSE = 1e-5
_JUNK = (
    *(None, True, False, 0, 1, 2, 3, -1, 33, 128, 30_000_000, 10**9, 10**30, 10**400),
    *(0.25, 0.5, 1.0, -0.1, 1e-300, 1e300, float("nan"), float("inf")),
    *("", "x", "cnn", "resnet50", "imagenet", "all", "f1", "float32", "nan", "../x"),
    *([], [[]], [0, 1], [1, 0], [0.5, "nan"], {}, {"class": "os.system"}),
    {"class": "glomclf.network.PatchEncoder", "parameters": {}},
    {"tuple": [1, 2]},
)
_WORDS = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN", b"Infinity"),
    *(b"1e999", b"-1", b"0", b"9" * 20, b"[" * 2000, b'"class"', b'"parameters"'),
)


class _Known(NamedTuple):
    name: str
    header: dict[str, Any]
    arrays: dict[str, np.ndarray]
    X: np.ndarray
    settings: str
    probability: np.ndarray


def _prepare(folder: Path) -> list[_Known]:
    """Train a small model of each kind."""
    images, y, groups = make_glomeruli(
        40, n_participants=8, sclerotic_fraction=0.4, image_size=_SIDE, random_state=0
    )
    features = np.random.default_rng(0).normal(size=(len(y), 8)) + y[:, None]
    made = {
        name: (model.fit(X, y, groups=groups), X)
        for name, model, X in small_models(images, features)
    }
    model, X = made["probe"]
    model.training_reference_ = training_reference(model, X, groups)
    return [known_model(name, *one, folder / "model") for name, one in made.items()]


def small_models(
    images: np.ndarray, features: np.ndarray
) -> list[tuple[str, Any, Any]]:
    """Return a model of each kind, by name, and the rows that it is for."""
    common = {"image_size": _SIDE, "cache_dir": False, "random_state": 0}
    small = {"weights": None, "epochs": 1, "dense_units": 8}
    linear = make_pipeline(StandardScaler(), PCA(3), LogisticRegression())
    encoder = PatchEncoder("cnn", weights=None)
    # Not made again by its name, so that the file holds its weights.
    scaled = PatchEncoder("cnn", weights=None, normalization="imagenet")
    networks: dict[str, tuple[Any, np.ndarray, dict[str, Any]]] = {
        "probe": (LinearProbe([0.1, 1.0]), features, {"threshold": "f1"}),
        "linear": (linear, features, {}),
        "head": (PatchClassifier("cnn", **small), features, {}),
        "encoder": (LinearProbe(C=1.0), images, {"encoder": encoder}),
        "scaled": (LinearProbe(C=1.0), images, {"encoder": scaled}),
        "stain": (
            PatchClassifier("cnn", trainable_layers=4, **small),
            images, {"stain_normalizer": "macenko"}
        ),
        "whole": (PatchClassifier("cnn", trainable_layers="all", **small), images, {}),
    }  # fmt: skip
    models = [
        (name, GlomeruliClassifier(None, network=network, **common, **more), X)
        for name, (network, X, more) in networks.items()
    ]
    ensemble = FoldEnsembleClassifier(
        clone(models[0][1]).set_params(threshold=0.5), cv=3
    )
    return [*models, ("ensemble", ensemble.set_params(random_state=0), features)]


def known_model(name: str, model: Any, X: np.ndarray, file: Path) -> _Known:
    """Say what the file of a fitted model holds, and what it predicts once loaded."""
    model.save(file)
    header, arrays = read_model(file)
    whole = read_classifier(file)
    rows = X[:4]
    return _Known(
        name, header, arrays, rows, settings_of(whole), whole.predict_proba(rows)
    )


def settings_of(model: Any) -> str:
    """Write down what may differ between sound models."""
    told = [model.threshold_, model.classes_, model.pos_label_]
    told.append(getattr(model, "recalibration_", None))
    for one in getattr(model, "estimators_", [model]):
        network = one.pipeline_["classify"]
        told += [sorted(one.get_params().items(), key=str), one.classes_]
        told.append(getattr(network, "_normalization", None))
        told.append(getattr(one, "recalibration_", None))
    return re.sub(r"0x[0-9a-f]+", "", repr(told))


def _case(known: list[_Known], folder: Path, rng: np.random.Generator) -> str:
    one = known[rng.integers(len(known))]
    header, arrays = copy.deepcopy(one.header), dict(one.arrays)
    for _ in range(1 if rng.random() < 0.7 else 2):
        match rng.integers(5):
            case 0:
                _change_arrays(arrays, rng)
            case _:
                _change_header(header, rng)
    text = json.dumps(header)
    if rng.random() < 0.1:
        text = mutated(text.encode(), rng, _WORDS).decode(errors="replace")
    file = folder / "model"
    metadata = {"glomclf": text, "sha256": _digest(text, arrays)}
    file.write_bytes(save(arrays, metadata=metadata))
    try:
        model = read_classifier(file)
    except (ModelFileError, EngineError):
        raise
    except Exception as error:
        raise Wrong(f"{one.name}: {type(error).__name__}: {error}") from error
    return _judged(one, model, are_weights_kept=_are_same(arrays, one.arrays))


def _judged(one: _Known, model: Any, *, are_weights_kept: bool) -> str:
    """Compare what a loaded model predicts with what it should."""
    try:
        probability = model.predict_proba(one.X)
        model.predict(one.X)
    except DivergenceError:
        if are_weights_kept:
            raise Wrong(f"{one.name}: it diverges") from None
        raise
    except Exception as error:
        raise Wrong(f"{one.name}: {type(error).__name__}: {error}") from error
    if probability.shape != (len(one.X), 2) or not np.isfinite(probability).all():
        raise Wrong(f"{one.name}: {probability}")
    if probability.min() < 0 or probability.max() > 1:
        raise Wrong(f"{one.name}: {probability}")
    if not are_weights_kept or settings_of(model) != one.settings:
        return f"another model: {one.name}"
    if np.abs(probability - one.probability).max() > _CLOSE:
        raise Wrong(f"{one.name}: other probabilities from the same settings")
    return f"the same: {one.name}"


def _change_header(header: dict[str, Any], rng: np.random.Generator) -> None:
    """Replace, remove, add or exchange something anywhere in the description."""
    places = places_in({k: v for k, v in header.items() if k not in OF_EVERY_FILE})
    if rng.random() < 0.05:
        places = [(name,) for name in header]
    path = places[rng.integers(len(places))]
    holder: Any = header
    for step in path[:-1]:
        holder = holder[step]
    match rng.integers(5):
        case 0:
            del holder[path[-1]]
        case 1 if isinstance(holder, dict):
            holder["x"] = copy.deepcopy(_JUNK[rng.integers(len(_JUNK))])
        case 2:
            other = places[rng.integers(len(places))]
            found: Any = header
            for step in other:
                found = found[step]
            holder[path[-1]] = copy.deepcopy(found)
        case _:
            holder[path[-1]] = copy.deepcopy(_JUNK[rng.integers(len(_JUNK))])


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each value in nested mappings and lists."""
    inside: Any = []
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    return [
        place
        for step, one in inside
        for place in ((*path, step), *places_in(one, (*path, step)))
    ]


def _change_arrays(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Remove, double or change one of the arrays."""
    names = sorted(arrays)
    name = names[rng.integers(len(names))] if names else "x"
    array = arrays.pop(name, np.zeros(1))
    match rng.integers(7):
        case 0:
            return
        case 1:
            arrays["x"] = array
        case 2:
            array = array[..., np.newaxis] if rng.random() < 0.5 else array.ravel()[:-1]
        case 3:
            array = array.astype(("int64", "float16", "uint8")[rng.integers(3)])
        case 4 if array.size:
            array = array.copy()
            extreme = (np.nan, np.inf, -1, 1e38, 2**40)[rng.integers(5)]
            with np.errstate(all="ignore"):
                array.flat[rng.integers(array.size)] = np.array(extreme).astype(
                    array.dtype
                )
        case 5:
            array = np.zeros((0, *array.shape[1:]), array.dtype)
    arrays[name] = np.ascontiguousarray(array)


def _are_same(arrays: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> bool:
    return set(arrays) == set(others) and all(
        array.tobytes() == others[name].tobytes() for name, array in arrays.items()
    )


KIND = Kind(_prepare, _case, 2000)
