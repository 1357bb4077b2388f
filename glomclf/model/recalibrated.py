"""A classifier that can be made right for a new site, and what its file keeps of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..data.archive_fields import check_fields, check_numbers
from ..data.labels import labels_at
from ..data.participants import participants_of
from ..errors import ModelFileError, ParameterError
from ..evaluation.predictions import check_scores
from .known_people import keep_record
from .recalibration import (
    Method,
    Recalibration,
    fit_recalibration,
    without_own_participant,
)
from .records import COUNT

__all__ = [
    "Recalibrated",
    "recalibrate_by",
    "recalibration_from_json",
    "recalibration_to_json",
    "scores_as_trained",
]

Floats = NDArray[np.float64]

_STEPS = ("before", "after")
_FIELDS: dict[str, list[Any]] = {
    "method": [StrOptions({"intercept", "temperature", "logistic", "isotonic"})],
    "intercept": [Interval(Real, -20, 20, closed="both")],
    "slope": [Interval(Real, 0, 25, closed="neither")],
    **{name: [list] for name in _STEPS},
    "n_samples": COUNT,
    "n_positive": COUNT,
    "n_participants": COUNT,
}


def scores_as_trained(model: Any, X: Any) -> Floats:
    """Give the probability of the positive class without any recalibration."""
    trained = copy.copy(model)
    trained.__dict__.pop("recalibration_", None)
    place = model.classes_.tolist().index(model.pos_label_)
    probability: Floats = trained.predict_proba(X)[:, place]
    return probability


def recalibrate_by(
    model: Any, y: ArrayLike, scores: ArrayLike, groups: ArrayLike, method: Method
) -> Any:
    """Recalibrate a model by what it said of a site's participants when trained.

    They take the place of those that were trained on in its record: each of them is
    recalibrated by the others. Of one participant there is no record.

    Parameters
    ----------
    model : GlomeruliClassifier or FoldEnsembleClassifier
    y, scores, groups : array-like of shape (n_samples,)
        1 for the positive class, else 0; as `scores_as_trained` gives it; participants.
    method : str

    Returns
    -------
    model

    Raises
    ------
    ScoreError
        If the method cannot be learned from these rows; the model is as it was.
    """
    learned = fit_recalibration(y, scores, groups, method)
    label, raw, codes = check_scores(y, scores, groups)
    blind = None
    if learned.n_participants > 1:
        blind = without_own_participant(label, raw, codes, method)
    model.__dict__.pop("out_of_fold_record_", None)
    if blind is not None:
        keep_record(model, label, blind, codes)
    model.recalibration_ = learned
    return model


def recalibration_to_json(model: Any) -> dict[str, Any] | None:
    """Describe what a model was recalibrated to; None where it was not."""
    learned = getattr(model, "recalibration_", None)
    return None if learned is None else asdict(learned)


def recalibration_from_json(model: Any, described: dict[str, Any] | None) -> None:
    """Give a model what ``recalibration_to_json`` described.

    Raises
    ------
    ModelFileError
        If it is no recalibration.
    """
    if described is None:
        return
    check_fields("The recalibration", described, _FIELDS)
    steps = {name: np.array(described[name], dtype=float) for name in _STEPS}
    n_steps = len(steps["before"])
    if (described["method"] == "isotonic") != (n_steps > 0):
        raise ModelFileError("The recalibration's method and its steps differ.")
    for name, numbers in steps.items():
        check_numbers(name, numbers, (n_steps,), low=0, high=1)
        if (np.diff(numbers) < 0).any():
            raise ModelFileError(f"The recalibration's {name!r} does not rise.")
    kept = {name: tuple(numbers.tolist()) for name, numbers in steps.items()}
    model.recalibration_ = Recalibration(**{**described, **kept})


class Recalibrated:
    """What a fitted classifier has that can be made right for a site."""

    classes_: NDArray[Any]
    pos_label_: Any
    threshold_: float
    predict_proba: Callable[[Any], Floats]

    def predict(self, X):
        """Predict the positive class where its probability reaches ``threshold_``.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            As in ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        probability = self.predict_proba(X)
        return labels_at(probability, self.threshold_, self.classes_, self.pos_label_)

    def recalibrate(self, X, y, groups=None, method="auto"):
        """Make the probabilities right for a site, by labelled participants of it.

        ``predict_proba`` and ``predict`` then give what holds at that site; the number
        ``threshold_`` stays. An earlier recalibration is replaced.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            As in ``predict_proba``. None of the participants may be one of those that
            the model was trained on.
        y : array-like of shape (n_samples,)
            Labels, of ``classes_``.
        groups : array-like of shape (n_samples,), default=None
            Participant of each row; by default the column ``participant`` of ``X``.
        method : {"auto", "intercept", "temperature", "logistic", "isotonic"}
            As in :func:`glomclf.model.fit_recalibration`.

        Returns
        -------
        self
            With ``recalibration_``, a :class:`glomclf.model.Recalibration`. Its
            ``out_of_fold_record_`` is now of the site's participants, each
            recalibrated by the others, and gone where there is one participant only.

        Raises
        ------
        ParameterError
            If participants are not known, or a label is not of ``classes_``.
        ScoreError
            If the method cannot be learned from these rows.
        """
        check_is_fitted(self)
        y, groups = column_or_1d(y), participants_of(X, groups)
        if groups is None:
            raise ParameterError(
                "recalibrate counts participants, and none are known. Pass groups, or "
                "a DataFrame with a column 'participant'."
            )
        unknown = sorted(set(np.unique(y).tolist()) - set(self.classes_.tolist()))
        if unknown:
            raise ParameterError(
                f"y has the labels {unknown}, and the model tells "
                f"{self.classes_.tolist()} apart."
            )
        is_positive = (y == self.pos_label_).astype(int)
        return recalibrate_by(
            self, is_positive, scores_as_trained(self, X), groups, method
        )

    def _recalibrated(self, probability: Floats) -> Floats:
        """Return probabilities of both classes as they are at the site, if one is."""
        learned = getattr(self, "recalibration_", None)
        if learned is None:
            return probability
        place = self.classes_.tolist().index(self.pos_label_)
        positive = learned.apply(probability[:, place])
        columns = [1 - positive, positive]
        return np.column_stack(columns if place else columns[::-1])
