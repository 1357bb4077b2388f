"""A fitted classifier as JSON and arrays, which is what its model file holds."""

from __future__ import annotations

import json
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from ..data.archive import OF_EVERY_FILE
from ..data.archive_fields import (
    check_fields,
    check_numbers,
    history_from_json,
    history_to_json,
)
from ..data.images import MAX_PIXELS
from ..errors import ModelFileError
from ..network import PatchClassifier, PatchEncoder
from .checks import refuse_contradictions
from .descriptions import (
    estimator_from_json,
    estimator_to_json,
    learned_from_parts,
    learned_to_parts,
)
from .known_people import known_from_arrays, known_to_arrays
from .pipeline import make_pipeline, network_of
from .recalibrated import recalibration_from_json, recalibration_to_json
from .records import COUNT, OF_EVERY_RECORD, check_record, refuse_other_classes

__all__ = ["classifier_from_parts", "classifier_to_parts"]

_Arrays = dict[str, np.ndarray]
# What another machine may not have. Precision says what the engine computed.
_OF_NO_MACHINE = {"cache_dir": None, "checkpoint_dir": None, "engine": "auto"}
_MOST_THREADS = 1024
_HEADER: dict[str, list] = {
    "parameters": [dict],
    "of_features": [bool],
    "n_features": [Interval(Integral, 1, None, closed="left"), None],
    "classes": [list],
    "pos_label": [str, Real],
    "threshold": [Interval(Real, 0, 1, closed="both")],
    "history": [dict],
    "training_record": [dict],
    "recalibration": [dict, None],
    "steps": [dict],
}
_RECORD = {
    **OF_EVERY_RECORD,
    "weights": [dict, None],
    "n_validation_samples": COUNT,
    "class_counts_resampled": [dict, None],
}


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
    of_features = "load" not in classifier.pipeline_.named_steps
    _refuse_unusable(portable, of_features=of_features)
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
        "of_features": of_features,
        "n_features": classifier.n_features_in_ if of_features else None,
        "classes": classifier.classes_.tolist(),
        "pos_label": classifier.pos_label_,
        "threshold": classifier.threshold_,
        "history": history_to_json(classifier.history_),
        "training_record": classifier.training_record_,
        "recalibration": recalibration_to_json(classifier),
        "steps": {name: described for name, (described, _) in steps.items()},
    }
    arrays = {key: array for _, found in steps.values() for key, array in found.items()}
    return header, arrays | known_to_arrays(classifier)


def classifier_from_parts(cls: type, header: dict[str, Any], arrays: _Arrays) -> Any:
    """Build the fitted classifier that ``classifier_to_parts`` described.

    Raises
    ------
    ModelFileError, ValueError, TypeError
        If the parts are not those of a classifier that this glomclf writes.
    """
    header = {name: v for name, v in header.items() if name not in OF_EVERY_FILE}
    described = check_fields(cls.__name__, header, _HEADER)["parameters"].items()
    self = cls(**{name: estimator_from_json(value) for name, value in described})
    _refuse_unusable(self, of_features=header["of_features"])
    self.classes_ = np.asarray(header["classes"])
    refuse_other_classes(self.classes_, header["pos_label"])
    self.pos_label_ = header["pos_label"]
    self.threshold_ = header["threshold"]
    self.history_ = history_from_json(header["history"])
    self.training_record_ = check_record(header["training_record"], _RECORD)
    self.validation_indices_ = np.arange(0)
    if header["of_features"]:
        self.n_features_in_ = header["n_features"]
    self.pipeline_ = make_pipeline(self, 0, 0, of_features=header["of_features"])
    _set_steps(self, header, arrays)
    known_from_arrays(self, arrays)
    recalibration_from_json(self, header["recalibration"])
    _refuse_other_description(self, header, arrays)
    return self


def _refuse_unusable(classifier: Any, *, of_features: bool) -> None:
    """Refuse parameters that fit would refuse, and those of another machine."""
    classifier._validate_params()
    if classifier.image_size**2 > MAX_PIXELS:
        raise ModelFileError(f"image_size={classifier.image_size} is too large.")
    for name, value in classifier.get_params(deep=True).items():
        last = name.rpartition("__")[2]
        if last in _OF_NO_MACHINE and value not in (False, _OF_NO_MACHINE[last]):
            raise ModelFileError(f"{name}={value!r} is of another machine.")
        if last == "n_jobs" and (value == 0 or (value or 0) > _MOST_THREADS):
            raise ModelFileError(f"{name}={value!r} is no number of threads.")
    refuse_contradictions(classifier, of_features=of_features)


def _set_steps(classifier: Any, header: dict[str, Any], arrays: _Arrays) -> None:
    """Give the steps of the pipeline what they learned, the network last."""
    steps, classes = classifier.pipeline_.named_steps, classifier.classes_
    described = header["steps"]
    for name in ("stain", "encode"):
        if name in steps:
            settings = steps[name].get_params()
            _set_step(steps[name], name, described[name], arrays, classes)
            if steps[name].get_params() != settings:
                raise ModelFileError(
                    f"The step {name!r} has other settings than asked."
                )
    network, row = steps["classify"], _row_of(classifier)
    if isinstance(network, PatchClassifier):
        _refuse_other_rows(described["classify"], row)
        network._set_parts(described["classify"], arrays, classes)
        return
    _set_step(network, "classify", described["classify"], arrays, classes)
    _try(network, arrays, row)


def _row_of(classifier: Any) -> tuple[int, ...] | None:
    """Return the shape of the rows that enter the network, None where none tells."""
    steps = classifier.pipeline_.named_steps
    if "load" not in steps:
        return (classifier.n_features_in_,)
    if "encode" not in steps:
        return (classifier.image_size, classifier.image_size, 3)
    encoder = steps["encode"]
    is_known = isinstance(encoder, PatchEncoder)
    return encoder._row_shape(classifier.image_size) if is_known else None


def _refuse_other_rows(described: dict[str, Any], row: tuple[int, ...] | None) -> None:
    """Refuse a network of other rows than those that enter it."""
    given = tuple(described["input_shape"])
    are_images = row is not None and len(row) == 3 and row[-1] == 3
    is_fit = given == row if row else len(given) == 1
    if not is_fit or described["from_images"] != are_images:
        raise ModelFileError(
            f"The network takes rows of shape {given}, and is given those of shape "
            f"{row}."
        )


def _try(network: Any, arrays: _Arrays, row: tuple[int, ...] | None) -> None:
    """Predict one row of zeros: what was learned belongs together."""
    (n_features,) = (network.n_features_in_,) if row is None else row
    # As many are there at least, so that no description asks for more memory.
    if not 0 < n_features <= max(array.size for array in arrays.values()):
        raise ModelFileError(f"The model is of {n_features} features, and holds fewer.")
    with np.errstate(all="ignore"):
        found = network.predict_proba(np.zeros((1, int(n_features))))
    check_numbers("The probability", found, (1, 2), low=0, high=1)


def _refuse_other_description(
    classifier: Any, header: dict[str, Any], arrays: _Arrays
) -> None:
    """See that what was built would be written as it was found, with nothing else."""
    again, kept = classifier_to_parts(classifier)
    if json.loads(json.dumps(again)) != header or set(kept) != set(arrays):
        raise ModelFileError(
            "The description says more or other things than the classifier that it "
            "describes."
        )
    for name, array in kept.items():
        check_numbers(name, arrays[name], array.shape, kinds=array.dtype.kind)


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
        step._set_parts(header, arrays)
    elif header:
        raise ModelFileError(f"The step {name!r} is described by {header!r}.")
    else:
        learned_from_parts(step, name, arrays, classes)
