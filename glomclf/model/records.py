"""What a model file says of its training, held against what it may say."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from ..data.archive_fields import check_fields, check_numbers
from ..data.patch_cuts import CUT_CONSTRAINTS
from ..errors import ModelFileError
from ..evaluation.evaluation import Evaluation
from ..evaluation.scores import SCORES
from ..network.weight_sources import weights_record_from_json

__all__ = [
    "COUNT",
    "OF_EVERY_RECORD",
    "check_parameters",
    "check_record",
    "evaluation_from_json",
    "refuse_other_classes",
]

COUNT: list[Any] = [Interval(Integral, 0, None, closed="left")]
"""A number of rows."""

_SHARE = Interval(Real, 0, 1, closed="both")
_EVALUATION: dict[str, list[Any]] = {
    "scores": [dict],
    "intervals": [dict],
    "n_effective": [dict],
    "notes": [dict],
    "confidence": [_SHARE],
    "n_bootstrap": COUNT,
    "caution": [str],
    "threshold": [_SHARE, None],
    "specificity": [_SHARE],
    "n_samples": COUNT,
    "n_participants": [*COUNT, None],
    "confusion_matrix": [list],
    "subgroups": [None],  # out-of-fold scores are not told apart by a column
}

OF_EVERY_RECORD: dict[str, list[Any]] = {
    "labels": [str, None],
    "n_samples": COUNT,
    "n_participants": [*COUNT, None],
    "class_counts": [dict],
    "threshold": [Interval(Real, 0, 1, closed="both")],
    "threshold_chosen_on": [
        StrOptions(
            {
                "given",
                "validation participants",
                "validation rows",
                "inner folds",
                "out-of-fold predictions",
            }
        )
    ],
    "threshold_n_samples": COUNT,
    "patches": [dict, None],
}
"""What the record of a classifier and that of an ensemble have in common."""


def check_record(record: Any, constraints: dict[str, list[Any]]) -> dict[str, Any]:
    """Return a record of a training, if it is one.

    Raises
    ------
    ModelFileError
    """
    check_fields("The record of the training", record, constraints)
    for name in ("class_counts", "class_counts_resampled"):
        counts = record.get(name)
        if counts is not None:
            check_fields(name, counts, dict.fromkeys(counts, COUNT))
    if record["patches"] is not None:
        check_fields("patches", record["patches"], CUT_CONSTRAINTS)
    if record.get("weights") is not None:
        weights_record_from_json(record["weights"])
    return record


def refuse_other_classes(classes: np.ndarray, pos_label: Any) -> None:
    """Refuse what are not two sorted labels, one of them the positive one.

    Raises
    ------
    ModelFileError
    """
    are_two = classes.shape == (2,) and classes.dtype.kind in "biufU"
    if not are_two or not np.array_equal(np.unique(classes), classes):
        raise ModelFileError(f"The classes are {classes.tolist()!r}, not two labels.")
    labels = classes.tolist()
    if (type(pos_label), pos_label) not in [(type(one), one) for one in labels]:
        raise ModelFileError(f"{pos_label!r} is none of the classes {labels!r}.")


def check_parameters(estimator: Any, *, without: Sequence[str] = ()) -> None:
    """Validate the parameters of an estimator, but for some that no file holds."""
    given = estimator.get_params(deep=False)
    kept = {name: value for name, value in given.items() if name not in without}
    name = type(estimator).__name__
    validate_parameter_constraints(estimator._parameter_constraints, kept, name)


def evaluation_from_json(described: Any) -> Evaluation:
    """Read the scores of an ensemble out of its file.

    Raises
    ------
    ModelFileError
    """
    check_fields("The evaluation", described, _EVALUATION)
    names = set(described["scores"])
    columns = [described[name] for name in ("scores", "intervals", "n_effective")]
    ends = [end for pair in columns[1].values() if _is_pair(pair) for end in pair]
    numbers = [*columns[0].values(), *ends, *columns[2].values()]
    are_told = all(isinstance(note, str) for note in described["notes"].values())
    if (
        not names <= set(SCORES)
        or any(set(column) != names for column in columns)
        or len(ends) != 2 * len(names)
        or not all(one is None or isinstance(one, Real) for one in numbers)
        or not (are_told and set(described["notes"]) <= names)
    ):
        raise ModelFileError(
            "The evaluation does not hold scores with their intervals."
        )
    counts = np.array(described["confusion_matrix"])
    check_numbers("The confusion matrix", counts, (2, 2), kinds="i", low=0)
    return Evaluation.from_dict(described)


def _is_pair(ends: Any) -> bool:
    return isinstance(ends, list) and len(ends) == 2
