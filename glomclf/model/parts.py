"""A fitted classifier as JSON and arrays, which is what its model file holds."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from .descriptions import (
    estimator_from_json,
    estimator_to_json,
    learned_from_parts,
    learned_to_parts,
)
from .known_people import known_from_arrays, known_to_arrays
from .pipeline import make_pipeline, network_of

__all__ = ["classifier_from_parts", "classifier_to_parts"]

_Arrays = dict[str, np.ndarray]
# What another machine may not have. Precision says what the engine computed.
_OF_NO_MACHINE = {"cache_dir": None, "checkpoint_dir": None, "engine": "auto"}


def classifier_to_parts(classifier: Any) -> tuple[dict[str, Any], _Arrays]:
    """Describe a fitted classifier.

    Parameters
    ----------
    classifier : GlomeruliClassifier

    Returns
    -------
    header : dict
        What JSON can say.
    arrays : dict of str to ndarray

    Raises
    ------
    ModelFileError
        If a part cannot be described without pickle.
    """
    portable = _portable(classifier)
    steps = {
        name: _step_to_parts(step, name)
        for name, step in classifier.pipeline_.named_steps.items()
        if name in ("stain", "encode", "classify")
    }
    header = {
        "parameters": {
            name: estimator_to_json(value)
            for name, value in portable.get_params(deep=False).items()
        },
        "of_features": "load" not in classifier.pipeline_.named_steps,
        "n_features": getattr(classifier, "n_features_in_", None),
        "classes": classifier.classes_.tolist(),
        "pos_label": classifier.pos_label_,
        "threshold": classifier.threshold_,
        "history": classifier.history_,
        "training_record": classifier.training_record_,
        "steps": {name: described for name, (described, _) in steps.items()},
    }
    arrays = {key: array for _, found in steps.values() for key, array in found.items()}
    return header, arrays | known_to_arrays(classifier)


def classifier_from_parts(cls: type, header: dict[str, Any], arrays: _Arrays) -> Any:
    """Build the fitted classifier that ``classifier_to_parts`` described."""
    described = header["parameters"].items()
    self = cls(**{name: estimator_from_json(value) for name, value in described})
    self.classes_ = np.asarray(header["classes"])
    self.pos_label_ = header["pos_label"]
    self.threshold_ = header["threshold"]
    self.history_ = header["history"]
    self.training_record_ = header["training_record"]
    self.validation_indices_ = np.arange(0)
    if header["n_features"] is not None:
        self.n_features_in_ = header["n_features"]
    self.pipeline_ = make_pipeline(self, 0, 0, of_features=header["of_features"])
    for name, step in header["steps"].items():
        _set_step(self.pipeline_[name], name, step, arrays, self.classes_)
    known_from_arrays(self, arrays)
    return self


def _portable(classifier: Any) -> Any:
    """Clone a classifier without what is of this machine, or of training alone."""
    own = clone(classifier)
    own.network = clone(network_of(own))
    for name, value in own.get_params(deep=True).items():
        last = name.rpartition("__")[2]
        if last in _OF_NO_MACHINE and value is not False:
            own.set_params(**{name: _OF_NO_MACHINE[last]})
        if last == "random_state" and not isinstance(value, Integral | None):
            own.set_params(**{name: None})
    return own


def _step_to_parts(step: Any, name: str) -> tuple[dict[str, Any], _Arrays]:
    if hasattr(step, "_to_parts"):
        return step._to_parts()
    return {}, learned_to_parts(step, name)


def _set_step(
    step: Any, name: str, header: dict, arrays: _Arrays, classes: np.ndarray
) -> None:
    if hasattr(step, "_set_parts"):
        step._set_parts(header, arrays, *([classes] if name == "classify" else []))
    else:
        learned_from_parts(step, name, arrays)
