"""What the file of any fitted classifier holds: JSON and arrays, and what they may be.

A description is held against a schema, built, and described again: one that says more,
less or other things than what was built of it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from ..data.archive import OF_EVERY_FILE
from ..data.archive_fields import check_fields, check_numbers
from ..data.patch_cuts import CUT_CONSTRAINTS
from ..errors import ModelFileError
from ..network.weight_sources import weights_record_from_json
from .descriptions import estimator_from_json, estimator_to_json
from .known_people import known_from_arrays
from .recalibration import Recalibration

COUNT: list[Any] = [Interval(Integral, 0, None, closed="left")]
"""A number of rows."""

_SHARE = [Interval(Real, 0, 1, closed="both")]
_HEADER: dict[str, list[Any]] = {
    "parameters": [dict],
    "classes": [list],
    "pos_label": [str, Real],
    "threshold": _SHARE,
    "training_record": [dict],
    "recalibration": [dict, None],
}
_RECORD: dict[str, list[Any]] = {
    "labels": [str, None],
    "patches": [dict, None],
    "n_samples": COUNT,
    "n_participants": [*COUNT, None],
    "class_counts": [dict],
    "threshold": _SHARE,
    "threshold_chosen_on": [
        StrOptions(
            {
                *("given", "validation participants", "validation rows"),
                *("inner folds", "out-of-fold predictions"),
            }
        )
    ],
    "threshold_n_samples": COUNT,
}
_RECALIBRATION: dict[str, list[Any]] = {
    "method": [StrOptions({"intercept", "temperature", "logistic", "isotonic"})],
    "intercept": [Interval(Real, -20, 20, closed="both")],
    "slope": [Interval(Real, 0, 25, closed="neither")],
    "before": [list],
    "after": [list],
    **dict.fromkeys(("n_samples", "n_positive", "n_participants"), COUNT),
}
# What another machine may not have. Precision says what the engine computed.
_OF_NO_MACHINE = {"cache_dir": None, "checkpoint_dir": None, "engine": "auto"}
WITHOUT_EFFECT = (*_OF_NO_MACHINE, "n_jobs", "verbose")
"""Settings that change no score: of the machine, and how loudly things are done."""
_MOST_THREADS = 1024


def portable(model: Any) -> Any:
    """Clone a model without what is of this machine, or of training alone."""
    own = clone(model)
    for name, value in own.get_params(deep=True).items():
        last = name.rpartition("__")[2]
        if last in _OF_NO_MACHINE and value is not False:
            own.set_params(**{name: _OF_NO_MACHINE[last]})
        if last in ("random_state", "cv") and not isinstance(value, Integral | None):
            own.set_params(**{name: None})
    return own


def shared_to_json(model: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Describe what all fitted classifiers have.

    Parameters
    ----------
    model : BinaryClassifier
        Fitted.
    parameters : mapping
        Those to write down.

    Returns
    -------
    dict
        What JSON can say.

    Raises
    ------
    ModelFileError
        If a parameter cannot be described without pickle.
    """
    learned = getattr(model, "recalibration_", None)
    return {
        "parameters": {n: estimator_to_json(value) for n, value in parameters.items()},
        "classes": model.classes_.tolist(),
        "pos_label": model.pos_label_,
        "threshold": model.threshold_,
        "training_record": model.training_record_,
        "recalibration": None if learned is None else asdict(learned),
    }


def begun(
    cls: type,
    described: Mapping[str, Any],
    fields: Mapping[str, list[Any]],
    record: Mapping[str, list[Any]],
) -> tuple[Any, dict[str, Any]]:
    """Build a classifier with what `shared_to_json` described.

    Parameters
    ----------
    cls : type
    described : mapping
        The header of a file.
    fields, record : mapping of str to list
        What the header, and the record of the training, have beside what all have.

    Returns
    -------
    model : BinaryClassifier
    header : dict
        Without what is of the file.

    Raises
    ------
    ModelFileError, ValueError, TypeError
        If the header is not that of such a classifier.
    """
    header = {name: v for name, v in described.items() if name not in OF_EVERY_FILE}
    check_fields(cls.__name__, header, {**_HEADER, **fields})
    parameters = header["parameters"].items()
    model = cls(**{name: estimator_from_json(value) for name, value in parameters})
    for name, value in model.get_params(deep=True).items():
        if name.endswith("n_jobs") and (value == 0 or (value or 0) > _MOST_THREADS):
            raise ModelFileError(f"{name}={value!r} is no number of threads.")
    model.classes_ = np.asarray(header["classes"])
    model.pos_label_ = header["pos_label"]
    _refuse_other_classes(model.classes_, model.pos_label_)
    model.threshold_ = header["threshold"]
    model.training_record_ = header["training_record"]
    _refuse_other_record(model.training_record_, {**_RECORD, **record})
    if header["recalibration"] is not None:
        model.recalibration_ = _recalibration(header["recalibration"])
    return model, header


def finished(model: Any, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    """Return a model with what it knows of people, if it is the one described.

    Raises
    ------
    ModelFileError
        If it would be written otherwise than it was found, or with something else.
    """
    known_from_arrays(model, arrays)
    again, kept = model._to_parts()
    if json.loads(json.dumps(again)) != header or set(kept) != set(arrays):
        raise ModelFileError(
            "The description says more or other things than the classifier that it "
            "describes."
        )
    for name, array in kept.items():
        check_numbers(name, arrays[name], array.shape, kinds=array.dtype.kind)
    return model


def _refuse_other_classes(classes: np.ndarray, pos_label: Any) -> None:
    """Refuse what are not two sorted labels, one of them the positive one."""
    labels = classes.tolist()
    are_two = classes.shape == (2,) and classes.dtype.kind in "biufU"
    if not are_two or not labels[0] < labels[1]:
        raise ModelFileError(f"The classes are {labels!r}, not two labels.")
    if (type(pos_label), pos_label) not in [(type(one), one) for one in labels]:
        raise ModelFileError(f"{pos_label!r} is none of the classes {labels!r}.")


def _refuse_other_record(record: Any, constraints: dict[str, list[Any]]) -> None:
    check_fields("The record of the training", record, constraints)
    for name in ("class_counts", "class_counts_resampled"):
        if (counts := record.get(name)) is not None:
            check_fields(name, counts, dict.fromkeys(counts, COUNT))
    if record["patches"] is not None:
        check_fields("patches", record["patches"], CUT_CONSTRAINTS)
    if record.get("weights") is not None:
        weights_record_from_json(record["weights"])


def _recalibration(described: Any) -> Recalibration:
    check_fields("The recalibration", described, _RECALIBRATION)
    steps = np.array([described["before"], described["after"]], dtype=float)
    check_numbers("before and after", steps, (2, None), low=0, high=1)
    is_isotonic = described["method"] == "isotonic"
    if is_isotonic != (steps.size > 0) or (np.diff(steps) < 0).any():
        raise ModelFileError("The steps of the recalibration do not rise, or differ.")
    before, after = map(tuple, steps.tolist())
    return Recalibration(**{**described, "before": before, "after": after})
