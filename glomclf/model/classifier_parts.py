"""A fitted GlomeruliClassifier as JSON and arrays, which is what its file holds."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from ..data.archive_fields import check_numbers, history_from_json, history_to_json
from ..data.images import MAX_PIXELS
from ..errors import ModelFileError
from ..network import PatchClassifier, PatchEncoder
from .binary import Parts
from .checks import refuse_contradictions
from .descriptions import learned_from_parts, learned_to_parts
from .known_people import known_to_arrays
from .parts import COUNT, begun, finished, portable, shared_to_json
from .pipeline import make_pipeline, network_of, takes_features

_Arrays = dict[str, np.ndarray]
_FIELDS: dict[str, list[Any]] = {
    "n_features": [Interval(Integral, 1, None, closed="left"), None],
    "history": [dict],
    "steps": [dict],
}
_RECORD: dict[str, list[Any]] = {
    "weights": [dict, None],
    "n_validation_samples": COUNT,
    "class_counts_resampled": [dict, None],
}


def classifier_to_parts(classifier: Any) -> Parts:
    """Describe a fitted classifier.

    Parameters
    ----------
    classifier : GlomeruliClassifier

    Returns
    -------
    header : dict
        What JSON can say; ``n_features`` is None where it takes images.
    arrays : dict of str to ndarray

    Raises
    ------
    ModelFileError
        If a part cannot be described without pickle.
    """
    own = portable(with_network(classifier))
    of_features = takes_features(classifier)
    _refuse_unusable(own, of_features=of_features)
    steps: dict[str, Any] = {}
    arrays = known_to_arrays(classifier)
    for name, step in classifier.pipeline_.named_steps.items():
        if name in ("stain", "encode", "classify"):
            steps[name], learned = _step_to_parts(step, name)
            arrays |= learned
    header = {
        **shared_to_json(classifier, own.get_params(deep=False)),
        "n_features": classifier.n_features_in_ if of_features else None,
        "history": history_to_json(classifier.history_),
        "steps": steps,
    }
    return header, arrays


def classifier_from_parts(cls: type, header: dict[str, Any], arrays: _Arrays) -> Any:
    """Build the fitted classifier that ``classifier_to_parts`` described.

    Raises
    ------
    ModelFileError, ValueError, TypeError
        If the parts are not those of a classifier that this glomclf writes.
    """
    self, header = begun(cls, header, _FIELDS, _RECORD)
    of_features = header["n_features"] is not None
    _refuse_unusable(self, of_features=of_features)
    self.history_ = history_from_json(header["history"])
    self.validation_indices_ = np.arange(0)
    if of_features:
        self.n_features_in_ = header["n_features"]
    self.pipeline_ = make_pipeline(self, 0, 0, of_features=of_features)
    for name, step in self.pipeline_.named_steps.items():
        if name in ("stain", "encode"):
            settings = step.get_params()
            _set_step(step, name, header["steps"][name], arrays, self.classes_)
            if step.get_params() != settings:
                raise ModelFileError(
                    f"The step {name!r} has other settings than asked."
                )
    _set_network(self, header["steps"]["classify"], arrays)
    return finished(self, header, arrays)


def with_network(classifier: Any) -> Any:
    """Clone a classifier, and write its network out where it is the default one."""
    return clone(classifier).set_params(network=clone(network_of(classifier)))


def _refuse_unusable(classifier: Any, *, of_features: bool) -> None:
    """Refuse parameters that fit would refuse."""
    classifier._validate_params()
    if classifier.image_size**2 > MAX_PIXELS:
        raise ModelFileError(f"image_size={classifier.image_size} is too large.")
    refuse_contradictions(classifier, of_features=of_features)


def _set_network(classifier: Any, described: dict[str, Any], arrays: _Arrays) -> None:
    """Give the last step what it learned, if it is of the rows that enter it."""
    network, row = classifier.pipeline_["classify"], _row_of(classifier)
    if isinstance(network, PatchClassifier):
        _refuse_other_rows(described, row)
        network._set_parts(described, arrays, classifier.classes_)
        return
    _set_step(network, "classify", described, arrays, classifier.classes_)
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


def _step_to_parts(step: Any, name: str) -> Parts:
    has_parts = hasattr(step, "_to_parts")
    return step._to_parts() if has_parts else ({}, learned_to_parts(step, name))


def _set_step(
    step: Any, name: str, header: dict, arrays: _Arrays, classes: np.ndarray
) -> None:
    if hasattr(step, "_set_parts"):
        step._set_parts(header, arrays)
    else:
        learned_from_parts(step, name, arrays, classes)
