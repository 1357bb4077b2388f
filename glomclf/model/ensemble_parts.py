"""A fitted ensemble as JSON and arrays, which is what its model file holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from ..data.archive import OF_EVERY_FILE
from ..data.archive_fields import check_fields, check_numbers
from ..errors import ModelFileError
from .classifier import GlomeruliClassifier
from .descriptions import estimator_from_json, estimator_to_json
from .known_people import known_from_arrays, known_to_arrays
from .parts import classifier_from_parts, classifier_to_parts
from .recalibrated import recalibration_from_json, recalibration_to_json
from .records import (
    COUNT,
    OF_EVERY_RECORD,
    check_parameters,
    check_record,
    evaluation_from_json,
    refuse_other_classes,
)

__all__ = ["ensemble_from_parts", "ensemble_to_parts"]

_Arrays = dict[str, np.ndarray]
_HEADER: dict[str, list] = {
    "parameters": [dict],
    "estimator": [dict, None],
    "classes": [list],
    "pos_label": [str, Real],
    "threshold": [Interval(Real, 0, 1, closed="both")],
    "training_record": [dict],
    "recalibration": [dict, None],
    "evaluation": [dict],
    "members": [list],
}
_OF_ESTIMATOR: dict[str, list] = {
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
_RECORD = {**OF_EVERY_RECORD, "n_members": COUNT}
_OUT_OF_FOLD = ("oof/probability", "oof/fold", "oof/threshold")


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
        **_header(ensemble),
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
    """Build the fitted ensemble that ``ensemble_to_parts`` described.

    Raises
    ------
    ModelFileError, ValueError, TypeError
        If the parts are not those of an ensemble that this glomclf writes.
    """
    header = {name: v for name, v in header.items() if name not in OF_EVERY_FILE}
    described = check_fields(cls.__name__, header, _HEADER)["parameters"].items()
    self = cls(**{name: estimator_from_json(value) for name, value in described})
    check_parameters(self, without=("cv",) if self.cv is None else ())
    self.estimators_ = [_member(one, arrays) for one in header["members"]]
    if header["estimator"] is not None:
        own = check_fields("The estimator", header["estimator"], _OF_ESTIMATOR)
        self.estimator = clone(self.estimators_[0]).set_params(**own)
    self.classes_ = np.asarray(header["classes"])
    refuse_other_classes(self.classes_, header["pos_label"])
    self.pos_label_ = header["pos_label"]
    self.threshold_ = header["threshold"]
    self.training_record_ = check_record(header["training_record"], _RECORD)
    self.oof_evaluation_ = evaluation_from_json(header["evaluation"])
    _set_out_of_fold(self, arrays)
    known_from_arrays(self, arrays)
    recalibration_from_json(self, header["recalibration"])
    _refuse_other_description(self, header, arrays)
    return self


def _member(described: Any, arrays: _Arrays) -> Any:
    check_fields("A member", described, {"header": [dict], "arrays": [dict]})
    own = {name: arrays[place] for name, place in described["arrays"].items()}
    return classifier_from_parts(GlomeruliClassifier, described["header"], own)


def _set_out_of_fold(ensemble: Any, arrays: _Arrays) -> None:
    rows, last = (ensemble.training_record_["n_samples"],), len(ensemble.estimators_)
    of = {name: arrays[f"oof/{name}"] for name in ("probability", "fold", "threshold")}
    check_numbers("oof/probability", of["probability"], rows, low=0, high=1)
    check_numbers("oof/fold", of["fold"], rows, kinds="i", low=0, high=last)
    check_numbers("oof/threshold", of["threshold"], rows, low=0, high=1)
    ensemble.oof_probability_ = of["probability"]
    ensemble.oof_fold_ = of["fold"]
    ensemble.oof_threshold_ = of["threshold"]


def _refuse_other_description(
    ensemble: Any, header: dict[str, Any], arrays: _Arrays
) -> None:
    """See that what was built would be written as it was found, with nothing else."""
    again = json.loads(json.dumps(_header(ensemble)))
    members = header["members"]
    used = {place for one in members for place in one["arrays"].values()}
    used |= {*known_to_arrays(ensemble), *_OUT_OF_FOLD}
    are_alike = all(
        np.array_equal(one.classes_, ensemble.classes_)
        and one.pos_label_ == ensemble.pos_label_
        for one in ensemble.estimators_
    )
    is_whole = again == {n: v for n, v in header.items() if n != "members"}
    if not is_whole or not are_alike or used != set(arrays):
        raise ModelFileError(
            "The description says more or other things than the ensemble that it "
            "describes."
        )


def _header(ensemble: Any) -> dict[str, Any]:
    """Describe an ensemble without its members."""
    return {
        "parameters": _plain_parameters(ensemble),
        "estimator": _own_settings(ensemble.estimator),
        "classes": ensemble.classes_.tolist(),
        "pos_label": ensemble.pos_label_,
        "threshold": ensemble.threshold_,
        "training_record": ensemble.training_record_,
        "recalibration": recalibration_to_json(ensemble),
        "evaluation": ensemble.oof_evaluation_.to_dict(),
    }


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
