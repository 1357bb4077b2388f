"""What is tried: search spaces for `GlomeruliClassifier`, as tables of parts.

A space is a function of an Optuna trial that returns parameters for the estimator's
``set_params``. Any such function will do. In these, each part can be replaced by
another function or by a fixed value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from ..errors import ParameterError
from ..samplers import AugmentationOverSampler, needs_images

__all__ = [
    "PARTS",
    "feature_search_space",
    "linear_search_space",
    "search_space",
    "suggest_sampler",
]

_SINGLE = {
    "smote": SMOTE,
    "oversample": RandomOverSampler,
    "undersample": RandomUnderSampler,
    "augment": AugmentationOverSampler,
}
_IN_FEATURES = ("none", "smote", "oversample", "undersample")
_IN_PIXELS = ("augment", "smote+augment", "undersample+augment")
_LAST_BLOCK = 11  # layers of ResNet-50 from its last residual block to the pooling


def suggest_sampler(trial: Any, *, images: bool = True) -> Any:
    """Choose a sampler and its settings.

    Parameters
    ----------
    trial : optuna.trial.Trial
    images : bool, default=True
        Whether samplers that transform images can be chosen as well.

    Returns
    -------
    None, str or sampler
        Chains by name; single samplers with the ratio of minority to majority that they
        reach and, for SMOTE, its neighbours.
    """
    names = [*_IN_FEATURES, *(_IN_PIXELS if images else ())]
    name = trial.suggest_categorical("sampler", names)
    if name == "none":
        return None
    if "+" in name:
        return name
    settings = {"sampling_strategy": trial.suggest_float("sampling_ratio", 0.5, 1.0)}
    if name == "smote":
        settings["k_neighbors"] = trial.suggest_int("smote_neighbors", 2, 9)
    return _SINGLE[name](**settings)


def _one_of(name: str, *choices: Any) -> Callable[[Any], Any]:
    return lambda trial: trial.suggest_categorical(name, list(choices))


def _between(
    name: str, low: float, high: float, *, log: bool = False
) -> Callable[[Any], Any]:
    return lambda trial: trial.suggest_float(name, low, high, log=log)


# To tune another setting, write how it is suggested.
_NETWORK: dict[str, Callable[[Any], Any]] = {
    "network__trainable_layers": _one_of("trainable_layers", 0, _LAST_BLOCK),
    "network__dense_units": _one_of("dense_units", 32, 64, 128, 256, 512),
    "network__dropout": _between("dropout", 0.0, 0.7),
    "network__optimizer": _one_of("optimizer", "rmsprop", "adam", "adamw", "sgd"),
    "network__learning_rate": _between("learning_rate", 1e-4, 1e-2, log=True),
    "network__batch_size": _one_of("batch_size", 16, 32, 64),
    "network__class_weight": _one_of("class_weight", None, "balanced"),
}
_LINEAR: dict[str, Callable[[Any], Any]] = {
    "network__C": _between("C", 1e-4, 10.0, log=True),
    "network__class_weight": _NETWORK["network__class_weight"],
    "sampler": partial(suggest_sampler, images=False),
    "stain_normalizer": _one_of("stain_normalizer", None, "fixed-reinhard"),
}
_SAMPLING: dict[str, Callable[[Any], Any]] = {
    "sampler": suggest_sampler,
    "sampling_space": _one_of("sampling_space", "pixels", "features"),
}
PARTS = {"search_space": [*_SAMPLING, *_NETWORK], "linear_search_space": [*_LINEAR]}
"""Names of the parameters that the spaces choose."""


def search_space(trial: Any, **parts: Any) -> dict[str, Any]:
    """Choose the parameters of a :class:`~glomclf.GlomeruliClassifier`.

    These are ``sampler``, ``sampling_space`` and, of the network,
    ``network__trainable_layers``, ``network__dense_units``, ``network__dropout``,
    ``network__optimizer``, ``network__learning_rate``, ``network__batch_size`` and
    ``network__class_weight``. Where the sampler transforms images, or there is none,
    the sampling space is not a choice and is ``"pixels"``.

    Parameters
    ----------
    trial : optuna.trial.Trial
    **parts : callable or as in GlomeruliClassifier
        Replaces parts of the space: by a function of the trial that returns the value
        of the parameter, or by the value itself, which is then fixed. Use
        ``functools.partial`` to make a space of it.

    Returns
    -------
    dict
        For ``set_params``.

    Raises
    ------
    ParameterError
        If a fixed sampler transforms images, but ``sampling_space="features"``.

    See Also
    --------
    feature_search_space : What is tuned in minutes.
    linear_search_space : What is tuned quickest.

    Examples
    --------
    >>> from functools import partial
    >>> import optuna
    >>> from glomclf.tuning import search_space
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> space = partial(
    ...     search_space,
    ...     sampler=None,
    ...     network__dropout=0.25,
    ...     network__learning_rate=lambda trial: trial.suggest_float("rate", 0.01, 0.1),
    ... )
    >>> settings = space(optuna.create_study().ask())
    >>> settings["network__dropout"], settings["sampling_space"]
    (0.25, 'pixels')
    """
    chosen = {**_SAMPLING, **_NETWORK, **parts}
    sampling = chosen.pop("sampler"), chosen.pop("sampling_space")
    return {**_choose_sampling(trial, *sampling), **_values(chosen, trial)}


def feature_search_space(trial: Any, **parts: Any) -> dict[str, Any]:
    """Choose the head, and samplers of features.

    The frozen layers then run once per image, however many trials there are.

    Parameters
    ----------
    trial : optuna.trial.Trial
    **parts : callable or as in GlomeruliClassifier
        As in `search_space`.

    Returns
    -------
    dict
        For ``set_params``.

    Examples
    --------
    >>> import optuna
    >>> from glomclf.tuning import feature_search_space
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> trial = optuna.create_study().ask()
    >>> feature_search_space(trial)["network__trainable_layers"]
    0
    """
    frozen = {"sampling_space": "features", "network__trainable_layers": 0}
    return search_space(trial, **{**frozen, **parts})


def linear_search_space(trial: Any, **parts: Any) -> dict[str, Any]:
    """Choose the settings of ``make_classifier("linear")``.

    These are ``network__C``, ``network__class_weight``, ``stain_normalizer``, and
    ``sampler``, a sampler of features. The recipe chooses ``C`` by itself; here each
    trial gives it one number. The frozen layers run once for each stain.

    Parameters
    ----------
    trial : optuna.trial.Trial
    **parts : callable or as in GlomeruliClassifier
        As in `search_space`.

    Returns
    -------
    dict
        For ``set_params``.

    Examples
    --------
    >>> import optuna
    >>> from glomclf.tuning import linear_search_space
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> sorted(linear_search_space(optuna.create_study().ask()))[0]
    'network__C'
    """
    return _values({"sampling_space": "features", **_LINEAR, **parts}, trial)


def _choose_sampling(trial: Any, sampler: Any, sampling_space: Any) -> dict[str, Any]:
    """Choose a sampler, then the space it works in, so that the two fit."""
    in_features = not callable(sampling_space) and sampling_space == "features"
    if sampler is suggest_sampler:
        sampler = partial(suggest_sampler, images=not in_features)
    chosen = _value(sampler, trial)
    if chosen is not None and needs_images(chosen):
        if in_features:
            raise ParameterError(
                f"sampler={chosen!r} transforms images, but sampling_space='features' "
                "is fixed. Fix sampling_space='pixels', or another sampler."
            )
        sampling_space = "pixels"
    elif chosen is None and callable(sampling_space):
        sampling_space = "pixels"
    return {"sampler": chosen, "sampling_space": _value(sampling_space, trial)}


def _values(parts: Mapping[str, Any], trial: Any) -> dict[str, Any]:
    return {name: _value(part, trial) for name, part in parts.items()}


def _value(part: Any, trial: Any) -> Any:
    return part(trial) if callable(part) else part
