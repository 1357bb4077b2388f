"""The threshold of a fit, chosen on training participants alone.

Nothing here meets a row that the fitted classifier will be judged on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..evaluation.thresholds import choose_threshold
from .binary import scores_as_trained
from .checks import chooses_threshold
from .folds import fit_folds, inner_folds
from .rows import Rows
from .validation import are_enough


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, and how it was found.

    Parameters
    ----------
    value : float
        In [0, 1].
    chosen_on : str
        The rows that it was chosen on: "given" where it was not chosen, else
        "validation participants", "validation rows" (whose participants are not
        known), "inner folds" or "out-of-fold predictions".
    n_samples : int
        How many; 0 where it was given.
    """

    value: float
    chosen_on: str = "given"
    n_samples: int = 0

    @property
    def record(self) -> dict[str, Any]:
        """Plain values for the record of a training."""
        return {
            "threshold": float(self.value),
            "threshold_chosen_on": self.chosen_on,
            "threshold_n_samples": self.n_samples,
        }


def choose_inside(
    classifier: Any,
    rows: Rows,
    validation: Rows | None,
    given: dict[str, Any],
    seed: int,
) -> ChosenThreshold:
    """Choose the threshold of a classifier whose pipeline is fitted.

    Parameters
    ----------
    classifier : GlomeruliClassifier
    rows : Rows
        All of the fit.
    validation : Rows or None
        It is chosen on them if they are enough, else on predictions of inner folds.
    given : dict
        ``X_val`` and ``y_val`` of the fit.
    seed : int
        Seeds the inner folds.

    Returns
    -------
    ChosenThreshold
        The given one, where none is to be chosen.
    """
    if not chooses_threshold(classifier):
        return ChosenThreshold(classifier.threshold)
    if validation is not None and are_enough(validation.y, validation.groups):
        labels, known = validation.y, validation.groups is not None
        probability = scores_as_trained(classifier, validation.X)
        chosen_on = f"validation {'participants' if known else 'rows'}"
    else:
        labels, chosen_on = rows.y, "inner folds"
        probability = _out_of_inner_folds(classifier, rows, given, seed)
    is_positive = labels == classifier.pos_label_
    value = choose_threshold(is_positive, probability, classifier.threshold)
    return ChosenThreshold(value, chosen_on, len(labels))


def _out_of_inner_folds(
    classifier: Any, rows: Rows, given: dict[str, Any], seed: int
) -> NDArray[np.float64]:
    """Predict each row by a classifier that did not see its participant."""
    model = clone(classifier).set_params(threshold=0.5, random_state=seed, verbose=0)
    folds = inner_folds(rows.y, rows.groups, seed, chosen="threshold")
    options = {"pos_label": classifier.pos_label_, "verbose": classifier.verbose}
    probability = np.empty(len(rows.y))
    for one in fit_folds(
        repeat(model), rows, folds, doing="threshold: inner folds", **options, **given
    ):
        probability[one.test] = one.probability
    return probability
