"""Recipes: sets of settings that belong together, each for one way of training.

A recipe is a table of values. `make_classifier` writes all of them into a
:class:`glomclf.GlomeruliClassifier`, where they can be read and changed.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from sklearn.base import clone

from ..errors import ParameterError
from ..network import PatchClassifier, PatchEncoder
from .checks import refuse_contradictions
from .classifier import GlomeruliClassifier
from .linear_probe import LinearProbe
from .pipeline import encoder_of, network_of

# One training image is seen once an epoch, each time under another view, so that no
# sampler need repeat the minority.
_FROM_PIXELS: dict[str, Any] = {
    "sampler": None,
    "predict_views": 8,
    "network": PatchClassifier(),
    "network__schedule": "cosine",
    "network__clip_norm": 1.0,
}
RECIPES: dict[str, dict[str, Any]] = {
    "linear": {
        "sampler": None,
        "encoder": PatchEncoder("efficientnet-lite0"),
        "network": LinearProbe(),
        "predict_views": 8,
    },
    "features": {
        "sampler": "smote+augment",
        # Frozen layers never learn to look past a stain. A stain that is the same for
        # all data keeps an image's features the same in every fold.
        "stain_normalizer": "fixed-reinhard",
        "network": PatchClassifier(),
        "network__optimizer": "adamw",
        "network__learning_rate": 3e-4,
        "network__schedule": "cosine",
        "network__label_smoothing": 0.1,
        "network__epochs": 30,
    },
    "fine-tune": {
        **_FROM_PIXELS,
        "network__backbone": "efficientnet-lite0",
        "network__augmentation": "geometry+stain",
        # Blocks 11 to 15, which have the lowest resolution, and the last convolution.
        "network__trainable_layers": 49,
        "network__optimizer": "adamw",
        "network__batch_size": 16,
        "network__learning_rate": 1e-3,
        "network__tail_learning_rate": 1e-4,
        "network__head_epochs": 2,
        "network__warmup_epochs": 1,
        "network__weight_decay": 0.01,
        "network__epochs": 10,
    },
    "scratch": {
        **_FROM_PIXELS,
        "stain_normalizer": "fixed-reinhard",
        # Stain jitter beside the one stain, class weights and weight decay, each taken
        # away alone, cost neither ROC AUC nor F1 beyond the intervals
        # (docs/benchmarks/recipes.md): they are left out.
        "network__augmentation": "geometry",
        "network__optimizer": "adam",
        "network__weights": None,
        "network__trainable_layers": "all",
        # With those parts, and without the stain, 128 pixels did not help there. They
        # take four times the multiplications.
        "image_size": 64,
        "network__batch_size": 16,
        "network__learning_rate": 1e-3,
        "network__warmup_epochs": 3,
        "network__epochs": 30,
    },
}
"""Of each recipe the parameters that differ from the defaults."""


def make_classifier(recipe: str = "linear", **overrides: Any) -> GlomeruliClassifier:
    """Make a classifier by a recipe, with every setting written out.

    Parameters
    ----------
    recipe : {"linear", "features", "fine-tune", "scratch"}, default="linear"
        - ``"linear"``: logistic regression on the output of the frozen network; for
          pretrained weights, and the quickest.
        - ``"features"``: a dense head on the output of the frozen network.
        - ``"fine-tune"``: the head, then the last layers at a lower rate, from
          augmented images; for pretrained weights.
        - ``"scratch"``: the whole network, from random weights and augmented images.
    **overrides
        Parameters to use in place of the recipe's, named as in ``set_params``:
        ``image_size=128``, ``network__epochs=5``.

    Returns
    -------
    GlomeruliClassifier
        Not fitted. ``get_params`` shows every value.

    Raises
    ------
    ParameterError
        If the recipe or a parameter is unknown, or parameters contradict each other.

    Examples
    --------
    >>> from glomclf import make_classifier
    >>> classifier = make_classifier("scratch", network__epochs=5)
    >>> classifier.image_size, classifier.network.epochs
    (64, 5)
    >>> make_classifier("features", epochs=5)
    Traceback (most recent call last):
        ...
    glomclf.errors.ParameterError: 'epochs' is not a parameter. Did you mean ...?
    """
    if recipe not in RECIPES:
        raise ParameterError(
            f"recipe={recipe!r} is not known. Give one of {', '.join(RECIPES)}."
        )
    classifier = GlomeruliClassifier()
    for values in (_copied(RECIPES[recipe]), overrides):
        _set_known(classifier, values)
    refuse_contradictions(classifier)
    return classifier


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    return {name: clone(value, safe=False) for name, value in values.items()}


def _set_known(classifier: GlomeruliClassifier, values: dict[str, Any]) -> None:
    """Set whole parts first, then what is inside them; refuse unknown names at once."""
    known = classifier.get_params(deep=False)
    classifier.set_params(**{k: v for k, v in values.items() if k in known})
    inside = {name: value for name, value in values.items() if name not in known}
    if faults := unknown_parameters(classifier, inside):
        raise ParameterError("\n".join(faults))
    classifier.set_params(**inside)


def unknown_parameters(classifier: GlomeruliClassifier, names: Any) -> list[str]:
    """Say of each name that is no parameter which one may be meant.

    Parameters
    ----------
    classifier : GlomeruliClassifier
    names : iterable of str
        As in ``set_params``.

    Returns
    -------
    list of str
        Empty where all are known.
    """
    whole = clone(classifier)
    whole.network, whole.encoder = network_of(whole), encoder_of(whole)
    known = whole.get_params(deep=True)
    return [_fault(name, list(known)) for name in names if name not in known]


def _fault(name: str, known: list[str]) -> str:
    last = name.rpartition("__")[2]
    # The network has most settings, and is mostly meant.
    known = sorted(known, key=lambda one: not one.startswith("network__"))
    close = [one for one in known if one.rpartition("__")[2] == last]
    close = close or get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{name!r} is not a parameter.{hint}"
