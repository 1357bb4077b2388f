"""A fitted ensemble as JSON and arrays, which is what its model file holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from ..errors import ModelFileError
from ..evaluation.evaluation import Evaluation
from .classifier import GlomeruliClassifier
from .descriptions import estimator_from_json, estimator_to_json
from .known_people import known_from_arrays, known_to_arrays
from .parts import classifier_from_parts, classifier_to_parts

__all__ = ["ensemble_from_parts", "ensemble_to_parts"]

_Arrays = dict[str, np.ndarray]


def ensemble_to_parts(ensemble: Any) -> tuple[dict[str, Any], _Arrays]:
    """Describe a fitted ensemble.

    Parameters
    ----------
    ensemble : FoldEnsembleClassifier

    Returns
    -------
    header : dict
        What JSON can say.
    arrays : dict of str to ndarray
        Those that members have in common, such as frozen weights, are there once.

    Raises
    ------
    ModelFileError
        If a member is no GlomeruliClassifier, or cannot be described without pickle.
    """
    headers, parts = zip(*map(_member_to_parts, ensemble.estimators_), strict=True)
    stored, places = _stored_once(parts)
    header = {
        "parameters": _plain_parameters(ensemble),
        "estimator": _own_settings(ensemble.estimator),
        "classes": ensemble.classes_.tolist(),
        "pos_label": ensemble.pos_label_,
        "threshold": ensemble.threshold_,
        "training_record": ensemble.training_record_,
        "evaluation": ensemble.oof_evaluation_.to_dict(),
        "members": [
            {"header": one, "arrays": named}
            for one, named in zip(headers, places, strict=True)
        ],
    }
    out_of_fold = {
        "oof/probability": ensemble.oof_probability_,
        "oof/fold": ensemble.oof_fold_.astype(np.int64),
        "oof/threshold": ensemble.oof_threshold_,
    }
    return header, {**stored, **out_of_fold, **known_to_arrays(ensemble)}


def ensemble_from_parts(cls: type, header: dict[str, Any], arrays: _Arrays) -> Any:
    """Build the fitted ensemble that ``ensemble_to_parts`` described."""
    parameters = header["parameters"].items()
    self = cls(**{name: estimator_from_json(value) for name, value in parameters})
    self.estimators_ = [
        classifier_from_parts(
            GlomeruliClassifier,
            member["header"],
            {name: arrays[place] for name, place in member["arrays"].items()},
        )
        for member in header["members"]
    ]
    if header["estimator"] is not None:
        self.estimator = clone(self.estimators_[0]).set_params(**header["estimator"])
    self.classes_ = np.asarray(header["classes"])
    self.pos_label_ = header["pos_label"]
    self.threshold_ = header["threshold"]
    self.training_record_ = header["training_record"]
    self.oof_evaluation_ = Evaluation.from_dict(header["evaluation"])
    self.oof_probability_ = arrays["oof/probability"]
    self.oof_fold_ = arrays["oof/fold"]
    self.oof_threshold_ = arrays["oof/threshold"]
    known_from_arrays(self, arrays)
    return self


def _plain_parameters(ensemble: Any) -> dict[str, Any]:
    """Return the parameters that JSON can hold; others are left out as None."""
    parameters = ensemble.get_params(deep=False)
    del parameters["estimator"]
    for name in ("cv", "random_state"):
        value = parameters[name]
        parameters[name] = int(value) if isinstance(value, Integral) else None
    return {name: estimator_to_json(value) for name, value in parameters.items()}


def _own_settings(estimator: Any) -> dict[str, Any] | None:
    """Return what the estimator has otherwise than its clones in the ensemble."""
    if estimator is None:
        return None
    seed = estimator.random_state
    return {
        "random_state": int(seed) if isinstance(seed, Integral) else None,
        "verbose": estimator.verbose,
    }


def _member_to_parts(member: Any) -> tuple[dict[str, Any], _Arrays]:
    """Describe one member, or say why a file cannot hold it."""
    if not isinstance(member, GlomeruliClassifier):
        raise ModelFileError(
            f"A model file holds members of the class GlomeruliClassifier, and these "
            f"are of the class {type(member).__name__}. Give FoldEnsembleClassifier a "
            "GlomeruliClassifier as estimator."
        )
    try:
        return classifier_to_parts(member)
    except ModelFileError as error:
        raise ModelFileError(
            f"{error} Of an ensemble, do so for each of its estimators_."
        ) from error


def _stored_once(
    parts: Iterable[Mapping[str, np.ndarray]],
) -> tuple[_Arrays, list[dict[str, str]]]:
    """Keep equal arrays once; return them, and where each member finds its own."""
    place_of: dict[Any, str] = {}
    stored, places = {}, []
    for arrays in parts:
        named = {}
        for name, array in arrays.items():
            content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
            key = (array.dtype.str, array.shape, content)
            named[name] = place_of.setdefault(key, f"members/{len(place_of):05d}")
            stored[named[name]] = array
        places.append(named)
    return stored, places
