"""A fitted ensemble as JSON and arrays, which is what its model file holds."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from sklearn.base import clone

from ..data.archive_fields import check_fields
from ..errors import ModelFileError
from .binary import Parts
from .classifier import GlomeruliClassifier
from .classifier_parts import with_network
from .known_people import known_to_arrays
from .parts import COUNT, begun, finished, portable, shared_to_json

_Arrays = dict[str, np.ndarray]
_OF_ESTIMATOR = ("random_state", "verbose")  # which its clones have otherwise


def ensemble_to_parts(ensemble: Any) -> Parts:
    """Describe a fitted ensemble, its estimator by the first of its clones.

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
    own = clone(ensemble)
    place_of: dict[Any, str] = {}
    stored, members = known_to_arrays(ensemble), []
    for member in ensemble.estimators_:
        _refuse_other_kinds(member)
        header, arrays = member._to_parts()
        places = {}
        for name, array in arrays.items():
            content = hashlib.sha256(np.ascontiguousarray(array)).digest()
            key = (array.dtype.str, array.shape, content)
            places[name] = place_of.setdefault(key, f"members/{len(place_of):05d}")
            stored[places[name]] = array
        members.append({"header": header, "arrays": places})
    if own.estimator is not None:
        seeded = {name: getattr(own.estimator, name) for name in _OF_ESTIMATOR}
        own.estimator = with_network(ensemble.estimators_[0]).set_params(**seeded)
    parameters = portable(own).get_params(deep=False)
    return {**shared_to_json(ensemble, parameters), "members": members}, stored


def ensemble_from_parts(cls: type, header: dict[str, Any], arrays: _Arrays) -> Any:
    """Build the fitted ensemble that ``ensemble_to_parts`` described.

    Raises
    ------
    ModelFileError, ValueError, TypeError
        If the parts are not those of an ensemble that this glomclf writes.
    """
    self, header = begun(cls, header, {"members": [list]}, {"n_members": COUNT})
    clone(self).set_params(cv=2 if self.cv is None else self.cv)._validate_params()
    self.estimators_ = [_member(one, arrays) for one in header["members"]]
    for member in self.estimators_:
        same_classes = np.array_equal(member.classes_, self.classes_)
        if not same_classes or member.pos_label_ != self.pos_label_:
            raise ModelFileError("The classes of a member are not those of all.")
    return finished(self, header, arrays)


def _member(described: Any, arrays: _Arrays) -> Any:
    check_fields("A member", described, {"header": [dict], "arrays": [dict]})
    own = {name: arrays[place] for name, place in described["arrays"].items()}
    return GlomeruliClassifier._from_parts(described["header"], own)


def _refuse_other_kinds(member: Any) -> None:
    if not isinstance(member, GlomeruliClassifier):
        raise ModelFileError(
            f"A model file holds members of the class GlomeruliClassifier, and these "
            f"are of the class {type(member).__name__}. Give FoldEnsembleClassifier a "
            "GlomeruliClassifier as estimator."
        )
