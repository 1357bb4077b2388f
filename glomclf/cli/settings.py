"""From options and ``--set`` to a classifier that is checked before anything slow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import InputError, print_table
from .messages import input_checked

if TYPE_CHECKING:
    from ..model.classifier import GlomeruliClassifier
    from ..model.ensemble import FoldEnsembleClassifier

__all__ = ["as_ensemble", "checked_classifier", "given_values", "print_settings"]


def checked_classifier(
    recipe: str,
    *,
    random_state: int | None = None,
    verbose: int = 0,
    **options: Any,
) -> GlomeruliClassifier:
    """Make a classifier whose settings, sampler and weights can be used.

    Parameters
    ----------
    recipe : str
        A name in ``glomclf.model.recipes.RECIPES``.
    random_state : int or None, default=None
    verbose : int, default=0
    **options
        Options of the command line, as for `given_values`.

    Returns
    -------
    GlomeruliClassifier

    Raises
    ------
    InputError
        If settings are unknown or out of range, or contradict each other.
    GlomclfError
        If the sampler is unknown, the weights cannot be had, the backbone has fewer
        layers than are to be trained, or this processor lacks the precision.
    """
    from ..model.checks import refuse_contradictions
    from ..model.recipes import make_classifier

    values = {"random_state": random_state, "verbose": verbose}
    values |= given_values(recipe, **options)
    classifier = make_classifier(recipe).set_params(**values)
    _check_ranges(classifier)
    refuse_contradictions(classifier)
    _check_parts(classifier)
    return classifier


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
        ``backbone``, ``weights``, ``sampler``, ``threshold``, ``cache_dir``, each as
        its option gives it. None stands for an option that was not given.

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
        (key, value)
        for name, value in options.items()
        if value is not None
        for key in _keys_for(name, known)
    ]
    pairs = [(key, _meant(key, value)) for key, value in pairs]
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
    from sklearn.base import clone

    from ..model.ensemble import FoldEnsembleClassifier

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
    from ..model.pipeline import encoder_of
    from ..model.recipes import make_classifier

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


def _keys_for(option: str, known: Collection[str]) -> list[str]:
    """Name the settings that an option stands for: the backbone is in two parts."""
    if option not in ("backbone", "weights"):
        return [option]
    nested = [f"{part}.{option}" for part in ("network", "encoder")]
    return [key for key in nested if key in known]


def _meant(key: str, value: Any) -> Any:
    """Return what the words of an option stand for."""
    if isinstance(value, tuple):
        from ..evaluation.thresholds import RecallAtLeast

        return RecallAtLeast(value[1])
    if isinstance(value, str) and value.lower() == "none":
        return False if key == "cache_dir" else None
    return value


def _refuse_unknown(keys: Sequence[str], known: Collection[str], recipe: str) -> None:
    faults = [
        f"  {key} is unknown{_nearest(key, known)}" for key in keys if key not in known
    ]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    faults += [f"  {key} is given twice." for key in twice]
    if faults:
        raise InputError(
            "\n".join(["These settings cannot be used:", *faults])
            + f"\n`glomclf train --recipe {recipe} --set help` lists all keys and "
            "their values."
        )


def _nearest(key: str, known: Collection[str]) -> str:
    same = [one for one in known if one.rpartition(".")[2] == key.rpartition(".")[2]]
    near = same or get_close_matches(key, known, n=1)
    return f"; did you mean {' or '.join(near)}?" if near else "."


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower()


# -- checks ---------------------------------------------------------------------------


def _parts(classifier: GlomeruliClassifier) -> Iterator[tuple[str, Any]]:
    """Yield what has parameters of its own, and how its keys begin."""
    yield "", classifier
    yield "network.", classifier.network
    yield "encoder.", classifier.encoder


def _check_ranges(classifier: GlomeruliClassifier) -> None:
    """Let every part check its parameters; name them as they are typed."""
    faults = []
    for start, part in _parts(classifier):
        try:
            if hasattr(part, "_validate_params"):
                part._validate_params()
        except (ValueError, TypeError) as error:
            faults.append(_as_typed(str(error), start, part))
    if faults:
        raise InputError("\n".join(faults))


def _as_typed(message: str, start: str, part: Any) -> str:
    for name in part.get_params(deep=False):
        named = f"The {name!r} parameter of {type(part).__name__}"
        message = message.replace(named, f"{start}{name}")
    return message


def _check_parts(classifier: GlomeruliClassifier) -> None:
    """Make what is made from settings, so that a bad one ends before the images."""
    from ..network.backbones import load_backbone
    from ..network.classifier import PatchClassifier
    from ..network.encoder import PatchEncoder
    from ..network.processor import check_training_precision
    from ..samplers import make_sampler

    with input_checked():
        make_sampler(classifier.sampler)
    for start, part in _parts(classifier):
        if isinstance(part, PatchClassifier):
            check_training_precision(part.training_precision)
            _check_folder(f"{start}checkpoint_dir", part.checkpoint_dir)
        if isinstance(part, PatchClassifier | PatchEncoder):
            backbone = load_backbone(part.backbone, part.weights)
            backbone.n_trainable(part.trainable_layers)


def _check_folder(key: str, folder: str | Path | None) -> None:
    if folder is not None and Path(folder).is_file():
        raise InputError(f"{folder} is a file; {key} names a folder.")
