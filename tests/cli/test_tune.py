"""`glomclf tune`: files, what is fixed, what is kept after Ctrl-C, what is refused."""

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

from glomclf import GlomeruliClassifier, make_classifier, make_glomeruli
from glomclf.cli.tune import _space
from glomclf.cli.tune import command as command_of_tune
from glomclf.cli.tune_files import TUNING_FILES
from glomclf.report import Picture
from tests.commands import run

TINY = ("--cv", "2", "--recipe", "features")
for _setting in ("network.backbone=cnn", "network.weights=none", "image_size=32"):
    TINY += ("--set", _setting)


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
    self.classes_, self.training_record_ = np.array([0, 1]), {}
    return self


def predict_proba(self, X):
    """Take the place in the csv, blurred by the dropout, for a probability."""
    noise = np.random.default_rng(len(X)).uniform(size=len(X))
    rank = X["label"].to_numpy() * 0.8 + 0.1
    dropout = self.network.dropout
    positive = (1 - dropout) * rank + dropout * noise
    return np.column_stack([1 - positive, positive])


def predict(self, X):
    return (self.predict_proba(X)[:, 1] >= self.threshold_).astype(int)


def save(self, path):
    path.write_text(f"dropout {self.network.dropout}")


@pytest.fixture(scope="module")
def without_network():
    with pytest.MonkeyPatch.context() as patch:
        for method in (fit, predict_proba, predict, save):
            patch.setattr(GlomeruliClassifier, method.__name__, method)
        yield patch


@pytest.fixture
def quick(without_network):
    """Draw nothing and compare no images either: few tests look at that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Picture, "svg", "<svg/>")
        patch.setattr(Picture, "png", b"")
        patch.setattr("glomclf.tuning.folds._are_images", lambda X: False)
        yield patch


def command(data, out, *options, trials=3):
    words = ["tune", data / "public.csv", *TINY, "--trials", trials, "-o", out, "-q"]
    return [*words, *options]


@pytest.fixture(scope="module")
def written(data, without_network):
    """One run for all tests that only read: pictures and report take seconds."""
    out = data.parent / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glomclf.tuning.folds._are_images", lambda X: False)
        return out, run(
            *command(data, out, "--set", "network.dense_units=64", trials=12)
        )


def journal(out, name="glomclf"):
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(out / "study.journal")))
    return optuna.load_study(study_name=name, storage=storage)


def test_tune_writes_every_file_and_names_each_once(written):
    out, result = written
    files = {name for name in TUNING_FILES if not name.startswith(("nested", "pareto"))}
    assert {path.name for path in out.iterdir()} == {*files, "study.journal"}
    listed = result.stdout.split("Files:")[1].split()
    assert sorted(listed) == sorted(str(out / name) for name in files)
    for name in ("history", "importances"):
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
    assert best["settings"]["network.dropout"] == dropout
    assert best["trials"] == {"COMPLETE": 12}


def test_what_is_given_is_fixed_and_not_tuned(written):
    out, _ = written
    best = json.loads((out / "best.json").read_text())
    assert "dense_units" not in best["tuned"]
    assert best["settings"]["network.dense_units"] == 64
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
    page = (out / "report.html").read_text()
    assert f"optuna-dashboard {out / 'study.journal'}" in page
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


def test_several_metrics_give_a_front_and_the_first_decides(data, tmp_path, quick):
    metrics = ("--metric", "recall", "--metric", "precision")
    result = run(*command(data, tmp_path, *metrics, trials=8))
    best = json.loads((tmp_path / "best.json").read_text())
    table = pd.read_csv(tmp_path / "trials.csv")
    assert best["scores"]["recall"] == table["recall"].max()
    assert "precision" in result.stdout
    assert "Pareto front" in (tmp_path / "report.html").read_text()


def test_settings_below_the_bound_are_never_the_best(data, tmp_path, quick):
    options = ("--metric", "specificity_like", "--metric", "recall>=0.9")
    result = run(*command(data, tmp_path, *options), code=2)
    assert "'specificity_like' is not a score" in result.stderr
    options = ("--metric", "precision", "--metric", "recall>=0.9")
    run(*command(data, tmp_path, *options, trials=8))
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["at_least"] == {"recall": 0.9}
    assert np.mean(best["fold_scores"]["recall"]) >= 0.9


def test_bound_that_nothing_reaches_keeps_the_trials_and_says_so(data, tmp_path, quick):
    options = ("--metric", "recall>=1.5")
    for name in ("model.glomclf", "nested.json"):  # of an earlier study
        (tmp_path / name).touch()
    result = run(*command(data, tmp_path, *options), code=2)
    assert "model.glomclf are of an earlier study" in " ".join(result.stderr.split())
    (tmp_path / "model.glomclf").unlink()  # kept: it took long to make
    assert "None of 3 complete trials meets the constraint recall >= 1.5" in (
        result.stderr
    )
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"trials.csv", "history.png", "report.html", "study.journal"}
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
    before = {path.name: path.read_bytes() for path in tmp_path.glob("[!s]*")}
    told = " ".join(run(*command(data, tmp_path), code=2).stderr.split())
    assert "exists already, with 1 trial. Go on with it by --resume" in told
    assert before == {path.name: path.read_bytes() for path in tmp_path.glob("[!s]*")}
    assert len(journal(tmp_path).trials) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--set", "network.dropout=0.1"], "another search space"),
        (["--set", "network.epochs=3"], "another estimator"),
        (["--seed", 1], "another folds"),
        (["--metric", "f1"], "another scores"),
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
    assert f"Stopped. Finished trials: {n_done} of 3, kept in" in result.stderr
    assert f"glomclf {' '.join(map(str, words))} --resume" in result.stderr
    assert len(pd.read_csv(tmp_path / "trials.csv")) == n_done
    quick.setattr(GlomeruliClassifier, "fit", fit)
    run(*words, "--resume")
    assert len(pd.read_csv(tmp_path / "trials.csv")) == 3


def test_interrupt_after_the_trials_keeps_the_model(data, tmp_path, quick):
    interrupt_at(quick, 8)  # 3 trials of 2 folds, the model, the first fold again
    result = run(*command(data, tmp_path), code=130)
    assert "Finished trials: 3 of 3" in result.stderr
    assert (tmp_path / "model.glomclf").exists()
    assert not (tmp_path / "report.html").exists()


def test_nested_cross_validation_gives_the_score_to_report(data, tmp_path, quick):
    result = run(*command(data, tmp_path, "--nested", 2, trials=2))
    nested = json.loads((tmp_path / "nested.json").read_text())
    predictions = pd.read_csv(tmp_path / "nested_predictions.csv")
    assert sorted(predictions["row"]) == list(range(96))
    assert "default_probability" in predictions
    folds = pd.read_csv(tmp_path / "nested_folds.csv")
    assert folds["n_trials"].tolist() == [2, 2]
    assert nested["test_score"] == pytest.approx(folds["test_score"].mean())
    assert nested["optimism"] == pytest.approx(folds["optimism"].mean())
    assert "Nested: report these" in result.stdout
    assert f"trial saw, it was {nested['test_score']:.3f}" in " ".join(
        result.stderr.split()
    )
    assert "luckiest" not in result.stderr
    page = (tmp_path / "report.html").read_text()
    assert "Nested cross-validation" in page
    assert "leaves open whether tuning" in page
    assert {name for name in TUNING_FILES if not name.endswith("png")} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_interrupt_in_an_outer_fold_keeps_the_trials_of_the_folds_before(
    data, tmp_path, quick
):
    # 1 trial and the model, 2 folds again; a fold's trial and its model.
    interrupt_at(quick, 3 + 2 + 3 + 1)
    words = command(data, tmp_path, "--nested", 2, trials=1)
    run(*words, code=130)
    before = journal(tmp_path, "glomclf-fold0").trials
    assert [trial.state.name for trial in before] == ["COMPLETE"]
    quick.setattr(GlomeruliClassifier, "fit", fit)
    run(*words, "--resume")
    assert len(pd.read_csv(tmp_path / "nested_folds.csv")) == 2
    assert len(journal(tmp_path, "glomclf-fold0").trials) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trials", 0], "--trials"),
        (["--metric", "averge_precision"], "did you mean average_precision"),
        (["--metric", "f1", "--metric", "f1"], "--metric f1 is given twice"),
        (["--metric", "recall>="], "not of the form SCORE or 'recall>=0.95'"),
        (["--metric", "recal>=0.9"], "did you mean recall"),
        (["--set", "network.drop=0.5"], "did you mean network.dropout"),
        (["--set", "sampling_space=features", "--set", "sampler=augment"], "features"),
        (["--cv", 17], "17 folds need as many participants"),
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
    options = ["--recipe", "linear"]
    given = ("network.C=1.0", "network.class_weight=none", "sampler=none")
    for setting in (*given, "stain_normalizer=none"):
        options += ["--set", setting]
    words = ["tune", data / "public.csv", "-o", tmp_path / "out", *options]
    result = run(*words, "--set", "encoder.weights=none", code=2)
    assert "All settings that can be tuned were given" in result.stderr
    assert "network.C" in result.stderr


def test_csv_is_not_overwritten(data, tmp_path):
    csv = tmp_path / "trials.csv"
    csv.write_bytes((data / "public.csv").read_bytes())
    result = run("tune", csv, "--images", data, *TINY, "-o", tmp_path, code=2)
    assert "would be overwritten" in result.stderr


def test_features_train_the_head_alone_unless_layers_are_given():
    layers, features = "network__trainable_layers", {"sampling_space": "features"}
    classifier = make_classifier("features")
    assert _space("features", classifier, features).keywords[layers] == 0
    given = _space("features", classifier, {**features, layers: 5})
    assert given.keywords[layers] == 5
    assert layers not in _space("features", classifier, {}).keywords


def test_the_regression_is_tuned_by_default_and_what_is_given_is_fixed():
    (recipe,) = (one for one in command_of_tune.params if one.name == "recipe")
    assert recipe.default == "linear"
    given = {"sampling_space": "pixels", "network__C": 0.1}
    assert _space("linear", make_classifier("linear"), given).keywords == given


@pytest.mark.parametrize(
    ("recipe", "n_layers"), [("fine-tune", 49), ("scratch", "all")]
)
def test_what_makes_a_recipe_is_not_tuned(recipe, n_layers):
    fixed = _space(recipe, make_classifier(recipe), {"network__dropout": 0.1}).keywords
    assert fixed == {
        "sampling_space": "pixels",
        "network__trainable_layers": n_layers,
        "network__dropout": 0.1,
    }


# The second trial says that it has begun, and does not end.
WAITING = """
import pathlib, sys, time
from glomclf.__main__ import main
from glomclf.tuning.objective import Objective

sign = sys.argv.pop(1)
run_folds = Objective._run_folds

def waiting(objective, trial, kept):
    if trial.number == 1:
        pathlib.Path(sign).touch()
        time.sleep(600)
    run_folds(objective, trial, kept)

Objective._run_folds = waiting
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal")
def test_ctrl_c_in_a_process_of_its_own_and_resume(data, tmp_path, without_network):
    sign = tmp_path / "sign"
    words = [sys.executable, "-c", WAITING, str(sign)]
    words += ["tune", str(data / "public.csv"), *TINY, "--trials", "3"]
    words += ["--set", "sampler=none"]
    # Heads of one kind are compiled once; their learning rate is tuned.
    for given in ("epochs=1", "trainable_layers=0", "dense_units=8", "dropout=0.5",
                  "optimizer=adam", "batch_size=16", "class_weight=none"):  # fmt: skip
        words += ["--set", f"network.{given}"]
    words += ["--output", str(tmp_path / "out")]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    until = time.monotonic() + 600
    while not sign.exists():
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    n_done = int(re.search(r"Finished trials: (\d) of 3", errors)[1])
    assert 1 <= n_done < 3
    assert len(pd.read_csv(tmp_path / "out" / "trials.csv")) == n_done
    (line,) = [line for line in errors.splitlines() if line.endswith("--resume")]
    run(*line.split()[1:])
    assert len(pd.read_csv(tmp_path / "out" / "trials.csv")) == 3
    assert (tmp_path / "out" / "model.glomclf").read_text().startswith("dropout")
