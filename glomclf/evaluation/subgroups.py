"""Scores of each centre, stain or scanner, and how far each is from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .estimates import Estimates
from .plain import plain

if TYPE_CHECKING:
    from .evaluation import Evaluation

MAX_SUBGROUPS = 20  # of each, all scores are computed some thousand times
_RANKED_BY = "balanced_accuracy"
_SHOWN = ("recall", "specificity", "f1", _RANKED_BY)
PERCENTAGE_ERRORS = ("mean_absolute_error", "bias")


@dataclass(frozen=True, kw_only=True)
class Subgroups:
    """Scores of each value of a column, as ``evaluate(..., by=...)`` returns them.

    Parameters
    ----------
    column : str
        What the rows are divided by, such as "centre".

    evaluations : dict of str to Evaluation
        The scores of the rows of each value, in the order of the values, as if these
        had been scored alone.

    differences : dict of str to Estimates
        Scores of these rows less those of all other rows, with intervals over
        participants; of `percentages` as well.

    percentages : dict of str to Estimates
        How far the predicted percentages of class 1 of each participant are from the
        true ones, in percentage points: ``mean_absolute_error`` and ``bias`` (mean of
        predicted less true), as of :func:`biopsy_agreement`. Empty where participants
        are not known, or none has two rows.
    """

    column: str
    evaluations: dict[str, Evaluation]
    differences: dict[str, Estimates]
    percentages: dict[str, Estimates]

    @property
    def worst(self) -> str | None:
        """The value with the lowest balanced accuracy.

        That score asks for both kinds of mistakes, and does not fall merely because
        sclerosis is rarer somewhere, as F1 does. None where no value has both classes.
        The worst of several is worst by chance, too: look at the interval of its
        difference.
        """
        ranked = {
            value: one.scores[_RANKED_BY]
            for value, one in self.evaluations.items()
            if not np.isnan(one.scores[_RANKED_BY])
        }
        return min(ranked, key=ranked.__getitem__) if ranked else None

    def to_frame(self) -> pd.DataFrame:
        """Return the scores of all values as a table.

        Returns
        -------
        frame : DataFrame
            Index of the values, named as the column, and ``score``; columns
            ``n_samples``, ``n_positive``, ``n_participants``, those of
            `Estimates.to_frame`, and ``difference``, ``difference_low`` and
            ``difference_high``.
        """
        return pd.concat(
            {value: self._table(value) for value in self.evaluations},
            names=[self.column],
        )

    def _table(self, value: str) -> pd.DataFrame:
        one = self.evaluations[value]
        parts = [one, *([self.percentages[value]] if self.percentages else [])]
        table = pd.concat([part.to_frame() for part in parts])
        table.insert(0, "n_samples", one.n_samples)
        table.insert(1, "n_positive", int(one.confusion_matrix[1].sum()))
        table.insert(2, "n_participants", one.n_participants)
        apart = self.differences[value].to_frame()[["value", "low", "high"]]
        names = ["difference", "difference_low", "difference_high"]
        return table.join(apart.set_axis(names, axis=1))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types that JSON can hold; NaN becomes None.

        Returns
        -------
        content : dict
        """
        return plain({**vars(self), "worst": self.worst})

    def __str__(self) -> str:
        frame = self.to_frame()
        counts = frame[["n_samples", "n_participants"]].groupby(level=0, sort=False)
        shown = [*_SHOWN, *(PERCENTAGE_ERRORS[:1] if self.percentages else ())]
        values = frame["value"].unstack().reindex(list(self.evaluations))[shown]
        return counts.first().join(values).to_string(float_format="{:.3f}".format)


def subgroup_values(
    by: ArrayLike, n_samples: int
) -> tuple[NDArray[np.object_], list[str]]:
    """Return the value of each row as text, and what is wrong with them.

    Parameters
    ----------
    by : array-like of shape (n_samples,)
        A missing value is told as "not given".

    n_samples : int

    Returns
    -------
    values : ndarray of shape (n_samples,), dtype object

    faults : list of str
        Empty if nothing is wrong.

    Examples
    --------
    >>> from glomclf.evaluation.subgroups import subgroup_values
    >>> subgroup_values(["A", None], 2)
    (array(['A', 'not given'], dtype=object), [])
    >>> subgroup_values(["A", "A"], 2)[1]
    ["by has the one value 'A'; two are needed to compare"]
    """
    given = np.asarray(by, dtype=object)
    if given.shape != (n_samples,):
        return given, [f"by must have shape ({n_samples},), got {given.shape}"]
    texts = ["not given" if pd.isna(value) else str(value) for value in given]
    values, found = np.array(texts, dtype=object), sorted(set(texts))
    if len(found) == 1:
        return values, [f"by has the one value {found[0]!r}; two are needed to compare"]
    if len(found) > MAX_SUBGROUPS:
        return values, [
            f"by has {len(found)} values, as {found[0]!r} and {found[1]!r}; at most "
            f"{MAX_SUBGROUPS} are compared. Put a number, such as an age, into a few "
            "classes first"
        ]
    return values, []
