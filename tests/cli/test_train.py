"""`glomclf train`, and what its model does in `evaluate`."""

import errno
import json
import re
from collections import Counter

import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import glomclf.report
from glomclf import (
    FoldEnsembleClassifier,
    GlomeruliClassifier,
    RecallAtLeast,
    make_glomeruli,
    read_manifest,
)
from glomclf.cli import main
from glomclf.cli.train import _tell_threshold
from glomclf.network import epochs
from tests.commands import run

TINY = (
    *("--recipe", "features"),
    *("--weights", "none", "--set", "image_size=32"),
    *("--set", "network.backbone=cnn", "--set", "network.epochs=2"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """48 patches of 12 participants: enough for folds and a validation set."""
    folder = tmp_path_factory.mktemp("cli") / "data"
    make_glomeruli(
        48,
        n_participants=12,
        sclerotic_fraction=0.4,
        image_size=32,
        directory=folder,
        random_state=0,
    )
    return folder


@pytest.fixture(scope="module")
def trained(data):
    """One model for all tests: training is what takes the time."""
    model = data.parent / "tiny.glomclf"
    output = run("train", data / "public.csv", *TINY, "--cv", 2, "-o", model, "-q")
    return model, output


def test_train_writes_the_model_and_names_every_file(trained):
    model, result = trained
    folder = model.parent / "tiny-training"
    listed = result.stdout.split("Files:")[1].split()
    assert set(listed) == {str(model), *map(str, folder.iterdir())}
    assert {path.name for path in folder.iterdir()} == {
        "history.csv",
        "history.png",
        "class_proportions.png",
        "synthetic_images.png",
        "cv_predictions.csv",
        "cv_scores.csv",
        "cv_scores.json",
    }


def test_train_stores_the_history_of_the_model(trained):
    model, _ = trained
    history = pd.read_csv(model.parent / "tiny-training" / "history.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert history["loss"].tolist() == pytest.approx(
        GlomeruliClassifier.load(model).history_["loss"]
    )


def test_cross_validation_predicts_every_patch_once(trained, data):
    model, result = trained
    table = pd.read_csv(model.parent / "tiny-training" / "cv_predictions.csv")
    manifest = read_manifest(data / "public.csv")
    assert table["label"].tolist() == manifest["label"].tolist()
    assert table["participant"].tolist() == manifest["participant"].tolist()
    assert table["probability"].between(0, 1).all()
    assert "Cross-validated by participant, 2 folds" in result.stdout


def test_cross_validation_leaves_a_record_of_people_in_the_model(trained, data):
    model, _ = trained
    kept = GlomeruliClassifier.load(model)
    table = pd.read_csv(model.parent / "tiny-training" / "cv_predictions.csv")
    record = kept.out_of_fold_record_
    assert record.probability == pytest.approx(table["probability"].to_numpy())
    assert record.label.tolist() == table["label"].tolist()
    assert record.n_participants == kept.training_reference_.n_participants == 12


def test_no_participant_is_on_two_sides_of_any_split(data, tmp_path, monkeypatch):
    seen = []
    fit = GlomeruliClassifier.fit

    def spy(self, X, y, groups=None, **options):
        fit(self, X, y, groups=groups, **options)
        seen.append((groups, self.validation_indices_))
        return self

    monkeypatch.setattr(GlomeruliClassifier, "fit", spy)
    monkeypatch.setattr("glomclf.cli.training_files.write_training", lambda *_: None)
    out = tmp_path / "m.glomclf"
    options = (*TINY, "--cv", 2, "--set", "validation_fraction=0.15", "-o", out, "-q")
    run("train", data / "public.csv", *options)
    assert len(seen) == 3
    everyone = set(seen[-1][0])
    assert set(seen[0][0]) | set(seen[1][0]) == everyone
    assert not set(seen[0][0]) & set(seen[1][0])  # 2 folds: each trains on the other
    for groups, validation in seen:
        aside = set(groups[validation])
        kept = set(pd.Series(groups).drop(validation))
        assert aside
        assert not aside & kept


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (0.5, ""),
        (
            RecallAtLeast(0.95),
            "Threshold 0.3, chosen on inner folds (--threshold 'recall>=0.95').\n",
        ),
    ],
)
def test_only_a_threshold_that_was_chosen_is_told(asked, told, capsys):
    record = {"threshold_chosen_on": "inner folds"}
    fitted = GlomeruliClassifier(threshold=asked)
    fitted.threshold_, fitted.training_record_ = 0.3, record
    _tell_threshold(fitted)
    assert capsys.readouterr().err == told


def test_train_keeps_an_existing_model(trained, data):
    model, _ = trained
    before = model.read_bytes()
    result = run("train", data / "public.csv", *TINY, "-o", model, code=2)
    assert "--overwrite" in result.stderr
    assert model.read_bytes() == before


def test_train_in_feature_space_makes_no_sheet_and_says_so(data, tmp_path):
    model = tmp_path / "m.glomclf"
    (tmp_path / "m-training").mkdir()
    (tmp_path / "m-training" / "cv_scores.csv").touch()  # of an earlier run
    options = ("--sampler", "smote", "--set", "sampling_space=features")
    result = run("train", data / "public.csv", *TINY, *options, "-o", model, "-q")
    assert "made no images" in result.stderr
    names = {path.name for path in (tmp_path / "m-training").iterdir()}
    assert names == {"history.csv", "history.png", "class_proportions.png"}


@pytest.mark.parametrize("is_kept", [False, True])
def test_train_says_after_ctrl_c_how_to_go_on(data, tmp_path, monkeypatch, is_kept):
    def stop(self, *arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(GlomeruliClassifier, "fit", stop)
    (tmp_path / "kept").mkdir()
    if is_kept:
        (tmp_path / "kept" / "a.checkpoint").touch()
    options = ("--set", f"network.checkpoint_dir={tmp_path / 'kept'}", "-q")
    model = tmp_path / "m.glomclf"
    result = run("train", data / "public.csv", *TINY, *options, "-o", model, code=130)
    told = "goes on after the last whole epoch" if is_kept else "Nothing is kept"
    assert told in result.stderr
    assert not model.exists()


@pytest.mark.parametrize(("more", "n_left"), [((), 3), (("--ensemble",), 1)])
def test_ctrl_c_in_a_fold_keeps_those_before_and_the_same_command_goes_on(
    data, trained, tmp_path, monkeypatch, more, n_left
):
    run_epoch, begun = epochs._train, []

    def stopped(*arguments):
        begun.append(arguments)
        if len(begun) == 4:  # the second epoch of the second fold
            raise KeyboardInterrupt
        return run_epoch(*arguments)

    monkeypatch.setattr(epochs, "_train", stopped)
    model, folder = tmp_path / "m.glomclf", tmp_path / "m-training"
    words = ["train", data / "public.csv", *TINY, "--cv", 2, *more, "-o", model, "-q"]
    result = run(*words, code=130)
    assert "with all folds that are finished" in result.stderr
    assert len(list((folder / "unfinished").iterdir())) == 2
    run(*words)
    assert len(begun) == 4 + n_left
    assert not (folder / "unfinished").exists()
    assert b"unfinished" not in model.read_bytes()
    if not more:
        expected = trained[0].with_name("tiny-training") / "cv_predictions.csv"
        found = pd.read_csv(folder / "cv_predictions.csv")
        pd.testing.assert_frame_equal(found, pd.read_csv(expected), atol=1e-6)


@pytest.mark.parametrize("more", [(), ("--cv", 2, "--ensemble")])
def test_a_model_without_epochs_leaves_no_history(data, tmp_path, more):
    model = tmp_path / "m.glomclf"
    options = ("--recipe", "linear", "--set", "encoder.backbone=cnn", "-o", model, "-q")
    run("train", data / "public.csv", *TINY[2:6], *options, *more)
    names = [path.name for path in tmp_path.rglob("*")]
    assert "m.glomclf" in names
    assert "history.csv" not in names


@pytest.fixture(scope="module")
def evaluated(trained, data, tmp_path_factory):
    """One evaluation, with all pictures, for tests that only read."""
    out = tmp_path_factory.mktemp("evaluated")
    words = ["evaluate", data / "public.csv", "--model", trained[0], "-q"]
    words += ["-o", out, "--threshold", 0.5]
    return words, out, run(*words)


def test_evaluate_writes_predictions_scores_and_pictures(trained, data, evaluated):
    model, csv = trained[0], data / "public.csv"
    _, out, result = evaluated
    assert {path.name for path in out.iterdir()} == {
        "predictions.csv",
        "scores.csv",
        "scores.json",
        "biopsies.csv",
        "confusion_matrix.png",
        "roc_curve.png",
        "precision_recall_curve.png",
        "reliability.png",
        "thresholds.png",
        "decision_curve.png",
        "biopsies.png",
        "bland_altman.png",
        "report.html",
        "model_card.md",
    }
    table = pd.read_csv(out / "predictions.csv")
    assert list(table) == ["name", "probability", "prediction", "label", "participant"]
    wanted = GlomeruliClassifier.load(model).predict_proba(read_manifest(csv))[:, 1]
    assert table["probability"].to_numpy() == pytest.approx(wanted, abs=1e-6)
    scores = json.loads((out / "scores.json").read_text())
    right = (table["prediction"] == table["label"]).mean()
    assert scores["scores"]["accuracy"] == pytest.approx(right)
    for name in (
        "Accuracy",
        "F1",
        "Specificity",
        "ROC AUC",
        "Average precision",
        "Matthews' coefficient",
    ):
        assert name in result.stdout


def test_report_of_evaluate_shows_the_command_and_each_mistake(evaluated):
    words, out, _ = evaluated
    text = (out / "report.html").read_text(encoding="utf-8")
    assert " ".join(map(str, ["glomclf", *words[:-2]])) in text
    assert len(text) < 3_000_000
    table = pd.read_csv(out / "predictions.csv")
    wrong = table["label"][table["prediction"] != table["label"]]
    shown = sum(min(n, 6) for n in wrong.value_counts())
    assert text.count("data:image/jpeg") == shown > 0
    biopsies = pd.read_csv(out / "biopsies.csv")
    assert biopsies["n_glomeruli"].sum() == len(table)


def test_evaluate_draws_and_resamples_once_for_each_result(
    trained, data, tmp_path, undrawn, monkeypatch
):
    calls = Counter()

    def count(owner, name):
        function = getattr(owner, name)

        def counted(*arguments, **options):
            calls[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    count(glomclf.report.sections.curves, "evaluation_curves")
    count(glomclf.report.displays.curves, "evaluation_curves")
    count(glomclf.evaluation.evaluation, "evaluate")
    count(glomclf.evaluation.biopsy, "biopsy_agreement")
    count(Figure, "__init__")
    csv = data / "public.csv"
    run("evaluate", csv, "--model", trained[0], "-o", tmp_path, "-q")
    n_pictures = len(list(tmp_path.glob("*.png")))
    assert n_pictures == 8
    assert calls.pop("__init__") == n_pictures + 1  # losses are in the page only
    assert set(calls.values()) == {1}
    assert len(calls) == 3


def test_threshold_of_evaluate_decides_predictions(trained, data, tmp_path, undrawn):
    model, _ = trained
    common = (data / "public.csv", "--model", model, "-o", tmp_path, "-q")
    run("evaluate", *common, "--threshold", 0)
    assert pd.read_csv(tmp_path / "predictions.csv")["prediction"].eq(1).all()


def test_evaluate_needs_labels(trained, data, tmp_path):
    table = pd.read_csv(data / "public.csv").drop(columns="ground truth")
    table.to_csv(tmp_path / "test.csv", index=False)
    words = (tmp_path / "test.csv", "--images", data, "--model", trained[0])
    result = run("evaluate", *words, "-o", tmp_path / "out", code=2)
    assert "has no labels" in result.stderr


def test_evaluate_of_one_class_says_what_is_undefined(trained, data, tmp_path, undrawn):
    model, _ = trained
    table = pd.read_csv(data / "public.csv")
    csv, out = tmp_path / "test.csv", tmp_path / "out"
    table[table["ground truth"] == 1].to_csv(csv, index=False)
    arguments = (csv, "--images", data, "--model", model, "-o", out, "-q")
    out.mkdir()
    (out / "roc_curve.png").touch()  # of an earlier run
    result = run("evaluate", *arguments)
    assert "undefined" in result.stdout
    assert json.loads((out / "scores.json").read_text())["scores"]["roc_auc"] is None
    assert not (out / "roc_curve.png").exists()


def test_who_closes_the_pipe_finds_every_file(
    trained, data, tmp_path, undrawn, monkeypatch
):
    def closed(*_):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("glomclf.cli.tables.print_table", closed)
    csv = data / "public.csv"
    words = ("evaluate", csv, "--model", trained[0], "-o", tmp_path, "-q")
    result = run(*words, code=1)
    assert "fault" not in result.stderr
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "biopsies.csv").is_file()


def test_images_that_stand_for_participants_are_not_told_as_such(
    trained, data, tmp_path, undrawn
):
    table = pd.read_csv(data / "public.csv")
    for row, name in enumerate(table["name"]):
        (tmp_path / f"{row}.png").write_bytes(next(data.rglob(name)).read_bytes())
    csv, out = tmp_path / "test.csv", tmp_path / "out"
    names = [f"{row}.png" for row in range(len(table))]
    table.assign(name=names)[["name", "ground truth"]].to_csv(csv, index=False)
    result = run("evaluate", csv, "--model", trained[0], "-o", out, "-q")
    assert "not all participants are known" in result.stderr
    assert not (out / "biopsies.csv").exists()
    assert "participant" not in pd.read_csv(out / "predictions.csv")
    assert "rows count as independent" in (out / "report.html").read_text("utf-8")


def test_evaluate_on_what_was_trained_on_ends_with_the_leaks(
    trained, data, tmp_path, undrawn, equal_pixels_alone
):
    csv, results = data / "public.csv", tmp_path / "results"
    options = (csv, "--train", csv, "--model", trained[0], "-o", results)
    result = run("evaluate", *options, "-q", code=2)
    assert "participant on both sides" in result.stderr
    assert "identical" in result.stderr
    assert "The split leaks" in (results / "report.html").read_text()


def test_evaluate_of_other_participants_passes_the_audit(
    trained, data, tmp_path, undrawn, equal_pixels_alone
):
    run("split", data / "public.csv", "-o", tmp_path)
    options = ("--images", data, "--model", trained[0], "-o", tmp_path / "results")
    csvs = (tmp_path / "test.csv", "--train", tmp_path / "train.csv")
    run("evaluate", *csvs, *options, "-q")
    assert "No leak found" in (tmp_path / "results" / "report.html").read_text()


@pytest.fixture(scope="module")
def ensemble(data):
    """One ensemble of two members for all tests that only read."""
    model = data.parent / "both.glomclf"
    options = ("--cv", 2, "--ensemble", "--threshold", "f1")
    return model, run("train", data / "public.csv", *TINY, *options, "-o", model, "-q")


def test_train_of_an_ensemble_writes_model_scores_curves_and_report(ensemble, data):
    model, result = ensemble
    folder = model.parent / "both-training"
    listed = result.stdout.split("Files:")[1].split()
    assert set(listed) == {str(model), *map(str, folder.iterdir())}
    assert {path.name for path in folder.iterdir()} == {
        "history.csv",
        "history.png",
        "class_proportions.png",
        "synthetic_images.png",
        "cv_predictions.csv",
        "cv_scores.csv",
        "cv_scores.json",
        "report.html",
    }
    history = pd.read_csv(folder / "history.csv")
    assert history[["fold", "epoch"]].to_numpy().tolist() == [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
    ]
    assert "Scores of single members, out of 2 folds" in result.stdout
    assert "--ensemble" in (folder / "report.html").read_text(encoding="utf-8")
    chosen = FoldEnsembleClassifier.load(model).threshold_
    told = f"Threshold {chosen:g}, chosen on out-of-fold predictions (--threshold f1)."
    assert told in result.stderr


def test_scores_of_an_ensemble_are_those_of_its_out_of_fold_predictions(ensemble, data):
    model, _ = ensemble
    loaded = FoldEnsembleClassifier.load(model)
    folder = model.parent / "both-training"
    table = pd.read_csv(folder / "cv_predictions.csv")
    assert table["probability"].to_numpy() == pytest.approx(loaded.oof_probability_)
    called = loaded.oof_probability_ >= loaded.oof_threshold_
    assert table["prediction"].tolist() == called.astype(int).tolist()
    scores = json.loads((folder / "cv_scores.json").read_text())
    assert scores == loaded.oof_evaluation_.to_dict()
    assert loaded.threshold == "f1"
    assert loaded.cv == 2


def test_evaluate_and_predict_take_an_ensemble(ensemble, data, tmp_path, undrawn):
    model, _ = ensemble
    csv, out = data / "public.csv", tmp_path / "predictions.csv"
    run("evaluate", csv, "--model", model, "-o", tmp_path, "-q")
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "Mean of 2 classifiers" in report
    assert "chosen on out-of-fold predictions" in report
    assert "2 epochs run of 2 at most" in report
    assert "of the 2 members by epoch" in report
    evaluated = pd.read_csv(out)
    predict = ("predict", csv, "--model", model, "-o", tmp_path, "-q")
    refused = run(*predict, "--threshold", 0, code=2)
    assert f"{out} exists. Pass --overwrite" in refused.stderr
    run(*predict, "--threshold", 0, "--overwrite")
    predicted = pd.read_csv(out)
    wanted = FoldEnsembleClassifier.load(model).predict_proba(read_manifest(csv))[:, 1]
    for table in (evaluated, predicted):
        assert table["probability"].to_numpy() == pytest.approx(wanted, abs=1e-6)
    assert (predicted["prediction"] == 1).all()
    biopsies = pd.read_csv(tmp_path / "biopsies.csv")
    assert biopsies["biopsy_low"].notna().all()  # by its out-of-fold predictions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ensemble",), r"Say how many folds: --cv 5 --ensemble"),
        (("--ensemble", "--cv", 30), "--cv"),
    ],
)
def test_an_ensemble_that_cannot_be_is_refused_before_training(
    data, tmp_path, options, message
):
    out = tmp_path / "m.glomclf"
    result = run("train", data / "public.csv", *TINY, *options, "-o", out, code=2)
    assert re.search(message, result.stderr)
    assert not out.exists()


def test_evaluate_by_a_column_scores_each_of_its_values(
    trained, data, tmp_path, undrawn
):
    table = pd.read_csv(data / "public.csv")
    table["centre"] = ["A" if n % 2 else "B" for n in range(len(table))]
    table["one"] = table["other"] = table["ground truth"]
    table.loc[::7, "other"] = None
    csv, out = tmp_path / "test.csv", tmp_path / "out"
    table.to_csv(csv, index=False)
    words = ("evaluate", csv, "--images", data, "--model", trained[0], "-o", out, "-q")
    result = run(*words, "--by", "centre", "--reader", "one", "--reader", "other")
    assert "By centre" in result.stdout
    assert "kappa one / model" in (out / "readers.csv").read_text()
    assert ">Readers</h2>" in (out / "report.html").read_text()
    assert "Worst by centre" in result.stderr
    found = pd.read_csv(out / "subgroups.csv")
    assert found["centre"].unique().tolist() == ["A", "B"]
    assert found.loc[found["score"] == "recall", "n_samples"].tolist() == [24, 24]
    assert json.loads((out / "scores.json").read_text())["subgroups"]["worst"] in "AB"
    told = run(*words, "--by", "clinic", code=2).stderr
    assert "no column 'clinic'" in told
    assert "centre" in told
    told = run(*words, "--by", "path", code=2).stderr
    assert "48 values" in told


@pytest.mark.parametrize("name", ["train", "compare"])
def test_missing_weights_are_named_before_the_csv_is_read(tmp_path, name):
    result = CliRunner().invoke(
        main, [name, str(tmp_path / "no.csv"), "--weights", str(tmp_path / "no.h5")]
    )
    assert result.exit_code == 2
    assert "no.h5. Give a file, imagenet or none" in " ".join(result.output.split())
