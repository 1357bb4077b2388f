"""Trials in scikit-learn's words: their table, and the best, or why there is none."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from .._runtime import counted
from ..errors import TuningError
from .objective import Objective
from .scoring import Scoring
from .trials import is_feasible, reason

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["best_index", "require_a_choice", "results_of"]


def results_of(
    search: Any, trials: Sequence[FrozenTrial], objective: Objective
) -> dict[str, Any]:
    """Return a table of trials, as scikit-learn makes it of candidates.

    Parameters
    ----------
    search : BaseSearchCV
        It formats the table.
    trials : sequence of optuna.trial.FrozenTrial
    objective : Objective
        Of the trials.

    Returns
    -------
    dict of str to array
        NaN for folds that were not run. Ranks are of complete and feasible trials; the
        others share the last.
    """
    if not trials:
        return {"params": []}
    with warnings.catch_warnings():  # of trials that were pruned, or failed
        warnings.filterwarnings("ignore", message="One or more of the test scores")
        results: dict[str, Any] = search._format_results(
            [_settings(objective, trial) for trial in trials],
            len(objective.folds),
            [fold for trial in trials for fold in _folds(objective, trial)],
            {
                "trial": [trial.number for trial in trials],
                "state": [trial.state.name for trial in trials],
                "feasible": [is_feasible(trial) for trial in trials],
            },
        )
    for name in [name for name in results if name.startswith("rank_test_")]:
        means = results[name.replace("rank", "mean", 1)]
        ranked = np.where(results["feasible"], means, -np.inf)
        results[name] = rankdata(-ranked, method="min").astype(np.int32)
    return results


def _settings(objective: Objective, trial: FrozenTrial) -> dict[str, Any]:
    """Return what a trial set on the estimator; what was suggested, where it failed."""
    if "settings" not in trial.user_attrs:
        return dict(trial.params)
    return dict(objective.search_space(trial))  # type: ignore[arg-type]


def _folds(objective: Objective, trial: FrozenTrial) -> list[dict[str, Any]]:
    """Return what scikit-learn notes of each fold; a single objective is ``score``."""
    noted, sought = trial.user_attrs, objective.scoring.objectives
    alone = dict.fromkeys(sought, "score") if len(sought) == 1 else {}
    table = pd.DataFrame(
        {
            "fit_time": noted["fit_seconds"],
            "score_time": noted["score_seconds"],
            **noted["fold_scores"],
        },
        index=range(len(noted["fit_seconds"])),
        columns=["fit_time", "score_time", *sought, *objective.scoring.constraint],
    ).reindex(range(len(objective.folds)))
    times, scores = table.iloc[:, :2], table.iloc[:, 2:].rename(columns=alone)
    return [
        {"fit_time": fit, "score_time": score, "test_scores": reached}
        for (fit, score), reached in zip(
            times.to_numpy(), scores.to_dict("records"), strict=True
        )
    ]


def best_index(search: Any, scoring: Scoring) -> int | None:
    """Return the row of the best trial, None where several objectives leave it open.

    Parameters
    ----------
    search : GlomeruliSearchCV
        With ``cv_results_`` and ``best_trials_``.
    scoring : Scoring

    Returns
    -------
    int or None
    """
    named = isinstance(search.refit, str)
    if len(scoring.objectives) > 1 and not named:
        return None
    place = scoring.objectives.index(search.refit) if named else 0
    best = max(search.best_trials_, key=lambda trial: trial.values[place])
    return list(search.cv_results_["trial"]).index(best.number)


def require_a_choice(trials: Sequence[FrozenTrial], scoring: Scoring) -> None:
    """Refuse to choose where nothing can be chosen, and say why.

    Raises
    ------
    TuningError
        If no trial is complete, or none meets the constraint.
    """
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if not complete:
        raise TuningError(_why_none(trials))
    if not any(is_feasible(trial) for trial in complete):
        raise TuningError(_nearest(complete, scoring))


def _why_none(trials: Sequence[FrozenTrial]) -> str:
    states = {"PRUNED": "pruned", "FAIL": "failed in"}
    reasons = Counter(f"{states[t.state.name]} {reason(t)}" for t in trials)
    if not reasons:
        return (
            "No trial was finished before time was up, or others are still at them. "
            "Give a longer timeout or fewer folds, or run the same again later."
        )
    listed = "\n".join(
        f"  {counted(n, 'time')}: {why}" for why, n in reasons.most_common()
    )
    return f"None of {len(trials)} trials is complete:\n{listed}"


def _nearest(complete: Sequence[FrozenTrial], scoring: Scoring) -> str:
    """Name the trial that misses the constraint by least."""
    nearest = min(complete, key=lambda t: (max(t.constraints.values()), t.number))
    wanted = ", ".join(f"{name} >= {v:g}" for name, v in scoring.constraint.items())
    reached = ", ".join(
        f"{name} {least - nearest.constraints[name]:.3f}"
        for name, least in scoring.constraint.items()
    )
    return (
        f"None of {len(complete)} complete trials meets the constraint {wanted}. The "
        f"nearest is trial {nearest.number} with {reached} and {nearest.params}. Run "
        "more trials, or ask for less."
    )
