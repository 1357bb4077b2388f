"""What the trials of a study say: states, reasons, the best of them."""

import math

import numpy as np
import optuna
import pytest

from glomclf.tuning.storage import quiet_optuna
from glomclf.tuning.trials import (
    best_trials,
    finished_trials,
    objective_names,
    reason,
    trials_table,
)

FAILED, PRUNED, CONTRADICTORY = 3, 5, 6


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


def objective(trial):
    """Score by the learning rate; of SMOTE only are there neighbours to choose."""
    sampler = trial.suggest_categorical("sampler", [None, "smote"])
    if sampler:
        trial.suggest_int("neighbors", 3, 9)
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    if trial.number == FAILED:
        trial.set_user_attr("reason", "fold 0: SamplingError: too few")
        raise ValueError
    if trial.number == CONTRADICTORY:
        trial.set_user_attr("reason", "augmentation needs images")
        raise optuna.TrialPruned
    value = 1 - abs(math.log10(rate) + 2.5) / 3
    trial.report(value, 0)
    if trial.number == PRUNED:
        trial.set_user_attr("reason", "by the pruner")
        raise optuna.TrialPruned
    scores = [value - 0.1, value + 0.1]
    trial.set_user_attr("fold_scores", {"roc_auc": scores})
    return value


def study_of(n_trials, directions=("maximize",), objective=objective):
    study = optuna.create_study(
        directions=list(directions), sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(objective, n_trials=n_trials, catch=(ValueError,))
    return study


@pytest.fixture(scope="module")
def study():
    with quiet_optuna():
        study = study_of(30)
        study.set_metric_names(["roc_auc"])
    return study


def two_scores(trial):
    rate = trial.suggest_float("dropout", 0, 1)
    if trial.number == 1:
        raise ValueError
    trial.set_constraint("recall", 0.2 - rate)
    trial.set_user_attr("fold_scores", {"recall": [rate], "precision": [1 - rate**2]})
    return rate, 1 - rate**2


@pytest.fixture(scope="module")
def trade_off():
    with quiet_optuna():
        return study_of(20, ("maximize", "maximize"), two_scores)


def test_table_has_a_row_a_trial_with_reasons(study):
    table = trials_table(study)
    assert table.index.tolist() == list(range(30))
    assert table.loc[FAILED, "reason"] == "fold 0: SamplingError: too few"
    assert table.loc[CONTRADICTORY, "reason"] == "augmentation needs images"
    assert table.loc[PRUNED, "reason"] == "by the pruner"
    assert table["roc_auc"].notna().equals(table["state"].eq("COMPLETE"))
    folds = table[["roc_auc_fold1", "roc_auc_fold2"]].mean(axis=1)
    np.testing.assert_allclose(folds.dropna(), table["roc_auc"].dropna())
    assert set(table["sampler"]) == {"none", "smote"}
    assert list(table)[:4] == ["state", "roc_auc", "roc_auc_fold1", "roc_auc_fold2"]
    assert list(table)[-1] == "reason"


def test_best_trials_meet_the_constraint(trade_off):
    best = best_trials(trade_off)
    assert {trial.number for trial in best} == {t.number for t in trade_off.best_trials}
    assert all(trial.values[0] >= 0.2 for trial in best)
    assert best == sorted(best, key=lambda trial: -trial.values[0])


def test_no_best_trial_where_none_meets_the_constraint():
    def unfit(trial):
        trial.set_constraint("recall", 1.0)
        return 0.5

    assert best_trials(study_of(3, objective=unfit)) == []


def test_a_trial_that_ended_with_its_process_is_left_out():
    def die(trial):
        raise ValueError

    study = study_of(2, objective=die)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "FAIL"]
    assert finished_trials(study) == []
    assert len(trials_table(study)) == 0


def test_names_fall_back_to_scores_that_are_numbered():
    assert objective_names(study_of(0)) == ["score"]
    assert objective_names(study_of(0, ("maximize",) * 2)) == ["score 1", "score 2"]


def test_a_best_trial_has_no_reason(study):
    assert reason(study.best_trial) == ""
