"""Recipes: sets of settings that belong together, each for one way of training.

A parameter of :class:`glomclf.GlomeruliClassifier` that is ``"auto"`` takes the value
of its recipe; any other value overrides it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from sklearn.base import clone

from ..network.processor import has_bfloat16

__all__ = [
    "RECIPES",
    "RECIPE_PARAMETERS",
    "Recipe",
    "choose_recipe",
    "decided_on_validation",
    "is_auto",
    "resolve_recipe",
    "settled",
    "with_origins",
]

_PLAIN: dict[str, Any] = {
    "stain_normalizer": None,
    "sampling_space": "pixels",
    "class_weight": None,
    "dense_units": 256,
    "dropout": 0.5,
    "batch_size": 32,
    "schedule": "constant",
    "warmup_epochs": 0,
    "weight_decay": None,
    "label_smoothing": 0.0,
    "clip_norm": None,
    "head_epochs": 0,
    "tail_learning_rate": None,
    "validation_fraction": None,
    "augmentation": None,
    "augmented_views": 0,
    "predict_views": 1,
    "training_precision": "float32",
}
# One training image is seen once an epoch, each time under another view, so that no
# sampler need repeat the minority.
_FROM_PIXELS: dict[str, Any] = {
    "sampler": None,
    "predict_views": 8,
    "schedule": "cosine",
    "clip_norm": 1.0,
    "patience": None,
}
RECIPES: dict[str, dict[str, Any]] = {
    "features": {
        **_PLAIN,
        # Frozen layers never learn to look past a stain. A stain that is the same for
        # all data keeps an image's features the same in every fold.
        "stain_normalizer": "fixed-reinhard",
        "sampler": "smote+augment",
        "trainable_layers": 0,
        "image_size": 224,
        "optimizer": "adamw",
        "learning_rate": 3e-4,
        "schedule": "cosine",
        "label_smoothing": 0.1,
        "epochs": 30,
        "patience": None,  # few validation participants stop it early for no reason
    },
    "fine-tune": {
        **_PLAIN,
        **_FROM_PIXELS,
        "class_weight": "balanced",
        "augmentation": "geometry+stain",
        "trainable_layers": 33,  # the last of ResNet-50's four stages, and the pooling
        "image_size": 224,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "tail_learning_rate": 1e-4,
        "head_epochs": 3,
        "warmup_epochs": 1,
        "weight_decay": 0.01,
        "epochs": 15,
    },
    "scratch": {
        **_PLAIN,
        **_FROM_PIXELS,
        "stain_normalizer": "fixed-reinhard",
        # Stain jitter beside the one stain, class weights and weight decay, each taken
        # away alone, cost neither ROC AUC nor F1 beyond the intervals
        # (docs/benchmarks/recipes.md): they are left out.
        "augmentation": "geometry",
        "optimizer": "adam",
        "trainable_layers": "all",
        # With those parts, and without the stain, 128 pixels did not help there. They
        # take four times the multiplications.
        "image_size": 64,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "warmup_epochs": 3,
        "epochs": 30,
    },
}
RECIPE_PARAMETERS = tuple(sorted(RECIPES["features"]))

# Of the training participants, where something is decided on them.
_VALIDATION_FRACTION = 0.15
# Fewer images than these are fitted by heart before the layers have learned from them.
_FEWEST = {"fine-tune": 200, "scratch": 500}


class Recipe(NamedTuple):
    """What a fit was set to.

    Attributes
    ----------
    name : {"features", "fine-tune", "scratch"}
    reason : str
        Why this one.
    parameters : dict
        All settings that a recipe gives, those included that the user gave instead.
    """

    name: str
    reason: str
    parameters: dict[str, Any]


def choose_recipe(weights: Any, n_samples: int) -> tuple[str, str]:
    """Choose the recipe that ``recipe="auto"`` stands for.

    Weights that were learned elsewhere are worth keeping, and their last layers worth
    adapting; random ones are worth training as a whole. Both take images: with few, the
    frozen network and its stored features are taken.

    Parameters
    ----------
    weights : "imagenet", path or None
    n_samples : int
        Rows to fit, validation rows included.

    Returns
    -------
    name : {"features", "fine-tune", "scratch"}
    reason : str
        A sentence.

    Examples
    --------
    >>> from glomclf.model.recipes import choose_recipe
    >>> choose_recipe(None, 717)[0], choose_recipe("imagenet", 100)[0]
    ('scratch', 'features')
    """
    kind = "scratch" if weights is None else "fine-tune"
    given = "random weights" if weights is None else "pretrained weights"
    fewest = _FEWEST[kind]
    if n_samples >= fewest:
        return kind, f"{given} and {n_samples} images, at least {fewest}"
    return "features", f"{given} and {n_samples} images, fewer than {fewest}"


def decided_on_validation(parameters: Mapping[str, Any]) -> list[str]:
    """Name the parameters by which the training looks at validation rows.

    Parameters
    ----------
    parameters : mapping of str to object
        None of them "auto".

    Returns
    -------
    list of str

    Examples
    --------
    >>> from glomclf.model.recipes import decided_on_validation
    >>> training = {"patience": 5, "schedule": "cosine"}
    >>> decided_on_validation(training)
    ['patience']
    """
    return ["patience"] if parameters["patience"] is not None else []


def resolve_recipe(
    recipe: str,
    given: Mapping[str, Any],
    *,
    weights: Any,
    n_samples: int,
    chooses_threshold: bool = False,
    has_X_val: bool = False,
) -> Recipe:
    """Put what was given over what the recipe says.

    Parameters
    ----------
    recipe : {"features", "fine-tune", "scratch", "auto"}
    given : mapping of str to object
        The parameters that a recipe governs; those that are "auto" are the recipe's.
    weights : "imagenet", path or None
    n_samples : int
    chooses_threshold : bool, default=False
        Whether validation rows are to choose the threshold. Participants are set aside
        only where something is decided on them.
    has_X_val : bool, default=False
        Whether validation rows are given, so that nobody need be set aside.

    Returns
    -------
    Recipe

    Examples
    --------
    >>> from glomclf.model.recipes import resolve_recipe
    >>> given = {"epochs": 5, "optimizer": "auto"}
    >>> recipe = resolve_recipe("features", given, weights=None, n_samples=100)
    >>> recipe.parameters["epochs"], recipe.parameters["optimizer"]
    (5, 'adamw')
    """
    name, reason = recipe, "as given"
    if recipe == "auto":
        name, reason = choose_recipe(weights, n_samples)
    parameters = {**RECIPES[name], **_explicit(given)}
    if is_auto(given.get("training_precision", "auto")) and name == "scratch":
        # Where it is emulated it takes longer, and is refused.
        parameters["training_precision"] = "bfloat16" if has_bfloat16() else "float32"
    is_decided = chooses_threshold or decided_on_validation(parameters)
    is_open = is_auto(given.get("validation_fraction", "auto")) and not has_X_val
    if is_open and is_decided:
        parameters["validation_fraction"] = _VALIDATION_FRACTION
    return Recipe(name, reason, parameters)


def settled(estimator: Any, n_samples: int) -> Any:
    """Return an estimator whose recipe is named, however few rows its fits will have.

    Parameters
    ----------
    estimator : estimator
        One without a recipe stays as it is.
    n_samples : int
        Rows that ``recipe="auto"`` is to go by.

    Returns
    -------
    estimator
        A clone.

    Examples
    --------
    >>> from glomclf import GlomeruliClassifier
    >>> from glomclf.model.recipes import settled
    >>> settled(GlomeruliClassifier(weights=None, recipe="auto"), 717).recipe
    'scratch'
    """
    own = clone(estimator)
    if getattr(own, "recipe", None) == "auto":
        own.set_params(recipe=own.resolve(n_samples).name)
    return own


def with_origins(message: str, recipe: Recipe, given: Mapping[str, Any]) -> str:
    """Add to a message which of the settings that it names are the recipe's.

    Parameters
    ----------
    message : str
        Settings in it read ``name=value``.
    recipe : Recipe
    given : mapping of str to object
        As in `resolve_recipe`.

    Returns
    -------
    str

    Examples
    --------
    >>> from glomclf.model.recipes import resolve_recipe, with_origins
    >>> given = {"epochs": 2, "warmup_epochs": "auto"}
    >>> recipe = resolve_recipe("scratch", given, weights=None, n_samples=100)
    >>> print(with_origins("warmup_epochs=3 is too much.", recipe, given))
    warmup_epochs=3 is too much.
    From recipe="scratch": warmup_epochs=3.
    """
    named = [
        setting
        for name, value in recipe.parameters.items()
        if is_auto(given.get(name))
        and re.search(rf"\b{re.escape(setting := f'{name}={value!r}')}(?!\w)", message)
    ]
    if not named:
        return message
    return f'{message}\nFrom recipe="{recipe.name}": {", ".join(named)}.'


def _explicit(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if not is_auto(value)}


def is_auto(value: Any) -> bool:
    """Say whether a parameter is left to the recipe; an array never is."""
    return isinstance(value, str) and value == "auto"
