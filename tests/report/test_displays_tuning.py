"""Pictures of a study show every trial as what it is, and say what cannot be told."""

import math
import warnings
from io import BytesIO
from itertools import pairwise

import numpy as np
import optuna
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from glomclf.report.displays import (
    OptimizationHistoryDisplay,
    ParallelCoordinatesDisplay,
    ParameterImportancesDisplay,
    ParetoFrontDisplay,
)
from glomclf.tuning.trials import (
    best_trials,
    objective_names,
    partial_value,
    reason,
    trials_table,
)

FAILED, PRUNED, CONTRADICTORY = 3, 5, 6
FAULT = {"type": "SamplingError", "message": "too few"}


@pytest.fixture(autouse=True)
def quiet_optuna():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


def objective(trial):
    """Score by the learning rate; of SMOTE only are there neighbours to choose."""
    sampler = trial.suggest_categorical("sampler", [None, "smote"])
    if sampler:
        trial.suggest_int("neighbors", 3, 9)
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    if trial.number == FAILED:
        trial.set_user_attr("error", {**FAULT, "place": "fold 0"})
        raise ValueError
    if trial.number == CONTRADICTORY:
        trial.set_user_attr("prune_reason", "augmentation needs images")
        raise optuna.TrialPruned
    value = 1 - abs(math.log10(rate) + 2.5) / 3
    trial.report(value, 0)
    if trial.number == PRUNED:
        trial.report(value - 0.2, 1)
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
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    return study_of(30)


def two_scores(trial):
    rate = trial.suggest_float("dropout", 0, 1)
    if trial.number == 1:
        raise ValueError
    trial.set_constraint("recall", 0.2 - rate)
    trial.set_user_attr("fold_scores", {"recall": [rate], "precision": [1 - rate**2]})
    return rate, 1 - rate**2


@pytest.fixture(scope="module")
def trade_off():
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    return study_of(20, ("maximize", "maximize"), two_scores)


def axes():
    return Figure().subplots()


def lines(ax):
    """What is drawn, by its name in the legend without the count."""
    return {
        line.get_label().split(" (")[0].split(":")[0]: line.get_xydata()
        for line in ax.lines
        if not line.get_label().startswith("_")
    }


def words(ax):
    return " ".join(text.get_text() for text in ax.texts)


def test_history_draws_every_trial_as_what_it_is(study):
    display = OptimizationHistoryDisplay.from_study(study, ax=axes())
    drawn = lines(display.ax_)
    assert set(drawn) == {"ended", "pruned", "failed", "best so far"}
    ended = [t for t in study.trials if t.state.name == "COMPLETE"]
    np.testing.assert_allclose(drawn["ended"], [(t.number, t.value) for t in ended])
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend[:3] == [f"ended ({len(ended)})", "pruned (2)", "failed (1)"]
    assert display.ax_.get_ylabel() == "ROC AUC"


def test_history_draws_a_pruned_trial_at_the_mean_of_its_folds(study):
    display = OptimizationHistoryDisplay.from_study(study, ax=axes())
    wanted = np.mean(list(study.trials[PRUNED].intermediate_values.values()))
    np.testing.assert_allclose(lines(display.ax_)["pruned"], [(PRUNED, wanted)])


def test_trials_without_a_score_are_at_the_lower_edge(study):
    ax = OptimizationHistoryDisplay.from_study(study, ax=axes()).ax_
    edge = [
        line.get_xdata().tolist()
        for line in ax.lines
        if line.get_transform() is not ax.transData and len(line.get_xdata())
    ]
    assert sorted(number for line in edge for number in line) == [FAILED, CONTRADICTORY]


@pytest.mark.parametrize(
    ("direction", "better"), [("maximize", max), ("minimize", min)]
)
def test_best_so_far_ends_at_the_best_trial(direction, better):
    study = study_of(12, [direction])
    best = lines(OptimizationHistoryDisplay.from_study(study, ax=axes()).ax_)
    steps = best["best so far"][:, 1]
    assert steps[-1] == study.best_value
    assert all(better(a, b) == b for a, b in pairwise(steps))


def test_histories_fit_side_by_side(trade_off):
    figure = Figure(figsize=(9, 4), layout="constrained")
    for name, ax in zip(("recall", "precision"), figure.subplots(1, 2), strict=True):
        OptimizationHistoryDisplay.from_study(trade_off, objective=name, ax=ax)
    figure.savefig(BytesIO(), format="png")  # a layout without room is a warning
    assert all(ax.get_position().width > 0.3 for ax in figure.axes)


def test_trial_that_misses_the_constraint_is_never_the_best(trade_off):
    display = OptimizationHistoryDisplay.from_study(
        trade_off, objective="precision", ax=axes()
    )
    drawn = lines(display.ax_)
    fit = [t.values[1] for t in trade_off.trials if t.values and t.values[0] >= 0.2]
    assert drawn["best so far"][-1, 1] == max(fit)
    unfit = [t for t in trade_off.trials if t.values and t.values[0] < 0.2]
    assert len(unfit) == len(drawn["misses the constraint"]) > 0
    assert max(t.values[1] for t in unfit) > max(fit)


def test_unknown_objective_is_named_with_those_there_are(trade_off):
    with pytest.raises(
        ValueError, match=r"no objective 'f1'; it has recall, precision"
    ):
        OptimizationHistoryDisplay.from_study(trade_off, objective="f1", ax=axes())


def test_importances_are_optunas_and_add_up_to_one(study):
    display = ParameterImportancesDisplay.from_study(study, ax=axes())
    assert sum(display.importances.values()) == pytest.approx(1)
    assert set(display.importances) == {"sampler", "neighbors", "learning_rate"}
    assert max(display.importances, key=display.importances.get) == "learning_rate"
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels[0] == "learning_rate"
    low, high = display.ax_.get_ylim()
    assert low > high


def test_setting_that_few_trials_have_is_marked():
    def rare(trial):
        if trial.number % 3 == 0:
            trial.suggest_int("neighbors", 3, 9)
        return trial.suggest_float("dropout", 0, 1)

    display = ParameterImportancesDisplay.from_study(
        study_of(15, objective=rare), ax=axes()
    )
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert set(labels) == {"dropout", "neighbors *"}
    assert "* of fewer than 10 trials" in display.ax_.get_xlabel()


def test_importances_of_several_objectives_are_for_the_front_or_for_one():
    def split(trial):
        a, b = trial.suggest_float("a", 0, 1), trial.suggest_float("b", 0, 1)
        return a, b

    both = study_of(60, ("maximize", "minimize"), split)
    front = ParameterImportancesDisplay.from_study(both, ax=axes())
    assert "Pareto front" in front.ax_.get_xlabel()
    for place, name in enumerate("ab"):
        one = ParameterImportancesDisplay.from_study(both, objective=place, ax=axes())
        assert max(one.importances, key=one.importances.get) == name


def test_another_evaluator_is_used(study):
    fanova = optuna.importance.FanovaImportanceEvaluator(seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = ParameterImportancesDisplay.from_study(
            study_of(12, objective=lambda t: t.suggest_float("dropout", 0, 1)),
            evaluator=fanova,
            ax=axes(),
        )
    assert display.importances == {"dropout": 1.0}


def test_too_few_trials_are_said_in_place_of_importances():
    display = ParameterImportancesDisplay.from_study(study_of(4), ax=axes())
    assert "Importances need 10 trials that ended;\n3 did." in words(display.ax_)
    assert not display.importances


def test_settings_that_never_differ_are_said_to():
    same = study_of(12, objective=lambda trial: trial.suggest_int("units", 8, 8))
    for display in (ParameterImportancesDisplay, ParallelCoordinatesDisplay):
        ax = display.from_study(same, ax=axes()).ax_
        assert "All trials had the same settings" in words(ax)


def test_lines_pass_every_setting_and_end_at_the_score(study):
    display = ParallelCoordinatesDisplay.from_study(study, ax=axes())
    ax = display.ax_
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert sorted(labels[:-1]) == ["learning_rate", "neighbors", "sampler"]
    assert labels[-1] == "ROC AUC"
    lengths = [len(line.get_xdata()) for line in ax.lines[: len(study.trials)]]
    states = [trial.state.name for trial in study.trials]
    assert lengths == [4 if state == "COMPLETE" else 3 for state in states]
    at_right = [line.get_xdata()[-1] for line in ax.lines if len(line.get_xdata()) == 4]
    assert max(at_right) == 1
    assert min(at_right) == 0


def test_trial_without_a_setting_passes_it_at_not_used(study):
    display = ParallelCoordinatesDisplay.from_study(study, params=["neighbors"])
    assert "not used" in words(display.ax_)
    for trial, line in zip(study.trials, display.ax_.lines, strict=False):
        assert bool(line.get_xdata()[0] > 0.2) is ("neighbors" in trial.params)
    pyplot.close(display.figure_)


def test_logarithmic_setting_is_drawn_so(study):
    display = ParallelCoordinatesDisplay.from_study(
        study, params=["learning_rate"], ax=axes()
    )
    for trial, line in zip(study.trials, display.ax_.lines, strict=False):
        share = (math.log10(trial.params["learning_rate"]) + 4) / 3
        assert line.get_xdata()[0] == pytest.approx(share, abs=0.02)
    assert "0.0001" in words(display.ax_)


def test_the_best_trial_is_the_thick_line(study):
    ax = ParallelCoordinatesDisplay.from_study(study, ax=axes()).ax_
    widths = [line.get_linewidth() for line in ax.lines[: len(study.trials)]]
    assert int(np.argmax(widths)) == study.best_trial.number
    assert "best (1)" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_unknown_setting_is_named(study):
    with pytest.raises(
        ValueError, match=r"No trial has 'units'; the settings .*sampler"
    ):
        ParallelCoordinatesDisplay.from_study(study, params=["units"], ax=axes())


def test_front_joins_the_best_trade_offs(trade_off):
    display = ParetoFrontDisplay.from_study(trade_off, ax=axes())
    drawn = lines(display.ax_)
    front = sorted(tuple(trial.values) for trial in trade_off.best_trials)
    np.testing.assert_allclose(drawn["Pareto front"], front)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == (
        "recall",
        "precision",
    )
    assert len(drawn["failed"]) == 1  # without a place, but counted


def test_front_of_a_single_objective_is_refused(study):
    with pytest.raises(ValueError, match="single objective, roc_auc"):
        ParetoFrontDisplay.from_study(study, ax=axes())


@pytest.mark.parametrize(
    "display", [OptimizationHistoryDisplay, ParallelCoordinatesDisplay]
)
def test_study_without_trials_is_said_to_be(display):
    ax = display.from_study(study_of(0), ax=axes()).ax_
    assert words(ax).startswith("No trial")


def test_study_of_failures_only_draws_them():
    def fail(trial):
        trial.suggest_float("dropout", 0, 1)
        raise ValueError

    study = study_of(3, objective=fail)
    ax = OptimizationHistoryDisplay.from_study(study, ax=axes()).ax_
    assert list(lines(ax)) == ["failed"]
    assert "No trial ended" in words(
        ParallelCoordinatesDisplay.from_study(study, ax=axes()).ax_
    )


def test_displays_make_their_own_figure_without_axes(study, trade_off):
    displays = [
        OptimizationHistoryDisplay.from_study(study),
        ParameterImportancesDisplay.from_study(study),
        ParallelCoordinatesDisplay.from_study(study),
        ParetoFrontDisplay.from_study(trade_off),
    ]
    for display in displays:
        assert display.ax_ in display.figure_.axes
        pyplot.close(display.figure_)


def test_table_has_a_row_a_trial_with_reasons(study):
    table = trials_table(study)
    assert table.index.tolist() == list(range(30))
    assert table.loc[FAILED, "reason"] == "fold 0: SamplingError: too few"
    assert table.loc[CONTRADICTORY, "reason"] == "augmentation needs images"
    assert table.loc[PRUNED, "reason"] == "by the pruner, after 2 folds"
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


def test_names_fall_back_to_scores_that_are_numbered():
    assert objective_names(study_of(0)) == ["score"]
    assert objective_names(study_of(0, ("maximize",) * 2)) == ["score 1", "score 2"]


def test_what_is_not_noted_is_not_made_up(study):
    assert math.isnan(partial_value(study.trials[FAILED], "roc_auc"))
    assert reason(study.best_trial) == ""
