"""From options and ``--set`` to a classifier that is checked before anything slow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from numbers import Number
from pathlib import Path
from typing import Any

from sklearn.base import clone

from ..model.checks import refuse_contradictions
from ..model.classifier import GlomeruliClassifier
from ..model.ensemble import FoldEnsembleClassifier
from ..model.pipeline import encoder_of, network_of
from ..model.recipes import make_classifier
from ..network.classifier import PatchClassifier
from ..network.encoder import PatchEncoder
from ..samplers import make_sampler, needs_images
from .console import InputError, print_table


def checked_classifier(
    recipe: str,
    *,
    random_state: int | None = None,
    verbose: int = 0,
    of_features: bool = False,
    is_weighted: bool = False,
    **options: Any,
) -> GlomeruliClassifier:
    """Make a classifier whose settings, sampler and weights can be used.

    Parameters
    ----------
    recipe : str
        A name in ``glomclf.model.recipes.RECIPES``.
    random_state : int or None, default=None
    verbose : int, default=0
    of_features : bool, default=False
        Whether it is to take embeddings: then what the recipe does with images is left
        out.
    is_weighted : bool, default=False
        Whether its rows have weights.
    **options
        Options of the command line, as for `given_values`.

    Returns
    -------
    GlomeruliClassifier

    Raises
    ------
    InputError
        If settings are unknown.
    InvalidParameterError
        If a value is out of range.
    GlomclfError
        If settings contradict each other, the sampler is unknown, the weights cannot
        be had, or the backbone has fewer layers than are to be trained.
    """
    values = {"random_state": random_state, "verbose": verbose}
    values |= given_values(recipe, **options)
    classifier = make_classifier(recipe)
    if of_features:
        _leave_images_out(classifier, recipe, options.get("weights"))
    classifier.set_params(**values)
    classifier._validate_params()
    refuse_contradictions(
        classifier, of_features=of_features or None, is_weighted=is_weighted
    )
    _check_parts(classifier, of_features=of_features)
    return classifier


def _leave_images_out(
    classifier: GlomeruliClassifier, recipe: str, weights: str | None
) -> None:
    """Take from a recipe what it does with images.

    Raises
    ------
    InputError
        If it trains layers that take images, or weights for such layers are given.
    """
    network = network_of(classifier)
    if getattr(network, "trainable_layers", 0) != 0:
        raise InputError(
            f"--recipe {recipe} trains layers that take images, and there are "
            "--embeddings in their place. Take --recipe linear or features."
        )
    if weights is not None:
        raise InputError(
            "--weights is of a network that takes images, and there are --embeddings "
            "in their place. Leave one out."
        )
    classifier.set_params(encoder=None, stain_normalizer=None, predict_views=1)
    if needs_images(classifier.sampler):
        classifier.set_params(sampler="smote")


def given_values(
    recipe: str,
    *,
    settings: Sequence[tuple[str, Any]] = (),
    **options: Any,
) -> dict[str, Any]:
    """Return what the user gave, by the names that ``set_params`` takes.

    Parameters
    ----------
    recipe : str
    settings : sequence of (str, object), default=()
        Of ``--set``: keys with dots, and values.
    **options
        ``weights``, ``sampler`` and ``threshold``, each as its option gives it. None
        stands for an option that was not given.

    Returns
    -------
    dict of str to object

    Raises
    ------
    InputError
        If keys are unknown or given twice; all of them are listed.
    """
    known = _keys_of(recipe)
    pairs = [
        (key, None if value == "none" else value)
        for name, value in options.items()
        if value is not None
        for key in known
        if key == name or (name == "weights" and key.endswith(".weights"))
    ]
    pairs += settings
    _refuse_unknown([key for key, _ in pairs], known, recipe)
    return {key.replace(".", "__"): value for key, value in pairs}


def print_settings(recipe: str) -> None:
    """Print every key of ``--set`` with its value in the recipe."""
    rows = [(key, _text(value)) for key, value in sorted(_keys_of(recipe).items())]
    print_table(
        f"Settings of --recipe {recipe}", ("--set KEY", "VALUE"), rows, of_text=True
    )


def as_ensemble(
    classifier: GlomeruliClassifier, n_folds: int
) -> FoldEnsembleClassifier:
    """Make an ensemble of such classifiers, one a fold; it takes over their threshold.

    Parameters
    ----------
    classifier : GlomeruliClassifier
        As from `checked_classifier`. A threshold that it would choose on its training
        participants is chosen on the out-of-fold probabilities.
    n_folds : int

    Returns
    -------
    FoldEnsembleClassifier
        Not fitted.
    """
    member = clone(classifier).set_params(threshold=0.5, random_state=None)
    return FoldEnsembleClassifier(
        member,
        cv=n_folds,
        threshold=classifier.threshold,
        random_state=classifier.random_state,
        verbose=classifier.verbose,
    )


# -- keys -----------------------------------------------------------------------------


def _keys_of(recipe: str) -> dict[str, Any]:
    """Return the keys of a recipe, with dots, and their values; parts are no values."""
    classifier = make_classifier(recipe)
    parameters = classifier.get_params(deep=True)
    frozen = encoder_of(classifier)
    if classifier.encoder is None and frozen is not None:
        said = classifier.network.get_params()  # the encoder has most from the network
        own = {k: v for k, v in frozen.get_params().items() if k not in said}
        parameters |= {f"encoder__{name}": value for name, value in own.items()}
    return {
        key.replace("__", "."): value
        for key, value in parameters.items()
        if key not in ("network", "encoder") and _can_be_written(value)
    }


def _can_be_written(value: Any) -> bool:
    return value is None or isinstance(value, str | Number | Path | tuple)


def _refuse_unknown(keys: Sequence[str], known: Collection[str], recipe: str) -> None:
    faults = [
        f"  {key} is unknown{nearest(key, known)}" for key in keys if key not in known
    ]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    faults += [f"  {key} is given twice." for key in twice]
    if faults:
        raise InputError(
            "\n".join(["These settings cannot be used:", *faults])
            + f"\n`glomclf train --recipe {recipe} --set help` lists all keys and "
            "their values."
        )


def nearest(key: str, known: Collection[str]) -> str:
    """Name the known keys that may be meant, to end a message."""
    same = [one for one in known if one.rpartition(".")[2] == key.rpartition(".")[2]]
    near = same or get_close_matches(key, known, n=1)
    return f"; did you mean {' or '.join(near)}?" if near else "."


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower()


# -- checks ---------------------------------------------------------------------------


def _check_parts(classifier: GlomeruliClassifier, *, of_features: bool) -> None:
    """Make what is made from settings, so that a bad one ends before the images."""
    make_sampler(classifier.sampler)
    if of_features:
        return
    from ..network.backbones import load_backbone  # which brings TensorFlow

    for part in (classifier.network, classifier.encoder):
        if isinstance(part, PatchClassifier | PatchEncoder):
            backbone = load_backbone(part.backbone, part.weights, part.normalization)
            backbone.cut(part.trainable_layers)
