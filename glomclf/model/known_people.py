"""What a fitted model keeps of its training participants, in memory and in its file.

- ``out_of_fold_record_``: an :class:`glomclf.evaluation.OutOfFoldRecord`;
- ``training_reference_``: a :class:`glomclf.model.reference.TrainingReference`.

Either may be absent. Names are in neither.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..data.archive_fields import check_numbers
from ..evaluation.biopsy_record import OutOfFoldRecord
from .reference import Space, TrainingReference

_Arrays = dict[str, np.ndarray]
_RECORD = ("probability", "label", "participant")
_SPACE = ("centre", "scale", "points", "participant")


def forget_fit(model: Any) -> None:
    """Make a model one that is not fitted; what an earlier fit kept is of that fit."""
    kept = ("out_of_fold_record_", "training_reference_", "recalibration_")
    for name in ("training_record_", *kept):
        model.__dict__.pop(name, None)


def keep_record(
    model: Any, y: ArrayLike, probability: ArrayLike, groups: ArrayLike | None
) -> None:
    """Give a model its out-of-fold predictions, where participants are known.

    Parameters
    ----------
    model : GlomeruliClassifier or FoldEnsembleClassifier
        Fitted.
    y : array-like of shape (n_samples,)
        1 for the positive class, else 0.
    probability : array-like of shape (n_samples,)
        Of the positive class, by a model of the same settings that was trained without
        the row's participant.
    groups : array-like of shape (n_samples,) or None
        The participant of each row. None: nothing is kept.
    """
    if groups is not None:
        record = OutOfFoldRecord.from_predictions(y, probability, groups)
        model.out_of_fold_record_ = record


def known_to_arrays(model: Any) -> _Arrays:
    """Return what a model keeps of its training participants, for its file."""
    arrays: _Arrays = {}
    record = getattr(model, "out_of_fold_record_", None)
    if record is not None:
        arrays |= {f"people/{name}": getattr(record, name) for name in _RECORD}
    reference = getattr(model, "training_reference_", None)
    for space, kept in (reference.spaces if reference else {}).items():
        arrays |= {f"reference/{space}/{name}": getattr(kept, name) for name in _SPACE}
    return arrays


def known_from_arrays(model: Any, arrays: _Arrays) -> None:
    """Give a model what ``known_to_arrays`` returned.

    Raises
    ------
    ModelFileError
        If it is no record, or no reference.
    """
    if "people/label" in arrays:
        kept = [arrays[f"people/{name}"] for name in _RECORD]
        rows = (len(kept[0]),)
        check_numbers("people/probability", kept[0], rows, low=0, high=1)
        check_numbers("people/label", kept[1], rows, kinds="i", low=0, high=1)
        _check_owners("people/participant", kept[2], rows)
        model.out_of_fold_record_ = OutOfFoldRecord(*kept)
    spaces = {name.split("/")[1] for name in arrays if name.startswith("reference/")}
    if spaces:
        model.training_reference_ = TrainingReference(
            {space: _space(space, arrays) for space in sorted(spaces)}
        )


def _space(name: str, arrays: _Arrays) -> Space:
    parts = {part: arrays[f"reference/{name}/{part}"] for part in _SPACE}
    n_values = (len(parts["centre"]),)
    check_numbers("centre", parts["centre"], n_values)
    check_numbers("scale", parts["scale"], n_values)
    space = Space(**parts)
    check_numbers("points", space.points, (None, space.n_dimensions))
    _check_owners("participant", space.participant, (len(space.points),))
    return space


def _check_owners(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """See that participants are numbered from 0, so that counting them is cheap."""
    check_numbers(name, array, shape, kinds="i", low=0, high=max(0, len(array) - 1))
