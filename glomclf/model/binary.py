"""What both classifiers are once fitted: they predict, are recalibrated and saved."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..data.archive import read_model, rebuilt, write_model
from ..data.labels import encode_labels, labels_at, positive_class
from ..data.participants import participants_of
from ..errors import ParameterError
from ..evaluation.predictions import check_scores
from .known_people import keep_record
from .recalibration import Method, fit_recalibration, without_own_participant

Floats = NDArray[np.float64]
Parts = tuple[dict[str, Any], dict[str, NDArray[Any]]]


class BinaryClassifier(ClassifierMixin, BaseEstimator):
    """A classifier with a positive class, a threshold and a file."""

    classes_: NDArray[Any]
    pos_label_: Any
    threshold_: float
    _probability: Callable[[Any], Floats]  # of each class, without any recalibration
    _to_parts: Callable[[], Parts]
    _from_parts: Callable[..., Self]

    def predict_proba(self, X):
        """Give the probability of each class.

        Parameters
        ----------
        X : DataFrame, array-like of paths, or ndarray
            As in ``fit``; no labels or participants are needed.

        Returns
        -------
        ndarray of shape (n_samples, 2), float64 in [0, 1]
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        probability = self._probability(X)
        learned = getattr(self, "recalibration_", None)
        if learned is None:
            return probability
        positive = learned.apply(probability[:, self._positive])
        columns = [1 - positive, positive]
        return np.column_stack(columns if self._positive else columns[::-1])

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
        scores = scores_as_trained(self, X)
        return recalibrate_by(self, is_positive, scores, groups, method)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted classifier to one file, without pickle.

        The file holds all weights (but frozen random ones, which are made again), so
        that it needs neither the internet nor a weights file. Parameters that only
        training needs and that are not plain values (a RandomState instance, folds that
        are not an int) are left out. It names no participant.

        Parameters
        ----------
        path : str or Path

        Raises
        ------
        ModelFileError
            If the sampler, encoder or network, or a member of an ensemble, cannot be
            described without pickle.
        """
        check_is_fitted(self)
        write_model(path, *self._to_parts(), kind=type(self).__name__)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a classifier that ``save`` wrote; it predicts the same.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        classifier
            Fitted.

        Raises
        ------
        ModelFileError
            If the file is truncated, changed or foreign, or holds another kind of
            model.
        """
        return rebuilt(path, cls._from_parts, *read_model(path, kind=cls.__name__))

    def _find_classes(self, y: NDArray[Any], pos_label: Any) -> None:
        if not len(y):
            raise ValueError("y has 0 rows; rows of two classes are needed.")
        self.classes_ = encode_labels(y)[0]
        self.pos_label_ = positive_class(self.classes_, pos_label)

    @property
    def _positive(self) -> int:
        """Column of the positive class."""
        return self.classes_.tolist().index(self.pos_label_)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "training_record_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.non_deterministic = self.random_state is None
        return tags


def scores_as_trained(model: BinaryClassifier, X: Any) -> Floats:
    """Give the probability of the positive class without any recalibration."""
    return model._probability(X)[:, model._positive]


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
