"""What a study found, in scikit-learn's words; and which trial is the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from ..errors import TuningError
from .objective import Scoring

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["best_index", "cv_results", "is_feasible", "require_a_choice"]


def cv_results(
    trials: Sequence[FrozenTrial],
    params: Sequence[dict[str, Any]],
    scoring: Scoring,
    n_splits: int,
) -> dict[str, Any]:
    """Return a table of the trials, as scikit-learn's searches do.

    Parameters
    ----------
    trials : sequence of optuna.trial.FrozenTrial
    params : sequence of dict
        What each trial set on the estimator.
    scoring : Scoring
    n_splits : int

    Returns
    -------
    dict of str to array
        NaN for folds that were not run. Ranks are of complete and feasible trials; the
        others share the last.
    """
    table: dict[str, Any] = {
        "trial": np.array([t.number for t in trials], dtype=int),
        "state": np.array([t.state.name for t in trials], dtype=object),
        "feasible": np.array([is_feasible(t) for t in trials], dtype=bool),
        **_times(trials),
        **_parameters(params),
        "params": list(params),
    }
    alone = len(scoring.objectives) == 1
    for name in (*scoring.objectives, *scoring.constraint):
        suffix = "score" if alone and name in scoring.objectives else name
        if f"mean_test_{suffix}" not in table:
            table |= _scores(trials, name, suffix, n_splits)
    return table


def is_feasible(trial: FrozenTrial) -> bool:
    """Tell whether a trial is complete and meets the constraint."""
    from optuna.trial import TrialState

    meets = all(missed <= 0 for missed in trial.constraints.values())
    return trial.state == TrialState.COMPLETE and meets


def best_index(
    results: dict[str, Any], scoring: Scoring, refit: bool | str | Callable
) -> int | None:
    """Return the row of the best trial, None where several objectives leave it open.

    Parameters
    ----------
    results : dict
        As `cv_results` returns it.
    scoring : Scoring
    refit : bool, str or callable
        With several objectives the name of the score that decides, or a function of
        the results; ties are decided by the other objectives.

    Returns
    -------
    int or None
    """
    if callable(refit):
        return int(refit(results))
    if len(scoring.objectives) == 1:
        names = ["score"]
    elif isinstance(refit, str):
        names = [refit, *(name for name in scoring.objectives if name != refit)]
    else:
        return None
    keys = [np.where(results["feasible"], 0, -np.inf)]
    keys += [np.nan_to_num(results[f"mean_test_{n}"], nan=-np.inf) for n in names]
    # lexsort sorts by its last key first; of equals the earlier trial is the best.
    order = np.lexsort([-results["trial"], *reversed(keys)])
    return int(order[-1])


def require_a_choice(trials: Sequence[FrozenTrial], scoring: Scoring) -> None:
    """Refuse to choose where nothing can be chosen, and say why.

    Raises
    ------
    TuningError
        If no trial is complete, or none meets the constraint.
    """
    from optuna.trial import TrialState

    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    if not complete:
        raise TuningError(_why_none(trials))
    if not any(is_feasible(t) for t in complete):
        raise TuningError(_nearest(complete, scoring))


def _why_none(trials: Sequence[FrozenTrial]) -> str:
    reasons = Counter(_reason(t) for t in trials)
    if not reasons:
        return (
            "No trial was finished before time was up, or others are still at them. "
            "Give a longer timeout or fewer folds, or run the same again later."
        )
    listed = "\n".join(f"  {n} times: {why}" for why, n in reasons.most_common())
    return f"None of {len(trials)} trials is complete:\n{listed}"


def _reason(trial: FrozenTrial) -> str:
    error = trial.user_attrs.get("error")
    if error is not None:
        return f"failed in {error['place']}: {error['type']}: {error['message']}"
    if trial.state.name == "PRUNED":
        return f"pruned: {trial.user_attrs.get('prune_reason', 'no reason given')}"
    return "its worker died while it ran (was the memory enough?)"


def _nearest(complete: Sequence[FrozenTrial], scoring: Scoring) -> str:
    """Name the trial that misses the constraint by least."""
    nearest = min(
        complete, key=lambda t: (max(t.constraints.values(), default=0), t.number)
    )
    wanted = ", ".join(f"{name} >= {v:g}" for name, v in scoring.constraint.items())
    reached = ", ".join(
        f"{name} {np.mean(nearest.user_attrs['fold_scores'][name]):.3f}"
        for name in scoring.constraint
    )
    return (
        f"None of {len(complete)} complete trials meets the constraint {wanted}. The "
        f"nearest is trial {nearest.number} with {reached} and {nearest.params}. Run "
        "more trials, or ask for less."
    )


def _times(trials: Sequence[FrozenTrial]) -> dict[str, Any]:
    fit = [np.array(t.user_attrs.get("fit_seconds", ())) for t in trials]
    whole = [np.array(t.user_attrs.get("fold_seconds", ())) for t in trials]
    score = [w - f for w, f in zip(whole, fit, strict=True)]
    return {
        f"{statistic.__name__}_{name}_time": np.array(
            [statistic(one) if len(one) else np.nan for one in seconds]
        )
        for name, seconds in (("fit", fit), ("score", score))
        for statistic in (np.mean, np.std)
    }


def _parameters(params: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one masked column a parameter: not every trial has every one."""
    names = sorted({name for one in params for name in one})
    columns = {}
    for name in names:
        column = np.ma.MaskedArray(np.empty(len(params)), mask=True, dtype=object)
        for row, one in enumerate(params):
            if name in one:
                column[row] = one[name]
        columns[f"param_{name}"] = column
    return columns


def _scores(
    trials: Sequence[FrozenTrial], name: str, suffix: str, n_splits: int
) -> dict[str, Any]:
    folds = np.full((len(trials), n_splits), np.nan)
    for row, trial in enumerate(trials):
        values = trial.user_attrs.get("fold_scores", {}).get(name, [])
        folds[row, : len(values)] = values
    means = folds.mean(axis=1)
    ranked = np.where([is_feasible(t) for t in trials], means, -np.inf)
    return {
        **{f"split{k}_test_{suffix}": folds[:, k] for k in range(n_splits)},
        f"mean_test_{suffix}": means,
        f"std_test_{suffix}": folds.std(axis=1),
        f"rank_test_{suffix}": rankdata(-ranked, method="min").astype(np.int32),
    }
