"""What a model said of training participants that it had not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .participant_numbers import MIN_PARTICIPANTS
from .predictions import check_scores


@dataclass(frozen=True, eq=False)
class OutOfFoldRecord:
    """Out-of-fold predictions of the training participants, without names.

    It says how far the probabilities can be trusted for a person whom the model has not
    seen, and how much that differs from person to person. `summarize_biopsies` needs
    it; ``glomclf train --cv`` and ensembles keep it in the model file.

    Parameters
    ----------
    probability : ndarray of shape (n_samples,), float64 in [0, 1]
        Of class 1, by a model that was trained without this participant.
    label : ndarray of shape (n_samples,), int
        0 or 1.
    participant : ndarray of shape (n_samples,), int
        A number for each participant, from 0.
    """

    probability: NDArray[np.float64]
    label: NDArray[np.intp]
    participant: NDArray[np.intp]

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, y_score: ArrayLike, groups: ArrayLike
    ) -> OutOfFoldRecord:
        """Make a record of labels, out-of-fold probabilities and participants.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, 0 or 1.
        y_score : array-like of shape (n_samples,)
            Out-of-fold probabilities of class 1, in [0, 1].
        groups : array-like of shape (n_samples,)
            The participant of each row; only numbers in their place are kept.

        Returns
        -------
        record : OutOfFoldRecord

        Raises
        ------
        ScoreError
            If an input cannot be used.

        Examples
        --------
        >>> from glomclf.evaluation import OutOfFoldRecord
        >>> record = OutOfFoldRecord.from_predictions([0, 1], [0.2, 0.9], ["A", "B"])
        >>> record.participant
        array([0, 1])
        """
        label, probability, participant = check_scores(y_true, y_score, groups)
        return cls(probability, label, participant)

    @property
    def n_participants(self) -> int:
        """Number of participants."""
        return len(np.unique(self.participant))

    @property
    def fault(self) -> str:
        """Why no interval can rest on this record; empty if one can."""
        n_several = int((np.bincount(self.participant) > 1).sum())
        if n_several < MIN_PARTICIPANTS:
            return (
                f"the model's record of people it had not seen has {n_several} "
                f"participants with several glomeruli, and {MIN_PARTICIPANTS} are "
                "needed to tell how much people differ"
            )
        if len(np.unique(self.label)) < 2:
            return "the model's record of people it had not seen has one class only"
        return ""
