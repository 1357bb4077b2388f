"""What the trials of a study say: states, values, reasons, as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = [
    "best_trials",
    "finished_trials",
    "is_feasible",
    "objective_names",
    "reason",
    "trials_in",
    "trials_table",
    "tuned_settings",
    "varied_settings",
]


def finished_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that are complete, were pruned, or failed by an error.

    Parameters
    ----------
    study : optuna.Study

    Returns
    -------
    list of optuna.trial.FrozenTrial
        In the order of their numbers. A trial that was stopped with its process, by a
        kill or by Ctrl-C, is left out: it says nothing about its settings.

    Examples
    --------
    >>> import optuna
    >>> from glomclf.tuning.trials import finished_trials
    >>> study = optuna.create_study()
    >>> study.add_trial(optuna.trial.create_trial(value=0.5))
    >>> running = study.ask()
    >>> [trial.value for trial in finished_trials(study)]
    [0.5]
    """
    trials = study.get_trials(deepcopy=False)
    return [one for one in trials if one.state.is_finished() and not _is_lost(one)]


def _is_lost(trial: FrozenTrial) -> bool:
    """Tell whether a trial ended without a word, so with its process."""
    return trial.state.name == "FAIL" and "reason" not in trial.user_attrs


def objective_names(study: Study) -> list[str]:
    """Name the objectives of a study.

    Parameters
    ----------
    study : optuna.Study

    Returns
    -------
    names : list of str
        As the study names them; else ``"score"``, numbered where there are several.

    Examples
    --------
    >>> import optuna
    >>> from glomclf.tuning.trials import objective_names
    >>> objective_names(optuna.create_study(directions=["maximize"]))
    ['score']
    """
    n_objectives = len(study.directions)
    several = [f"score {place}" for place in range(1, n_objectives + 1)]
    return study.metric_names or (["score"] if n_objectives == 1 else several)


def trials_in(study: Study, state: str) -> list[FrozenTrial]:
    """Return the trials in a state: COMPLETE, PRUNED, FAIL, RUNNING or WAITING."""
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state.name == state]


def is_feasible(trial: FrozenTrial) -> bool:
    """Tell whether a trial is complete and meets the constraints of its study."""
    meets = all(missed <= 0 for missed in trial.constraints.values())
    return trial.state.name == "COMPLETE" and meets


def varied_settings(study: Study) -> list[str]:
    """Name the settings that could differ among the trials that ended.

    Parameters
    ----------
    study : optuna.Study

    Returns
    -------
    names : list of str
        In the order in which they were drawn.
    """
    ended = trials_in(study, "COMPLETE")
    names = dict.fromkeys(name for trial in ended for name in trial.params)
    return [
        name
        for name in names
        if len({trial.distributions.get(name) for trial in ended}) > 1
        or not ended[0].distributions[name].single()
    ]


def tuned_settings(trial: FrozenTrial) -> dict[str, Any]:
    """Return what was drawn for a trial, by the keys that ``--set`` takes.

    A space draws ``dropout`` for ``network__dropout``, whose key is
    ``network.dropout``. What is no parameter by itself keeps the name it was drawn by.

    Parameters
    ----------
    trial : optuna.trial.FrozenTrial

    Returns
    -------
    settings : dict of str to object
    """
    parameters = trial.user_attrs.get("settings", {})
    keys = {name.rpartition("__")[2]: name for name in parameters}
    drawn = {keys.get(name, name): value for name, value in trial.params.items()}
    return {name.replace("__", "."): value for name, value in drawn.items()}


def best_trials(study: Study) -> list[FrozenTrial]:
    """Return the best trial or, of several objectives, the Pareto front.

    Parameters
    ----------
    study : optuna.Study

    Returns
    -------
    trials : list of FrozenTrial
        Empty where no trial ended, or none meets the constraints.
    """
    best = study.best_trials
    return sorted(best, key=lambda trial: trial.values, reverse=True)


def reason(trial: FrozenTrial) -> str:
    """Say why a trial failed or was pruned; empty where it did neither.

    Parameters
    ----------
    trial : FrozenTrial

    Returns
    -------
    text : str
    """
    return str(trial.user_attrs.get("reason", ""))


def trials_table(study: Study) -> pd.DataFrame:
    """Put the finished trials into one table, in their order.

    Parameters
    ----------
    study : optuna.Study

    Returns
    -------
    DataFrame
        Indexed by the trial's number: ``state``; the value of each objective; its
        score in each fold, as ``<objective>_fold<k>``, k from 1; ``seconds``;
        ``feasible``; each setting, missing where a trial does without it, ``"none"``
        where it is None; ``reason`` of a failure or pruning.

    Examples
    --------
    >>> import optuna
    >>> from glomclf.tuning.trials import trials_table
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(direction="maximize")
    >>> study.optimize(lambda trial: trial.suggest_int("units", 8, 8) / 10, n_trials=1)
    >>> list(trials_table(study))
    ['state', 'score', 'seconds', 'feasible', 'units', 'reason']
    """
    names, trials = objective_names(study), finished_trials(study)
    index = pd.Index([trial.number for trial in trials], name="number")
    # Trials have other settings and reach other folds: each kind of column together.
    kinds = zip(*(_parts(trial, names) for trial in trials), strict=True)
    frames = [pd.DataFrame(list(kind), index=index) for kind in kinds]
    return pd.concat(frames or [pd.DataFrame(index=index)], axis=1)


def _parts(trial: FrozenTrial, names: list[str]) -> list[dict[str, Any]]:
    is_complete = trial.state.name == "COMPLETE"
    values = trial.values if is_complete else [float("nan")] * len(names)
    return [
        {"state": trial.state.name, **dict(zip(names, values, strict=True))},
        {
            f"{name}_fold{fold}": score
            for name, scores in trial.user_attrs.get("fold_scores", {}).items()
            for fold, score in enumerate(scores, 1)
        },
        {"seconds": trial.duration.total_seconds() if trial.duration else None},
        {"feasible": is_feasible(trial)},
        {k: "none" if value is None else value for k, value in trial.params.items()},
        {"reason": reason(trial)},
    ]
