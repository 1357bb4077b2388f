"""`glomclf tune`: files, what is fixed, what is kept after Ctrl-C, what is refused."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import optuna
import pandas as pd
import pytest
from click.testing import CliRunner

from glomclf import GlomeruliClassifier, make_glomeruli
from glomclf.cli import main
from glomclf.cli.options import Duration
from glomclf.cli.study_plan import TUNED, make_space
from glomclf.cli.study_results import TUNING_FILES, StudyResults
from glomclf.cli.study_watch import Snapshot, time_left, watch_studies
from glomclf.cli.train import command as train
from glomclf.cli.tune import command as tune
from glomclf.model.recipes import RECIPE_PARAMETERS
from glomclf.tuning import search_space

TINY = ("--backbone", "cnn", "--weights", "none", "--image-size", "32", "--cv", "2")


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """96 patches of 16 participants."""
    folder = tmp_path_factory.mktemp("tune") / "data"
    make_glomeruli(
        96,
        n_participants=16,
        sclerotic_fraction=0.4,
        image_size=32,
        directory=folder,
        random_state=0,
    )
    return folder


def fit(self, X, y, groups=None):
    """Learn nothing: a network takes too long for tests of files."""
    self.threshold_ = self.threshold
    self.classes_ = np.array([0, 1])
    return self


def predict_proba(self, X):
    """Take the place in the csv, blurred by the dropout, for a probability."""
    noise = np.random.default_rng(len(X)).uniform(size=len(X))
    rank = X["label"].to_numpy() * 0.8 + 0.1
    dropout = self.resolve(len(X)).parameters["dropout"]
    positive = (1 - dropout) * rank + dropout * noise
    return np.column_stack([1 - positive, positive])


def predict(self, X):
    return (self.predict_proba(X)[:, 1] >= self.threshold_).astype(int)


def save(self, path):
    path.write_text(f"dropout {self.dropout}")


@pytest.fixture(scope="module")
def without_network():
    with pytest.MonkeyPatch.context() as patch:
        for method in (fit, predict_proba, predict, save):
            patch.setattr(GlomeruliClassifier, method.__name__, method)
        yield patch


@pytest.fixture
def quick(without_network, blank_picture):
    """Draw nothing and compare no images either: few tests look at that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glomclf.report.tuning.draw_picture", blank_picture)
        patch.setattr(StudyResults, "write_pictures", lambda self: None)
        patch.setattr("glomclf.tuning.auditing._are_images", lambda X: False)
        yield patch


def command(data, out, *options, trials=3):
    words = ["tune", data / "public.csv", *TINY, "--trials", trials, "-o", out, "-q"]
    return [*words, *options]


@pytest.fixture(scope="module")
def written(data, without_network):
    """One run for all tests that only read: pictures and report take seconds."""
    out = data.parent / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glomclf.tuning.auditing._are_images", lambda X: False)
        return out, run(*command(data, out, "--dense-units", 64, trials=12))


def journal(out, name="glomclf"):
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(out / "study.journal")))
    return optuna.load_study(study_name=name, storage=storage)


def test_tune_has_the_options_of_train():
    own = {"folder", "n_trials", "n_folds", "metrics", "bounds", "pruner", "storage"}
    own |= {"study_name", "resume", "n_workers", "timeout", "n_outer"}
    theirs = {option.name for option in train.params} - {
        "model",
        "overwrite",
        "ensemble",
    }
    assert {option.name for option in tune.params} - own == theirs - {"n_folds"}


def test_settings_that_are_tuned_are_the_parts_of_the_space():
    parts = set(inspect.signature(search_space).parameters) - {"trial"}
    assert set(TUNED) == parts
    text = CliRunner().invoke(main, ["tune", "--help"]).stdout
    assert text.count("(tuned)") == len(TUNED)


def test_tune_writes_every_file_and_names_each_once(written):
    out, result = written
    files = {name for name in TUNING_FILES if not name.startswith(("pareto", "nested"))}
    assert {path.name for path in out.iterdir()} == {*files, "study.journal"}
    listed = result.stdout.split("Files:")[1].split()
    assert sorted(listed) == sorted(str(out / name) for name in files)
    for name in ("history", "importances", "parallel_coordinates"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_table_of_trials_agrees_with_the_study(written):
    out, _ = written
    table, study = pd.read_csv(out / "trials.csv"), journal(out)
    assert table["number"].tolist() == [trial.number for trial in study.trials]
    assert table["average_precision"].tolist() == pytest.approx(
        [trial.value for trial in study.trials]
    )
    folds = table[["average_precision_fold1", "average_precision_fold2"]].mean(axis=1)
    assert folds.tolist() == pytest.approx(table["average_precision"].tolist())


def test_the_model_has_the_best_settings(written):
    out, _ = written
    best, study = json.loads((out / "best.json").read_text()), journal(out)
    assert best["trial"] == study.best_trial.number
    assert best["scores"] == {"average_precision": pytest.approx(study.best_value)}
    assert best["tuned"] == study.best_params
    dropout = study.best_params["dropout"]
    assert (out / "model.glomclf").read_text() == f"dropout {dropout}"
    assert best["settings"]["dropout"] == dropout
    assert "auto" not in {best["settings"][name] for name in RECIPE_PARAMETERS}
    assert best["trials"] == {"COMPLETE": 12}


def test_what_is_given_is_fixed_and_not_tuned(written):
    out, _ = written
    best = json.loads((out / "best.json").read_text())
    assert "dense_units" not in best["tuned"]
    assert best["settings"]["dense_units"] == 64
    assert all("dense_units" not in trial.params for trial in journal(out).trials)


def test_out_of_fold_predictions_are_scored_with_intervals(written, data):
    out, result = written
    predictions = pd.read_csv(out / "cv_predictions.csv")
    manifest = pd.read_csv(data / "public.csv")
    assert predictions["label"].tolist() == manifest["ground truth"].tolist()
    scores = pd.read_csv(out / "cv_scores.csv").set_index("score")
    right = (predictions["prediction"] == predictions["label"]).mean()
    assert scores.loc["accuracy", "value"] == pytest.approx(right)
    assert "95 % interval" in result.stdout


def test_the_score_is_called_optimistic_and_the_dashboard_named(written):
    out, result = written
    assert "luckiest of 12 trials" in " ".join(result.stderr.split())
    assert f"optuna-dashboard {out / 'study.journal'}" in result.stdout
    page = (out / "report.html").read_text()
    assert "luckiest of 12 trials" in page
    assert "glomclf tune" in page
    assert "--resume" in page


def test_tables_fit_80_columns(written):
    _, result = written
    tables = result.stdout.split("To look into")[0]
    assert max(map(len, tables.splitlines())) <= 80
    assert "…" not in tables


def test_more_trials_are_added_with_resume_and_the_first_stay(data, tmp_path, quick):
    run(*command(data, tmp_path, trials=2))
    first = pd.read_csv(tmp_path / "trials.csv")
    run(*command(data, tmp_path, "--resume", trials=4))
    table = pd.read_csv(tmp_path / "trials.csv")
    assert len(table) == 4
    pd.testing.assert_frame_equal(table[list(first)][:2], first, check_dtype=False)


def test_resumed_study_is_the_undisturbed_one(data, tmp_path, quick):
    tables = []
    for name, stages in (("whole", [4]), ("parts", [1, 4])):
        for trials in stages:
            run(*command(data, tmp_path / name, "--resume", trials=trials))
        table = pd.read_csv(tmp_path / name / "trials.csv")
        tables.append(table.drop(columns="seconds"))
    pd.testing.assert_frame_equal(*tables)


def test_several_metrics_give_a_front_and_the_first_decides(
    data, tmp_path, without_network, monkeypatch
):
    monkeypatch.setattr("glomclf.tuning.auditing._are_images", lambda X: False)
    metrics = ("--metric", "recall", "--metric", "precision")
    result = run(*command(data, tmp_path, *metrics, trials=8))
    assert (tmp_path / "pareto_front.png").exists()
    best = json.loads((tmp_path / "best.json").read_text())
    table = pd.read_csv(tmp_path / "trials.csv")
    assert best["scores"]["recall"] == table["recall"].max()
    assert "precision" in result.stdout
    assert "Pareto front" in (tmp_path / "report.html").read_text()


def test_settings_below_the_bound_are_never_the_best(data, tmp_path, quick):
    options = ("--metric", "specificity_like", "--at-least", "recall=0.9")
    result = run(*command(data, tmp_path, *options), code=2)
    assert "'specificity_like' is not a score" in result.stderr
    options = ("--metric", "precision", "--at-least", "recall=0.9")
    run(*command(data, tmp_path, *options, trials=8))
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["at_least"] == {"recall": 0.9}
    assert np.mean(best["fold_scores"]["recall"]) >= 0.9


def test_bound_that_nothing_reaches_keeps_the_trials_and_says_so(data, tmp_path, quick):
    options = ("--at-least", "recall=1.5")
    for name in ("model.glomclf", "nested.json"):  # of an earlier study
        (tmp_path / name).touch()
    result = run(*command(data, tmp_path, *options), code=2)
    assert "model.glomclf are of an earlier study" in " ".join(result.stderr.split())
    (tmp_path / "model.glomclf").unlink()  # kept: it took long to make
    assert "None of 3 complete trials meets the constraint recall >= 1.5" in (
        result.stderr
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        "trials.csv",
        "report.html",
        "study.journal",
    }
    assert "No trial meets the constraint" in (tmp_path / "report.html").read_text()


def test_failures_of_all_trials_are_counted_by_reason(data, tmp_path, quick):
    def fail(self, X, y, groups=None):
        raise RuntimeError("out of luck")

    quick.setattr(GlomeruliClassifier, "fit", fail)
    result = run(*command(data, tmp_path), code=2)
    assert "None of 3 trials is complete" in result.stderr
    assert "3 times: failed in fold 0: RuntimeError: out of luck" in result.stderr
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["reason"].tolist() == ["fold 0: RuntimeError: out of luck"] * 3
    assert "out of luck" in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "model.glomclf").exists()


def test_study_that_exists_is_not_touched_without_resume(data, tmp_path, quick):
    run(*command(data, tmp_path, trials=1))
    before = (tmp_path / "study.journal").read_bytes()
    result = run(*command(data, tmp_path), code=2)
    assert "exists in" in result.stderr
    assert "with 1 trials. Go on with it with --resume" in " ".join(
        result.stderr.split()
    )
    assert (tmp_path / "study.journal").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--dropout", 0.1], "the search space"),
        (["--epochs", 3], "the estimator"),
        (["--seed", 1], "the folds"),
        (["--metric", "f1"], "the scores"),
    ],
)
def test_study_with_another_plan_is_not_joined(data, tmp_path, quick, options, named):
    run(*command(data, tmp_path, trials=1))
    result = run(*command(data, tmp_path, "--resume", *options), code=2)
    assert "is another study" in result.stderr
    assert named in result.stderr
    assert len(journal(tmp_path).trials) == 1


def interrupt_at(patch, n_fits):
    """Press Ctrl-C in the fit of that number."""
    made = []

    def interrupted(self, X, y, groups=None):
        made.append(1)
        if len(made) == n_fits:
            raise KeyboardInterrupt
        return fit(self, X, y)

    patch.setattr(GlomeruliClassifier, "fit", interrupted)


@pytest.mark.parametrize(("n_fits", "n_done"), [(1, 0), (6, 2)])
def test_interrupt_keeps_what_is_done_and_says_how_to_go_on(
    data, tmp_path, quick, n_fits, n_done
):
    interrupt_at(quick, n_fits)
    words = command(data, tmp_path)
    result = run(*words, code=130)
    assert f"Stopped. {n_done} of 3 trials are finished, and kept in" in result.stderr
    assert f"glomclf {' '.join(map(str, words))} --resume" in result.stderr
    assert len(pd.read_csv(tmp_path / "trials.csv")) == n_done
    quick.setattr(GlomeruliClassifier, "fit", fit)
    run(*words, "--resume")
    assert len(pd.read_csv(tmp_path / "trials.csv")) == 3


def test_interrupt_after_the_trials_keeps_the_model(data, tmp_path, quick):
    interrupt_at(quick, 8)  # 3 trials of 2 folds, the model, the first fold again
    result = run(*command(data, tmp_path), code=130)
    assert "3 of 3 trials are finished" in result.stderr
    assert (tmp_path / "model.glomclf").exists()
    assert not (tmp_path / "report.html").exists()


def test_nested_cross_validation_gives_the_score_to_report(
    data, tmp_path, without_network, monkeypatch, blank_picture
):
    monkeypatch.setattr("glomclf.tuning.auditing._are_images", lambda X: False)
    monkeypatch.setattr("glomclf.report.tuning.draw_picture", blank_picture)
    result = run(*command(data, tmp_path, "--nested", 2, trials=2))
    nested = json.loads((tmp_path / "nested.json").read_text())
    predictions = pd.read_csv(tmp_path / "nested_predictions.csv")
    assert sorted(predictions["row"]) == list(range(96))
    assert "default_probability" in predictions
    folds = pd.read_csv(tmp_path / "nested_folds.csv")
    assert folds["n_trials"].tolist() == [2, 2]
    assert nested["optimism"]["scores"]["nested"] == pytest.approx(
        folds["test_score"].mean()
    )
    assert "nested: to be reported" in result.stdout
    assert "luckiest" not in result.stderr
    page = (tmp_path / "report.html").read_text()
    assert "Nested cross-validation" in page
    assert "leaves open whether tuning" in page
    assert {name for name in TUNING_FILES if name != "pareto_front.png"} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_interrupt_in_an_outer_fold_keeps_the_study_and_the_folds_before(
    data, tmp_path, quick
):
    # 1 trial and the model, 2 folds again; a fold's trial, its model, the default.
    interrupt_at(quick, 3 + 2 + 4 + 1)
    words = command(data, tmp_path, "--nested", 2, trials=1)
    run(*words, code=130)
    assert len(pd.read_csv(tmp_path / "nested_folds.csv")) == 1
    quick.setattr(GlomeruliClassifier, "fit", fit)
    run(*words, "--resume")
    assert len(pd.read_csv(tmp_path / "nested_folds.csv")) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trials", 0], "--trials"),
        (["--metric", "averge_precision"], "did you mean average_precision"),
        (["--metric", "f1", "--metric", "f1"], "--metric f1 is given twice"),
        (["--at-least", "recall"], "not of the form recall=0.95"),
        (["--at-least", "recal=0.9"], "did you mean recall"),
        (["--timeout", "soon"], "90s, 30m or 2h"),
        (["--pruner", "median", "--at-least", "recall=0.9"], "by a single score"),
        (["--sampling-space", "features", "--sampler", "augment"], "transforms images"),
        (["--cv", 17], "--cv 17"),
        (["--nested", 17], "--nested 17 with --cv 2 inside"),
        (["--storage", "nowhere://host/db"], "nowhere://host/db cannot be used"),
        (["--storage", "sqlite:///no/such/folder/s.db"], "Check that its folder"),
    ],
)
def test_bad_options_are_refused_before_any_trial(data, tmp_path, options, message):
    out = tmp_path / "out"
    result = run(*command(data, out, *options), code=2)
    assert message in " ".join(result.stderr.split())
    assert not out.exists()


def test_unreachable_server_is_named_without_its_password(data, tmp_path):
    pytest.importorskip("psycopg")
    url = "postgresql://me:verysecret@localhost:9/studies"
    result = run(*command(data, tmp_path, "--storage", url), code=2)
    assert "cannot be used" in result.stderr
    assert "verysecret" not in result.output


def test_nothing_left_to_tune_is_said(data, tmp_path):
    values = ("none", "pixels", 0, 64, 0.5, "adam", 0.001, 32, "none")
    options = [
        word
        for name, value in zip(TUNED, values, strict=True)
        for word in (f"--{name.replace('_', '-')}", value)
    ]
    result = run(*command(data, tmp_path / "out", *options), code=2)
    assert "nothing is left to tune" in result.stderr


def test_csv_is_not_overwritten(data, tmp_path):
    csv = tmp_path / "trials.csv"
    csv.write_bytes((data / "public.csv").read_bytes())
    result = run("tune", csv, "--images", data, *TINY, "-o", tmp_path, code=2)
    assert "would be overwritten" in result.stderr


def test_features_train_the_head_alone_unless_layers_are_given():
    assert make_space({"sampling_space": "features"}).keywords["trainable_layers"] == 0
    given = make_space({"sampling_space": "features", "trainable_layers": 5})
    assert given.keywords["trainable_layers"] == 5
    assert "trainable_layers" not in make_space({}).keywords


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)]
)
def test_times_are_read_with_units(text, seconds):
    assert Duration().convert(text, None, None) == seconds


def test_timeout_ends_the_study_with_what_there_is(data, tmp_path, quick):
    def slow(self, X, y, groups=None):
        time.sleep(0.3)
        return fit(self, X, y)

    quick.setattr(GlomeruliClassifier, "fit", slow)
    run(*command(data, tmp_path, "--timeout", "1s", trials=1000))
    assert 1 <= len(pd.read_csv(tmp_path / "trials.csv")) < 10


def test_time_left_follows_the_pace_and_counts_folds():
    first = Snapshot(4, 0, 0)
    assert time_left(first, first, 10, n_trials=8, n_folds=5) is None
    now = Snapshot(5, 0, 0, {5: 2, 6: 3})
    assert time_left(now, first, 10, n_trials=8, n_folds=5) == pytest.approx(10)
    done = Snapshot(9, 0, 0)
    assert time_left(done, first, 10, n_trials=8, n_folds=5) == 0


def test_snapshot_counts_what_the_study_has():
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.create_study(direction="maximize")

    def objective(trial):
        if trial.number == 0:
            raise ValueError
        trial.report(0.5, 0)
        if trial.number == 1:
            raise optuna.TrialPruned
        return trial.number / 10

    study.optimize(objective, n_trials=4, catch=(ValueError,))
    running = study.ask()
    running.report(0.4, 0)
    running.report(0.5, 1)
    snapshot = Snapshot.of(study)
    assert snapshot == Snapshot(4, 1, 1, {4: 2}, "best 0.300 (trial 3)")
    assert snapshot.note == "best 0.300 (trial 3), 1 pruned, 1 failed"


def test_progress_shows_trials_of_other_processes(tmp_path, capfd):
    from glomclf.tuning import open_storage

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with watch_studies(url, ["shared"], n_trials=5, n_folds=2):
        study = optuna.create_study(
            study_name="shared", storage=open_storage(url), direction="maximize"
        )
        study.optimize(lambda trial: trial.number / 10, n_trials=3)
        time.sleep(1.2)
    shown = capfd.readouterr().err
    assert "3/5" in shown
    assert "best 0.200 (trial 2)" in shown


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal")
def test_ctrl_c_and_resume_in_a_process_of_its_own(data, tmp_path):
    words = [sys.executable, "-m", "glomclf", "tune", str(data / "public.csv")]
    words += [*TINY, "--epochs", "1", "--trainable-layers", "0", "--trials", "3"]
    words += ["--sampler", "none", "--output", str(tmp_path)]
    # Heads of one kind are compiled once; their learning rate is tuned.
    words += ["--dense-units", "8", "--dropout", "0.5", "--optimizer", "adam"]
    words += ["--batch-size", "16", "--class-weight", "none"]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    until = time.monotonic() + 240
    file = tmp_path / "study.journal"
    while not (file.exists() and '"values"' in file.read_text()):
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    n_done = int(re.search(r"Stopped\. (\d) of 3 trials are finished", errors)[1])
    assert 1 <= n_done < 3
    assert len(pd.read_csv(tmp_path / "trials.csv")) == n_done
    (line,) = [line for line in errors.splitlines() if line.endswith("--resume")]
    again = line.split()[1:]
    done = subprocess.run(
        [*words[:3], *again], capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "trials.csv")) == 3
    assert GlomeruliClassifier.load(tmp_path / "model.glomclf").sampler is None
