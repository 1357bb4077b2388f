"""Estimators as JSON: their class and parameters, and what they learned as arrays.

Only classes that are named here are written into a model file, and built from one: a
file can make nothing else be imported or run.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline

from ..data.archive_fields import check_numbers
from ..errors import ModelFileError
from ..evaluation.thresholds import RecallAtLeast

# Any public estimator of these.
_PACKAGES = (
    *("glomclf.samplers", "glomclf.data", "glomclf.network", "glomclf.evaluation"),
    *("imblearn.over_sampling", "imblearn.under_sampling", "imblearn.combine"),
)
_KINDS = (BaseEstimator, RecallAtLeast)
# These classes, by what they need to predict.
_LEARNED: dict[str, tuple[str, ...]] = {
    "glomclf.model.LinearProbe": ("C_", "coef_", "intercept_", "n_features_in_"),
    "sklearn.decomposition.PCA": (
        *("components_", "explained_variance_", "mean_"),
        *("n_components_", "n_features_in_"),
    ),
    "sklearn.linear_model.LogisticRegression": (
        *("coef_", "intercept_", "n_features_in_", "n_iter_"),
    ),
    "sklearn.preprocessing.StandardScaler": (
        *("mean_", "n_features_in_", "n_samples_seen_", "scale_", "var_"),
    ),
    "sklearn.pipeline.Pipeline": (),
}
_OF_ENSEMBLES = "glomclf.model.GlomeruliClassifier"


def estimator_to_json(estimator: Any) -> Any:
    """Describe an estimator, or a list, by public class and parameters.

    Raises
    ------
    ModelFileError
        If a class is not one that a model file may name.
    """
    estimator = _plain(estimator)
    if estimator is None or isinstance(estimator, str | int | float | bool):
        return estimator
    if isinstance(estimator, list | tuple):
        items = [estimator_to_json(item) for item in estimator]
        return items if isinstance(estimator, list) else {"tuple": items}
    if isinstance(estimator, dict):
        return {"mapping": [[_plain(k), _plain(v)] for k, v in estimator.items()]}
    name = _public_name(type(estimator))
    if name is None:
        raise ModelFileError(
            f"{estimator!r} cannot be written into a model file: only classes of "
            f"{', '.join(_PACKAGES)} and {', '.join(_LEARNED)} can. Prediction needs "
            "no sampler: call set_params(sampler=None) on the fitted classifier, or on "
            "each of the estimators_ of an ensemble, then save."
        )
    is_one = isinstance(estimator, BaseEstimator)
    parameters = estimator.get_params(deep=False) if is_one else vars(estimator)
    described = {key: estimator_to_json(value) for key, value in parameters.items()}
    return {"class": name, "parameters": described}


def estimator_from_json(description: Any) -> Any:
    """Build what ``estimator_to_json`` described, from the named classes alone."""
    if isinstance(description, list):
        return [estimator_from_json(item) for item in description]
    if not isinstance(description, dict):
        return description
    if "tuple" in description:
        return tuple(estimator_from_json(item) for item in description["tuple"])
    if "mapping" in description:
        return dict(description["mapping"])
    cls = _public_classes().get(str(description["class"]))
    if cls is None:
        raise ModelFileError(
            f"{description['class']!r} is not an estimator that glomclf builds."
        )
    parameters = description["parameters"].items()
    made = cls(**{name: estimator_from_json(value) for name, value in parameters})
    if isinstance(made, BaseEstimator):
        made._validate_params()
    return made


def learned_to_parts(estimator: Any, prefix: str) -> dict[str, np.ndarray]:
    """Return what a fitted estimator of scikit-learn learned.

    Parameters
    ----------
    estimator : estimator
        A `Pipeline` gives that of its steps.
    prefix : str
        Of the arrays' names.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ModelFileError
        If the class is not one that a model file may name.
    """
    if isinstance(estimator, Pipeline):
        return {
            name: array
            for place, step in enumerate(estimator.named_steps.values())
            for name, array in learned_to_parts(step, f"{prefix}/{place}").items()
        }
    cls = _public_name(type(estimator))
    if cls not in _LEARNED:
        raise ModelFileError(
            f"What {estimator!r} learned cannot be written into a model file: only "
            f"that of {', '.join(_LEARNED)} can. Pickle the classifier for your own "
            "use, or give it another network."
        )
    return {
        f"{prefix}/{name}": np.asarray(getattr(estimator, name))
        for name in _LEARNED[cls]
    }


def learned_from_parts(
    estimator: Any, prefix: str, arrays: dict[str, np.ndarray], classes: np.ndarray
) -> None:
    """Give an estimator what ``learned_to_parts`` returned, and the two classes.

    Raises
    ------
    ModelFileError
        If a number is not finite.
    """
    if isinstance(estimator, Pipeline):
        for place, step in enumerate(estimator.named_steps.values()):
            learned_from_parts(step, f"{prefix}/{place}", arrays, classes)
        return
    cls = str(_public_name(type(estimator)))
    if cls not in _LEARNED:
        raise ModelFileError(f"{cls} is no step that a model file holds.")
    for name in _LEARNED[cls]:
        array = arrays[f"{prefix}/{name}"]
        check_numbers(f"{prefix}/{name}", array, kinds="fiu")
        setattr(estimator, name, array if array.ndim else array.item())
    if is_classifier(estimator):
        estimator.classes_ = classes


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


@cache
def _public_classes() -> dict[str, type]:
    """Return the classes that a model file may name."""
    packages = {one: importlib.import_module(one).__all__ for one in _PACKAGES}
    names = [f"{one}.{name}" for one, names in packages.items() for name in names]
    names += [*_LEARNED, _OF_ENSEMBLES]
    found = {name: pkgutil.resolve_name(name) for name in names}
    return {
        name: one
        for name, one in found.items()
        if isinstance(one, type) and issubclass(one, _KINDS)
    }


def _public_name(cls: type) -> str | None:
    return next((name for name, one in _public_classes().items() if one is cls), None)
