"""What is compared, as data: methods, and the tables they stand in.

The parameters are those of the estimator that the kind names; `SHARED` and what the
command line sets go to all of them. Where a part of a recipe is taken away, the value
that switches it off stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from glomclf.model.recipes import RECIPES

INNER_FOLDS, FIXED = "inner folds", "0.5, not chosen"
# Goes to every network, and stands in the results file once. One precision, that units
# of processors with and without bfloat16 can be compared.
SHARED: dict[str, Any] = {
    "weights": None,
    "image_size": 64,
    "training_precision": "float32",
}


@dataclass(frozen=True)
class Method:
    """One way to get from training rows to probabilities.

    Parameters
    ----------
    kind : str
        Which function of `fitting` fits it.
    parameters : mapping
        Of its estimator, plain values only.
    threshold : str
        What the threshold for the highest F1 is chosen on, all of it training rows:
        `INNER_FOLDS` (predictions of inner folds by participant, up to five fits more).
        Or `FIXED`: nothing is chosen, and one fit on all training rows is enough.
    """

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    threshold: str = INNER_FOLDS

    @property
    def family(self) -> str:
        """Methods of one family take alike long for a fit."""
        return self.parameters.get("recipe", self.kind)

    @property
    def n_fits(self) -> int:
        """How many fits a unit is, those for the threshold counted."""
        return {INNER_FOLDS: 6, FIXED: 1}[self.threshold]

    def settings(self, shared: Mapping[str, Any]) -> dict[str, Any]:
        """Return all that decides what is fitted, as JSON holds it.

        What its recipe says is in it, so that units of another state of the recipe are
        known as such; over it stand the parameters that networks share.
        """
        parameters = dict(self.parameters)
        if "recipe" in parameters:
            recipe = RECIPES[parameters["recipe"]]
            parameters = {**recipe, **shared, **parameters}
        return {
            "kind": self.kind,
            "parameters": parameters,
            "threshold": self.threshold,
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

    def folds(
        self, split: str, parted: Mapping[str, tuple[np.ndarray, np.ndarray]]
    ) -> list[str]:
        """Return the folds of a split that the table is of, in their order.

        Parameters
        ----------
        split : str
        parted : mapping of str to (ndarray, ndarray)
            Training and test rows of all folds of the split.
        """
        if split not in self.splits:
            return []
        largest = sorted(parted, key=lambda fold: len(parted[fold][1]), reverse=True)
        taken = largest[: self.n_centres if split == "centre" else None]
        return [fold for fold in parted if fold in taken]


_SCRATCH: dict[str, Any] = {"recipe": "scratch"}
# The recipe with the parts that have left it since. Each part of the training is
# changed alone beside all others, so that what one is worth does not hang on the order
# of leaving. What is not named here is as the recipe has it.
_ALL_PARTS: dict[str, Any] = {
    **_SCRATCH,
    "stain_normalizer": "fixed-reinhard",
    "augmentation": "geometry+stain",
    "sampler": None,
    "class_weight": "balanced",
    "loss": "crossentropy",
    "optimizer": "adamw",
    "schedule": "cosine",
    "warmup_epochs": 3,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "predict_views": 8,
}
# Four times the multiplications, affordable where the processor has bfloat16.
_MORE_PIXELS: dict[str, Any] = {"image_size": 128, "training_precision": "bfloat16"}
_UNSTAINED = "all parts without fixed stain"  # as `_other_parts` names it
_UNSTAINED_LARGE = f"{_UNSTAINED}, at 128 pixels"
_PARTS: dict[str, dict[str, Any]] = {
    "fixed stain": {"stain_normalizer": None},
    "augmentation": {"augmentation": None},
    "stain jitter": {"augmentation": "geometry"},
    "class weights": {"class_weight": None},
    "warm-up and cosine": {"schedule": "constant", "warmup_epochs": 0},
    "weight decay": {"weight_decay": 0.0},
    "gradient clipping": {"clip_norm": None},
}
_OTHER_ANSWERS: dict[str, dict[str, Any]] = {
    "oversample": {"sampler": "oversample"},
    "smote": {"sampler": "smote"},
    "focal loss": {"loss": "focal"},
    "logit-adjusted loss": {"loss": "logit_adjusted"},
}


def _classifier(parameters: Mapping[str, Any]) -> Method:
    return Method("classifier", parameters, FIXED)


def _other_parts() -> dict[str, Method]:
    """Return all parts of the scratch recipe, each taken away or one added, alone."""
    changed = {f"all parts without {part}": it for part, it in _PARTS.items()}
    changed["all parts with label smoothing"] = {"label_smoothing": 0.1}
    # The yardstick: how far apart two fits are between which nothing has changed.
    changed["all parts with another seed"] = {"random_state": 1}
    return {name: _classifier(_ALL_PARTS | it) for name, it in changed.items()}


def _other_answers() -> dict[str, Method]:
    """Return all parts with one answer to imbalance in place of another."""
    unanswered = _ALL_PARTS | _PARTS["class weights"]
    return {
        f"all parts with {answer}, not class weights": _classifier(unanswered | it)
        for answer, it in _OTHER_ANSWERS.items()
    }


# What leaves the training as it is, and so is measured with the recipe as it is.
_AFTERWARDS: dict[str, Method] = {
    "scratch without test-time views": _classifier(_SCRATCH | {"predict_views": 1}),
    "scratch with averaged weights": _classifier(_SCRATCH | {"ema_momentum": 0.99}),
}
_COMPARED: dict[str, Method] = {
    "colour statistics": Method("colour"),
    "texture": Method("texture"),
    "frozen features, logistic regression": Method(
        "frozen, logistic", {"image_size": 224, "C": 0.01}
    ),
    "frozen features, PatchClassifier": Method("frozen", {"image_size": 224}),
    "features": _classifier({"recipe": "features", "image_size": 224}),
    "scratch": _classifier(_SCRATCH),
}
METHODS: dict[str, Method] = {
    **_COMPARED,
    **_AFTERWARDS,
    "all parts": _classifier(_ALL_PARTS),
    **_other_parts(),
    **_other_answers(),
    _UNSTAINED_LARGE: _classifier(_ALL_PARTS | _PARTS["fixed stain"] | _MORE_PIXELS),
}
# Changes of all parts are many; halves and two centres are fewer and smaller fits.
_FEWER: dict[str, Any] = {"splits": ("half", "centre"), "n_centres": 2}
TABLES = (
    Table("Methods", "frozen features, logistic regression", tuple(_COMPARED)),
    Table("The two recipes", "features", ("features", "scratch")),
    Table(
        "The scratch recipe, what comes after its training, and all parts",
        "scratch",
        ("scratch", *_AFTERWARDS, "all parts"),
    ),
    Table("Fixed stain", "all parts", ("all parts", _UNSTAINED)),
    Table(
        "All parts of the training, each taken away or one added, alone",
        "all parts",
        ("all parts", *_other_parts()),
        **_FEWER,
    ),
    Table(
        "Sampler, class weights or loss, each alone, with all parts",
        "all parts",
        ("all parts", "all parts without class weights", *_other_answers()),
        **_FEWER,
    ),
    Table(
        "More pixels",
        _UNSTAINED,
        (_UNSTAINED, _UNSTAINED_LARGE),
        splits=("slide",),
    ),
)


def wanted(
    tables: Sequence[Table],
    name: str,
    split: str,
    parted: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> list[str]:
    """Return the folds of a split that tables want of a method, in their order."""
    own = [table.folds(split, parted) for table in tables if name in table.methods]
    return [fold for fold in parted if any(fold in folds for folds in own)]


def named(patterns: list[str], names: Mapping[str, Any]) -> list[str]:
    """Return the names that shell-like patterns match, in the order of the names.

    Raises
    ------
    ValueError
        If a pattern matches none.
    """
    lost = [p for p in patterns if not any(fnmatchcase(name, p) for name in names)]
    if lost:
        raise ValueError(
            f"no method is named {', '.join(map(repr, lost))}; there are: "
            f"{'; '.join(names)}"
        )
    return [name for name in names if any(fnmatchcase(name, p) for p in patterns)]
