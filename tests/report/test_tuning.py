"""The report of a study tells its trials, its best settings, and what they hide."""

from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from matplotlib import pyplot, rcParams

from glomclf.evaluation import compare_scores, evaluate
from glomclf.report import Caution, Paragraph, Picture, Table, tuning_report
from glomclf.report.blocks import Code
from glomclf.report.tuned_study import setting_text
from glomclf.tuning.storage import quiet_optuna

SPITEFUL = "<script>alert(1)</script>"
FAILED, PRUNED, CONTRADICTORY = 3, 5, 6
COMMAND = ["glomclf", "tune", "a.csv", "--storage", "postgresql://me:secret@host/db"]


def objective(trial):
    sampler = trial.suggest_categorical("sampler", [None, "smote"])
    if sampler:
        trial.suggest_int("smote_neighbors", 2, 9)
    dropout = trial.suggest_float("dropout", 0, 0.7)
    trial.set_user_attr("fold_scores", {"roc_auc": [0.9 - dropout, 1 - dropout]})
    if trial.number == FAILED:
        trial.set_user_attr("reason", f"fold 0: SamplingError: {SPITEFUL}")
        raise ValueError
    if trial.number == CONTRADICTORY:
        trial.set_user_attr("reason", "ParameterError: augment needs images")
        raise optuna.TrialPruned
    if trial.number in (PRUNED, PRUNED + 2):
        trial.set_user_attr("reason", "by MedianPruner after 1 of 2 folds")
        raise optuna.TrialPruned
    return 0.95 - dropout


def two_scores(trial):
    rate = trial.suggest_float("dropout", 0, 1)
    trial.set_constraint("recall", 0.2 - rate)
    scores = {"recall": [rate], "precision": [1 - rate**2]}
    trial.set_user_attr("fold_scores", scores)
    return rate, 1 - rate**2


def study_of(n_trials, objective=objective, directions=("maximize",)):
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.create_study(
        study_name="sclerosis",
        directions=list(directions),
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    names = ["recall", "precision"] if len(directions) > 1 else ["roc_auc"]
    with quiet_optuna():
        study.set_metric_names(names)
    study.optimize(objective, n_trials=n_trials, catch=(ValueError,))
    return study


@pytest.fixture(scope="module")
def study():
    return study_of(20)


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(*rows(), n_bootstrap=100)


def rows():
    """Labels, probabilities and, by keyword of `evaluate`, participants."""
    rng = np.random.default_rng(0)
    y = rng.binomial(1, 0.4, 96)
    return y, np.clip(0.5 * y + rng.uniform(0, 0.6, 96), 0, 1)


def section(report, title):
    (found,) = [one for one in report.sections if one.title == title]
    return found


def blocks(report, title, kind):
    return [one for one in section(report, title).blocks if isinstance(one, kind)]


def titles(report):
    return [one.title for one in report.sections]


def test_trials_are_counted_by_how_they_came_out(study):
    report = tuning_report(study)
    assert "20 trials of the study “sclerosis” (16 ended, 3 pruned, 1 failed)" in (
        report.lead
    )
    assert "ROC AUC" in report.lead


def test_the_best_score_is_called_optimistic_with_what_to_do(study):
    (caution,) = blocks(tuning_report(study), "Summary", Caution)
    assert "luckiest of 20 trials" in caution.text
    assert "glomclf tune --nested 5" in caution.text
    assert "glomclf split" in caution.text


def test_best_settings_are_those_of_the_best_trial(study):
    report = tuning_report(study, settings={"weights": None, "dropout": 0.1})
    tuned, fixed, ranking = blocks(report, "Best settings", Table)
    best = study.best_trial
    assert dict(tuned.rows)["dropout"] == setting_text(best.params["dropout"])
    assert fixed.rows == [["weights", "none"]]  # dropout was tuned
    assert ranking.rows[0][0] == f"trial {best.number}"
    values = [float(row[1].split()[0]) for row in ranking.rows]
    assert values == sorted(values, reverse=True)
    low, high = sorted(best.user_attrs["fold_scores"]["roc_auc"])
    assert f"{low:.2f}\u00a0to\u00a0{high:.2f}" in ranking.rows[0][1]


def test_settings_have_the_keys_that_set_takes():
    def objective(trial):
        dropout = trial.suggest_float("dropout", 0, 0.7)
        ratio = trial.suggest_float("sampling_ratio", 0.5, 1.0)
        sampler = {"sampler": f"{trial.suggest_categorical('sampler', ['a'])}({ratio})"}
        settings = {"network__dropout": dropout, **sampler}
        trial.set_user_attr("settings", settings)
        return dropout

    study = study_of(1, objective)
    settings = {
        "network.dropout": 0.1,
        "network.epochs": 5,
        "sampler.sampling_strategy": 0.7,
    }
    report = tuning_report(study, settings=settings)
    tuned, fixed, ranking = blocks(report, "Best settings", Table)
    keys = ["network.dropout", "sampling_ratio", "sampler"]
    assert [key for key, _ in tuned.rows] == keys
    assert fixed.rows == [["network.epochs", "5"]]
    assert ranking.rows[0][-1].startswith("network.dropout ")


def test_another_trial_can_be_the_chosen_one(study):
    report = tuning_report(study, best=1)
    (tuned, *_) = blocks(report, "Best settings", Table)
    assert tuned.caption == "Tuned, of trial 1"


def test_intervals_come_from_predictions_where_there_are_any(study, evaluation):
    report = tuning_report(study, evaluation=evaluation)
    (table,) = blocks(report, "Scores of the best settings", Table)
    assert len(table.rows) == len(evaluation.scores)
    assert "95 % interval" in table.columns
    told = blocks(report, "Scores of the best settings", Paragraph)[1].text
    value = f"{evaluation.scores['roc_auc']:.3f} of all rows together"
    assert value in told
    assert f"{study.best_value:.3f} as the mean of the folds above" in told
    numbers = section(report, "Summary").blocks[0].items
    assert f"{evaluation.scores['roc_auc']:.3f}" in [value for _, value, _ in numbers]


def test_without_predictions_there_is_no_interval(study):
    assert "Scores of the best settings" not in titles(tuning_report(study))


def test_failures_and_prunings_are_listed_by_reason(study):
    (table,) = blocks(tuning_report(study), "Failed and pruned trials", Table)
    assert table.rows == [
        ["failed", "1", f"fold 0: SamplingError: {SPITEFUL}", "3"],
        ["pruned", "2", "by MedianPruner after 1 of 2 folds", "5, 7"],
        ["pruned", "1", "ParameterError: augment needs images", "6"],
    ]


def test_all_trials_are_in_a_folded_table(study):
    (table,) = blocks(tuning_report(study), "Trials", Table)
    assert table.folded
    assert len(table.rows) == 20
    shown = dict(zip(table.columns, table.rows[FAILED], strict=True))
    assert shown["state"] == "failed"
    assert shown["roc_auc"] == "–"
    assert "feasible" not in table.columns
    without = next(row for row in table.rows if "none" in row)
    assert dict(zip(table.columns, without, strict=True))["smote_neighbors"] == "–"


def test_importances_are_explained_or_said_to_be_missing(study):
    report = tuning_report(study)
    (text,) = blocks(report, "Importance of each setting", Paragraph)
    assert "PED-ANOVA" in text.text
    assert len(blocks(report, "Importance of each setting", Picture)) == 1
    few = tuning_report(study_of(3))
    (text,) = blocks(few, "Importance of each setting", Paragraph)
    assert "need 10 trials that ended; 3 did" in text.text
    assert not blocks(few, "Importance of each setting", Picture)


def test_several_objectives_have_a_front():
    study = study_of(20, two_scores, ("maximize", "maximize"))
    report = tuning_report(study)
    captions = [one.caption for one in blocks(report, "Course of the study", Picture)]
    assert len(captions) == 3
    assert "better than a best one" in captions[-1]
    _, ranking = blocks(report, "Best settings", Table)
    assert len(ranking.rows) == len(study.best_trials)
    assert ranking.columns == ["number", "Recall", "Precision", "settings"]
    (table,) = blocks(report, "Trials", Table)
    assert "feasible" in table.columns


def test_study_without_a_fit_trial_says_what_to_do():
    def unfit(trial):
        trial.set_constraint("recall", trial.suggest_float("dropout", 0.1, 0.7))
        return 0.5

    report = tuning_report(study_of(3, unfit))
    (caution,) = blocks(report, "Summary", Caution)
    assert "No trial meets the constraint" in caution.text
    assert "Best settings" not in titles(report)
    assert report.render()


def test_study_of_failures_gives_their_reasons():
    def fail(trial):
        trial.suggest_float("dropout", 0, 1)
        trial.set_user_attr("reason", "fold 0: MemoryError: 64 GiB")
        raise ValueError

    report = tuning_report(study_of(3, fail))
    (caution,) = blocks(report, "Summary", Caution)
    assert "No trial ended" in caution.text
    (table,) = blocks(report, "Failed and pruned trials", Table)
    assert table.rows == [["failed", "3", "fold 0: MemoryError: 64 GiB", "0, 1, 2"]]
    assert "<svg" not in report.render()  # pictures travel encoded


def test_commands_are_told_without_the_password(study):
    report = tuning_report(
        study,
        command=COMMAND,
        resume=[*COMMAND, "--resume"],
        storage="postgresql://me:secret@host/db",
    )
    codes = [one.text for one in blocks(report, "To repeat it", Code)]
    assert codes == [
        "glomclf tune a.csv --storage postgresql://me:***@host/db",
        "glomclf tune a.csv --storage postgresql://me:***@host/db --resume",
        "optuna-dashboard postgresql+psycopg://me:***@host/db",
    ]
    assert "secret" not in report.render()
    hint = blocks(report, "To repeat it", Paragraph)[-1].text
    assert "Put the password" in hint


def test_password_among_the_options_of_an_address_is_masked(study):
    report = tuning_report(
        study, storage="postgresql://host/db?user=me&password=secret"
    )
    (code,) = blocks(report, "To repeat it", Code)
    assert code.text.endswith("host/db?***'")


def test_command_that_resumes_is_told_once(study):
    report = tuning_report(study, command=COMMAND, resume=COMMAND, storage="s.journal")
    _, opened = blocks(report, "To repeat it", Code)
    assert opened.text == "optuna-dashboard s.journal"


def test_a_study_without_a_trial_has_a_report():
    report = tuning_report(optuna.create_study())
    assert "All 0 trials" in report.render()


def test_study_in_memory_has_no_dashboard(study):
    told = blocks(tuning_report(study), "To repeat it", Paragraph)
    assert "in memory" in told[-1].text


def nested(with_default=True):
    y, y_score = rows()
    frame = pd.DataFrame({"fold": [0, 1], "test_score": [0.75, 0.85]})
    compared = compare_scores(y, y_score[::-1], y_score, n_bootstrap=100)
    return SimpleNamespace(
        scoring="roc_auc",
        best_score=0.9,
        test_score=0.8,
        optimism=0.1,
        folds=frame.set_index("fold"),
        evaluation=evaluate(y, y_score, n_bootstrap=100),
        comparison=compared if with_default else None,
    )


def test_nested_score_comes_first_and_replaces_the_caution(study):
    result = nested()
    report = tuning_report(study, nested=result)
    assert not blocks(report, "Summary", Caution)
    first = section(report, "Summary").blocks[0].items[0]
    score = result.evaluation.scores["roc_auc"]
    assert first[:2] == ("ROC AUC, nested", f"{score:.3f}")
    low, high = result.evaluation.interval("roc_auc")
    assert f"{low:.3f}\u00a0to\u00a0{high:.3f}; report this one" in first[2]
    told = blocks(report, "Nested cross-validation", Paragraph)[0].text
    assert "was 0.900 in the mean" in told
    assert "it was 0.800. The difference, 0.100, is the optimism" in told
    against, *_ = blocks(report, "Nested cross-validation", Table)
    assert against.rows[0][0] == "ROC AUC"
    assert "leaves open whether tuning" in against.caption


def test_nested_score_that_evaluate_does_not_know_is_the_mean_of_folds(study):
    result = nested()
    result.scoring = "neg_log_loss"
    report = tuning_report(study, nested=result)
    first = section(report, "Summary").blocks[0].items[0]
    assert first[1:] == ("0.800", "mean of the outer folds; report this one")


def test_nested_score_without_a_default_is_not_compared(study):
    report = tuning_report(study, nested=nested(with_default=False))
    tables = blocks(report, "Nested cross-validation", Table)
    assert all("default" not in table.columns for table in tables)


def test_texts_are_escaped_and_pictures_drawn(study):
    page = tuning_report(study).render()
    assert SPITEFUL not in page
    assert "&lt;script&gt;" in page
    assert page.count("data:image/svg+xml") == 2 * 2


def test_pictures_are_optunas_with_the_names_of_scores(study):
    before = dict(rcParams)
    pictures = {one.name: one for one in tuning_report(study).pictures}
    assert set(pictures) == {"history", "importances"}
    (history,) = pictures["history"].figure.axes
    assert history.get_ylabel() == "ROC AUC"
    assert all(tick.is_integer() for tick in history.get_xticks().tolist())
    few = tuning_report(study_of(3)).pictures[0].figure.axes[0]
    assert all(tick.is_integer() for tick in few.get_xticks().tolist())
    assert len(history.collections[0].get_offsets()) == 16
    bars = pictures["importances"].figure.axes[0].patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(1)
    # Optuna sets a style for good, and leaves its figures open.
    assert dict(rcParams) == before
    assert not pyplot.get_fignums()


def test_pictures_of_several_objectives():
    study = study_of(20, two_scores, ("maximize", "maximize"))
    pictures = {one.name: one for one in tuning_report(study).pictures}
    assert set(pictures) == {
        "history",
        "history_precision",
        "importances",
        "pareto_front",
    }
    front = pictures["pareto_front"].figure.axes[0]
    assert (front.get_xlabel(), front.get_ylabel()) == ("Recall", "Precision")
    best = front.collections[-1].get_offsets()
    assert len(best) == len(study.best_trials)


def test_settings_that_never_differ_decide_nothing():
    same = study_of(12, lambda trial: trial.suggest_int("units", 8, 8))
    (text,) = section(tuning_report(same), "Importance of each setting").blocks
    assert "All trials had the same settings" in text.text
