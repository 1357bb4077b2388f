"""Scores of each centre, stain or scanner, and how far each is from the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .estimates import Estimates
from .intervals import Replicates, Scale
from .plain import plain
from .scores import SCORES, ScoredRows

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__ = ["MAX_SUBGROUPS", "Subgroups", "score_subgroups", "subgroup_values"]

MAX_SUBGROUPS = 20  # of each, all scores are computed some thousand times
_RANKED_BY = "balanced_accuracy"
_SHOWN = ("recall", "specificity", "f1", _RANKED_BY)
_PERCENTAGE_ERRORS = {"mean_absolute_error": Scale(0, 100), "bias": Scale(-100, 100)}
_SCALES = {name: one.scale for name, one in SCORES.items()} | _PERCENTAGE_ERRORS


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
        parts = {
            "evaluations": {k: one.to_dict() for k, one in self.evaluations.items()},
            "differences": {k: one.to_dict() for k, one in self.differences.items()},
            "percentages": {k: one.to_dict() for k, one in self.percentages.items()},
        }
        return plain({"column": self.column, "worst": self.worst, **parts})

    def __str__(self) -> str:
        table = pd.DataFrame(
            {
                value: {
                    "rows": str(one.n_samples),
                    "participants": str(one.n_participants or "unknown"),
                    **{name: f"{one.scores[name]:.3f}" for name in _SHOWN},
                    **self._error(value),
                }
                for value, one in self.evaluations.items()
            }
        ).T
        return table.rename_axis(self.column, axis=1).to_string()

    def _error(self, value: str) -> dict[str, str]:
        name = "mean_absolute_error"
        if not self.percentages:
            return {}
        return {name: f"{self.percentages[value].scores[name]:.1f}"}


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


def score_subgroups(
    rows: ScoredRows,
    values: NDArray[np.object_],
    column: str,
    judge: Callable[[ScoredRows], Evaluation],
    draw: Callable[[NDArray[np.intp]], Replicates],
    *,
    known: bool,
) -> Subgroups:
    """Score the rows of each value, and their distance from all others.

    Parameters
    ----------
    rows : ScoredRows

    values : ndarray of shape (n_samples,), dtype object
        As from `subgroup_values`.

    column : str

    judge : callable
        Scores a part of the rows.

    draw : callable
        Makes replicates of participants from their strata.

    known : bool
        Whether rows are of participants that are known.

    Returns
    -------
    subgroups : Subgroups
    """
    names, codes = np.unique(values.astype(str), return_inverse=True)
    replicates = draw(_strata(rows, codes))
    has_percentages = known and rows.n_groups < len(rows.y_true)
    evaluations, differences, percentages = {}, {}, {}
    for code, name in enumerate(map(str, names)):
        inside, outside = _part(rows, codes == code), _part(rows, codes != code)
        evaluations[name] = judge(inside[0])
        of_in, of_out = (
            _scored(part, replicates.weights[:, kept], has_percentages)
            for part, kept in (inside, outside)
        )
        differences[name] = replicates.estimates(
            {score: of_in[score] - of_out[score] for score in of_in},
            {score: _SCALES[score].of_differences for score in of_in},
        )
        if has_percentages:
            own = draw(np.zeros(inside[0].n_groups, dtype=np.intp))
            errors = _percentage_errors(inside[0], own.weights)
            percentages[name] = own.estimates(errors, _PERCENTAGE_ERRORS)
    return Subgroups(
        column=column,
        evaluations=evaluations,
        differences=differences,
        percentages=percentages,
    )


def _scored(
    rows: ScoredRows, weights: NDArray[Any], has_percentages: bool
) -> dict[str, NDArray[np.float64]]:
    errors = _percentage_errors(rows, weights) if has_percentages else {}
    return dict(rows.score(weights)) | errors


def _percentage_errors(
    rows: ScoredRows, weights: NDArray[Any]
) -> dict[str, NDArray[np.float64]]:
    """Compute the errors of each participant's percentage, under each row of weights.

    Each participant counts once, however many rows are theirs.
    """
    _, fp, fn, _ = rows.counts.T
    gap = 100 * (fp - fn) / rows.counts.sum(axis=1)
    weights = weights.astype(np.float64)
    with np.errstate(invalid="ignore"):  # a replicate may have none of the participants
        return {
            "mean_absolute_error": weights @ np.abs(gap) / weights.sum(axis=1),
            "bias": weights @ gap / weights.sum(axis=1),
        }


def _part(
    rows: ScoredRows, inside: NDArray[np.bool_]
) -> tuple[ScoredRows, NDArray[np.intp]]:
    """Return some of the rows, and which participants they are of."""
    kept, codes = np.unique(rows.codes[inside], return_inverse=True)
    cut = rows.threshold if np.ndim(rows.threshold) == 0 else rows.threshold[inside]  # type: ignore[index]
    part = replace(
        rows,
        y_true=rows.y_true[inside],
        y_score=rows.y_score[inside],
        codes=codes,
        threshold=cut,
    )
    return part, kept


def _strata(rows: ScoredRows, codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Resample participants within their value, unless some have several.

    Those would have strata of their own, of which nothing could be drawn.
    """
    own = np.zeros(rows.n_groups, dtype=np.intp)
    own[rows.codes] = codes
    if (own[rows.codes] == codes).all():
        return 3 * own + rows.strata
    return rows.strata
