"""What is tried: the default space of `GlomeruliClassifier`, part by part.

A space is a function of an Optuna trial that returns parameters for the estimator's
``set_params``. Any such function will do; this one is made of small ones, each of which
can be replaced by another or by a fixed value.
"""

from __future__ import annotations

from typing import Any

from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from ..errors import ParameterError
from ..samplers import AugmentationOverSampler, needs_images

__all__ = [
    "feature_search_space",
    "search_space",
    "suggest_batch_size",
    "suggest_class_weight",
    "suggest_dropout",
    "suggest_head",
    "suggest_learning_rate",
    "suggest_optimizer",
    "suggest_sampler",
    "suggest_sampling_space",
    "suggest_trainable_layers",
]

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
    ratio = trial.suggest_float("sampling_ratio", 0.5, 1.0)
    if name == "smote":
        return SMOTE(
            sampling_strategy=ratio,
            k_neighbors=trial.suggest_int("smote_neighbors", 2, 9),
        )
    kinds = {
        "augment": AugmentationOverSampler,
        "oversample": RandomOverSampler,
        "undersample": RandomUnderSampler,
    }
    return kinds[name](sampling_strategy=ratio)


def suggest_sampling_space(trial: Any) -> str:
    """Choose whether the sampler sees images or features."""
    return trial.suggest_categorical("sampling_space", ["pixels", "features"])


def suggest_trainable_layers(trial: Any) -> int:
    """Choose between the head alone and the last residual block with it."""
    return trial.suggest_categorical("trainable_layers", [0, _LAST_BLOCK])


def suggest_head(trial: Any) -> int:
    """Choose the width of the hidden layer."""
    return trial.suggest_categorical("dense_units", [32, 64, 128, 256, 512])


def suggest_dropout(trial: Any) -> float:
    """Choose the share of hidden units that is dropped."""
    return trial.suggest_float("dropout", 0.0, 0.7)


def suggest_optimizer(trial: Any) -> str:
    """Choose the optimizer."""
    return trial.suggest_categorical("optimizer", ["rmsprop", "adam", "adamw", "sgd"])


def suggest_learning_rate(trial: Any) -> float:
    """Choose the learning rate, on a logarithmic scale."""
    return trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)


def suggest_batch_size(trial: Any) -> int:
    """Choose the rows of a step."""
    return trial.suggest_categorical("batch_size", [16, 32, 64])


def suggest_class_weight(trial: Any) -> str | None:
    """Choose whether the rarer class weighs more."""
    return trial.suggest_categorical("class_weight", [None, "balanced"])


def search_space(
    trial: Any,
    *,
    sampler: Any = suggest_sampler,
    sampling_space: Any = suggest_sampling_space,
    trainable_layers: Any = suggest_trainable_layers,
    dense_units: Any = suggest_head,
    dropout: Any = suggest_dropout,
    optimizer: Any = suggest_optimizer,
    learning_rate: Any = suggest_learning_rate,
    batch_size: Any = suggest_batch_size,
    class_weight: Any = suggest_class_weight,
) -> dict[str, Any]:
    """Choose the parameters of a :class:`~glomclf.GlomeruliClassifier`.

    Each part is a function of the trial that returns the value of the parameter, or
    the value itself, which is then fixed. ``functools.partial`` gives a space with
    some parts replaced. Where the sampler transforms images, or there is none, the
    sampling space is not a choice and is ``"pixels"``.

    Parameters
    ----------
    trial : optuna.trial.Trial
    sampler : callable or as in GlomeruliClassifier
        The default, `suggest_sampler`, is told whether samplers of images can be used.
    sampling_space, trainable_layers, dense_units, dropout, optimizer, learning_rate, \
batch_size, class_weight : callable or as in GlomeruliClassifier

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

    Examples
    --------
    >>> from functools import partial
    >>> from optuna.trial import FixedTrial
    >>> from glomclf.tuning import search_space
    >>> space = partial(
    ...     search_space,
    ...     sampler=None,
    ...     trainable_layers=0,
    ...     learning_rate=lambda trial: trial.suggest_float("learning_rate", 0.01, 0.1),
    ... )
    >>> trial = FixedTrial(
    ...     {
    ...         "dense_units": 64,
    ...         "dropout": 0.2,
    ...         "optimizer": "adam",
    ...         "learning_rate": 0.05,
    ...         "batch_size": 32,
    ...         "class_weight": None,
    ...     }
    ... )
    >>> space(trial)["learning_rate"]
    0.05
    """
    parts = {
        "trainable_layers": trainable_layers,
        "dense_units": dense_units,
        "dropout": dropout,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "class_weight": class_weight,
    }
    return {
        **_choose_sampling(trial, sampler, sampling_space),
        **{name: _value(part, trial) for name, part in parts.items()},
    }


def feature_search_space(trial: Any, **parts: Any) -> dict[str, Any]:
    """Choose the head, and samplers of features.

    The trunk then runs once per image, however many trials there are.

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
    >>> feature_search_space(optuna.create_study().ask())["trainable_layers"]
    0
    """
    return search_space(
        trial, **{"sampling_space": "features", "trainable_layers": 0, **parts}
    )


def _choose_sampling(trial: Any, sampler: Any, sampling_space: Any) -> dict[str, Any]:
    """Choose a sampler, then the space it works in, so that the two fit."""
    in_features = not callable(sampling_space) and sampling_space == "features"
    if callable(sampler) and getattr(sampler, "func", sampler) is suggest_sampler:
        chosen = sampler(trial, images=not in_features)
    else:
        chosen = _value(sampler, trial)
    settings = {"sampler": chosen}
    if chosen is not None and needs_images(chosen):
        if in_features:
            raise ParameterError(
                f"sampler={chosen!r} transforms images, but sampling_space='features' "
                "is fixed. Fix sampling_space='pixels', or another sampler."
            )
        return {**settings, "sampling_space": "pixels"}
    if chosen is None and callable(sampling_space):
        return {**settings, "sampling_space": "pixels"}
    return {**settings, "sampling_space": _value(sampling_space, trial)}


def _value(part: Any, trial: Any) -> Any:
    return part(trial) if callable(part) else part
