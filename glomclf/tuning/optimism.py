"""How much too good the best score of a study is, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.estimates import Estimates
from ..evaluation.intervals import Scale, draw_replicates
from ..evaluation.scores import SCORES, ScoredRows

__all__ = ["optimism_of"]


def optimism_of(
    folds: Sequence[Any],
    table: pd.DataFrame,
    scoring: str,
    *,
    n_bootstrap: int,
    confidence: float,
    seed: int,
) -> Estimates:
    """Compare the best scores with those on the outer folds' own participants.

    Parameters
    ----------
    folds : sequence of FoldResult
    table : DataFrame
        Predictions of all outer folds, as in ``NestedResult.predictions``.
    scoring : str
        Name of the score that was tuned.
    n_bootstrap : int
    confidence : float
    seed : int

    Returns
    -------
    Estimates
        ``best``, ``nested`` and ``optimism``.
    """
    best = float(np.mean([one.best_score for one in folds]))
    known = scoring in SCORES
    judged = _FoldScores(table, scoring if known else None)
    replicates = draw_replicates(judged.strata, n_bootstrap, confidence, seed)
    means = judged.mean(replicates.weights)
    same = np.full(len(means), best)
    scale = SCORES[scoring].scale if known else Scale()
    estimates = replicates.estimates(
        {"best": same, "nested": means, "optimism": best - means},
        {"best": Scale(), "nested": scale, "optimism": scale.of_differences},
    )
    nested = float(np.mean([one.test_score for one in folds]))
    return _with_own_scores(estimates, best, nested, known, scoring)


def _with_own_scores(
    estimates: Estimates, best: float, nested: float, known: bool, scoring: str
) -> Estimates:
    """Put in the scores as the scorer gave them, and say what has no interval."""
    none = (np.nan, np.nan)
    notes = {"best": "of many trials on the same folds; it has no interval"}
    intervals = {**estimates.intervals, "best": none}
    if not known:
        intervals = dict.fromkeys(intervals, none)
        notes |= dict.fromkeys(
            ("nested", "optimism"), f"no interval can be given for {scoring}"
        )
    return replace(
        estimates,
        scores={"best": best, "nested": nested, "optimism": best - nested},
        intervals=intervals,
        notes={**estimates.notes, **notes},
    )


class _FoldScores:
    """The mean of a score over outer folds, for many weightings of participants."""

    def __init__(self, table: pd.DataFrame, scoring: str | None):
        self.scoring = scoring
        self.rows: list[tuple[slice, ScoredRows]] = []
        strata: list[NDArray[np.intp]] = []
        start = 0
        for fold, part in table.groupby("fold"):
            owners = part["participant"]
            owners = part["row"] if owners.isna().all() else owners.astype(str)
            codes = np.unique(owners, return_inverse=True)[1]
            rows = ScoredRows(
                part["label"].to_numpy(),
                part["probability"].to_numpy(),
                codes,
                part["threshold"].to_numpy(),
                0.9,
            )
            self.rows.append((slice(start, start + rows.n_groups), rows))
            strata.append(rows.strata + 3 * int(str(fold)))
            start += rows.n_groups
        self.strata = np.concatenate(strata)

    def mean(self, weights: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the mean over folds for each row of weights."""
        if self.scoring is None:
            return np.full(len(weights), np.nan)
        scores = [
            rows.score(weights[:, columns])[self.scoring] for columns, rows in self.rows
        ]
        return np.mean(scores, axis=0)
